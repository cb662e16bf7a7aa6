//! The commands whose replies are awaited.

use crate::abi::depth::Depth;
use crate::control::activity::query::Query;
use crate::control::{Key, KnobValue, MaskKnob};
use crate::tui::keymap::Action;

/// What a reply answers.
#[derive(Clone, Debug)]
pub enum Pending {
    /// One request of a batch.
    Request(u64),
    /// Every request of a batch, one reply after another.
    Series(u64),
    /// The modprobe path.
    Path,
    /// The gate, the text that describes the command, and the gate's state before.
    Gate(&'static str, Depth),
    /// The values of before, which undo a change.
    Undo(Vec<(Key, KnobValue)>),
    /// The masks, and the value written to each.
    Masks(Vec<(MaskKnob, crate::abi::cap::CapMask)>),
    /// The reset of a mask.
    Reset(MaskKnob),
    /// A run of the rehearsal: under the draft, or under the live masks.
    Rehearsal,
    /// Knobs, from the command line.
    Set(Vec<Key>),
    /// The probe, from the command line.
    Probe,
    /// The reset of the count of runaway messages.
    LoopMessages,
    /// Another command; the text to show on success, escaped.
    Act(String),
    /// A signal to a helper, or the end of a wait: the request, and the text to show on success; escaped.
    Helper(String, &'static str),
    /// One of many requests of an act ([`super::bulk::Bulk`]).
    Bulk(u64),
    /// The requests that match the filters of Activity, for this key.
    Matching(Box<Query>, Action),
    /// A signal, or the gate, while quitting.
    Quitting,
}
