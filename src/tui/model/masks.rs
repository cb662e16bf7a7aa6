//! The draft of both masks, separate from the live masks.

use crate::abi::cap::{CapMask, Capability};
use crate::abi::escape::screen;
use crate::abi::snapshot::Snapshot;
use crate::control::{Key, MaskKnob};

use crate::tui::field::Field;

/// The number of steps that can be undone.
const UNDO_MAX: usize = 200;

/// Both masks, in the order of the screen's columns.
pub const KNOBS: [MaskKnob; 2] = [MaskKnob::Bset, MaskKnob::Inheritable];

/// The knob of a mask.
pub const fn key(knob: MaskKnob) -> Key {
    knob.key()
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

/// A draft of both masks.
type Draft = [CapMask; 2];

/// The draft and the cursor.
#[derive(Clone, Debug)]
pub struct Masks {
    /// The row under the cursor: a bit.
    pub cursor: u8,
    /// The column chosen.
    pub column: MaskKnob,
    draft: Draft,
    /// Earlier drafts, the newest last; and undone drafts.
    undo: Vec<Draft>,
    redo: Vec<Draft>,
    /// The filter of the rows.
    pub filter: Field,
    /// The filter has the focus.
    pub filtering: bool,
    /// Where the cursor was before the filter moved it.
    pub before: Option<u8>,
    /// The note that the draft was rebased.
    pub note: Option<String>,
}

impl Masks {
    /// A draft that changes nothing.
    pub fn new(snapshot: &Snapshot) -> Self {
        Self {
            cursor: Capability::SYS_MODULE.bit().min(last(snapshot)),
            column: MaskKnob::Bset,
            draft: KNOBS.map(|knob| live(snapshot, knob)),
            undo: Vec::new(),
            redo: Vec::new(),
            filter: Field::default(),
            filtering: false,
            before: None,
            note: None,
        }
    }

    /// The draft of a mask.
    pub const fn draft(&self, knob: MaskKnob) -> CapMask {
        self.draft[knob as usize]
    }

    /// Both drafts: bset, inheritable.
    pub const fn drafts(&self) -> Draft {
        self.draft
    }

    /// Changes a draft; can be undone.
    pub fn set(&mut self, knob: MaskKnob, mask: CapMask) {
        let mut draft = self.draft;
        draft[knob as usize] = mask;
        self.set_both(draft);
    }

    /// Changes both drafts in one step of undo.
    pub fn set_both(&mut self, draft: Draft) {
        if draft == self.draft {
            return;
        }
        if self.undo.len() == UNDO_MAX {
            self.undo.remove(0);
        }
        self.undo.push(std::mem::replace(&mut self.draft, draft));
        self.redo.clear();
    }

    /// Undoes or redoes one step. Returns whether there was one.
    pub fn step(&mut self, back: bool) -> bool {
        let (from, to) = if back { (&mut self.undo, &mut self.redo) } else { (&mut self.redo, &mut self.undo) };
        let Some(draft) = from.pop() else { return false };
        to.push(std::mem::replace(&mut self.draft, draft));
        true
    }

    /// The draft became live: clears undo and redo.
    pub fn settle(&mut self, knob: MaskKnob, live: CapMask) {
        self.draft[knob as usize] = live;
        self.undo.clear();
        self.redo.clear();
    }

    /// The masks whose draft differs from what is live.
    pub fn changed(&self, snapshot: &Snapshot) -> Vec<MaskKnob> {
        KNOBS.into_iter().filter(|knob| self.draft(*knob) != live(snapshot, *knob)).collect()
    }

    /// Rebases the draft after the live mask changed from `before` to `after`: the draft's own changes stay, other bits
    /// follow the live mask. The drafts of undo and redo are rebased too.
    pub fn rebase(&mut self, knob: MaskKnob, before: CapMask, after: CapMask) {
        let drafts = self.undo.iter_mut().chain(&mut self.redo).chain(std::iter::once(&mut self.draft));
        for draft in drafts.map(|draft| &mut draft[knob as usize]) {
            let (dropped, raised) = (before.minus(*draft), draft.minus(before));
            *draft = after.minus(dropped) | raised;
        }
    }

    /// The capability under the cursor, if its row is shown.
    pub fn capability(&self) -> Option<Capability> {
        Capability::from_bit(self.cursor).filter(|cap| self.shows(*cap))
    }

    /// The rows that are shown.
    pub fn shown(&self, known: CapMask) -> CapMask {
        known.iter().filter(|cap| self.shows(*cap)).fold(CapMask::EMPTY, |mask, cap| mask | CapMask::only(cap))
    }

    /// Whether the capability's name contains the first word of the filter.
    fn names(&self, cap: Capability) -> bool {
        let filter = screen(self.filter.bytes()).to_lowercase();
        filter.split_whitespace().next().is_none_or(|word| cap.name().contains(word))
    }

    /// Whether the capability's name, meaning or risk contains every word of the filter.
    fn shows(&self, cap: Capability) -> bool {
        if self.filter.is_empty() {
            return true;
        }
        let info = cap.info().map_or_else(String::new, |info| format!("{} {}", info.meaning, info.without));
        let all = format!("{} {info} {}", cap.name(), cap.risk().unwrap_or_default()).to_lowercase();
        screen(self.filter.bytes()).to_lowercase().split_whitespace().all(|word| all.contains(word))
    }

    /// Moves the cursor by `rows` among the rows shown; 0 moves it to the nearest of them.
    pub fn move_by(&mut self, rows: i32, snapshot: &Snapshot) {
        if rows != 0 {
            self.before = None;
        }
        let shown: Vec<u8> = self.shown(snapshot.known).iter().map(Capability::bit).collect();
        let Some(end) = shown.len().checked_sub(1) else { return };
        let at = match shown.binary_search(&self.cursor) {
            Ok(at) => at,
            // The cursor's row is hidden: select the first row that matches by name, else the first of all.
            Err(_) => {
                let named = |bit: &u8| Capability::from_bit(*bit).is_some_and(|cap| self.names(cap));
                return self.cursor = shown[shown.iter().position(named).unwrap_or(0)];
            }
        };
        self.cursor = shown[at.saturating_add_signed(rows as isize).min(end)];
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
    use crate::tui::testing::fixtures;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_rebase_keeps_what_the_draft_changes(live0 in any::<u64>(), draft in any::<u64>(), live1 in any::<u64>()) {
            let [live0, draft, live1] = [live0, draft, live1].map(CapMask::from_bits);
            let mut masks = Masks::new(&fixtures::snapshot());
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
    fn steps_are_undone_and_redone_and_follow_live() {
        let of = CapMask::from_bits;
        let mut masks = Masks::new(&fixtures::snapshot());
        let full = fixtures::KNOWN;
        masks.set(MaskKnob::Bset, full.minus(of(1)));
        masks.set(MaskKnob::Bset, full.minus(of(3)));
        masks.set(MaskKnob::Inheritable, of(0));
        masks.set(MaskKnob::Inheritable, of(0));
        assert!(masks.step(true) && masks.draft(MaskKnob::Inheritable) == full);
        assert!(masks.step(true) && masks.draft(MaskKnob::Bset) == full.minus(of(1)));
        // Another writer drops bit 4: every step has it dropped too.
        masks.rebase(MaskKnob::Bset, full, full.minus(of(16)));
        assert!(masks.step(false) && masks.draft(MaskKnob::Bset) == full.minus(of(19)));
        assert!(masks.step(true) && masks.step(true) && !masks.step(true));
        assert_eq!(masks.drafts(), [full.minus(of(16)), full]);
        // A new step clears redo; a draft that became live cannot be undone.
        masks.set(MaskKnob::Bset, of(1));
        assert!(!masks.step(false));
        masks.settle(MaskKnob::Bset, of(1));
        assert!(!masks.step(true));
    }

    #[test]
    fn the_filter_looks_at_names_and_words_and_the_cursor_stays_among_them() {
        let s = fixtures::snapshot();
        let mut masks = Masks::new(&s);
        masks.filter = Field::new(b"Net ADMIN");
        assert_eq!(masks.shown(s.known), CapMask::from_bits(1 << 12));
        assert_eq!(masks.capability(), None);
        masks.move_by(0, &s);
        assert_eq!(masks.capability().unwrap().name(), "cap_net_admin");
        masks.filter = Field::new(b"as good as root");
        assert!(masks.shown(s.known).len() > 5);
        masks.move_by(0, &s);
        masks.move_by(i32::MIN, &s);
        assert_eq!(masks.cursor, 0);
        masks.filter = Field::new(b"\x1b nonsense");
        masks.move_by(1, &s);
        assert!(masks.shown(s.known).is_empty() && masks.capability().is_none());
    }
}
