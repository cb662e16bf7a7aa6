//! Commands on their way through the one door, never on the thread that draws. Each is answered exactly once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;

use crate::abi::actor::Origin;
use crate::abi::error::{ControlError, EngineError, Stage};
use crate::control::activity::export::{self, Save, Unsaved};
use crate::control::activity::page::PageRequest;
use crate::control::activity::reader::Reader;
use crate::control::{self, Command, Key};
use crate::engine::{Cancel, Engine};

use super::line_history;
use super::mailbox::Mailbox;
use super::model::record_row::RowPage;
use super::msg::{Msg, Series, Ticket};

/// A request waits on its caller's stack; hooks may run on it. As large as a worker's, for the same reason: few of them
/// are kept after a burst.
const STACK: usize = 1024 * 1024;

/// What the worker does, one after another.
enum Job {
    Command(Ticket, Command),
    /// Keeps a line of the command line.
    Remember(Vec<u8>),
    /// Looks at a modprobe path (SYS-6): a walk over the file system.
    Warnings(Arc<[u8]>),
    /// Tells that everything before it is done.
    Done(Sender<()>),
}

/// Where commands are handed in.
pub(super) struct Executor {
    engine: Engine,
    mailbox: Arc<Mailbox>,
    /// The thread that looks for records; there is one from the first question on.
    reader: Option<Sender<PageRequest>>,
    /// The thread for what answers at once; there is one from the first such command on.
    worker: Option<Sender<Job>>,
    /// The console ends: no request of a series is begun any more.
    over: Arc<AtomicBool>,
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

impl Executor {
    pub(super) fn new(engine: Engine, mailbox: Arc<Mailbox>) -> Self {
        Self { engine, mailbox, reader: None, worker: None, over: Arc::default() }
    }

    /// Performs a command. One that blocks has a thread of its own, so that no number of them waits for another; the
    /// others keep their order.
    pub(super) fn submit(&mut self, ticket: Ticket, command: Command) {
        if !blocks(&command) {
            return self.job(Job::Command(ticket, command));
        }
        let (engine, mailbox) = (self.engine.clone(), self.mailbox.clone());
        let spawned = thread::Builder::new()
            .name("console-request".into())
            .stack_size(STACK)
            .spawn(move || perform(&engine, &mailbox, ticket, command));
        if spawned.is_err() {
            self.mailbox.post(Msg::Replied { ticket, reply: Err(no_thread()) });
        }
    }

    /// Makes the requests of a series: each of its threads asks for the next one as soon as it has an answer, whatever
    /// the screen does. With the desk they end.
    pub(super) fn series(&self, series: Series) {
        let parallel = series.parallel.min(series.total);
        let (series, begun) = (Arc::new(series), Arc::new(AtomicU32::new(0)));
        let mut threads = 0;
        for _ in 0..parallel {
            let (engine, mailbox, over) = (self.engine.clone(), self.mailbox.clone(), self.over.clone());
            let (series, begun) = (series.clone(), begun.clone());
            let work = move || {
                while !over.load(Ordering::Acquire) {
                    let at = begun.fetch_add(1, Ordering::Relaxed);
                    if at >= series.total {
                        return;
                    }
                    let name = series.names[at as usize % series.names.len()].clone();
                    let command = Command::RequestModule { name, wait: series.wait };
                    perform(&engine, &mailbox, series.ticket, command);
                }
            };
            let thread = thread::Builder::new().name("console-request".into()).stack_size(STACK);
            threads += u32::from(thread.spawn(work).is_ok());
        }
        // With fewer threads it takes longer; with none nothing is asked for.
        if threads == 0 {
            for _ in 0..series.total {
                self.mailbox.post(Msg::Replied { ticket: series.ticket, reply: Err(no_thread()) });
            }
        }
    }

