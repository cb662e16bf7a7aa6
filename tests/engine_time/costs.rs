//! UMH-12: a record has each value that the host reports about a helper, in the right field.

use khelper::abi::cap::{CapMask, CapSets, ReadSet};
use khelper::abi::launch_spec::NotEnforced;
use khelper::abi::wait::{WaitMode, WaitStatus};
use khelper::engine::KnobWrite;
use khelper::sys::fake::Script;

use crate::support::*;

#[test]
fn umh_12_each_value_that_the_host_reports_has_its_own_field() {
    let of = CapMask::from_bits;
    let started = CapSets {
        inheritable: of(0b1),
        permitted: of(0b10),
        effective: of(0b100),
        bounding: of(0b1000),
        ambient: of(0b1_0000),
    };
    let host = host(Script {
        status: Some(WaitStatus::exited(3)),
        stdout: b"out".to_vec(),
        stderr: b"errors".to_vec(),
        not_enforced: vec![NotEnforced::Nice, NotEnforced::Groups],
        caps_started: Some(started),
        cpu_us: 4_200,
        max_rss_kib: 170,
        ..Script::default()
    });
    host.change(|m| m.sets.inheritable = ReadSet::Known(of(0b11)));
    let engine = start(&host);
    set(&engine, KnobWrite::Bset(khelper::abi::mask::MaskExpr::Exactly(of(0b111))));
    let record = engine.request_module("dummy", true);
    assert_eq!((record.cpu_us, record.max_rss_kib), (4_200, 170));
    assert_eq!(record.caps_started.as_deref(), Some(&started), "the sets of the start, not those of the end");
    let ended = CapSets {
        inheritable: of(0b11),
        permitted: of(0b111),
        effective: of(0b111),
        bounding: of(0b111),
        ambient: CapMask::EMPTY,
    };
    assert_eq!(record.caps.as_deref(), Some(&ended));
    assert_eq!(&*record.not_enforced, [NotEnforced::Nice, NotEnforced::Groups]);
    let output = record.output.as_deref().unwrap();
    assert_eq!((&*output.stdout, &*output.stderr, output.dropped), (&b"out"[..], &b"errors"[..], 0));
    assert_eq!((record.result, record.status), (Some(3 << 8), Some(WaitStatus::exited(3))));

    // A helper whose sets were not read while it ran has no sets from its start.
    let unseen = engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC);
    assert_eq!(unseen.caps_started.as_deref(), None);
    assert!(unseen.caps.is_some());
}
