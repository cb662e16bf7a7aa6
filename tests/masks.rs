//! The masks on the real machine: what a helper really gets (UMH-10, UMH-11, SYS-7, SYS-9). One process: a test
//! raises the process's own inheritable set.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::{am_root, field, info, run, stdout};
use khelper::abi::actor::Origin;
use khelper::abi::cap::{CapMask, CapSets};
use khelper::abi::launch_spec::Enforcement;
use khelper::abi::mask::{MaskExpr, Masks};
use khelper::abi::wait::WaitMode;
use khelper::engine::{CallOptions, Engine, KnobWrite};

fn mask(text: &str, engine: &Engine) -> CapMask {
    let known = engine.snapshot().known;
    MaskExpr::parse(text.as_bytes(), known).unwrap().resolve(known, known)
}

fn exactly(mask: CapMask) -> MaskExpr {
    MaskExpr::Exactly(mask)
}

fn bit(set: &str) -> u64 {
    u64::from_str_radix(set, 16).unwrap()
}

/// Every capability of this thread becomes inheritable; all that it starts has them so too.
fn raise_inheritable() -> CapMask {
    let mut sets = rustix::thread::capabilities(None).unwrap();
    sets.inheritable = sets.permitted;
    rustix::thread::set_capabilities(None, sets).unwrap();
    CapMask::from_bits(sets.inheritable.bits())
}

#[test]
fn umh_10_a_helper_gets_exactly_what_the_masks_leave() {
    raise_inheritable();
    let engine = Engine::start().unwrap();
    let host = engine.snapshot().host;
    let host_bounding = host.bounding.known().unwrap();
    for text in ["full", "cap_sys_module", "empty", "~cap_sys_admin cap_chown"] {
        let bset = mask(text, &engine);
        let writes = [KnobWrite::ResetBset, KnobWrite::Bset(exactly(bset))];
        engine.write(&writes, Origin::Library).unwrap();
        let record = run(&engine, &["/bin/cat", "/proc/self/status"]);
        let status = stdout(&record);
        let seen = |name| CapMask::from_bits(bit(field(&status, name)));
        let within = bset & host_bounding;
        assert_eq!(record.caps.as_ref().map(|c| c.permitted), Some(seen("CapPrm")), "what ended is what it had");
        assert!(bset.contains(seen("CapPrm")) && bset.contains(seen("CapEff")), "{text}: {status}");
        assert!(seen("CapAmb").is_empty());
        match record.enforced {
            Some(Enforcement::Masks) => {
                assert_eq!((seen("CapBnd"), field(&status, "NoNewPrivs")), (within, "0"));
                assert!(within.contains(seen("CapInh")));
            }
            Some(Enforcement::NoNewPrivs) => {
                assert!(!am_root() && field(&status, "NoNewPrivs") == "1", "{status}");
            }
            other => panic!("{other:?}"),
        }
        if am_root() {
            assert_eq!((seen("CapPrm"), seen("CapEff")), (within, within), "root gets all of it");
        } else {
            assert!(seen("CapPrm").is_empty(), "cat of an ordinary user has no capability");
        }
    }
    // Nothing of the host's own was cut, and it has no no_new_privs (UMH-11).
    assert_eq!(engine.snapshot().host, host);
    assert!(!rustix::thread::no_new_privs().unwrap());
}

#[test]
fn umh_10_a_mask_of_the_calls_own_narrows_this_call_alone() {
    let engine = Engine::start().unwrap();
    let module = mask("cap_sys_module", &engine);
    let full = engine.snapshot().known;
    let options = CallOptions { own: Some((module, full).into()), ..CallOptions::default() };
    let narrowed = engine.call_usermodehelper_with(info(&["/bin/true"]), WaitMode::PROC, &options);
    assert_eq!(narrowed.own.as_deref(), Some(&Masks::new(module, full)));
    assert!(narrowed.caps.as_ref().is_some_and(|c| module.contains(c.permitted)));
    let after = run(&engine, &["/bin/true"]);
    if am_root() {
        assert_eq!(after.caps.as_ref().unwrap().permitted, engine.snapshot().host.bounding.known().unwrap());
    }
}

