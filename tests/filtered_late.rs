//! A host that puts a filter on all its threads while a worker is idle. A process of its own.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use common::filter::refuse;
use common::{run, stdout};
use khelper::abi::launch_spec::NotEnforced;
use khelper::abi::record::Outcome;
use khelper::engine::Engine;

#[test]
fn umh_9_a_filter_that_comes_late() {
    let engine = Engine::start().unwrap();
    assert_eq!(run(&engine, &["/bin/true"]).result, Some(0));
    // Above the ones that a shell or a test runner leaves open; not close-on-exec.
    let file = std::fs::File::open("/dev/zero").unwrap();
    for fd in 40..60 {
        // SAFETY: integers only, and numbers that nothing here uses.
        assert_eq!(unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&file), fd) }, fd);
    }
    let calls = [
        (libc::SYS_clone3, libc::ENOSYS),
        (libc::SYS_keyctl, libc::EPERM),
        (libc::SYS_close_range, libc::ENOSYS),
        (libc::SYS_unshare, libc::EPERM),
    ];
    refuse(&calls, true).unwrap();
    let record = run(&engine, &["/bin/ls", "/proc/self/fd"]);
    assert_eq!((record.outcome, record.result), (Outcome::Exited, Some(0)), "{record:?}");
    // ls itself has the folder open that it lists.
    assert_eq!(stdout(&record), "0\n1\n2\n3\n");
    assert!(record.not_enforced.contains(&NotEnforced::SessionKeyring), "{:?}", record.not_enforced);
}
