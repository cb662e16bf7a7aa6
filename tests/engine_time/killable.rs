//! UMH-4: each wait mode, killable or not, is cancelled and abandoned before its answer.

use khelper::abi::Errno;
use khelper::abi::record::Outcome;
use khelper::abi::wait::WaitMode;
use khelper::engine::{CallOptions, Caller, Cancel};
use khelper::sys::fake::Script;

use crate::support::*;

#[test]
fn umh_4_only_a_killable_caller_stops_waiting() {
    // Exec takes 1 s, and the helper ends 1 s later, so that WAIT_EXEC and WAIT_PROC both wait.
    let script = Script { exec: SECOND, runs: SECOND, ..Script::default() };
    for killable in [false, true] {
        for wait in [WaitMode::Exec { killable }, WaitMode::Proc { killable }] {
            let host = host(Script::default());
            host.script("/slow/exec", script.clone());
            let engine = start(&host);
            let events = subscribe(&engine);
            let cancel = Cancel::new();
            let options =
                CallOptions { ask: Caller { cancel: cancel.clone(), ..Caller::default() }, ..CallOptions::default() };
            scope(&host, |s| {
                let caller = s.spawn(|| engine.call_usermodehelper_with(info("/slow/exec"), wait, &options));
                host.wait_for("exec", |now| now.executing == 1);
                if !killable {
                    let refused = engine.abandon(1).unwrap_err();
                    assert_eq!(refused.errno, Errno::ESRCH, "{wait:?}: its wait cannot be ended");
                }
                cancel.cancel();
                if killable {
                    let answer = caller.join().unwrap();
                    assert_eq!((answer.outcome, answer.result), (Outcome::Abandoned, errno(Errno::EINTR)), "{wait:?}");
                    host.advance(SECOND);
                    host.wait_for("a helper", |now| now.running == 1);
                    host.advance(SECOND);
                } else {
                    host.advance(SECOND);
                    host.wait_for("a helper", |now| now.running == 1);
                    host.advance(SECOND);
                    let answer = caller.join().unwrap();
                    assert_eq!((answer.abandoned, answer.result), (false, Some(0)), "{wait:?}: the true result");
                }
            });
            let end = finished(&events, 1);
            assert_eq!((end.outcome, end.abandoned), (Outcome::Exited, killable), "{wait:?}");
            assert_eq!(engine.snapshot().totals.abandoned, u64::from(killable), "{wait:?}");
        }
    }
}
