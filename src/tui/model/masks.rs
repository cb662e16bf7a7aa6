//! The draft of both masks, apart from what is live.

use crate::abi::cap::{CapMask, Capability};
use crate::control::{Key, MaskKnob};
use crate::engine::snapshot::Snapshot;

/// Both masks, in the order of the screen's columns.
pub const KNOBS: [MaskKnob; 2] = [MaskKnob::Bset, MaskKnob::Inheritable];

/// The knob of a mask.
pub const fn key(knob: MaskKnob) -> Key {
    match knob {
        MaskKnob::Bset => Key::Bset,
        MaskKnob::Inheritable => Key::Inheritable,
    }
}

/// `bset`, `inheritable`.
pub const fn short(knob: MaskKnob) -> &'static str {
    match knob {
        MaskKnob::Bset => "bset",
        MaskKnob::Inheritable => "inheritable",
    }
}

/// The live value.
pub const fn live(snapshot: &Snapshot, knob: MaskKnob) -> CapMask {
    match knob {
        MaskKnob::Bset => snapshot.knobs.bset,
        MaskKnob::Inheritable => snapshot.knobs.inheritable,
    }
}

/// `cap_x, cap_y`.
pub fn list(mask: CapMask) -> String {
    mask.iter().map(Capability::name).collect::<Vec<_>>().join(", ")
}

/// `full (41)`, `40 of 41`, `empty`.
pub fn size(mask: CapMask, known: CapMask) -> String {
    if mask.is_empty() {
        "empty".to_owned()
    } else if mask.contains(known) {
        format!("full ({})", mask.len())
    } else {
        format!("{} of {}", mask.len(), known.len())
    }
}

/// The difference live -> draft in words.
pub fn difference(live: CapMask, draft: CapMask) -> String {
    let (dropped, raised) = (live.minus(draft), draft.minus(live));
    let mut parts = Vec::new();
    if !dropped.is_empty() && dropped == live {
        parts.push(format!("drops everything ({})", dropped.len()));
    } else if !dropped.is_empty() {
        parts.push(format!("drops {}", list(dropped)));
    }
    if !raised.is_empty() {
        parts.push(format!("{} cannot be regained", list(raised)));
    }
    if parts.is_empty() { "as live".to_owned() } else { parts.join("; ") }
}

/// The draft and the cursor.
#[derive(Clone, Debug)]
pub struct Masks {
    /// The row under the cursor: a bit.
    pub cursor: u8,
    /// The column chosen.
    pub column: MaskKnob,
    draft: [CapMask; 2],
    /// Said when the draft was rebased.
    pub note: Option<String>,
}

impl Masks {
    /// A draft that changes nothing.
    pub fn new(snapshot: &Snapshot) -> Self {
        Self {
            cursor: Capability::SYS_MODULE.bit().min(last(snapshot)),
            column: MaskKnob::Bset,
            draft: KNOBS.map(|knob| live(snapshot, knob)),
            note: None,
        }
    }

    /// The draft of a mask.
    pub const fn draft(&self, knob: MaskKnob) -> CapMask {
        self.draft[knob as usize]
    }

    /// Changes a draft.
    pub fn set(&mut self, knob: MaskKnob, mask: CapMask) {
        self.draft[knob as usize] = mask;
    }

    /// The masks whose draft differs from what is live.
    pub fn changed(&self, snapshot: &Snapshot) -> Vec<MaskKnob> {
        KNOBS.into_iter().filter(|knob| self.draft(*knob) != live(snapshot, *knob)).collect()
    }

    /// Live went from `before` to `after`: what the draft changes it goes on changing, the rest follows live.
    pub fn rebase(&mut self, knob: MaskKnob, before: CapMask, after: CapMask) {
        let draft = self.draft(knob);
        let (dropped, raised) = (before.minus(draft), draft.minus(before));
        self.set(knob, after.minus(dropped) | raised);
    }

    /// The capability under the cursor.
    pub fn capability(&self) -> Option<Capability> {
        Capability::from_bit(self.cursor)
    }

    /// Moves the cursor by so many rows.
    pub fn move_by(&mut self, rows: i32, snapshot: &Snapshot) {
        let to = i32::from(self.cursor).saturating_add(rows).clamp(0, i32::from(last(snapshot)));
        self.cursor = u8::try_from(to).unwrap_or(0);
    }
}

/// The bit of the last row.
pub fn last(snapshot: &Snapshot) -> u8 {
    let known = snapshot.known.bits();
    u8::try_from(63 - known.leading_zeros().min(63)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_rebase_keeps_what_the_draft_changes(live0 in any::<u64>(), draft in any::<u64>(), live1 in any::<u64>()) {
            let [live0, draft, live1] = [live0, draft, live1].map(CapMask::from_bits);
            let mut masks = Masks::new(&fixture::snapshot());
            masks.set(MaskKnob::Bset, draft);
            masks.rebase(MaskKnob::Bset, live0, live1);
            let new = masks.draft(MaskKnob::Bset);
            prop_assert!((new & live0.minus(draft)).is_empty());
            prop_assert!(new.contains(draft.minus(live0)));
            if draft == live0 {
                prop_assert_eq!(new, live1);
            }
        }
    }

    #[test]
    fn the_difference_is_said_in_words() {
        let of = |bits| CapMask::from_bits(bits);
        assert_eq!(difference(of(0b011), of(0b110)), "drops cap_chown; cap_dac_read_search cannot be regained");
        assert_eq!(difference(of(3), of(3)), "as live");
        assert_eq!(size(of(0), of(7)), "empty");
        assert_eq!(size(of(7), of(7)), "full (3)");
    }
}
