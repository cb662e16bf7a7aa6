//! The frame around every dialog, with the name of the target, and the visible part of the dialog.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};

use crate::tui::layout::Areas;
use crate::tui::model::{Dialog, Model};
use crate::tui::panels::target;
use crate::tui::text;
use crate::tui::widgets::lines::{line, mute, put};
use crate::tui::widgets::rule::Rule;
use crate::tui::widgets::sheet::Sheet;

/// The largest width of a dialog, in cells.
const WIDEST: u16 = 96;
/// From this width on the screen is seen, muted, around a dialog; a narrower one is only the dialog.
const BESIDE: u16 = 100;

/// The sheet of the dialog on top, its position, and its visible part.
pub struct Placed {
    sheet: Sheet,
    /// How many of its lines are its own; behind them is what of the pinned ones has no room.
    own: usize,
    place: Place,
    pub sight: Sight,
}

/// The position of a sheet, and the division of its rows.
struct Place {
    frame: Rect,
    inner: Rect,
    rows: usize,
    pinned: usize,
}

/// With fewer rows than this on the screen, an error takes the room of the question above it; the footer has its keys.
pub const TALL: u16 = 16;
/// With fewer rows than this, the frame is one line, the title.
const FRAMED: u16 = 7;

fn width_of(front: Rect) -> u16 {
    if front.width < BESIDE { front.width } else { front.width.min(WIDEST) }
}

fn columns_of(front: Rect, fills: bool) -> u16 {
    if fills {
        return front.width;
    }
    width_of(front).saturating_sub(if front.height >= FRAMED { 4 } else { 0 })
}

fn place(sheet: &Sheet, front: Rect, fills: bool) -> Place {
    if fills {
        let rule = front.height.min(1);
        let inner = Rect { y: front.y + rule, height: front.height - rule, ..front };
        let rows = usize::from(inner.height);
        let pinned = sheet.pinned.len().min(rows.saturating_sub(1));
        return Place { frame: front, inner, rows: rows - pinned, pinned };
    }
    let framed = front.height >= FRAMED;
    let border = if framed { 2 } else { 1 };
    let width = width_of(front);
    let wanted = u16::try_from(sheet.lines.len() + sheet.pinned.len()).unwrap_or(u16::MAX).saturating_add(border);
    let height = wanted.min(front.height);
    let frame =
        Rect { x: front.x + (front.width - width) / 2, y: front.y + (front.height - height) / 2, width, height };
    let side = if framed { 2.min(width / 2) } else { 0 };
    let inner = Rect {
        x: frame.x + side,
        y: frame.y + height.min(1),
        width: width - 2 * side,
        height: height.saturating_sub(border),
    };
    let room = usize::from(inner.height);
    let pinned = sheet.pinned.len().min(room.saturating_sub(1).max(room / 2));
    Place { frame, inner, rows: room - pinned, pinned }
}

/// The visible part of the dialog on top.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sight {
    /// The first visible line, without the operator's own scrolling.
    pub base: usize,
    /// The first visible line.
    pub scroll: usize,
    /// The largest possible first line.
    pub most: usize,
    /// The number of lines that fit.
    pub rows: usize,
}

impl Sight {
    fn of(model: &Model, sheet: &Sheet, place: &Place) -> Self {
        let most = sheet.lines.len().saturating_sub(place.rows);
        // All lines that belong to the focus, or its first line if they do not fit.
        let base = match &sheet.focus {
            Some(focus) => (focus.row + focus.rows).saturating_sub(place.rows).min(focus.row).max(sheet.scroll),
            None => sheet.scroll,
        };
        let base = base.min(most);
        Self { base, scroll: base.saturating_add_signed(model.peek).min(most), most, rows: place.rows }
    }
}

/// The visible part of the dialog on top, if one is open.
pub fn sight(model: &Model) -> Option<Sight> {
    placed(model, front(model)).map(|dialog| dialog.sight)
}

/// The lines of the dialog on top, and the visible ones among them.
pub fn lines(model: &Model) -> Option<(Vec<String>, std::ops::Range<usize>)> {
    Some(lines_of(&**model.dialogs.last()?, model))
}

/// The same for a dialog, as if it were on top.
pub fn lines_of(dialog: &dyn Dialog, model: &Model) -> (Vec<String>, std::ops::Range<usize>) {
    let Placed { sheet, own, place, sight } = placed_as(dialog, model, front(model));
    let from = sight.scroll.min(own);
    let shown = from..own.min(sight.scroll + place.rows);
    (sheet.lines.iter().take(own).map(Line::to_string).collect(), shown)
}

fn front(model: &Model) -> Rect {
    Areas::now(model).front
}

/// The sheet of the dialog on top, if one is open. Making it is the slowest part of drawing, so a frame does it once.
pub fn placed(model: &Model, front: Rect) -> Option<Placed> {
    Some(placed_as(&**model.dialogs.last()?, model, front))
}

fn placed_as(dialog: &dyn Dialog, model: &Model, front: Rect) -> Placed {
    let fills = dialog.fills();
    let mut sheet = dialog.sheet(model, usize::from(columns_of(front, fills)));
    let place = place(&sheet, front, fills);
    let own = sheet.lines.len();
    if sheet.pinned.len() > place.pinned {
        // The last one in sight is marked as cut; whoever scrolls on reads it, and the rest, behind the lines.
        sheet.lines.extend_from_slice(&sheet.pinned[place.pinned.saturating_sub(1)..]);
    }
    let sight = Sight::of(model, &sheet, &place);
    Placed { sheet, own, place, sight }
}

