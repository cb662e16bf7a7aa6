//! The name of the target, whose knobs are shown.

use ratatui::text::Line;

use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::widgets::lines;

/// The sentence, or as much of it as fits: the engine, its pid, and that the kernel is not changed.
pub fn line(model: &Model, columns: u16) -> Line<'static> {
    let columns = usize::from(columns);
    let clock = model.clock(model.snapshot.now);
    let style = if model.link.news(&clock).is_none() { model.theme.target } else { model.theme.bad };
    lines::line(text::pad(&words(model, columns), columns), style)
}

/// The same as text.
pub fn words(model: &Model, columns: usize) -> String {
    let shorter = model.link.header(&model.clock(model.snapshot.now));
    // The shortest form is for the edge of a dialog, below the line with the full sentence; a line of its own is cut
    // instead.
    let last = shorter.len().saturating_sub(if shorter.len() > 2 { 2 } else { 1 });
    let fits = shorter.iter().find(|text| text::width(text) <= columns).unwrap_or(&shorter[last]);
    text::fit(fits, columns)
}
