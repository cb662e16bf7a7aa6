//! UMH-10: ambient capabilities of the host, which exec passes on past every other set, do not reach a helper.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::thread;

use common::{am_root, field, run, skipped, stdout};
use khelper::abi::cap::CapMask;
use khelper::abi::launch_spec::Enforcement;
use khelper::engine::Engine;
use rustix::thread::{CapabilitySet, capabilities, configure_capability_in_ambient_set, set_capabilities};

/// Every permitted capability of this thread becomes inheritable and ambient; which they are.
fn raise_ambient() -> CapMask {
    let mut sets = capabilities(None).unwrap();
    (sets.effective, sets.inheritable) = (sets.permitted, sets.permitted);
    set_capabilities(None, sets).unwrap();
    for cap in sets.permitted.iter() {
        configure_capability_in_ambient_set(cap, true).unwrap();
    }
    CapMask::from_bits(sets.permitted.bits())
}

/// The sets of a helper that an engine of this thread starts: permitted, effective, ambient.
fn helper_sets() -> [CapMask; 3] {
    let engine = Engine::start().unwrap();
    let record = run(&engine, &["/bin/cat", "/proc/self/status"]);
    let status = stdout(&record);
    let set = |name| CapMask::from_bits(u64::from_str_radix(field(&status, name), 16).unwrap());
    let caps = record.caps.as_ref().unwrap();
    assert_eq!((caps.permitted, caps.ambient), (set("CapPrm"), set("CapAmb")), "the record, and what the helper saw");
    assert_eq!(record.enforced, Some(Enforcement::Masks));
    [set("CapPrm"), set("CapEff"), set("CapAmb")]
}

fn own_ambient() -> CapMask {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    CapMask::from_bits(u64::from_str_radix(field(&status, "CapAmb"), 16).unwrap())
}

#[test]
fn umh_10_ambient_capabilities_of_a_root_host_are_cleared() {
    if !am_root() {
        return skipped("UMH-10: an ordinary user has no capability to make ambient");
    }
    // Capability sets are a thread's, and an engine has those of the thread that starts it.
    let test = thread::spawn(|| {
        let raised = raise_ambient();
        assert_eq!((own_ambient(), raised.is_empty()), (raised, false), "there is something to clear");
        let [_, _, ambient] = helper_sets();
        assert_eq!(ambient, CapMask::EMPTY);
        assert_eq!(own_ambient(), raised, "nothing of the host's own has changed");
    });
    test.join().unwrap();
}

/// As systemd's `User=` with `AmbientCapabilities=` starts a service: for one that is not root, ambient capabilities
/// are the only ones that a helper would get.
#[test]
fn umh_10_a_host_that_is_not_root_gives_no_ambient_capability_to_its_helper() {
    if !am_root() {
        return skipped("UMH-10: only root can become another user that keeps capabilities");
    }
    let test = thread::spawn(|| {
        // SAFETY: integers only; the flag is this thread's.
        assert_eq!(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) }, 0);
        // SAFETY: integers only. The system call itself changes this thread alone; the C library's function would
        // change every thread of the process.
        assert_eq!(unsafe { libc::syscall(libc::SYS_setresuid, 65_534, 65_534, 65_534) }, 0);
        let raised = raise_ambient();
        assert_eq!((own_ambient(), raised.is_empty()), (raised, false), "there is something to clear");
        assert_eq!(helper_sets(), [CapMask::EMPTY; 3]);
        let sets = capabilities(None).unwrap();
        assert_eq!(sets.effective.contains(CapabilitySet::CHOWN), raised.bits() & 1 != 0, "the host keeps its own");
    });
    test.join().unwrap();
}
