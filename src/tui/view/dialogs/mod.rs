//! The frame around every dialog. The target is named on it too.

mod apply;
mod choices;
#[path = "line.rs"]
mod command_line;
mod drafts;
mod forms;
mod help;
mod records;
mod rehearsal;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};

use crate::tui::model::Model;
use crate::tui::model::dialog::Dialog;
use crate::tui::model::field::Field;
use crate::tui::text;

use super::{Areas, header, line, mask_detail, put};

/// Cells of a dialog, at the most.
const WIDEST: u16 = 92;

/// What a dialog shows.
struct Sheet {
    title: String,
    lines: Vec<Line<'static>>,
    /// Always in sight, below the lines: what is wrong.
    pinned: Vec<Line<'static>>,
    /// The line that has to be in sight, and the cell of the cursor in it.
    focus: Option<(usize, Option<usize>)>,
    /// The cursor is in this pinned line, at this cell.
    pinned_cursor: Option<(usize, usize)>,
    scroll: usize,
    /// The lines that can be clicked, in order: fields and choices.
    targets: Vec<usize>,
    /// For the lines and the pinned ones.
    columns: usize,
}

impl Sheet {
    fn new(title: impl Into<String>, columns: usize) -> Self {
        Self {
            title: title.into(),
            lines: Vec::new(),
            pinned: Vec::new(),
            focus: None,
            pinned_cursor: None,
            scroll: 0,
            targets: Vec::new(),
            columns,
        }
    }

    /// A sentence, on as many lines as it takes.
    fn say(&mut self, sentence: &str, style: Style) {
        self.lines.extend(text::wrap(sentence, self.columns).into_iter().map(|text| line(text, style)));
    }

    /// The same where every blank counts, as in an argument.
    fn say_whole(&mut self, sentence: &str, style: Style) {
        self.lines.extend(text::fold(sentence, self.columns).into_iter().map(|text| line(text, style)));
    }

    /// What is wrong, where it cannot be missed.
    fn wrong(&mut self, model: &Model, error: Option<&String>) {
        if let Some(error) = error {
            let marked = format!("✗ {error}");
            let lines = marked.lines().flat_map(|line| text::wrap(line, self.columns));
            self.pinned.extend(lines.map(|text| line(text, model.theme.bad)));
        }
    }

    /// A field of text with its name; the cursor is in it if it has the focus.
    fn field(&mut self, model: &Model, name: &str, field: &Field, focused: bool) {
        let (line, cursor) = self.field_line(model, name, field, focused);
        if focused {
            self.focus = Some((self.lines.len(), Some(cursor)));
        }
        self.targets.push(self.lines.len());
        self.lines.push(line);
    }

    /// A field that is always in sight, below the lines, however far they are scrolled.
    fn pinned_field(&mut self, model: &Model, name: &str, field: &Field) {
        let (line, cursor) = self.field_line(model, name, field, true);
        self.pinned_cursor = Some((self.pinned.len(), cursor));
        self.pinned.push(line);
    }

    fn field_line(&self, model: &Model, name: &str, field: &Field, focused: bool) -> (Line<'static>, usize) {
        let mark = if focused { '>' } else { ' ' };
        let name = text::fit(&format!("{mark} {name} "), self.columns);
        let room = self.columns.saturating_sub(text::width(&name) + 1);
        let (shown, cursor) = field.window(room);
        let cursor = text::width(&name) + cursor;
        let (of_name, of_text) =
            if focused { (model.theme.title, model.theme.selected) } else { (model.theme.text, model.theme.text) };
        (Line::from(vec![Span::styled(name, of_name), Span::styled(text::pad(&shown, room), of_text)]), cursor)
    }

