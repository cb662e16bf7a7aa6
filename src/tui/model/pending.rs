//! What replies are waited for.

use crate::control::{Key, MaskKnob};

/// What a reply will be an answer to.
#[derive(Clone, Debug)]
pub enum Pending {
    /// One request of a batch.
    Request(u64),
    /// Every request of a batch, one reply after another.
    Series(u64),
    /// The modprobe path.
    Path,
    /// The gate; in words.
    Gate(&'static str),
    /// The masks, and what was asked of each.
    Masks(Vec<(MaskKnob, crate::abi::cap::CapMask)>),
    /// A mask back to full.
    Reset(MaskKnob),
    /// A run of the rehearsal: under the draft, or under the live masks.
    Rehearsal,
    /// Knobs, from the command line.
    Set(Vec<Key>),
    /// The probe, from the command line.
    Probe,
    /// The runaway messages are counted from 0 again.
    LoopMessages,
    /// Something that is done or refused; what to say when it is done, escaped.
    Act(String),
    /// A signal to a helper, or the end of a wait: to which one, and what to say when it is done; escaped.
    Helper(String, &'static str),
    /// A signal, or the gate, on the way out.
    Quitting,
}
