//! The hooks of a call that a worker has to run. A worker has a descriptor table of its own (UMH-9): a `File` that a
//! hook's closure owns would be another file there, or none, and dropping it would close one of the worker's. So the
//! hooks run on a thread that has the table of the program, and the worker waits for it.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

use nix::errno::Errno;

use crate::abi::birth::{Birth, SetsPlan, Stdin};
use crate::abi::cap::CapMask;
use crate::abi::subprocess::{CleanupHook, InitHook, SubprocessInfo};
use crate::sys::pass_fd::{self, Address};

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
        let init = info.take_init().map(|hook| -> InitHook {
            let mut init = Init { hook: Some(hook), home: me, errands: errands.clone() };
            Box::new(move |birth| init.run(birth))
        });
        let cleanup = info.take_cleanup().map(|cleanup| -> CleanupHook {
            Box::new(move |record| {
                if thread::current().id() == me {
                    return cleanup(record);
                }
                let record = record.cloned();
                elsewhere(&errands, move || cleanup(record.as_ref()));
            })
        });
        info.set_hooks(init, cleanup);
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
        let (mut passage, mut crossing) = passage();
        // The hook gets the birth itself, and gives it back; this one stands in for it.
        let none = SetsPlan { bounding: CapMask::EMPTY, inheritable: CapMask::EMPTY };
        let mut theirs = std::mem::replace(birth, Birth::new(CString::default(), Vec::new(), none, Vec::new()));
        let there = move || {
            let said = hook(&mut theirs);
            // A file of the program's table never comes to the worker as it is: it would be closed there.
            match std::mem::take(&mut theirs.stdin) {
                Stdin::File(file) => {
                    let said = said.and_then(|()| crossing.send(&file));
                    (theirs, said)
                }
                other => {
                    theirs.stdin = other;
                    (theirs, said)
                }
            }
        };
        let said;
        (*birth, said) = elsewhere_while(&self.errands, there, || passage.open());
        said?;
        if let Some(file) = passage.receive()? {
            birth.stdin = Stdin::file(file);
        }
        Ok(())
    }
}

/// Carries a file from the thread of the hook to the worker, whose descriptor table is another one. The socket for it is
/// made only when there is a file to carry.
fn passage() -> (Passage, Crossing) {
    let ((ask, asked), (tell, told)) = (channel(), channel());
    (Passage { asked, tell, receiver: None }, Crossing { ask, told })
}

/// The worker's end.
struct Passage {
    asked: Receiver<()>,
    tell: Sender<Result<Address, Errno>>,
    receiver: Option<pass_fd::Receiver>,
}

impl Passage {
    /// Waits until the hook is over; where it has left a file, makes the socket to receive it with.
    fn open(&mut self) {
        // Closed without a word: there is no file, or the hook has panicked.
        if self.asked.recv().is_err() {
            return;
        }
        let made = pass_fd::Receiver::new().map_err(|e| e.errno);
        // The other side waits for it.
        let _ = self.tell.send(made.as_ref().map(pass_fd::Receiver::address).map_err(|errno| *errno));
        self.receiver = made.ok();
    }

    /// The file, in this thread's table.
    fn receive(self) -> Result<Option<OwnedFd>, Errno> {
        self.receiver.map(|receiver| receiver.receive().map_err(|e| e.errno)).transpose()
    }
}

/// The hook's end.
struct Crossing {
    ask: Sender<()>,
    told: Receiver<Result<Address, Errno>>,
}

impl Crossing {
    fn send(&mut self, file: &OwnedFd) -> Result<(), Errno> {
        let address = self.ask.send(()).ok().and_then(|()| self.told.recv().ok()).unwrap_or(Err(Errno::ECANCELED))?;
        address.send(file).map_err(|e| e.errno)
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
    elsewhere_while(errands, hook, || ())
}

/// The same, and does something here before the wait.
fn elsewhere_while<T: Send + 'static>(
    errands: &Sender<Errand>,
    hook: impl FnOnce() -> T + Send + 'static,
    meanwhile: impl FnOnce(),
) -> T {
    let (tell, told) = channel();
    let errand = Box::new(move || {
        // Nobody listens only if the worker has died.
        let _ = tell.send(catch_unwind(AssertUnwindSafe(hook)));
    });
    // The other side lives for as long as there is a sender, and answers every errand.
    let sent = errands.send(errand);
    // An errand that was not taken is dropped before this, and whatever `meanwhile` waits for with it.
    let taken = sent.is_ok();
    drop(sent);
    meanwhile();
    let answer = told.recv().ok().filter(|_| taken);
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
