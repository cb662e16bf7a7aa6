//! The layout of the screen Masks.

use std::ops::Range;

use ratatui::layout::{Position, Rect};

use crate::abi::cap::Capability;
use crate::control::MaskKnob;
use crate::tui::model::Model;

use super::areas::Areas;

/// With this many columns, table and details are side by side, and the details are in two columns.
const TWO: u16 = 100;
const THREE: u16 = 160;
/// The width of the table beside the details.
const TABLE: u16 = 60;
/// With more rows than this, one row says what masks do not do; with fewer, all rows are for the table and the draft.
const TRUTH: u16 = 5;
/// With this many rows, the table has a rule on top.
const RULED: u16 = 8;
/// The rows below the table are a panel of their own if there are so many.
const UNDER: u16 = 7;
/// The largest height of the details below the table.
const BELOW: u16 = 12;

/// The parts of the screen.
pub struct Plan {
    /// The table of capabilities, with its rule, the filter and the header.
    pub table: Rect,
    /// Whether the table has a rule.
    pub ruled: bool,
    /// The rows below the table that it does not need; empty if there are few.
    pub under: Rect,
    /// The columns of the details.
    pub details: Vec<Rect>,
    /// The lines between the columns.
    pub dividers: Vec<Rect>,
    /// The row that says what masks do not do to helpers of root. On a host that is not root, the details say what
    /// applies there.
    pub truth: Rect,
}

/// The parts of the screen in this area.
pub fn plan(model: &Model, area: Rect) -> Plan {
    let row = u16::from(model.snapshot.uid == 0 && area.height > TRUTH);
    let rest = Rect { height: area.height - row, ..area };
    let truth = Rect { y: rest.bottom(), height: row, ..area };
    let column = |x: u16, width: u16| Rect { x: rest.x + x, width, ..rest };
    let (mut table, details, dividers) = match rest.width {
        THREE.. => {
            let (one, two) = (rest.width * 2 / 5, rest.width * 7 / 10);
            let details = vec![column(one + 1, two - one - 1), column(two + 1, rest.width - two - 1)];
            (column(0, one), details, vec![column(one, 1), column(two, 1)])
        }
        TWO.. => (column(0, TABLE), vec![column(TABLE + 1, rest.width - TABLE - 1)], vec![column(TABLE, 1)]),
        _ => {
            let details = match rest.height {
                0..=2 => 0,
                3..=9 => 2,
                // What the table does not need, and more if the table needs all.
                rows => (rows * 9 / 20).clamp(3, BELOW).max(rows.saturating_sub(needed(model, true))),
            };
            let table = Rect { height: rest.height - details, ..rest };
            (table, vec![Rect { y: table.bottom(), height: details, ..rest }], Vec::new())
        }
    };
    let ruled = table.height >= RULED;
    let left = table.height.saturating_sub(needed(model, ruled));
    let mut under = Rect { y: table.bottom(), height: 0, ..table };
    if left >= UNDER && rest.width >= TWO {
        table.height -= left;
        under = Rect { y: table.bottom(), height: left, ..table };
    }
    Plan { table, ruled, under, details, dividers, truth }
}

/// How many rows a table has that hides no capability.
fn needed(model: &Model, ruled: bool) -> u16 {
    let rows = u16::try_from(shown(model).len().max(1)).unwrap_or(u16::MAX);
    u16::from(ruled) + 1 + filter_rows(model) + rows
}

impl Plan {
    /// How many rows of the table are above the capabilities.
    pub fn above(&self, model: &Model) -> u16 {
        (u16::from(self.ruled) + 1 + filter_rows(model)).min(self.table.height)
    }

    /// The capabilities whose rows are shown.
    pub fn rows(&self, model: &Model, all: &[Capability]) -> Range<usize> {
        let room = usize::from(self.table.height - self.above(model));
        let at = all.iter().position(|cap| Some(*cap) == model.masks.capability()).unwrap_or(0);
        let first = at.saturating_sub(room / 2).min(all.len().saturating_sub(room));
        first..(first + room).min(all.len())
    }
}

/// The parts of the current screen.
fn now(model: &Model) -> Plan {
    plan(model, Areas::now(model).body)
}

/// Every capability that the filter lets through.
pub fn shown(model: &Model) -> Vec<Capability> {
    model.masks.shown(model.snapshot.known).iter().collect()
}

/// How many rows of capabilities fit.
pub fn rows(model: &Model) -> usize {
    let plan = now(model);
    usize::from(plan.table.height - plan.above(model))
}

/// How many rows the filter takes.
pub fn filter_rows(model: &Model) -> u16 {
    u16::from(!model.masks.filter.is_empty() || model.masks.filtering)
}

/// The cells of a row: the first cell of each part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cells {
    /// The name of the capability, after the mark of the cursor.
    pub name: usize,
    /// The boxes of bset and of inheritable, three cells each.
    pub boxes: [usize; 2],
    /// What the draft changes, of each; `None` if the box itself shows it.
    pub drafts: Option<[usize; 2]>,
    /// What khelper itself has; `None` for this machine's kernel, whose helpers inherit nothing from khelper.
    pub own: Option<usize>,
    /// What the capability allows, if there is room.
    pub meaning: Option<usize>,
}

/// The shortest text of a meaning that is worth its column.
const MEANING: usize = 16;

/// The cells of a table of this width.
pub fn cells(model: &Model, columns: usize) -> Cells {
    let own = |at| Some(at).filter(|_| !model.link.is_real());
    if columns < 58 {
        return Cells { name: 2, boxes: [25, 31], drafts: None, own: own(37), meaning: None };
    }
    let meaning = if model.link.is_real() { 54 } else { 59 };
    Cells {
        name: 3,
        boxes: [25, 39],
        drafts: Some([31, 45]),
        own: own(53),
        meaning: Some(meaning).filter(|at| columns > at + MEANING),
    }
}

/// The capability whose row is in this cell of the table, and the mask whose box is.
pub fn hit(model: &Model, at: Position) -> Option<(Capability, Option<MaskKnob>)> {
    let plan = now(model);
    if !plan.table.contains(at) {
        return None;
    }
    let all = shown(model);
    let row = at.y.checked_sub(plan.table.y + plan.above(model))?;
    let index = plan.rows(model, &all).nth(usize::from(row))?;
    let cells = cells(model, usize::from(plan.table.width));
    let x = usize::from(at.x - plan.table.x);
    // What the draft changes belongs to the box before it.
    let width = if cells.drafts.is_some() { 13 } else { 5 };
    let of = |at: usize| (at..at + width).contains(&x);
    let knob = match cells.boxes.map(of) {
        [true, _] => Some(MaskKnob::Bset),
        [_, true] => Some(MaskKnob::Inheritable),
        _ => None,
    };
    Some((*all.get(index)?, knob))
}
