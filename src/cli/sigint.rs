//! Signals to a command. The first ctrl-c abandons the wait; each further one kills the running helpers. SIGTERM and
//! SIGHUP end the command, which then names the helpers that it leaves running. The main thread handles signals and a
//! second one runs the command, so that a blocked command can be ended, even as pid 1, where signals have no default
//! action.

use std::os::fd::{AsFd, OwnedFd};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use rustix::event::{EventfdFlags, eventfd};

use crate::abi::error::io_words;
use crate::abi::error::{ControlError, SysError};
use crate::control::Reply;
use crate::control::batch::{Batch, Running};
use crate::control::terminate::kill_all;
use crate::control::watch::Watch;
use crate::sys::channel::channel;
use crate::sys::orphans;
use crate::sys::probe::ignores;
use crate::sys::signals::Signals;
use crate::sys::thread::spawn;

use super::Caller;
use super::exit::Verdict;
use super::output::{complain, say};

/// How long a command may take to finish after SIGTERM or SIGHUP; less than 2 s together with [`STDERR`] before and
/// after.
const GRACE: Duration = Duration::from_millis(1300);
/// How long the main thread waits while another thread writes a line to stderr. It never writes one itself: it could
/// block (a full pipe, a stopped terminal, the lock held by the command) and would then not handle signals.
const STDERR: Duration = Duration::from_millis(300);

/// Whether and how a signal ends the command early; shared by the main thread and the command's thread.
#[derive(Default)]
pub(super) struct Ending {
    /// The first signal has arrived: no further request is submitted, and the command waits for none.
    interrupted: AtomicBool,
    /// The requests in progress.
    batch: Mutex<Option<Running>>,
    /// The events that the command prints.
    watch: Mutex<Option<Watch>>,
    /// The signal that ends the command; 0 for none.
    signal: AtomicU8,
    /// The helpers that are left running have been named, or are being named.
    named: AtomicBool,
}

impl Ending {
    /// The signal that ends the command; `None` if there was none.
    pub(super) fn signal(&self) -> Option<u8> {
        Some(self.signal.load(Ordering::Acquire)).filter(|n| *n != 0)
    }

    /// Whether a signal has stopped the requests of the command.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Acquire)
    }

    /// Runs requests until they end or a signal stops them. Returns whether all of them were submitted.
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
        // A signal that arrived before the batch was stored could not cancel it.
        if self.is_interrupted() {
            running.cancel();
        }
        let all_submitted = running.wait();
        *self.batch() = None;
        all_submitted
    }

    fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Release);
        let running = self.batch().clone();
        if let Some(running) = running {
            running.cancel();
        }
        if let Some(watch) = &*self.watch.lock().unwrap_or_else(PoisonError::into_inner) {
            watch.close();
        }
    }

    /// Closes the watch when a signal comes, or at once if one has come.
    pub(super) fn closes(&self, watch: &Watch) {
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch.clone());
        if self.is_interrupted() {
            watch.close();
        }
    }

    fn batch(&self) -> MutexGuard<'_, Option<Running>> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true to the first caller, which then names the helpers that are left running.
    pub(super) fn names(&self) -> bool {
        !self.named.swap(true, Ordering::AcqRel)
    }
}

/// Takes the signals of a command. Call this before any other thread is started. A signal that is ignored stays
/// ignored: the parent does not want the program to be interrupted, or to end with its terminal (nohup(1)).
pub fn signals() -> Result<Signals, SysError> {
    let mut wanted = vec![Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
    wanted.retain(|signal| !ignores(*signal));
    if orphans::are_adopted() {
        wanted.push(Signal::SIGCHLD);
    }
    Signals::take(&wanted)
}

/// Runs `command` on a second thread and handles `signals` on this one, the main thread. Returns the exit code. If the
/// command is blocked after SIGTERM or SIGHUP, `leave` is called to name the helpers that are left running.
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
                say(&format!("cannot start the thread that runs the command: {}", io_words(&e)));
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
            // Returns with an error once the thread has dropped the sender.
            let _ = wait.recv_timeout(STDERR);
            // The command is blocked: only the end of the process stops it.
            std::process::exit(i32::from(128 | signal));
        }
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    });
    ending.signal().map_or(code, |signal| 128 | signal)
}

/// Signals the main thread that the command is done, also if it panicked.
struct Done<'a>(&'a OwnedFd);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        // The counter is 0, so writing 1 cannot block (eventfd(2)).
        let _ = rustix::io::write(self.0, &1u64.to_ne_bytes());
    }
}

/// Handles signals until the command is done. Returns the signal if SIGTERM or SIGHUP came and the command did not end
/// in time ([`GRACE`]).
fn listen(caller: &Caller, signals: &Signals, done: &OwnedFd, ending: &Ending) -> Option<u8> {
    let mut deadline: Option<Instant> = None;
    // Reaps children that ended before SIGCHLD was taken.
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
            // No signal can be received: the command runs until it is done.
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
                    // The helpers of another process's engine are not this command's to kill.
                    let more = match caller.target.info().is_owned() {
                        true => "press ctrl-c again to kill the helpers that still run",
                        false => "what it started goes on",
                    };
                    say_aside(format!("interrupted: no longer waiting; {more}"));
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

/// Kills the running helpers of an engine of this process, on another thread, since this may block.
fn kill_running(caller: &Caller) {
    if !caller.target.info().is_owned() {
        return;
    }
    let caller = caller.clone();
    let spawned = spawn("kill", move || kill_all(&*caller.target, &caller.by));
    if let Err(e) = spawned {
        say_aside(format!("cannot start the thread that kills the helpers: {}", io_words(&e)));
    }
}

/// Writes a line to stderr on another thread, and waits for at most [`STDERR`].
fn say_aside(line: String) {
    let (finished, wait) = channel::<()>();
    let write = move || {
        let _finished = finished;
        say(&line);
    };
    let _ = spawn("say", write);
    let _ = wait.recv_timeout(STDERR);
}
