//! The threads that perform commands.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use crate::control::activity::reader::Reader;
use crate::engine::Engine;
use crate::sys::channel::{Sender, channel};
use crate::sys::thread::spawn_with;

use super::calls::{Callers, Calls, Job, act, lock, no_thread, panicked, perform, read};

/// The stack size. Hooks may run on this stack while a request waits. It is as large as that of an engine worker, since
/// few of these threads remain after a burst.
const STACK: usize = 1024 * 1024;

/// A thread that performs commands in order; it is started by the first command.
#[derive(Default)]
pub(super) struct Queue(Mutex<Option<Sender<Job>>>);

/// Starts the thread of a [`Queue`].
type Start = fn(&Engine, &Arc<Calls>) -> io::Result<Sender<Job>>;

impl Queue {
    /// Sends the job to the thread. Starts the thread if there is none, or if it ended by a panic.
    pub(super) fn push(&self, engine: &Engine, calls: &Arc<Calls>, start: Start, job: Job) {
        let mut thread = lock(&self.0);
        let unsent = match thread.as_ref() {
            Some(sender) => match sender.send(job) {
                Ok(()) => return,
                Err(unsent) => unsent.0,
            },
            None => job,
        };
        match start(engine, calls) {
            Ok(sender) => {
                // Cannot fail: the new thread holds the receiver.
                let _ = sender.send(unsent);
                *thread = Some(sender);
            }
            Err(_) => {
                drop(thread);
                calls.answer(unsent.id, unsent.done, Err(no_thread()));
            }
        }
    }
}

/// Starts the thread for commands that change something or read the file system.
pub(super) fn start_worker(engine: &Engine, calls: &Arc<Calls>) -> io::Result<Sender<Job>> {
    let (sender, jobs) = channel::<Job>();
    let (engine, calls) = (engine.clone(), calls.clone());
    let work = move || jobs.iter().for_each(|job| perform(&engine, &calls, job));
    spawn_with("control-worker", STACK, work)?;
    Ok(sender)
}

/// Starts the thread that reads records. It remembers which records match from one page to the next.
pub(super) fn start_reader(engine: &Engine, calls: &Arc<Calls>) -> io::Result<Sender<Job>> {
    let (sender, jobs) = channel::<Job>();
    let (engine, calls) = (engine.clone(), calls.clone());
    let work = move || {
        let (mut reader, mut callers) = (Reader::new(engine.clone()), Callers::default());
        for job in jobs.iter() {
            let Job { authorization, id, cancel, done, order: _order } = job;
            let read = || read(&engine, &calls, (&mut reader, &mut callers), authorization, &cancel);
            let reply = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
                reader = Reader::new(engine.clone());
                Err(panicked("khelper panicked while it read records"))
            });
            calls.answer(id, done, reply);
        }
    };
    spawn_with("control-reader", STACK, work)?;
    Ok(sender)
}

/// Starts a thread for one command, so that blocking commands never wait for each other. If the command's completion
/// submits another one, the same thread performs it: a batch does not need a new thread for each command.
pub(super) fn start_thread(engine: &Engine, calls: &Arc<Calls>, job: Job) {
    let Some(job) = hand_over(calls, job) else { return };
    let (engine, all) = (engine.clone(), calls.clone());
    // The thread takes the job out. If the thread cannot be started, the job is still here.
    let job = Arc::new(Mutex::new(Some(job)));
    let theirs = job.clone();
    let work = move || {
        let mut next = lock(&theirs).take();
        while let Some(job) = next {
            let Job { authorization, id, cancel, done, order: _order } = job;
            let reply = act(&engine, &all, authorization, &cancel);
            ROOM.set(Some(Room { calls: all.clone(), job: None }));
            all.answer(id, done, reply);
            next = ROOM.take().and_then(|room| room.job);
        }
    };
    if spawn_with("control-request", STACK, work).is_err() {
        let job = lock(&job).take();
        if let Some(job) = job {
            calls.answer(job.id, job.done, Err(no_thread()));
        }
    }
}

thread_local! {
    /// Set while a completion runs on a thread of [`start_thread`]: a slot for the thread's next command.
    static ROOM: RefCell<Option<Room>> = const { RefCell::new(None) };
}

struct Room {
    calls: Arc<Calls>,
    job: Option<Job>,
}

/// Leaves the job to the calling thread if that is a thread of the same target with a free slot; otherwise returns it.
fn hand_over(calls: &Arc<Calls>, job: Job) -> Option<Job> {
    ROOM.with_borrow_mut(|room| match room {
        Some(room) if room.job.is_none() && Arc::ptr_eq(&room.calls, calls) => {
            room.job = Some(job);
            None
        }
        _ => Some(job),
    })
}