#[test]
fn sys_7_no_helper_sees_half_of_a_change() {
    const FLIPS: usize = 10_000;
    const LAUNCHES: usize = 2_000;
    let inheritable = raise_inheritable();
    let engine = Engine::start().unwrap();
    let pairs = [
        (mask("cap_sys_module cap_chown cap_kill", &engine), mask("cap_chown", &engine)),
        (mask("cap_net_admin cap_setuid cap_kill", &engine), mask("cap_setuid cap_kill", &engine)),
    ];
    let write = |(bset, inheritable): (CapMask, CapMask)| {
        let all = [
            KnobWrite::ResetBset,
            KnobWrite::ResetInheritable,
            KnobWrite::Bset(exactly(bset)),
            KnobWrite::Inheritable(exactly(inheritable)),
        ];
        engine.write(&all, Origin::Library).unwrap();
    };
    write(pairs[0]);
    let (launched, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut seen: HashMap<(u64, u64), usize> = HashMap::new();
    std::thread::scope(|scope| {
        let launchers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = Vec::new();
                    while launched.fetch_add(1, Ordering::Relaxed) < LAUNCHES || !done.load(Ordering::Acquire) {
                        seen.push(run(&engine, &["/bin/true"]));
                    }
                    seen
                })
            })
            .collect();
        for n in 0..FLIPS {
            write(pairs[(n + 1) % 2]);
            // Spread over the launches: a flip that nothing is launched beside proves nothing.
            while launched.load(Ordering::Relaxed) * FLIPS < n * LAUNCHES {
                std::thread::yield_now();
            }
        }
        done.store(true, Ordering::Release);
        for record in launchers.into_iter().flat_map(|l| l.join().unwrap()) {
            check_one_whole_pair(&record, &pairs, inheritable);
            *seen.entry((record.bset.bits(), record.inheritable.bits())).or_default() += 1;
        }
    });
    assert_eq!(seen.len(), 2, "both pairs were seen: {seen:?}");
    assert!(seen.values().sum::<usize>() >= LAUNCHES);
}

fn check_one_whole_pair(record: &khelper::abi::record::Record, pairs: &[(CapMask, CapMask)], host: CapMask) {
    let pair = (record.bset, record.inheritable);
    assert!(pairs.contains(&pair), "a mixture: {pair:?}");
    let CapSets { inheritable, permitted, bounding, .. } = **record.caps.as_ref().unwrap();
    if am_root() {
        assert_eq!(record.enforced, Some(Enforcement::Masks));
        let host_bounding = khelper_host_bounding();
        assert_eq!(bounding, pair.0 & host_bounding, "the kernel saw another bset than the record");
        assert_eq!(inheritable, pair.1 & pair.0 & host & host_bounding, "or another inheritable");
        assert_eq!(permitted, bounding);
    } else {
        assert!(permitted.is_empty());
    }
}

fn khelper_host_bounding() -> CapMask {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    CapMask::from_bits(bit(field(&status, "CapBnd")))
}

/// A thread that cannot drop from its bounding set, of a root that has everything else. Capability sets are a
/// thread's, and an engine has those of the thread that starts it.
#[test]
fn umh_11_without_cap_setpcap_the_helper_is_confined_by_no_new_privs() {
    let host = std::thread::spawn(|| {
        let mut sets = rustix::thread::capabilities(None).unwrap();
        sets.effective.remove(rustix::thread::CapabilitySet::SETPCAP);
        sets.permitted.remove(rustix::thread::CapabilitySet::SETPCAP);
        sets.inheritable = sets.permitted;
        rustix::thread::set_capabilities(None, sets).unwrap();
        let engine = Engine::start().unwrap();
        let module = mask("cap_sys_module", &engine);
        engine.write(&[KnobWrite::Bset(exactly(module))], Origin::Library).unwrap();
        let record = run(&engine, &["/bin/cat", "/proc/self/status"]);
        let status = stdout(&record);
        assert_eq!(record.enforced, Some(Enforcement::NoNewPrivs));
        assert_eq!(field(&status, "NoNewPrivs"), "1");
        let caps = record.caps.as_ref().unwrap();
        let own = CapMask::from_bits(sets.permitted.bits());
        assert_eq!((caps.permitted, caps.effective), (module & own, module & own), "{status}");
        assert!(module.contains(caps.inheritable) && caps.ambient.is_empty());
        assert!(!rustix::thread::no_new_privs().unwrap(), "never on a thread of the host's own");
    });
    host.join().unwrap();
}

/// The bounding set lies within the mask already: nothing has to be dropped, and no privilege is needed for it.
#[test]
fn umh_11_a_bounding_set_within_the_mask_needs_no_privilege() {
    let engine = Engine::start().unwrap();
    let record = run(&engine, &["/bin/cat", "/proc/self/status"]);
    assert_eq!(record.enforced, Some(Enforcement::Masks));
    assert_eq!(field(&stdout(&record), "NoNewPrivs"), "0");
}
