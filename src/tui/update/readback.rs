//! What was read back after a write, taken in before the next snapshot comes.

use crate::control::{Change, Key, KnobValue};
use crate::tui::model::Model;

/// The knobs read so now; the next snapshot finds nothing new in them.
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
