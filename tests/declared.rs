//! Declared deviations (docs/deviations.md) that only the real machine shows.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{info, run, stdout};
use khelper::abi::Errno;
use khelper::abi::record::Outcome;
use khelper::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use khelper::abi::wait::WaitMode;
use khelper::engine::Engine;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};

/// In the environment of this executable when it is the helper.
const HELPER: &str = "KHELPER_TEST_SETSID";

#[test]
fn umh_9_a_helper_that_calls_setsid_gets_eperm() {
    if std::env::var_os(HELPER).is_some() {
        println!("setsid: {:?}", rustix::process::setsid().map_err(|e| Errno::from_raw(e.raw_os_error())));
        return;
    }
    let me = std::env::current_exe().unwrap().into_os_string().into_string().unwrap();
    let name = "umh_9_a_helper_that_calls_setsid_gets_eperm";
    let env = [format!("{HELPER}=1")];
    let call =
        SubprocessInfo::setup(Some(me.clone().into()), [me.as_str(), "--exact", name, "--nocapture"], env).unwrap();
    let record = Engine::start().unwrap().call_usermodehelper(call, WaitMode::PROC);
    assert!(stdout(&record).contains("setsid: Err(EPERM)"), "{record:?}");
}

/// The C library's programs abort if they have no argv[0]: echo has one, and it is empty.
#[test]
fn umh_2_in_era_3_4_a_helper_without_arguments_gets_an_empty_one() {
    let nothing: [&str; 0] = [];
    let call = SubprocessInfo::setup(Some(b"/bin/echo".to_vec()), nothing, HELPER_ENV).unwrap();
    let record = Engine::start().unwrap().call_usermodehelper(call, WaitMode::PROC);
    assert_eq!((record.result, stdout(&record)), (Some(0), "\n".to_owned()));
    assert!(record.argv().is_empty());
}

/// Another thread looks at the dead child without reaping it. It is not always there in time, so the exec fails again
/// until it was.
#[test]
fn umh_3_a_failed_exec_exits_with_127_for_who_watches_processes() {
    const MOST: usize = 100_000;
    let engine = Engine::start().unwrap();
    let (seen, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let watcher = {
        let (seen, over) = (seen.clone(), over.clone());
        std::thread::spawn(move || {
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
            while !over.load(Ordering::Acquire) {
                // Helpers of other tests end with other codes.
                if matches!(waitid(Id::All, flags), Ok(WaitStatus::Exited(_, 127))) {
                    seen.store(true, Ordering::Release);
                }
            }
        })
    };
    let failed = (0..MOST).find(|_| {
        let record = engine.call_usermodehelper(info(&["/no/such"]), WaitMode::PROC);
        assert_eq!((record.outcome, record.status, record.result), (Outcome::ExecFailed, None, Some(-libc::ENOENT)));
        seen.load(Ordering::Acquire)
    });
    over.store(true, Ordering::Release);
    watcher.join().unwrap();
    assert!(failed.is_some(), "{MOST} failed execs, and none was seen to exit with 127");
    assert_eq!(run(&engine, &["/bin/true"]).result, Some(0));
}