/// The field or choice of the dialog on top in that cell.
pub fn hit(model: &Model, x: u16, y: u16) -> Option<usize> {
    let Placed { sheet, place, sight, .. } = placed(model, front(model))?;
    let row = usize::from(y.checked_sub(place.inner.y)?);
    if !place.inner.contains(Position { x, y }) || row >= place.rows {
        return None;
    }
    let line = sight.scroll + row;
    sheet.targets.iter().position(|target| *target == line)
}

/// Draws the dialog on top. Returns the cursor's position if the dialog takes text.
pub fn draw(model: &Model, dialog: Placed, front: Rect, buf: &mut Buffer) -> Option<Position> {
    if front.is_empty() {
        return None;
    }
    let Placed { mut sheet, place, sight, .. } = dialog;
    let scroll = sight.scroll;
    if front.width < BESIDE {
        // Fragments of the screen would read like words of the dialog.
        Clear.render(front, buf);
    } else {
        mute(model.theme.dim, front, buf, false);
        Clear.render(place.frame, buf);
    }
    frame(model, &sheet, &place, sight, buf);
    let shown = sheet.lines.len().min(scroll + place.rows);
    put(buf, place.inner, &sheet.lines[scroll..shown]);
    let below = u16::try_from(shown - scroll).unwrap_or(0);
    let pinned = Rect { y: place.inner.y + below, height: place.inner.height.saturating_sub(below), ..place.inner };
    sheet.cut_pinned(place.pinned);
    put(buf, pinned, &sheet.pinned);
    // The cursor is where the next letter goes; else on the selected row; on a page, at its beginning.
    let in_sight = |row: usize| (scroll..shown).contains(&row);
    let (at, row, cell) = match (sheet.pinned_cursor, sheet.focus.as_ref().map(|focus| (focus.row, focus.cell))) {
        (Some((row, cell)), _) if row < place.pinned => (pinned, row, cell),
        (None, Some((row, cell))) if in_sight(row) => (place.inner, row - scroll, cell.unwrap_or(0)),
        _ => (place.inner, 0, 0),
    };
    let position = Position { x: at.x + u16::try_from(cell).ok()?, y: at.y + u16::try_from(row).ok()? };
    at.intersection(buf.area).contains(position).then_some(position)
}

fn frame(model: &Model, sheet: &Sheet, place: &Place, sight: Sight, buf: &mut Buffer) {
    let area = place.frame;
    let columns = usize::from(area.width);
    // The number of hidden lines is shown below, or above if there is no bottom line.
    let hidden = hidden(sheet, sight);
    if !sheet.hint.is_empty() {
        let hint = if hidden.is_empty() { &sheet.hint } else { hidden.trim() };
        // What is hidden is said in any case.
        let least = if hidden.is_empty() { 0 } else { text::width(hint) + 8 };
        let title = text::fit(&sheet.title, columns.saturating_sub(least));
        let rule = Rule { title: &title, hint, focused: true };
        return put(buf, Rect { height: 1, ..area }, &[rule.line(&model.theme, columns)]);
    }
    let above = if place.inner.width == area.width { hidden.as_str() } else { "" };
    let room = columns.saturating_sub(6 + text::width(above));
    let title = text::fit(&format!(" {} {above}", text::fit(&sheet.title, room)), columns.saturating_sub(4));
    if area.height == 0 {
        return;
    }
    let edge = model.theme.frame;
    let rule = |left: &str, words: &str, right: &str| {
        let fill = "─".repeat(columns.saturating_sub(text::width(words) + 3));
        let inner = words.trim();
        let (before, after) = (words.len() - words.trim_start().len(), words.len() - words.trim_end().len());
        Line::from(vec![
            Span::styled(format!("{left}─{}", " ".repeat(before)), edge),
            Span::styled(inner.to_owned(), model.theme.title),
            Span::styled(format!("{}{fill}{right}", " ".repeat(if inner.is_empty() { 0 } else { after })), edge),
        ])
    };
    put(buf, Rect { height: 1, ..area }, &[rule("╭", &title, "╮")]);
    if place.inner.width == area.width {
        return;
    }
    for y in area.top() + 1..area.bottom().saturating_sub(1) {
        put(buf, Rect { y, height: 1, width: 1, ..area }, &[line("│", edge)]);
        put(buf, Rect { x: area.right() - 1, y, height: 1, width: 1 }, &[line("│", edge)]);
    }
    let room = columns.saturating_sub(6 + text::width(&hidden));
    let target = text::fit(&format!(" {} {hidden}", target::words(model, room)), columns.saturating_sub(4));
    put(buf, Rect { y: area.bottom() - 1, height: 1, ..area }, &[rule("╰", &target, "╯")]);
}

/// How many lines of a sheet are hidden, and on which side.
fn hidden(sheet: &Sheet, sight: Sight) -> String {
    let mut down = sight.most - sight.scroll;
    if down > 0 {
        down += sheet.stands_for;
    }
    match (sight.scroll, down) {
        (0, 0) => String::new(),
        (0, down) => format!("({down} more down) "),
        (up, 0) => format!("({up} more up) "),
        (up, down) => format!("({up} up, {down} down) "),
    }
}
