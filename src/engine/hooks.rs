//! The hooks of a call that a worker has to run. A worker has its own descriptor table (UMH-9): a `File` that a hook's
//! closure owns would be another file there, or none, and dropping it would close one of the worker's. So the hooks of a
//! call run on a thread that its calling thread starts, and the worker waits for it. That thread shares the program's
//! open files, and inherits the calling thread's capability sets, namespaces and root (UMH-10).

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, ThreadId};

use nix::errno::Errno;

use crate::abi::cap::CapMask;
use crate::abi::launch_spec::{CapPlan, ChildSetup, Stdin};
use crate::abi::subprocess::{CleanupHook, InitHook, SubprocessInfo};
use crate::sys::host::Host;
use crate::sys::pass_fd::{self, Address};

type Task = Box<dyn FnOnce() + Send>;

/// `info`, with hooks that may be run from any thread: on the calling one directly, on every other by a thread that is
/// started here. It ends with the last hook. Where it cannot be started, `info` is given back.
///
/// `detach`: the thread gets its own root directory, from this host, before this returns. Otherwise it shares the root
/// with the calling thread, which then cannot enter a mount namespace (setns(2)) while the call has hooks.
pub(super) fn bind_to_caller(
    mut info: SubprocessInfo,
    detach: Option<Arc<dyn Host>>,
) -> Result<SubprocessInfo, (SubprocessInfo, io::Error)> {
    if !info.has_hooks() {
        return Ok(info);
    }
    let tasks = match start(detach) {
        Ok(tasks) => tasks,
        Err(e) => return Err((info, e)),
    };
    let me = thread::current().id();
    let init = info.take_init().map(|hook| -> InitHook {
        let mut init = Init { hook: Some(hook), home: me, tasks: tasks.clone() };
        Box::new(move |birth| init.run(birth))
    });
    let cleanup = info.take_cleanup().map(|cleanup| -> CleanupHook {
        Box::new(move |record| {
            if thread::current().id() == me {
                return cleanup(record);
            }
            let record = record.cloned();
            run_on_hook_thread(&tasks, move || cleanup(record.as_ref()));
        })
    });
    info.set_hooks(init, cleanup);
    Ok(info)
}

/// An init hook that is run away from the worker, and dropped there too if the call fails before it is run.
struct Init {
    hook: Option<InitHook>,
    home: ThreadId,
    tasks: Sender<Task>,
}

impl Init {
    fn run(&mut self, birth: &mut ChildSetup) -> Result<(), Errno> {
        let Some(hook) = self.hook.take() else { return Ok(()) };
        let (mut passage, mut crossing) = passage();
        // The hook gets the birth itself, and gives it back; this one stands in for it.
        let none = CapPlan { bounding: CapMask::EMPTY, inheritable: CapMask::EMPTY };
        let mut theirs = std::mem::replace(birth, ChildSetup::new(CString::default(), Vec::new(), none, Vec::new()));
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
        (*birth, said) = elsewhere_while(&self.tasks, there, || passage.open());
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
            let _ = catch_unwind(AssertUnwindSafe(|| run_on_hook_thread(&self.tasks, move || drop(hook))));
        }
    }
}

/// Starts the thread that runs the hooks of a call, one after another, for as long as there is a sender.
fn start(detach: Option<Arc<dyn Host>>) -> io::Result<Sender<Task>> {
    let (tasks, queue) = channel::<Task>();
    let (detaching, detached) = channel::<()>();
    let waits = detach.is_some();
    let run = move || {
        if let Some(host) = detach {
            host.detach_root();
        }
        drop(detaching);
        queue.into_iter().for_each(|task| task());
    };
    thread::Builder::new().name("khelper-hook".into()).spawn(run)?;
    if waits {
        // Nothing is ever sent: this returns once the other end is dropped.
        let _ = detached.recv();
    }
    Ok(tasks)
}

/// Runs `hook` over there and waits for it. Its panic goes on here.
fn run_on_hook_thread<T: Send + 'static>(tasks: &Sender<Task>, hook: impl FnOnce() -> T + Send + 'static) -> T {
    elsewhere_while(tasks, hook, || ())
}

/// The same, and does something here before the wait.
fn elsewhere_while<T: Send + 'static>(
    tasks: &Sender<Task>,
    hook: impl FnOnce() -> T + Send + 'static,
    meanwhile: impl FnOnce(),
) -> T {
    let (tell, told) = channel();
    let task = Box::new(move || {
        // Nobody listens only if the worker has died.
        let _ = tell.send(catch_unwind(AssertUnwindSafe(hook)));
    });
    // The other side lives for as long as there is a sender, and answers every task.
    let sent = tasks.send(task);
    // A task that was not taken is dropped before this, and whatever `meanwhile` waits for with it.
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
