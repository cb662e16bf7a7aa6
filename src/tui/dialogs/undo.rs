//! Takes back the last change of a knob that this console made, after a confirmation.

use crate::control::text::mask::list;
use crate::control::text::outcome::{Severity, value};
use crate::control::text::provenance::came_from;
use crate::control::text::target::object;
use crate::control::{Change, Key, KnobValue, config, read};
use crate::tui::keymap::Action;
use crate::tui::model::{Model, Pending};
use crate::tui::msg::Effect;
use crate::tui::widgets::sheet::Sheet;

use super::confirm::{Confirm, Question};
use super::{kernel_write, perform};

/// Whether a change is taken back.
#[derive(Debug)]
pub struct Undo {
    changes: Vec<Change>,
}

/// Opens the confirmation, or says why the last change cannot be taken back. A mask that was reset is narrowed again by
/// the confirmation of a draft, which asks for the same words as every other.
pub(super) fn open(model: &mut Model) {
    if model.refuses("undoing a change") {
        return;
    }
    let Some(changes) = model.changes.last().map(<[Change]>::to_vec) else {
        let why = "nothing to undo: this console has changed no knob, or has undone every change";
        return model.say(Severity::Quiet, why);
    };
    if let Err(why) = check(model, &changes) {
        return model.say(Severity::Warned, why);
    }
    let writes = back(&changes);
    if changes.iter().any(|change| change.key.is_mask()) {
        match perform::set_masks(model, &writes.iter().collect::<Vec<_>>()) {
            Ok(_) => {}
            Err(why) => model.say(Severity::Warned, why),
        }
    } else if kernel_write::is_kernel(model) {
        kernel_write::open(model, writes);
    } else {
        model.open(Confirm::new(Undo { changes }));
    }
}

/// The writes that set the values of before.
fn back(changes: &[Change]) -> Vec<(Key, KnobValue)> {
    changes.iter().map(|change| (change.key, change.before.clone())).collect()
}

/// Why the change cannot be taken back: somebody else has changed the knob since, or no write can set the value of
/// before.
fn check(model: &Model, changes: &[Change]) -> Result<(), String> {
    for change in changes {
        let (name, live) = (change.key.name(), read(&model.snapshot, change.key));
        if change.key == Key::ModulesDisabled {
            return Err(format!("{name} cannot be undone: it stays 1 until this machine starts again"));
        }
        if !live.is_like(&change.after) {
            let who = came_from(&config::came_from(&model.snapshot, change.key));
            let (is, was) = (value(&live.text()), value(&change.after.text()));
            return Err(format!("{name} is not undone: it is {is} now, no longer {was}; {who}"));
        }
        let Some((before, after)) = change.masks() else { continue };
        let lost = before.minus(after);
        if !lost.is_empty() {
            let way = if kernel_write::is_kernel(model) {
                "they come back when this machine starts again".to_owned()
            } else {
                format!("on Masks, {} resets the engine's mask", model.keys.key(Action::Reset))
            };
            return Err(format!("{name} cannot be undone: a write only drops, it cannot regain {}; {way}", list(lost)));
        }
    }
    Ok(())
}

impl Question for Undo {
    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Undo the last change", &model.theme, columns);
        sheet.say(&format!("to {}:", object(&model.link.info)), model.theme.text);
        for change in &self.changes {
            let words = format!("{}: {} -> {}", change.key, value(&change.after.text()), value(&change.before.text()));
            sheet.say(&words, model.theme.title);
        }
        if self.changes.iter().any(|change| change.key == Key::Gate && change.before.text() != "enabled") {
            sheet.say("a drain waits up to 5 s for the calls in flight", model.theme.dim);
        }
        sheet
    }

    fn keys(&self) -> &'static str {
        "enter sets the value of before, esc goes back"
    }

    /// Writes the values of before, if they are still what this console has set.
    fn submit(&self, model: &mut Model) -> Result<Effect, String> {
        check(model, &self.changes)?;
        let command = kernel_write::command(model, back(&self.changes));
        Ok(model.submit(Pending::Undo(back(&self.changes)), command))
    }
}
