//! One row per capability: live -> draft of both masks, and the host's own sets.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::abi::cap::{CapMask, Capability};
use crate::control::MaskKnob;
use crate::tui::keymap::Action;
use crate::tui::layout::masks::{filter_rows, name_width, scrolled};
use crate::tui::model::Model;
use crate::tui::model::masks::{KNOBS, live};
use crate::tui::text;
use crate::tui::widgets::field;
use crate::tui::widgets::lines::line;

/// The mark before the filter.
const FILTER_MARK: &str = "/ ";

/// The header and as many rows as fit, including the cursor's.
pub(super) fn lines(model: &Model, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let all: Vec<Capability> = model.masks.shown(model.snapshot.known).iter().collect();
    let mut lines = filter(model, columns, all.len());
    let (first, room) = scrolled(model, &all, rows.saturating_sub(1 + lines.len()));
    lines.push(header(model, columns, first, room.min(all.len()), all.len()));
    if all.is_empty() {
        let words = "no capability matches: esc shows all";
        lines.extend(text::wrap(words, columns).into_iter().map(|text| line(text, model.theme.dim)));
    }
    lines.extend(all.iter().skip(first).take(room).map(|cap| row(model, *cap, columns)));
    lines
}

/// The filter, if there is one; the cursor is in the first line while the filter has the focus.
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

/// The cell of the cursor in the filter's line.
pub(super) fn filter_cursor(model: &Model, columns: usize) -> Option<usize> {
    let says = format!(" {} of {}", model.masks.shown(model.snapshot.known).len(), model.snapshot.known.len());
    let room = columns.saturating_sub(text::width(&says) + FILTER_MARK.len());
    model.masks.filtering.then(|| FILTER_MARK.len() + field::spans(&model.theme, &model.masks.filter, room, true).1)
}

/// The table row of the selected capability, counted from the top.
pub(super) fn chosen_row(model: &Model, rows: usize) -> Option<usize> {
    let all: Vec<Capability> = model.masks.shown(model.snapshot.known).iter().collect();
    let at = all.iter().position(|cap| Some(*cap) == model.masks.capability())?;
    let above = 1 + filter_rows(model);
    let (first, room) = scrolled(model, &all, rows.saturating_sub(above));
    (first..first + room).contains(&at).then(|| above + at - first)
}

fn header(model: &Model, columns: usize, first: usize, shown: usize, total: usize) -> Line<'static> {
    let column = |knob: MaskKnob, name: &str, cells: usize| {
        let chosen = model.masks.column == knob;
        let name = if chosen { format!("[{name}]") } else { format!(" {name} ") };
        let style = if chosen { model.theme.selected } else { model.theme.title };
        [Span::styled(name.clone(), style), Span::raw(" ".repeat(cells.saturating_sub(text::width(&name))))]
    };
    let (bset, inheritable) = if columns < 50 { ("bset", "inher") } else { ("bset", "inheritable") };
    let scrolled = if shown < total { format!("{}-{}/{total}", first + 1, first + shown) } else { total.to_string() };
    let capability = if columns < 50 { "cap" } else { "capability" };
    let name = text::pad(&format!("  {capability} {scrolled}"), name_width(columns));
    let mut spans = vec![Span::styled(name, model.theme.title)];
    spans.extend(column(MaskKnob::Bset, bset, 8));
    spans.extend(column(MaskKnob::Inheritable, inheritable, if columns < 50 { 8 } else { 14 }));
    spans.push(Span::styled("host", model.theme.title));
    Line::from(spans)
}

fn row(model: &Model, cap: Capability, columns: usize) -> Line<'static> {
    let under = model.masks.capability() == Some(cap);
    let name = format!("{} {}", if under { '>' } else { ' ' }, cap.name());
    let style = if under { model.theme.selected } else { model.theme.text };
    let mut spans = vec![Span::styled(text::pad(&name, name_width(columns)), style)];
    let mut lost = Vec::new();
    for (knob, cells) in KNOBS.into_iter().zip([8usize, if columns < 50 { 8 } else { 14 }]) {
        let (live, draft) = (live(&model.snapshot, knob), model.masks.draft(knob));
        let (text, style, mark) = cell(model, live, draft, cap);
        if mark {
            lost.push(crate::tui::model::masks::short(knob));
        }
        let chosen = under && model.masks.column == knob;
        let text = if chosen { format!("[{text}]") } else { format!(" {text} ") };
        spans.push(Span::styled(text.clone(), if chosen { style.patch(model.theme.selected) } else { style }));
        spans.push(Span::raw(" ".repeat(cells.saturating_sub(text::width(&text)))));
    }
    spans.push(Span::styled(host(model, cap, columns), model.theme.text));
    if !lost.is_empty() && columns >= 76 {
        spans.push(Span::styled(format!(" ✗ {} cannot be regained", lost.join(", ")), model.theme.bad));
    }
    let mut line = Line::from(spans);
    if line.width() > columns {
        line.spans.truncate(6);
    }
    line
}

/// live -> draft, and whether the draft sets what the live mask lacks.
fn cell(model: &Model, live: CapMask, draft: CapMask, cap: Capability) -> (String, Style, bool) {
    match (live.has(cap), draft.has(cap)) {
        (true, true) => ("■".into(), model.theme.text, false),
        (false, false) => ("·".into(), model.theme.dim, false),
        (true, false) => ("■→·".into(), model.theme.draft, false),
        (false, true) => ("·→✗".into(), model.theme.bad, true),
    }
}

/// Which of the host's own sets contain it: they apply at launch (UMH-10).
fn host(model: &Model, cap: Capability, columns: usize) -> String {
    let host = &model.snapshot.host;
    let words = match (host.bounding.has(cap), host.inheritable.has(cap)) {
        (Some(true), Some(true)) => ["bounding+inh", "b+i"],
        (Some(true), Some(false)) => ["bounding", "b"],
        (Some(false), Some(true)) => ["inheritable", "i"],
        (Some(false), Some(false)) => ["none", "-"],
        // A set that could not be read is not an empty one (UMH-10).
        (Some(true), None) => ["bounding+?", "b+?"],
        (None, Some(true)) => ["?+inh", "?+i"],
        (None, _) | (_, None) => ["unknown", "?"],
    };
    words[usize::from(columns < 50)].to_owned()
}
