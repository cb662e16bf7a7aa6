//! ctrl-c: the first abandons the wait, every later one kills what still runs.

use std::os::fd::AsFd;
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::abi::who::Origin;
use crate::control::{Command, dispatch};
use crate::engine::{Cancel, Engine, Received};
use crate::sys::signals::Signals;

use super::say::say;

/// Listens on a thread of its own until the process ends. The answer fires with the first ctrl-c; every request of
/// the command waits with it.
pub fn listen(engine: &Engine, signals: Signals) -> std::io::Result<Cancel> {
    let cancel = Cancel::new();
    let (engine, fire) = (engine.clone(), cancel.clone());
    thread::Builder::new().name("ctrl-c".into()).spawn(move || {
        while wait(&signals) {
            while let Ok(Some(Signal::SIGINT)) = signals.next() {
                if fire.is_cancelled() {
                    kill_all(&engine);
                } else {
                    say("interrupted: no longer waiting; ctrl-c again kills what still runs");
                    fire.cancel();
                }
            }
        }
    })?;
    Ok(cancel)
}

/// Until a signal has come; false if that cannot be known any more.
fn wait(signals: &Signals) -> bool {
    loop {
        let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => return true,
            Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
}

/// One that is queued yet is killed as soon as it has started: the events are subscribed to before the look.
fn kill_all(engine: &Engine) {
    let events = engine.subscribe(256);
    loop {
        let running = engine.snapshot().running;
        for live in running.iter().filter(|live| live.pid.is_some()) {
            let kill = Command::Kill { id: live.id, signal: Signal::SIGKILL as i32 };
            // A helper that has ended meanwhile needs no killing.
            let _ = dispatch(engine, Origin::CommandLine, kill, &Cancel::new());
        }
        if running.iter().all(|live| live.pid.is_some()) || matches!(events.recv(), Received::Closed) {
            return;
        }
    }
}
