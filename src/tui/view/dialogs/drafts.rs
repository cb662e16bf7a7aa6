//! The lists of the screen Masks: drafts that are offered, and the forms in which the draft can be copied.

use crate::tui::model::Model;
use crate::tui::model::{mask_forms, presets};
use crate::tui::text;
use crate::tui::update::changes;

use super::Sheet;

/// A row to choose.
fn row(model: &Model, sheet: &mut Sheet, words: &str, chosen: bool) {
    let (mark, style) = if chosen { ('>', model.theme.selected) } else { (' ', model.theme.text) };
    if chosen {
        sheet.focus = Some((sheet.lines.len(), None));
    }
    sheet.targets.push(sheet.lines.len());
    sheet.lines.push(super::line(text::pad(&format!("{mark} {words}"), sheet.columns), style));
}

/// Each preset by name; what the chosen one means and would change stays in sight.
pub(super) fn presets(model: &Model, choice: usize, columns: usize) -> Sheet {
    let mut sheet = Sheet::new("Presets: fill the draft, apply nothing", columns);
    for (at, preset) in presets::all(model.snapshot.known).iter().enumerate() {
        row(model, &mut sheet, &preset.name, at == choice);
        if at == choice {
            // Where there are few rows, the list has most of them.
            let lines = |words: &str| match model.rows {
                ..16 => vec![text::fit(words, columns)],
                _ => text::wrap(words, columns),
            };
            let says = lines(&preset.says).into_iter().map(|text| super::line(text, model.theme.text));
            sheet.pinned.extend(says);
            let changes = lines(&changes(model, preset.masks)).into_iter();
            sheet.pinned.extend(changes.map(|text| super::line(text, model.theme.draft)));
        }
    }
    sheet
}

/// Each form of both drafts, cut to the line; whole when it is copied.
pub(super) fn copy(model: &Model, choice: usize, columns: usize) -> Sheet {
    let mut sheet = Sheet::new("Copy the draft as", columns);
    for (at, form) in mask_forms::draft(model).iter().enumerate() {
        let words = format!("{:<19} {}", form.title().replace(" as ", " "), form.text.replace('\t', " "));
        row(model, &mut sheet, &words, at == choice);
    }
    sheet.pinned.push(super::line(text::fit("enter copies it whole, by OSC 52", columns), model.theme.dim));
    sheet
}
