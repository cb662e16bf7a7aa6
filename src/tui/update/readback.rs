//! What was read back after a write, taken in before the next snapshot comes.

use crate::abi::cap::CapMask;
use crate::abi::escape::unescape;
use crate::control::{Key, Written};
use crate::tui::model::Model;

/// The knobs read so now; the next snapshot finds nothing new in them.
pub(super) fn take_written(model: &mut Model, written: &[Written]) {
    let knobs = &mut model.snapshot.knobs;
    for w in written {
        match w.key {
            Key::Modprobe => {
                if let Some(path) = unescape(&w.after) {
                    knobs.modprobe = path.into();
                }
            }
            Key::Bset => knobs.bset = read_words(&w.after).unwrap_or(knobs.bset),
            Key::Inheritable => knobs.inheritable = read_words(&w.after).unwrap_or(knobs.inheritable),
            _ => {}
        }
    }
}

/// Reads back what `kernel_words` prints.
fn read_words(text: &str) -> Option<CapMask> {
    let (low, high) = text.split_once('\t')?;
    let (low, high): (u32, u32) = (low.parse().ok()?, high.parse().ok()?);
    Some(CapMask::from_bits(u64::from(high) << 32 | u64::from(low)))
}
