//! The list of presets.

use crate::control::text::outcome::Severity;
use crate::tui::keymap::{Action, Context};
use crate::tui::model::draft_text::changes;
use crate::tui::model::{After, Dialog, Model, presets};
use crate::tui::text;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

/// With fewer rows than this, list and explanation are not separate.
const APART: u16 = 16;

/// The index of the selected preset.
#[derive(Debug)]
pub struct Presets(usize);

/// Opens it.
pub(super) fn open(model: &mut Model) {
    model.open(Presets(0));
}

impl Dialog for Presets {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Choices, Context::Anywhere]
    }

    /// Lists the presets by name. The description and the effect of the selected one stay visible below the list, or
    /// directly below its name.
    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Presets: fill the draft, apply nothing", &model.theme, columns);
        for (at, preset) in presets::all(model.snapshot.known).iter().enumerate() {
            sheet.choice(&preset.name, at == self.0);
            if at != self.0 {
                continue;
            }
            let explained =
                [(preset.says.clone(), model.theme.text), (changes(model, preset.masks), model.theme.draft)];
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

    /// Copies the selected preset to the draft; applies nothing.
    fn accept(&mut self, model: &mut Model) -> After {
        let Some(preset) = presets::all(model.snapshot.known).into_iter().nth(self.0) else { return After::CLOSE };
        model.masks.set_both(preset.masks);
        model.masks.note = None;
        let (changes, back) = (changes(model, preset.masks), model.keys.key(Action::Undo));
        model.say(Severity::Quiet, format!("draft `{}`: {changes} ({back}: back)", preset.name));
        After::CLOSE
    }

    fn choice(&mut self, model: &Model) -> Option<(&mut usize, usize)> {
        Some((&mut self.0, presets::all(model.snapshot.known).len()))
    }
}
