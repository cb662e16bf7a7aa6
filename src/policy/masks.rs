//! What the masks allow: writes that only narrow (SYS-4), and the sets of a helper (UMH-10).

use crate::abi::cap::{CapMask, ThreadSets};
use crate::abi::launch_spec::CapPlan;
use crate::abi::mask::Masks;

/// The effect of a write to a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct MaskWrite {
    /// The live value before.
    pub before: CapMask,
    /// The live value after.
    pub after: CapMask,
    /// Requested bits that the mask did not have: not granted.
    pub not_granted: CapMask,
}

/// A write only intersects (SYS-4).
pub fn write(live: CapMask, requested: CapMask) -> MaskWrite {
    MaskWrite { before: live, after: live & requested, not_granted: requested.minus(live) }
}

/// The sets of a helper: bounding `bset ∩ own ∩ host`, inheritable `inheritable ∩ own ∩ that bounding ∩ host` (UMH-10).
///
/// If the host's bounding set could not be read, it counts as full, so that the masks alone decide what is dropped. If
/// its inheritable set could not be read, it counts as empty, so that no capability is raised.
pub fn plan(host: &ThreadSets, bset: CapMask, inheritable: CapMask, own: Option<Masks>) -> CapPlan {
    let own = own.unwrap_or(Masks::new(!CapMask::EMPTY, !CapMask::EMPTY));
    let bounding = bset & own.bset & host.bounding.at_most();
    CapPlan { bounding, inheritable: inheritable & own.inheritable & bounding & host.inheritable.at_least() }
}

/// Whether a worker narrowed to `from` can still be narrowed to `to`: a worker never widens its sets.
pub fn reachable(from: CapPlan, to: CapPlan) -> bool {
    from.bounding.contains(to.bounding) && from.inheritable.contains(to.inheritable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::{CapSets, ReadSet};
    use proptest::prelude::*;

    fn mask() -> impl Strategy<Value = CapMask> {
        any::<u64>().prop_map(CapMask::from_bits)
    }

    proptest! {
        /// Checks every bit in both directions: no capability too many, and none too few.
        #[test]
        fn umh_10_a_plan_is_exactly_what_every_mask_leaves(
            host_b in mask(), host_i in mask(), bset in mask(), inh in mask(), own_b in mask(), own_i in mask(),
            given in any::<bool>(),
        ) {
            let host = CapSets { bounding: host_b, inheritable: host_i, ..CapSets::default() }.into();
            let p = plan(&host, bset, inh, given.then_some(Masks::new(own_b, own_i)));
            for bit in 0..64 {
                let has = |mask: CapMask| mask.bits() >> bit & 1 == 1;
                let bounding = has(bset) && has(host_b) && (!given || has(own_b));
                let inheritable = bounding && has(inh) && has(host_i) && (!given || has(own_i));
                prop_assert_eq!((has(p.bounding), has(p.inheritable)), (bounding, inheritable), "bit {}", bit);
            }
        }

        #[test]
        fn sys_4_a_write_never_raises_a_bit(live in mask(), asked in mask()) {
            let w = write(live, asked);
            prop_assert!(live.contains(w.after));
            prop_assert_eq!(w.after | w.not_granted, asked);
        }

        #[test]
        fn umh_10_an_inheritable_set_cannot_defeat_bset(host_b in mask(), host_i in mask(), bset in mask(), inh in mask(), own in mask()) {
            let host = CapSets { bounding: host_b, inheritable: host_i, ..CapSets::default() }.into();
            let p = plan(&host, bset, inh, Some(Masks::new(own, !CapMask::EMPTY)));
            prop_assert!((bset & own & host_b).contains(p.bounding));
            prop_assert!(p.bounding.contains(p.inheritable));
            prop_assert!((inh & host_i).contains(p.inheritable));
        }

        #[test]
        fn umh_10_an_unreadable_set_of_the_host_widens_nothing(host_i in mask(), bset in mask(), inh in mask(), own in mask()) {
            let host = ThreadSets { inheritable: ReadSet::Known(host_i), ..ThreadSets::UNREADABLE };
            let p = plan(&host, bset, inh, Some(Masks::new(own, !CapMask::EMPTY)));
            prop_assert_eq!(p.bounding, bset & own);
            prop_assert_eq!(p.inheritable, inh & host_i & bset & own);
            prop_assert_eq!(plan(&ThreadSets::UNREADABLE, bset, inh, None).inheritable, CapMask::EMPTY);
        }
    }
}
