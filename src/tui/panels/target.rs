//! Whose knobs these are.

use ratatui::text::Line;

use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::widgets::lines;

/// The whole sentence, or as much of it as there is room for: the engine, its pid, and that the kernel is untouched.
pub fn line(model: &Model, columns: u16) -> Line<'static> {
    let columns = usize::from(columns);
    lines::line(text::pad(&words(model, columns), columns), model.theme.target)
}

/// The same, as words.
pub fn words(model: &Model, columns: usize) -> String {
    let whole = model.target();
    let pid = model.snapshot.pid;
    let shorter = [
        whole,
        format!("embedded engine (pid {pid}): kernel untouched"),
        format!("engine (pid {pid}): kernel untouched"),
        // On the edge of a dialog, below the line that says all of it.
        format!("engine (pid {pid})"),
    ];
    let fits = shorter.iter().find(|text| text::width(text) <= columns).unwrap_or(&shorter[2]);
    text::fit(fits, columns)
}
