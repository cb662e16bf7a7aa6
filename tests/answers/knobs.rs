//! Every knob shows its own value and no other's.

use khelper::abi::cap::CapMask;
use khelper::abi::depth::Depth;
use khelper::abi::era::Era;
use khelper::abi::glob::Globs;
use khelper::abi::record::Outcome;
use khelper::control::{Key, read};
use khelper::sys::fake::Script;

#[test]
fn sys_1_each_knob_reads_the_value_that_is_its_own() {
    let mut s = super::engine(Script::default()).snapshot();
    s.knobs.modprobe = b"/opt/mod\xffprobe"[..].into();
    (s.knobs.bset, s.knobs.inheritable) = (CapMask::from_bits(1 << 33 | 5), CapMask::from_bits(1 << 34 | 6));
    (s.knobs.allow, s.knobs.deny) = (Globs::parse(b"a* b*").unwrap(), Globs::parse(b"c* d*").unwrap());
    (s.knobs.era, s.gate) = (Era::Current, Depth::Freezing);
    (s.knobs.max_concurrent, s.slots.limit) = (41, 31);
    (s.slots.concurrent, s.slots.waiting, s.slots.peak, s.slots.loop_messages) = (11, 12, 13, 4);
    s.slots.suppressed = 14;
    (s.running_helpers, s.live, s.queued, s.live_total) = (21, 22, 23, 24);
    for (at, count) in s.totals.by_outcome.iter_mut().enumerate() {
        *count = 100 + at as u64;
    }
    (s.totals.requests, s.totals.launched, s.totals.abandoned) = (201, 202, 203);
    (s.totals.refused_limit, s.totals.refused_gate, s.totals.refused_hook, s.totals.throttled) = (204, 205, 206, 207);
    let refused = (100 + Outcome::Refused as u64).to_string();
    let expected = [
        (Key::Modprobe, "/opt/mod\\xffprobe"),
        (Key::Bset, "5\t2"),
        (Key::Inheritable, "6\t4"),
        (Key::Allow, "a* b*"),
        (Key::Concurrent, "11"),
        (Key::Deny, "c* d*"),
        (Key::Era, "current"),
        (Key::Gate, "freezing"),
        (Key::Live, "22"),
        (Key::LoopMessages, "4"),
        (Key::MaxConcurrent, "31"),
        (Key::Queued, "23"),
        (Key::Refused, &refused),
        (Key::RunningHelpers, "21"),
    ];
    for (key, value) in expected {
        assert_eq!(read(&s, key).text(), value, "{}", key.name());
    }
    let untold: Vec<_> = Key::ALL.into_iter().filter(|key| !expected.iter().any(|(told, _)| told == key)).collect();
    assert!(untold.is_empty(), "{untold:?}");
}
