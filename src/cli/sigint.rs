//! Signals to a command. ctrl-c: the first abandons the wait, every later one kills the helpers that run. SIGTERM and
//! SIGHUP end the command: it names the helpers that it leaves running. The main thread listens, a second one runs the
//! command; so a command that is blocked ends all the same, also as pid 1, for which no signal has a default action.

use std::os::fd::{AsFd, OwnedFd};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use rustix::event::{EventfdFlags, eventfd};

use crate::abi::error::{ControlError, SysError};
use crate::control::Reply;
use crate::control::batch::{Batch, Running};
use crate::control::terminate::kill_all;
use crate::sys::orphans;
use crate::sys::probe::ignores;
use crate::sys::signals::Signals;

use super::Caller;
use super::exit::Verdict;
use super::output::{complain, say};

/// How long a command may take to finish after SIGTERM or SIGHUP; with [`STDERR`] before and after it less than 2 s.
const GRACE: Duration = Duration::from_millis(1300);
/// How long the main thread waits for a line that is written to stderr. It never writes one itself: stderr may take
/// nothing (a full pipe, a stopped terminal), or the command may hold its lock, and signals would not be heard.
const STDERR: Duration = Duration::from_millis(300);

/// How the command is to end before it is done.
#[derive(Default)]
pub(super) struct Ending {
    /// The first signal has come: no request is begun any more, and none is waited for.
    interrupted: AtomicBool,
    /// The requests under way.
    batch: Mutex<Option<Running>>,
    /// The signal that ends the command; 0 if none did.
    signal: AtomicU8,
    /// What is left running has been named, or is being named.
    named: AtomicBool,
}

impl Ending {
    /// The signal that ends the command.
    pub(super) fn signal(&self) -> Option<u8> {
        Some(self.signal.load(Ordering::Acquire)).filter(|n| *n != 0)
    }

    /// Whether a signal has stopped the requests of the command.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Acquire)
    }

    /// Runs requests to their end, or until a signal stops them. Returns whether all were begun.
    pub(super) fn run(
        &self,
        batch: Batch,
        caller: &Caller,
        each: impl Fn(Result<Reply, ControlError>) + Send + Sync + 'static,
    ) -> bool {
        if self.is_interrupted() {
            return false;
        }
        let running = batch.run(caller.target.clone(), caller.by.clone(), each);
        *self.batch() = Some(running.clone());
        // A signal that came before they were entered has not stopped them.
        if self.is_interrupted() {
            running.cancel();
        }
        let all_begun = running.wait();
        *self.batch() = None;
        all_begun
    }

    fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Release);
        let running = self.batch().clone();
        if let Some(running) = running {
            running.cancel();
        }
    }

    fn batch(&self) -> MutexGuard<'_, Option<Running>> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the caller is the first to name what is left running.
    pub(super) fn names(&self) -> bool {
        !self.named.swap(true, Ordering::AcqRel)
    }
}

/// The signals of a command, taken before any other thread is started. One that is ignored stays ignored: the parent
/// does not want the program to be interrupted, or to end with its terminal (nohup(1)).
pub fn signals() -> Result<Signals, SysError> {
    let mut wanted = vec![Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
    wanted.retain(|signal| !ignores(*signal));
    if orphans::are_adopted() {
        wanted.push(Signal::SIGCHLD);
    }
    Signals::take(&wanted)
}

/// Runs `command` on a second thread and handles `signals` on this one, which is the main thread. Returns the exit code.
/// `leave` names what is left running, if the command itself does not come to it.
pub(super) fn run(
    caller: &Caller,
    signals: &Signals,
    command: impl FnOnce(&Arc<Ending>) -> u8 + Send,
    leave: impl Fn(&Ending) + Sync,
) -> u8 {
    let done = match eventfd(0, EventfdFlags::CLOEXEC) {
        Ok(done) => done,
        Err(e) => {
            complain(&SysError::new("eventfd", Errno::from_raw(e.raw_os_error())));
            return Verdict::NotExecuted.code();
        }
    };
    let ending = Arc::new(Ending::default());
    let code = thread::scope(|scope| {
        let (done, ending) = (&done, &ending);
        let work = move || {
            let _done = Done(done);
            command(ending)
        };
        let thread = match thread::Builder::new().name("command".into()).spawn_scoped(scope, work) {
            Ok(thread) => thread,
            Err(e) => {
                say(&format!("no thread for the command: {e}"));
                return Verdict::NotExecuted.code();
            }
        };
        if let Some(signal) = listen(caller, signals, done, ending) {
            let leave = &leave;
            let (finished, wait) = channel::<()>();
            let name = move || {
                let _finished = finished;
                leave(ending);
            };
            let _ = thread::Builder::new().name("leave".into()).spawn_scoped(scope, name);
            // It ends with an error when the thread has dropped its end.
            let _ = wait.recv_timeout(STDERR);
            // The command is blocked: only the end of the process ends it.
            std::process::exit(i32::from(128 | signal));
        }
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    });
    ending.signal().map_or(code, |signal| 128 | signal)
}

/// Tells the main thread that the command is done, also when it panics.
struct Done<'a>(&'a OwnedFd);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        // A counter that is 0 takes a 1.
        let _ = rustix::io::write(self.0, &1u64.to_ne_bytes());
    }
}

/// Handles signals until the command is done. Returns the signal that ended it if it is not done in time after that.
fn listen(caller: &Caller, signals: &Signals, done: &OwnedFd, ending: &Ending) -> Option<u8> {
    let mut deadline: Option<Instant> = None;
    // Those that ended before SIGCHLD was listened to.
    orphans::reap();
    loop {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return ending.signal();
        }
        let timeout = left.map_or(PollTimeout::NONE, |left| {
            PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::ZERO)
        });
        let mut fds = [done.as_fd(), signals.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            // No signal can be received: the command goes on to its own end.
            Err(_) => return None,
        }
        if fds[0].any().unwrap_or(true) {
            return None;
        }
        while let Ok(Some(signal)) = signals.next() {
            match signal {
                Signal::SIGCHLD => orphans::reap(),
                Signal::SIGINT if ending.is_interrupted() => kill_running(caller),
                Signal::SIGINT => {
                    say_aside("interrupted: no longer waiting; ctrl-c again kills what still runs".into());
                    ending.interrupt();
                }
                _ if deadline.is_some() => {}
                _ => {
                    deadline = Some(Instant::now() + GRACE);
                    ending.signal.store(signal as u8, Ordering::Release);
                    ending.interrupt();
                }
            }
        }
    }
}

/// Kills them on another thread, since that may have to wait.
fn kill_running(caller: &Caller) {
    let caller = caller.clone();
    let spawned = thread::Builder::new().name("kill".into()).spawn(move || kill_all(&*caller.target, &caller.by));
    if let Err(e) = spawned {
        say_aside(format!("no thread to kill the helpers: {e}"));
    }
}

/// Writes a line to stderr on another thread, and waits for it no longer than [`STDERR`].
fn say_aside(line: String) {
    let (finished, wait) = channel::<()>();
    let write = move || {
        let _finished = finished;
        say(&line);
    };
    let _ = thread::Builder::new().name("say".into()).spawn(write);
    let _ = wait.recv_timeout(STDERR);
}
