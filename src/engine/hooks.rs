//! The hooks of a call that a worker has to run. A worker has a descriptor table of its own (UMH-9): a `File` that a
//! hook's closure owns would be another file there, or none, and dropping it would close one of the worker's. So the
//! hooks run on a thread that has the table of the program, and the worker waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

use nix::errno::Errno;

use crate::abi::birth::Birth;
use crate::abi::cap::CapMask;
use crate::abi::subprocess::{InitHook, SubprocessInfo};

type Errand = Box<dyn FnOnce() + Send>;

/// The way to the thread that starts a thread for each hook. It is started by the first call that has a hook, and ends
/// with the engine and the last of its hooks.
#[derive(Default)]
pub(super) struct Hooks {
    errands: OnceLock<Sender<Errand>>,
    starting: Mutex<()>,
}

impl Hooks {
    /// `info`, with hooks that may be run from any thread: on the calling one at once, on every other by a thread that
    /// shares the calling one's open files. Fails, and gives `info` back, if that thread cannot be started.
    pub(super) fn at_home(&self, mut info: SubprocessInfo) -> Result<SubprocessInfo, SubprocessInfo> {
        if !info.has_hooks() {
            return Ok(info);
        }
        let Ok(errands) = self.errands() else { return Err(info) };
        let me = thread::current().id();
        if let Some(init) = info.take_init() {
            let mut init = Init { hook: Some(init), home: me, errands: errands.clone() };
            info = info.init(move |birth| init.run(birth));
        }
        if let Some(cleanup) = info.take_cleanup() {
            info = info.cleanup(
                move || {
                    if thread::current().id() == me { cleanup() } else { elsewhere(&errands, cleanup) }
                },
            );
        }
        Ok(info)
    }

    fn errands(&self) -> std::io::Result<Sender<Errand>> {
        let _starting = lock(&self.starting);
        if let Some(errands) = self.errands.get() {
            return Ok(errands.clone());
        }
        let (errands, queue) = channel();
        thread::Builder::new().name("khelper-hooks".into()).stack_size(64 * 1024).spawn(move || run_all(&queue))?;
        Ok(self.errands.get_or_init(|| errands).clone())
    }
}

/// An init hook that is run away from the worker, and dropped there too if the call fails before it is run.
struct Init {
    hook: Option<InitHook>,
    home: ThreadId,
    errands: Sender<Errand>,
}

impl Init {
    fn run(&mut self, birth: &mut Birth) -> Result<(), Errno> {
        let Some(hook) = self.hook.take() else { return Ok(()) };
        // The hook gets the birth itself, and gives it back; this one stands in for it.
        let mut theirs = std::mem::replace(birth, Birth::new(CapMask::EMPTY, CapMask::EMPTY, Vec::new()));
        let said;
        (*birth, said) = elsewhere(&self.errands, move || {
            let said = hook(&mut theirs);
            (theirs, said)
        });
        said
    }
}

impl Drop for Init {
    fn drop(&mut self) {
        if let Some(hook) = self.hook.take().filter(|_| thread::current().id() != self.home) {
            let _ = catch_unwind(AssertUnwindSafe(|| elsewhere(&self.errands, move || drop(hook))));
        }
    }
}

/// A thread for each, so that one that takes long holds up no other (UMH-7). Where there is none to be had they run
/// here, one after another.
fn run_all(queue: &Receiver<Errand>) {
    for errand in queue {
        let errand = Arc::new(Mutex::new(Some(errand)));
        let theirs = errand.clone();
        let run = |errand: &Mutex<Option<Errand>>| {
            let errand = lock(errand).take();
            if let Some(errand) = errand {
                errand();
            }
        };
        if thread::Builder::new().name("khelper-hook".into()).spawn(move || run(&theirs)).is_err() {
            run(&errand);
        }
    }
}

/// Runs `hook` over there and waits for it. Its panic goes on here.
fn elsewhere<T: Send + 'static>(errands: &Sender<Errand>, hook: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = channel();
    let errand = Box::new(move || {
        // Nobody listens only if the worker has died.
        let _ = tell.send(catch_unwind(AssertUnwindSafe(hook)));
    });
    // The other side lives for as long as there is a sender, and answers every errand.
    let answer = errands.send(errand).ok().and_then(|()| told.recv().ok());
    match answer {
        Some(Ok(answer)) => answer,
        Some(Err(panic)) => resume_unwind(panic),
        None => resume_unwind(Box::new("the thread for hooks has gone")),
    }
}

/// Nothing can panic under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
