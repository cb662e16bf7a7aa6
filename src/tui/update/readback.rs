//! Stores the values read back after a write, before the next snapshot comes.

use crate::abi::rules_mode::{Mode, ModeFor};
use crate::control::{Change, Key, KnobValue};
use crate::tui::model::Model;

/// What comes back after a trial that was written: the mode of before, or what was to come back after that one.
fn then(before: &KnobValue, was: Mode) -> Mode {
    match before {
        KnobValue::Rules(ModeFor { mode, seconds: None }) => *mode,
        _ => was,
    }
}

/// Stores the knobs' values; the next snapshot finds no change in them.
pub(super) fn take_written(model: &mut Model, written: &[Change]) {
    for w in written {
        let knobs = &mut model.snapshot.knobs;
        match w.key {
            Key::Modprobe => {
                if let KnobValue::Path(path) = &w.after {
                    knobs.modprobe = path.clone();
                }
            }
            Key::Bset => knobs.bset = w.after.mask().unwrap_or(knobs.bset),
            Key::Inheritable => knobs.inheritable = w.after.mask().unwrap_or(knobs.inheritable),
            Key::RulesMode => {
                if let (KnobValue::Rules(mode), Some(rules)) = (&w.after, &mut model.snapshot.rules) {
                    (rules.mode, rules.then) = (*mode, then(&w.before, rules.then));
                    model.rules.again();
                }
            }
            _ => {}
        }
    }
}