    /// Looks for records; the answer comes as [`Msg::Looked`].
    pub(super) fn look(&mut self, question: PageRequest) {
        let unasked = match self.reader.take() {
            Some(reader) => reader.send(question).map(|()| self.reader = Some(reader)).map_err(|e| e.0),
            None => Err(question),
        };
        let Err(question) = unasked else { return };
        // The first, or the one before has ended by a panic.
        match self.hire_reader() {
            Ok(reader) => {
                let _ = reader.send(question);
                self.reader = Some(reader);
            }
            Err(_) => self.mailbox.post(Msg::Looked(Box::new(trouble("no thread could be made to read records")))),
        }
    }

    fn hire_reader(&self) -> std::io::Result<Sender<PageRequest>> {
        let (sender, questions) = channel::<PageRequest>();
        let (engine, mailbox) = (self.engine.clone(), self.mailbox.clone());
        let work = move || {
            let mut reader = Reader::new(engine);
            for question in questions {
                let answer = catch_unwind(AssertUnwindSafe(|| RowPage::from(reader.answer(&question))));
                let failed = answer.is_err();
                let answer =
                    answer.unwrap_or_else(|_| trouble("khelper panicked while it read records: this is a bug"));
                mailbox.post(Msg::Looked(Box::new(answer)));
                if failed {
                    return;
                }
            }
        };
        thread::Builder::new().name("console-reader".into()).stack_size(STACK).spawn(work)?;
        Ok(sender)
    }

    /// Saves records, on a thread of its own: a disk may take its time. The answer comes as [`Msg::Saved`].
    pub(super) fn save(&self, ticket: Ticket, save: Save) {
        let (engine, mailbox) = (self.engine.clone(), self.mailbox.clone());
        let work = move || {
            let saved = || export::save(&save, export::records(&engine, &save.what));
            let result = catch_unwind(AssertUnwindSafe(saved));
            let failed = || Unsaved::Failed("khelper panicked while it saved: this is a bug".into());
            mailbox.post(Msg::Saved { ticket, result: result.unwrap_or_else(|_| Err(failed())) });
        };
        if thread::Builder::new().name("console-save".into()).stack_size(STACK).spawn(work).is_err() {
            let result = Err(Unsaved::Failed("no thread could be made, and nothing was saved".into()));
            self.mailbox.post(Msg::Saved { ticket, result });
        }
    }

    /// Looks at the modprobe path; the answer comes as [`Msg::PathWarnings`].
    pub(super) fn look_at(&mut self, path: Arc<[u8]>) {
        self.job(Job::Warnings(path));
    }

    /// Keeps a line of the command line for the next start.
    pub(super) fn remember(&mut self, line: Vec<u8>) {
        self.job(Job::Remember(line));
    }

    /// Waits until what was handed in is done, a line to be remembered above all; for no longer than `patience`, for a
    /// disk may hang.
    pub(super) fn finish(&mut self, patience: Duration) {
        if self.worker.is_some() {
            let (told, done) = channel();
            self.job(Job::Done(told));
            // Out of time, or the worker is gone: the console ends all the same.
            let _ = done.recv_timeout(patience);
        }
    }

    fn job(&mut self, job: Job) {
        if self.worker.is_none() {
            self.worker = self.hire().ok();
        }
        let unsent = match &self.worker {
            Some(worker) => worker.send(job).map_err(|e| e.0),
            None => Err(job),
        };
        self.mailbox.post(match unsent {
            Ok(()) => return,
            Err(Job::Command(ticket, _)) => Msg::Replied { ticket, reply: Err(no_thread()) },
            Err(Job::Remember(_) | Job::Done(_)) => return,
            Err(Job::Warnings(_)) => Msg::PathWarnings(vec!["not looked at: no thread could be made".into()]),
        });
    }