    /// A field with a few values.
    fn pick(&mut self, model: &Model, name: &str, value: &str, focused: bool) {
        let (mark, style) = if focused { ('>', model.theme.selected) } else { (' ', model.theme.text) };
        if focused {
            self.focus = Some((self.lines.len(), None));
        }
        self.targets.push(self.lines.len());
        let room = self.columns.saturating_sub(text::width(name) + 3);
        self.lines.push(Line::from(vec![
            Span::styled(format!("{mark} {name} "), if focused { model.theme.title } else { model.theme.text }),
            Span::styled(text::fit(&format!("< {value} >"), room), style),
        ]));
    }
}

/// The sheet of a dialog in so many columns.
fn sheet(model: &Model, dialog: &Dialog, columns: usize) -> Sheet {
    match dialog {
        Dialog::Module => forms::module(model, columns),
        Dialog::Call => forms::call(model, columns),
        Dialog::Path(form) => forms::path(model, form, columns),
        Dialog::Gate(choice) => choices::gate(model, *choice, columns),
        Dialog::Presets(choice) => drafts::presets(model, *choice, columns),
        Dialog::Copy(choice) => drafts::copy(model, *choice, columns),
        Dialog::Quit(quit) => choices::quit(model, quit, columns),
        Dialog::Apply(apply) => apply::apply(model, apply, columns),
        Dialog::Reset(reset) => apply::reset(model, reset, columns),
        Dialog::Line => command_line::line(model, columns),
        Dialog::Page(page) => command_line::page(model, page, columns),
        Dialog::Rehearse => rehearsal::form(model, columns),
        Dialog::Rehearsal(rehearsal) => rehearsal::sheet(model, rehearsal, columns),
        Dialog::Detail(scroll) => records::page(model, *scroll, columns),
        Dialog::Kill(kill) => records::kill(model, kill, columns),
        Dialog::Repeat(repeat) => records::repeat(model, repeat, columns),
        Dialog::CopyRecord(copy) => records::copy(model, copy, columns),
        Dialog::Save(form) => records::save(model, form, columns),
        Dialog::Help(help) => help::sheet(model, help, columns),
        Dialog::Forms(scroll) => {
            let mut sheet = Sheet::new("Both masks, in every form", columns);
            sheet.lines = mask_detail::whole(model, columns);
            sheet.scroll = *scroll;
            sheet
        }
    }
}

/// Where a sheet stands, and how its rows are shared out.
struct Place {
    frame: Rect,
    inner: Rect,
    rows: usize,
    pinned: usize,
}

/// Below this many rows the frame is one line, the title.
const FRAMED: u16 = 7;

fn columns_of(front: Rect) -> u16 {
    let width = front.width.min(WIDEST);
    width.saturating_sub(if front.height >= FRAMED { 4 } else { 0 })
}

