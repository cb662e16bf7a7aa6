//! The kernel's own knobs, as this target shows and writes them.

use crate::abi::knob::Key;
use crate::abi::knob_value::KnobValue;
use crate::abi::snapshot::Knobs;
use crate::control::kernel_knobs::KernelKnobs;

/// Fills in what can be read; the rest stays as a kernel has it that nobody has changed.
pub(super) fn fill(from: &KernelKnobs, knobs: &mut Knobs) {
    for (key, value) in from.readable() {
        match (key, value) {
            (Key::Modprobe, KnobValue::Path(path)) => knobs.modprobe = path,
            (Key::Bset, value) => knobs.bset = value.mask().unwrap_or(knobs.bset),
            (Key::Inheritable, value) => knobs.inheritable = value.mask().unwrap_or(knobs.inheritable),
            _ => {}
        }
    }
}