    fn hire(&self) -> std::io::Result<Sender<Job>> {
        let (sender, errands) = channel();
        let (engine, mailbox) = (self.engine.clone(), self.mailbox.clone());
        let work = move || {
            let mut warned = false;
            for job in errands {
                match job {
                    Job::Command(ticket, command) => perform(&engine, &mailbox, ticket, command),
                    // The console may have ended: it waits only so long.
                    Job::Done(told) => drop(told.send(())),
                    Job::Remember(line) => {
                        let kept = catch_unwind(|| line_history::add(&line));
                        let kept = kept.unwrap_or_else(|_| Err("khelper panicked: this is a bug".into()));
                        // Said once: it is the same for every line.
                        if let Err(why) = kept
                            && !std::mem::replace(&mut warned, true)
                        {
                            mailbox.post(Msg::Notice(format!("commands are not kept for the next start: {why}")));
                        }
                    }
                    Job::Warnings(path) => {
                        let look = catch_unwind(AssertUnwindSafe(|| engine.path_warnings(&path)));
                        let warnings = look.unwrap_or_else(|_| vec!["not looked at: khelper panicked".into()]);
                        mailbox.post(Msg::PathWarnings(warnings));
                    }
                }
            }
        };
        thread::Builder::new().name("console-worker".into()).stack_size(STACK).spawn(work)?;
        Ok(sender)
    }
}

/// Requests, and the drain of the gate. (Changing its depth waits for readers of it alone, and the console has none; it
/// keeps its order with the others.)
fn blocks(command: &Command) -> bool {
    match command {
        Command::RequestModule { .. } | Command::Call(_) | Command::Probe { .. } => true,
        Command::Write(writes) => writes.iter().any(|(key, _)| *key == Key::Gate),
        Command::Get(_)
        | Command::SetDepth(_)
        | Command::Reset(_)
        | Command::ResetLoopMessages
        | Command::Abandon(_)
        | Command::Kill { .. }
        | Command::Status
        | Command::Record(_)
        | Command::Chain(_)
        | Command::CheckPath(_)
        | Command::Live { .. } => false,
        Command::Shutdown { .. } => true,
    }
}

fn perform(engine: &Engine, mailbox: &Mailbox, ticket: Ticket, command: Command) {
    let act = || control::dispatch_as(engine, engine.actor(Origin::Console), command, &Cancel::new());
    let reply = catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| Err(panicked()));
    mailbox.post_with_state(Msg::Replied { ticket, reply });
}

fn trouble(why: &str) -> RowPage {
    RowPage { trouble: Some(why.to_owned()), ..RowPage::default() }
}

fn no_thread() -> ControlError {
    let why = "no thread could be made for this command, and it was not performed";
    EngineError::new(Stage::Process, Errno::EAGAIN, why, "end something, or raise `ulimit -u`, and try again").into()
}