fn place(sheet: &Sheet, front: Rect) -> Place {
    let framed = front.height >= FRAMED;
    let border = if framed { 2 } else { 1 };
    let width = front.width.min(WIDEST);
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

/// How far the dialog on top can be scrolled.
pub(in crate::tui) fn scroll_max(model: &Model) -> usize {
    let Some(dialog) = model.dialogs.last() else { return 0 };
    let front = Areas::of(model, Rect::new(0, 0, model.columns, model.rows)).front();
    let sheet = sheet(model, dialog, usize::from(columns_of(front)));
    let place = place(&sheet, front);
    sheet.lines.len().saturating_sub(place.rows)
}

/// How far the sheet is scrolled, the focus being in sight, and how far it can be.
fn scrolled(sheet: &Sheet, place: &Place) -> (usize, usize) {
    let most = sheet.lines.len().saturating_sub(place.rows);
    let scroll = match sheet.focus {
        Some((row, _)) => (row + 1).saturating_sub(place.rows).max(sheet.scroll),
        None => sheet.scroll,
    };
    (scroll.min(most), most)
}

/// Which field or choice of the dialog on top is in that cell.
pub(in crate::tui) fn hit(model: &Model, x: u16, y: u16) -> Option<usize> {
    let front = Areas::of(model, Rect::new(0, 0, model.columns, model.rows)).front();
    let sheet = sheet(model, model.dialogs.last()?, usize::from(columns_of(front)));
    let place = place(&sheet, front);
    let row = usize::from(y.checked_sub(place.inner.y)?);
    if !place.inner.contains(Position { x, y }) || row >= place.rows {
        return None;
    }
    let line = scrolled(&sheet, &place).0 + row;
    sheet.targets.iter().position(|target| *target == line)
}

/// Draws the dialog on top; where the cursor is, if it takes text.
pub(super) fn draw(model: &Model, areas: &Areas, buf: &mut Buffer) -> Option<Position> {
    let dialog = model.dialogs.last()?;
    let front = areas.front().intersection(buf.area);
    if front.is_empty() {
        return None;
    }
    let sheet = sheet(model, dialog, usize::from(columns_of(front)));
    let place = place(&sheet, front);
    let (scroll, most) = scrolled(&sheet, &place);
    Clear.render(place.frame, buf);
    frame(model, &sheet, &place, scroll, most, buf);
    let shown = sheet.lines.len().min(scroll + place.rows);
    put(buf, place.inner, &sheet.lines[scroll..shown]);
    let below = u16::try_from(shown - scroll).unwrap_or(0);
    let pinned = Rect { y: place.inner.y + below, height: place.inner.height.saturating_sub(below), ..place.inner };
    put(buf, pinned, &sheet.pinned[..place.pinned]);
    let (at, row, cell) = match (sheet.pinned_cursor, sheet.focus) {
        (Some((row, cell)), _) if row < place.pinned => (pinned, row, cell),
        (None, Some((row, Some(cell)))) => (place.inner, row.checked_sub(scroll)?, cell),
        _ => return None,
    };
    let position = Position { x: at.x + u16::try_from(cell).ok()?, y: at.y + u16::try_from(row).ok()? };
    at.intersection(buf.area).contains(position).then_some(position)
}

fn frame(model: &Model, sheet: &Sheet, place: &Place, scroll: usize, most: usize, buf: &mut Buffer) {
    let area = place.frame;
    let columns = usize::from(area.width);
    // What is hidden stands below; where there is no bottom line, above.
    let hidden = hidden(scroll, most);
    let above = if place.inner.width == area.width { hidden.as_str() } else { "" };
    let room = columns.saturating_sub(6 + text::width(above));
    let title = text::fit(&format!(" {} {above}", text::fit(&sheet.title, room)), columns.saturating_sub(4));
    if area.height == 0 {
        return;
    }
    let rule = |left: &str, words: &str, right: &str| {
        let fill = "─".repeat(columns.saturating_sub(text::width(words) + 3));
        format!("{left}─{words}{fill}{right}")
    };
    let top = rule("┌", &title, "┐");
    put(buf, Rect { height: 1, ..area }, &[line(top, model.theme.title)]);
    if place.inner.width == area.width {
        return;
    }
    for y in area.top() + 1..area.bottom().saturating_sub(1) {
        put(buf, Rect { y, height: 1, width: 1, ..area }, &[line("│", model.theme.title)]);
        put(buf, Rect { x: area.right() - 1, y, height: 1, width: 1 }, &[line("│", model.theme.title)]);
    }
    let room = columns.saturating_sub(6 + text::width(&hidden));
    let target = text::fit(&format!(" {} {hidden}", header::target_words(model, room)), columns.saturating_sub(4));
    let bottom = rule("└", &target, "┘");
    put(buf, Rect { y: area.bottom() - 1, height: 1, ..area }, &[line(bottom, model.theme.title)]);
}

/// How many lines of a sheet are out of sight, and where.
fn hidden(scroll: usize, most: usize) -> String {
    match (scroll, most - scroll.min(most)) {
        (0, 0) => String::new(),
        (0, down) => format!("({down} more down) "),
        (up, 0) => format!("({up} more up) "),
        (up, down) => format!("({up} up, {down} down) "),
    }
}
