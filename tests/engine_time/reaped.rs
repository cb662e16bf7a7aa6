//! UMH-14: the pid of a reaped helper may belong to another process, so no signal is sent to it.

use std::time::Duration;

use khelper::abi::Errno;
use khelper::abi::wait::WaitMode;
use khelper::engine::CallOptions;
use khelper::sys::fake::Script;

use crate::support::*;

/// The helper is reaped, and its worker is held before it reports the end: the record still shows a running helper and
/// its pid.
#[test]
fn umh_14_no_signal_is_sent_between_the_reaping_and_the_end_of_the_record() {
    let host = host(Script::default());
    let engine = start(&host);
    let events = subscribe(&engine);
    host.change(|m| m.hold_reaped = true);
    scope(&host, |s| {
        let timed = CallOptions { timeout: Some(Duration::from_secs(3)), ..CallOptions::default() };
        let engine = &engine;
        let caller = s.spawn(move || engine.call_usermodehelper_with(info("/bin/second"), WaitMode::PROC, &timed));
        host.wait_for("a helper and its time-out", |now| now.running == 1 && now.on_clock == 1);
        host.advance(SECOND);
        host.wait_for("a reaped helper", |now| now.reaped == 1);
        assert_eq!(engine.snapshot().live, 1, "the end is not reported yet");
        for signal in [libc::SIGTERM, libc::SIGKILL] {
            assert_eq!(engine.kill(1, signal).unwrap_err().errno, Errno::ESRCH);
        }
        // The time-out expires now. TERM and KILL would be due; the watching thread ends instead.
        host.advance(5 * SECOND);
        host.wait_for("the end of the watch", |now| now.on_clock == 0);
        assert_eq!((host.counts().signals, host.counts().strays), (0, 0));
        host.change(|m| m.hold_reaped = false);
        let record = caller.join().unwrap();
        assert_eq!((record.result, record.timed_out), (Some(0), false));
    });
    finished(&events, 1);
    assert_eq!(engine.kill(1, libc::SIGKILL).unwrap_err().errno, Errno::ESRCH);
    assert_eq!((host.counts().signals, host.counts().strays), (0, 0));
}
