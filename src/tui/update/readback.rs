//! Stores the values read back after a write, before the next snapshot comes.

use crate::control::{Change, Key, KnobValue};
use crate::tui::model::Model;

/// Stores the knobs' values; the next snapshot finds no change in them.
pub(super) fn take_written(model: &mut Model, written: &[Change]) {
    let knobs = &mut model.snapshot.knobs;
    for w in written {
        match w.key {
            Key::Modprobe => {
                if let KnobValue::Path(path) = &w.after {
                    knobs.modprobe = path.clone();
                }
            }
            Key::Bset => knobs.bset = w.after.mask().unwrap_or(knobs.bset),
            Key::Inheritable => knobs.inheritable = w.after.mask().unwrap_or(knobs.inheritable),
            _ => {}
        }
    }
}
