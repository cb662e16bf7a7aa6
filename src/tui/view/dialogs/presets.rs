//! The lists of the screen Masks: drafts that are offered, and the forms in which the draft can be copied.

use crate::tui::model::Model;
use crate::tui::model::draft_text::changes;
use crate::tui::model::{mask_forms, presets};
use crate::tui::text;

use crate::tui::widgets::lines::line;

use super::Sheet;

/// Fewer rows than these have no room for a list and an explanation apart from it.
const APART: u16 = 16;

/// Each preset by name; what the chosen one means and would change stays in sight below them, or right below its name.
pub(super) fn presets(model: &Model, choice: usize, columns: usize) -> Sheet {
    let mut sheet = Sheet::new("Presets: fill the draft, apply nothing", &model.theme, columns);
    for (at, preset) in presets::all(model.snapshot.known).iter().enumerate() {
        sheet.choice(&preset.name, at == choice);
        if at != choice {
            continue;
        }
        let explained = [(preset.says.clone(), model.theme.text), (changes(model, preset.masks), model.theme.draft)];
        for (words, style) in explained {
            if model.rows < APART {
                sheet.below(&words, style);
            } else {
                sheet.pinned.extend(text::wrap(&words, columns).into_iter().map(|text| line(text, style)));
            }
        }
    }
    sheet
}

/// Each form of both drafts, cut to the line; whole when it is copied.
pub(super) fn copy(model: &Model, choice: usize, columns: usize) -> Sheet {
    let mut sheet = Sheet::new("Copy the draft as", &model.theme, columns);
    for (at, form) in mask_forms::draft(model).iter().enumerate() {
        let words = format!("{:<19} {}", form.title().replace(" as ", " "), form.text.replace('\t', " "));
        sheet.choice(&text::fit(&words, columns.saturating_sub(2)), at == choice);
    }
    sheet.pinned.push(line(text::fit("enter copies it whole, by OSC 52", columns), model.theme.dim));
    sheet
}
