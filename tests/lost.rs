//! UMH-8 in a host program that reaps every child it can, ours among them. A process of its own.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{info, run};
use khelper::abi::record::Outcome;
use khelper::abi::wait::WaitMode;
use khelper::engine::Engine;

#[test]
fn umh_8_a_status_that_the_host_reaps_is_true_or_said_to_be_lost() {
    let engine = Engine::start().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let reaper = {
        let stop = stop.clone();
        std::thread::spawn(move || {
            let mut stolen = 0;
            while !stop.load(Ordering::Acquire) {
                if nix::sys::wait::wait().is_ok() {
                    stolen += 1;
                } else {
                    std::thread::yield_now();
                }
            }
            stolen
        })
    };
    let mut lost = 0;
    for n in 0..200 {
        let code = n % 100 + 1;
        let record = engine.call_usermodehelper(info(&["/bin/sh", "-c", &format!("exit {code}")]), WaitMode::PROC);
        match record.outcome {
            Outcome::Exited => assert_eq!(record.result, Some(code << 8), "never guessed"),
            Outcome::Lost => {
                assert_eq!((record.result, record.status), (Some(-libc::ECHILD), None));
                lost += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    stop.store(true, Ordering::Release);
    // The reaper may be blocked in wait: give it a child of its own.
    let _ = std::process::Command::new("/bin/true").spawn();
    let stolen = reaper.join().unwrap();
    assert!(lost <= stolen, "{lost} lost, {stolen} reaped by the host");
    assert_eq!(run(&engine, &["/bin/true"]).result, Some(0));
    assert_eq!(engine.snapshot().live, 0);
}
