//! One row per capability: both masks as they are live, what the draft changes, and what khelper itself has.

use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::abi::cap::{CapMask, Capability};
use crate::tui::keymap::Action;
use crate::tui::layout::masks::{Cells, Plan, cells, filter_rows, shown};
use crate::tui::model::Model;
use crate::tui::model::masks::{KNOBS, live, short};
use crate::tui::text;
use crate::tui::widgets::field;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::rule::{Rule, selected};

/// The mark before the filter.
const FILTER_MARK: &str = "/ ";

/// The rule, the filter, the header and as many rows as fit, including the cursor's.
pub(super) fn lines(model: &Model, plan: &Plan) -> Vec<Line<'static>> {
    let (all, columns) = (shown(model), usize::from(plan.table.width));
    let rows = plan.rows(model, &all);
    let range = match rows.len() < all.len() {
        true => format!("{}-{} of {}", rows.start + 1, rows.end, all.len()),
        false => all.len().to_string(),
    };
    let mut lines = Vec::new();
    if plan.ruled {
        let title = format!("Capabilities {range}");
        lines.push(Rule { title: &title, hint: &hint(model), focused: true }.line(&model.theme, columns));
    }
    lines.extend(filter(model, columns, all.len()));
    let cells = cells(model, columns);
    let name = if plan.ruled { "capability".to_owned() } else { format!("cap {}", range.replace(" of ", "/")) };
    lines.push(header(model, &cells, &name));
    if all.is_empty() {
        let words = "no capability matches: esc shows all";
        lines.extend(text::wrap(words, columns).into_iter().map(|text| line(text, model.theme.dim)));
    }
    lines.extend(rows.map(|at| row(model, &cells, all[at], columns)));
    lines
}

/// The part of the last column of the table that stands for the rows that are shown.
pub(super) fn scrollbar(model: &Model, plan: &Plan) -> Rect {
    let all = shown(model);
    let (shown, above) = (plan.rows(model, &all), plan.above(model));
    let track = Rect { y: plan.table.y + above, height: plan.table.height - above, ..plan.table };
    let room = usize::from(track.height);
    let part = |rows: usize, of: usize, cells: usize| u16::try_from(rows * cells / of.max(1)).unwrap_or(0);
    let hidden = all.len() - shown.len();
    let height = if hidden > 0 { part(shown.len(), all.len(), room).max(1).min(track.height) } else { 0 };
    let y = track.y + part(shown.start, hidden, room.saturating_sub(usize::from(height)));
    Rect { x: track.right().saturating_sub(1), y, width: 1, height }
}

/// The masks that the draft changes, without names.
fn hint(model: &Model) -> String {
    let words = |knob| {
        let (live, draft) = (live(&model.snapshot, knob), model.masks.draft(knob));
        let (drops, lost) = (live.minus(draft).len(), draft.minus(live).len());
        let count = |n: u32, words: &str| (n > 0).then(|| format!("{words} {n}"));
        let all: Vec<_> = [count(drops, "drops"), count(lost, "lost")].into_iter().flatten().collect();
        format!("{}: draft {}", short(knob), all.join(", "))
    };
    let all: Vec<String> = model.masks.changed(&model.snapshot).into_iter().map(words).collect();
    if all.is_empty() { "no draft".to_owned() } else { all.join("; ") }
}

/// The filter, if there is one; the cursor is in it while the filter has the focus.
fn filter(model: &Model, columns: usize, shown: usize) -> Vec<Line<'static>> {
    let masks = &model.masks;
    if filter_rows(model) == 0 {
        return Vec::new();
    }
    let says = match masks.filtering {
        true => format!(" {shown} of {}", model.snapshot.known.len()),
        false => format!(" {shown} of {} ({} edits it)", model.snapshot.known.len(), model.keys.key(Action::Filter)),
    };
    let room = columns.saturating_sub(text::width(&says) + FILTER_MARK.len());
    let (typed, _) = field::spans(&model.theme, &masks.filter, room, masks.filtering);
    let mut line = Line::from(Span::styled(FILTER_MARK, model.theme.title));
    line.spans.extend(typed);
    line.push_span(Span::styled(says, model.theme.dim));
    vec![line]
}

/// The cell of the terminal's cursor, from the corner of the table: in the filter if it has the focus, else on the
/// chosen row.
pub(super) fn cursor(model: &Model, plan: &Plan) -> Option<(usize, usize)> {
    let all = shown(model);
    if model.masks.filtering {
        let says = format!(" {} of {}", all.len(), model.snapshot.known.len());
        let columns = usize::from(plan.table.width);
        let room = columns.saturating_sub(text::width(&says) + FILTER_MARK.len());
        let cell = field::spans(&model.theme, &model.masks.filter, room, true).1;
        return Some((FILTER_MARK.len() + cell, usize::from(plan.ruled)));
    }
    let at = all.iter().position(|cap| Some(*cap) == model.masks.capability())?;
    let rows = plan.rows(model, &all);
    rows.contains(&at).then(|| {
        (cells(model, usize::from(plan.table.width)).name - 2, usize::from(plan.above(model)) + at - rows.start)
    })
}

