//! Runs the hooks of a call for its worker. A worker has its own descriptor table (UMH-9), in which a `File` of a
//! hook's closure would name another file or none, and dropping it would close a file of the worker. So the calling
//! thread starts a thread that runs the hooks of its call, and the worker waits for it. The hook thread shares the
//! program's open files, and inherits the calling thread's capability sets, namespaces and root (UMH-10).

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::{self, ThreadId};

use nix::errno::Errno;

use crate::abi::cap::CapMask;
use crate::abi::launch_spec::{CapPlan, ChildSetup, Stdin};
use crate::abi::subprocess::{CleanupHook, InitHook, SubprocessInfo};
use crate::sys::channel::{Receiver, Sender, channel};
use crate::sys::host::Host;
use crate::sys::pass_fd::{self, Address};
use crate::sys::thread::spawn;

type Task = Box<dyn FnOnce() + Send>;

/// Returns `info` with hooks that any thread may call. The calling thread runs them itself; other threads have them run
/// on the hook thread, which is started here and ends after the last hook. If it cannot be started, returns `info`
/// unchanged.
///
/// With `detach`, the hook thread unshares its root directory, through this host, before this returns. Otherwise it
/// shares the root with the calling thread, which then cannot enter a mount namespace (setns(2)) while the call has
/// hooks.
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
        let mut init = Init { hook: Some(hook), caller: me, tasks: tasks.clone() };
        Box::new(move |setup| init.run(setup))
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

/// An init hook that runs on the hook thread. If the call fails before it runs, it is dropped on that thread.
struct Init {
    hook: Option<InitHook>,
    caller: ThreadId,
    tasks: Sender<Task>,
}

impl Init {
    fn run(&mut self, setup: &mut ChildSetup) -> Result<(), Errno> {
        let Some(hook) = self.hook.take() else { return Ok(()) };
        let (mut receiving, mut sending) = file_passing();
        // The hook thread takes the setup and returns it; this is a placeholder for that time.
        let none = CapPlan { bounding: CapMask::EMPTY, inheritable: CapMask::EMPTY };
        let mut theirs = std::mem::replace(setup, ChildSetup::new(CString::default(), Vec::new(), none, Vec::new()));
        let there = move || {
            let result = hook(&mut theirs);
            // The program's descriptor is not in the worker's table: the file is sent through a socket.
            match std::mem::take(&mut theirs.stdin) {
                Stdin::File(file) => {
                    let result = result.and_then(|()| sending.send(&file));
                    (theirs, result)
                }
                other => {
                    theirs.stdin = other;
                    (theirs, result)
                }
            }
        };
        let result;
        (*setup, result) = run_on_hook_thread_while(&self.tasks, there, || receiving.open());
        result?;
        if let Some(file) = receiving.receive()? {
            setup.stdin = Stdin::file(file);
        }
        Ok(())
    }
}

/// Passes a file from the hook thread to the worker, which has another descriptor table. The socket is made only if
/// there is a file.
fn file_passing() -> (FileReceiver, FileSender) {
    let ((request, requests), (reply, address)) = (channel(), channel());
    (FileReceiver { requests, reply, receiver: None }, FileSender { request, address })
}

/// The worker's end.
struct FileReceiver {
    requests: Receiver<()>,
    reply: Sender<Result<Address, Errno>>,
    receiver: Option<pass_fd::Receiver>,
}

impl FileReceiver {
    /// Waits until the hook has ended. If it left a file, makes the socket that receives it.
    fn open(&mut self) {
        // The channel was closed without a message: there is no file, or the hook has panicked.
        if self.requests.recv().is_err() {
            return;
        }
        let made = pass_fd::Receiver::new().map_err(|e| e.errno);
        // The sender waits for the address.
        let _ = self.reply.send(made.as_ref().map(pass_fd::Receiver::address).map_err(|errno| *errno));
        self.receiver = made.ok();
    }

    /// Returns the file, in this thread's descriptor table.
    fn receive(self) -> Result<Option<OwnedFd>, Errno> {
        self.receiver.map(|receiver| receiver.receive().map_err(|e| e.errno)).transpose()
    }
}

/// The hook thread's end.
struct FileSender {
    request: Sender<()>,
    address: Receiver<Result<Address, Errno>>,
}

impl FileSender {
    fn send(&mut self, file: &OwnedFd) -> Result<(), Errno> {
        let address =
            self.request.send(()).ok().and_then(|()| self.address.recv().ok()).unwrap_or(Err(Errno::ECANCELED))?;
        address.send(file).map_err(|e| e.errno)
    }
}

impl Drop for Init {
    fn drop(&mut self) {
        if let Some(hook) = self.hook.take().filter(|_| thread::current().id() != self.caller) {
            let _ = catch_unwind(AssertUnwindSafe(|| run_on_hook_thread(&self.tasks, move || drop(hook))));
        }
    }
}

/// Starts the hook thread of a call. It runs one hook after another until the last sender is dropped.
fn start(detach: Option<Arc<dyn Host>>) -> io::Result<Sender<Task>> {
    let (tasks, queue) = channel::<Task>();
    let (detaching, detached) = channel::<()>();
    let waits = detach.is_some();
    let run = move || {
        if let Some(host) = detach {
            host.detach_root();
        }
        drop(detaching);
        queue.iter().for_each(|task| task());
    };
    spawn("khelper-hook", run)?;
    if waits {
        // No message is ever sent: this returns once the sender is dropped.
        let _ = detached.recv();
    }
    Ok(tasks)
}

/// Runs `hook` on the hook thread and waits for it. A panic of the hook continues on this thread.
fn run_on_hook_thread<T: Send + 'static>(tasks: &Sender<Task>, hook: impl FnOnce() -> T + Send + 'static) -> T {
    run_on_hook_thread_while(tasks, hook, || ())
}

/// Like [`run_on_hook_thread`], and runs `meanwhile` on this thread before the wait.
fn run_on_hook_thread_while<T: Send + 'static>(
    tasks: &Sender<Task>,
    hook: impl FnOnce() -> T + Send + 'static,
    meanwhile: impl FnOnce(),
) -> T {
    let (reply, answer) = channel();
    let task = Box::new(move || {
        // Sending fails only if the worker has died.
        let _ = reply.send(catch_unwind(AssertUnwindSafe(hook)));
    });
    // The hook thread runs for as long as there is a sender, and answers every task.
    let sent = tasks.send(task);
    // If the task was not taken, dropping it here closes the channel that `meanwhile` waits on.
    let taken = sent.is_ok();
    drop(sent);
    meanwhile();
    let answer = answer.recv().ok().filter(|_| taken);
    match answer {
        Some(Ok(answer)) => answer,
        Some(Err(panic)) => resume_unwind(panic),
        None => resume_unwind(Box::new("the hook thread has ended")),
    }
}
