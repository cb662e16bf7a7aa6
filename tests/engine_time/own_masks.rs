//! UMH-10: a call's own masks, on a host with a nonempty inheritable set, so that each mask has something to remove.

use khelper::abi::cap::{CapMask, ReadSet};
use khelper::abi::mask::{MaskExpr, Masks};
use khelper::abi::wait::WaitMode;
use khelper::engine::{CallOptions, KnobWrite};
use khelper::sys::fake::Script;
use khelper::sys::host::CapPlan;

use crate::support::*;

const fn of(bits: u64) -> CapMask {
    CapMask::from_bits(bits)
}

#[test]
fn umh_10_each_mask_of_a_call_narrows_its_own_set() {
    let host = host(Script::default());
    host.change(|m| {
        (m.sets.bounding, m.sets.inheritable) = (ReadSet::Known(of(0b1_1111_1110)), ReadSet::Known(of(0b1_1111_1100)))
    });
    let engine = start(&host);
    set(&engine, KnobWrite::Bset(MaskExpr::Exactly(of(0b1_1111_0111))));
    set(&engine, KnobWrite::Inheritable(MaskExpr::Exactly(of(0b1_1110_1111))));
    let full = engine.snapshot().known;
    for (own, bounding, inheritable) in [
        (None, 0b1_1111_0110, 0b1_1110_0100),
        (Some((full, full)), 0b1_1111_0110, 0b1_1110_0100),
        // The inheritable mask only: the bounding set stays.
        (Some((full, of(0b0_0010_1100))), 0b1_1111_0110, 0b0_0010_0100),
        (Some((full, CapMask::EMPTY)), 0b1_1111_0110, 0),
        // The bounding mask also narrows the inheritable set.
        (Some((of(0b0_0110_0010), full)), 0b0_0110_0010, 0b0_0110_0000),
        (Some((of(0b0_0110_0010), of(0b0_0100_0100))), 0b0_0110_0010, 0b0_0100_0000),
        (Some((CapMask::EMPTY, full)), 0, 0),
    ] {
        let own = own.map(Masks::from);
        let options = CallOptions { own, ..CallOptions::default() };
        let record = engine.call_usermodehelper_with(info("/bin/true"), WaitMode::PROC, &options);
        let plan = CapPlan { bounding: of(bounding), inheritable: of(inheritable) };
        assert_eq!(host.launches().last().unwrap().sets, plan, "{own:?}");
        let caps = record.caps.as_ref().unwrap();
        assert_eq!((caps.bounding, caps.inheritable), (plan.bounding, plan.inheritable), "{own:?}");
        assert_eq!(record.own.as_deref().copied(), own);
        assert_eq!((record.bset, record.inheritable), (of(0b1_1111_0111), of(0b1_1110_1111)), "the knobs");
    }
}