/// Texts at fixed cells of a row; each one begins after the one before it.
#[derive(Default)]
struct Row(Vec<Span<'static>>, usize);

impl Row {
    fn put(&mut self, at: usize, text: impl Into<String>, style: Style) {
        let text = text.into();
        self.0.push(Span::raw(" ".repeat(at.saturating_sub(self.1))));
        self.1 = self.1.max(at) + text::width(&text);
        self.0.push(Span::styled(text, style));
    }
}

fn header(model: &Model, cells: &Cells, name: &str) -> Line<'static> {
    let mut row = Row::default();
    let dim = model.theme.dim;
    row.put(cells.name, text::fit(name, cells.boxes[0].saturating_sub(cells.name + 2)), dim);
    let names = if cells.drafts.is_some() { ["bset", "inherit"] } else { ["bset", "inh"] };
    for (at, knob) in KNOBS.into_iter().enumerate() {
        let chosen = model.masks.column == knob;
        let (open, close) = if chosen { ("[", "]") } else { (" ", " ") };
        let style = if chosen { model.theme.title } else { dim };
        row.put(cells.boxes[at] - 1, format!("{open}{}{close}", names[at]), style);
        if let Some(drafts) = cells.drafts {
            row.put(drafts[at].max(row.1 + 1), "draft", dim);
        }
    }
    if let Some(own) = cells.own {
        row.put(own.max(row.1 + 1), "own", dim);
    }
    if let Some(meaning) = cells.meaning {
        row.put(meaning, "allows", dim);
    }
    Line::from(row.0)
}

fn row(model: &Model, cells: &Cells, cap: Capability, columns: usize) -> Line<'static> {
    let (theme, under) = (&model.theme, model.masks.capability() == Some(cap));
    let mut row = Row::default();
    if under {
        row.put(cells.name - 2, ">", theme.text);
    }
    row.put(cells.name, cap.name(), theme.text);
    for (at, knob) in KNOBS.into_iter().enumerate() {
        let (live, draft) = (live(&model.snapshot, knob), model.masks.draft(knob));
        let (open, close) = if under && model.masks.column == knob { ("[", "]") } else { (" ", " ") };
        let has = if live.has(cap) { ("■", theme.text) } else { ("·", theme.dim) };
        let change = change(model, live, draft, cap);
        match (cells.drafts, change) {
            (Some(drafts), change) => {
                row.put(cells.boxes[at], format!("{open}{}{close}", has.0), has.1);
                if let Some((sign, word, style)) = change {
                    row.put(drafts[at], format!("{sign} {word}"), style);
                }
            }
            (None, Some((sign, _, style))) => {
                row.put(cells.boxes[at], format!("{open}{}→{sign}{close}", has.0), style);
            }
            (None, None) => row.put(cells.boxes[at], format!("{open}{}{close}", has.0), has.1),
        }
    }
    if let Some(at) = cells.own {
        let (sign, style) = own(model, cap);
        row.put(at, sign, style);
    }
    if let (Some(at), Some(info)) = (cells.meaning, cap.info()) {
        row.put(at, text::fit(info.meaning, columns.saturating_sub(at + 2)), theme.dim);
    }
    let line = Line::from(row.0);
    if under { selected(theme, &line, columns) } else { line }
}

/// What the draft changes: a sign and a word.
fn change(model: &Model, live: CapMask, draft: CapMask, cap: Capability) -> Option<(char, &'static str, Style)> {
    match (live.has(cap), draft.has(cap)) {
        (true, false) => Some(('·', "drops", model.theme.draft)),
        (false, true) => Some(('✗', "lost", model.theme.bad)),
        _ => None,
    }
}

/// Which of khelper's own sets contain it: they apply at launch (UMH-10). The bounding set first, then the inheritable
/// one if it is not empty; a set that could not be read is not an empty one.
fn own(model: &Model, cap: Capability) -> (String, Style) {
    let (host, theme) = (&model.snapshot.host, &model.theme);
    let sign = |has: Option<bool>| match has {
        Some(true) => '■',
        Some(false) => '·',
        None => '?',
    };
    let bounding = sign(host.bounding.has(cap));
    let style = if bounding == '■' { theme.text } else { theme.dim };
    match host.inheritable.known().is_some_and(CapMask::is_empty) {
        true => (format!(" {bounding}"), style),
        false => (format!(" {bounding} {}", sign(host.inheritable.has(cap))), style),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;
    use crate::tui::layout::masks::plan;
    use crate::tui::testing::fixtures;

    #[test]
    fn the_scrollbar_is_as_long_as_the_part_that_is_shown_and_stops_at_the_ends() {
        let mut model = fixtures::model(fixtures::snapshot(), 80, 24);
        let area = Rect::new(0, 2, 80, 20);
        let at = |model: &Model| scrollbar(model, &plan(model, area));
        model.masks.cursor = 0;
        let (first, plan_of) = (at(&model), plan(&model, area));
        let track = plan_of.table.y + plan_of.above(&model)..plan_of.table.bottom();
        assert_eq!((first.y, first.x), (track.start, 79));
        assert!(first.height >= 1 && first.bottom() < track.end, "{first:?} in {track:?}");
        model.masks.cursor = 40;
        assert_eq!((at(&model).bottom(), at(&model).height), (track.end, first.height));
        // All rows fit: nothing to scroll.
        model.masks.filter = crate::tui::field::Field::new(b"net");
        assert_eq!(at(&model).height, 0);
    }
}