fn panicked() -> ControlError {
    let why = "khelper panicked while it performed this command";
    EngineError::new(Stage::Process, Errno::ECANCELED, why, "this is a bug: its message is printed at the end").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fake::{FOREVER, FakeHost, Script};

    fn series(total: u32, parallel: u32) -> Series {
        Series { ticket: 7, names: vec![b"a".to_vec(), b"b".to_vec()], wait: true, total, parallel }
    }

    /// An engine whose modprobe runs so long, and a desk over it whose mailbox nobody empties.
    fn desk(runs: u64) -> (Arc<FakeHost>, Engine, Executor) {
        let host = FakeHost::new();
        host.script("/sbin/modprobe", Script { runs, ..Script::default() });
        let engine = Engine::builder().host(host.clone()).start().unwrap();
        let desk = Executor::new(engine.clone(), Mailbox::new().unwrap());
        (host, engine, desk)
    }

    /// The answers, once there are so many.
    fn answers(mailbox: &Mailbox, many: usize) -> Vec<(Ticket, String)> {
        let mut all = Vec::new();
        while all.len() < many {
            all.extend(mailbox.empty().1.into_iter().map(|msg| match msg {
                Msg::Replied { ticket, reply: Ok(control::Reply::Answered(record)) } => {
                    (ticket, String::from_utf8_lossy(record.title()).into_owned())
                }
                other => panic!("{other:?}"),
            }));
            thread::yield_now();
        }
        all
    }

    #[test]
    fn a_series_needs_no_screen() {
        let (_host, engine, desk) = desk(0);
        let events = engine.subscribe(100_000);
        desk.series(series(1000, 1));
        let mut ended = 0;
        while ended < 1000 {
            let crate::engine::Received::Event(event) = events.recv() else { panic!("events were missed") };
            ended += u32::from(matches!(event.kind, crate::abi::event::EventKind::Finished(_)));
        }
        let answers = answers(&desk.mailbox, 1000);
        assert!(answers.iter().all(|(ticket, _)| *ticket == 7));
        assert_eq!((answers.len(), &*answers[0].1, &*answers[1].1, &*answers[2].1), (1000, "a", "b", "a"));
        assert_eq!(engine.snapshot().slots.peak, 1);
    }

    /// Answers as they come, until there is one with this ticket.
    fn answered(mailbox: &Mailbox, wanted: Ticket) -> Result<control::Reply, ControlError> {
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            for msg in mailbox.empty().1 {
                if let Msg::Replied { ticket, reply } = msg {
                    assert_eq!(ticket, wanted, "another command is answered first: {reply:?}");
                    return reply;
                }
            }
            assert!(std::time::Instant::now() < deadline, "command {wanted} waits for another one");
            thread::yield_now();
        }
    }

    /// A request, a probe and a drain all wait; what answers at once is answered meanwhile.
    #[test]
    fn no_command_waits_for_one_that_blocks() {
        use crate::abi::depth::Depth;
        for depth in [Depth::Freezing, Depth::Disabled] {
            let (host, engine, mut desk) = desk(FOREVER);
            let mailbox = desk.mailbox.clone();
            desk.submit(1, Command::RequestModule { name: b"dummy".to_vec(), wait: true });
            host.wait_for("a helper", |now| now.running == 1);
            let drain = Command::Write(vec![(Key::Gate, depth.name().as_bytes().to_vec())]);
            desk.submit(2, drain);
            host.wait_for("the drain", |now| now.on_clock == 1);
            desk.submit(3, Command::Get(Key::Gate));
            let gate = answered(&mailbox, 3);
            assert!(matches!(&gate, Ok(control::Reply::Value(value)) if value == depth.name()), "{gate:?}");
            desk.submit(4, Command::Write(vec![(Key::Deny, b"x".to_vec())]));
            assert!(matches!(answered(&mailbox, 4), Ok(control::Reply::Written(_))));
            // The gate can be opened again while the drain waits.
            desk.submit(5, Command::SetDepth(Depth::Enabled));
            assert!(matches!(answered(&mailbox, 5), Ok(control::Reply::Done)));
            assert_eq!((engine.snapshot().gate, engine.snapshot().draining), (Depth::Enabled, true));
            desk.submit(6, Command::Kill { id: 1, signal: libc::SIGKILL });
            let mut ended = Vec::new();
            while ended.len() < 3 {
                ended.extend(mailbox.empty().1.into_iter().filter_map(|msg| match msg {
                    Msg::Replied { ticket, .. } => Some(ticket),
                    _ => None,
                }));
                thread::yield_now();
            }
            ended.sort_unstable();
            assert_eq!(ended, [1, 2, 6]);
        }
    }

    #[test]
    fn a_series_ends_with_the_console() {
        let (host, engine, desk) = desk(FOREVER);
        desk.series(series(10, 2));
        host.wait_for("two helpers", |now| now.running == 2);
        let mailbox = desk.mailbox.clone();
        drop(desk);
        for live in engine.snapshot().running {
            engine.abandon(live.id).unwrap();
        }
        assert_eq!(answers(&mailbox, 2).len(), 2);
        assert_eq!(engine.snapshot().totals.requests, 2, "none is begun after the end");
    }
}
