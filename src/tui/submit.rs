//! Commands on their way through the one door, never on the thread that draws. Each is answered exactly once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;

use crate::abi::error::{ControlError, EngineError, Stage};
use crate::abi::who::Origin;
use crate::control::{self, Command, Key};
use crate::engine::{Cancel, Engine};

use super::history;
use super::mailbox::Mailbox;
use super::model::look::{Answer, Question};
use super::model::records::{Save, Unsaved};
use super::msg::{Msg, Ticket};
use super::records::{self, Reader};

/// A request waits on its caller's stack; hooks may run on it. As large as a worker's, for the same reason: few of them
/// are kept after a burst.
const STACK: usize = 1024 * 1024;

/// What the clerk does, one after another.
enum Errand {
    Command(Ticket, Command),
    /// Keeps a line of the command line.
    Remember(Vec<u8>),
    /// Looks at a modprobe path (SYS-6): a walk over the file system.
    Warnings(Arc<[u8]>),
    /// Tells that everything before it is done.
    Done(Sender<()>),
}

/// Where commands are handed in.
pub(super) struct Desk {
    engine: Engine,
    mailbox: Arc<Mailbox>,
    /// The thread that looks for records; there is one from the first question on.
    reader: Option<Sender<Question>>,
    /// The thread for what answers at once; there is one from the first such command on.
    clerk: Option<Sender<Errand>>,
}

impl Desk {
    pub(super) fn new(engine: Engine, mailbox: Arc<Mailbox>) -> Self {
        Self { engine, mailbox, reader: None, clerk: None }
    }

    /// Performs a command. One that blocks has a thread of its own, so that no number of them waits for another; the
    /// others keep their order.
    pub(super) fn submit(&mut self, ticket: Ticket, command: Command) {
        if !blocks(&command) {
            return self.errand(Errand::Command(ticket, command));
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

    /// Looks for records; the answer comes as [`Msg::Looked`].
    pub(super) fn look(&mut self, question: Question) {
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

    fn hire_reader(&self) -> std::io::Result<Sender<Question>> {
        let (sender, questions) = channel::<Question>();
        let (engine, mailbox) = (self.engine.clone(), self.mailbox.clone());
        let work = move || {
            let mut reader = Reader::new(engine);
            for question in questions {
                let answer = catch_unwind(AssertUnwindSafe(|| reader.answer(&question)));
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
    pub(super) fn save(&self, save: Save) {
        let (engine, mailbox, ticket) = (self.engine.clone(), self.mailbox.clone(), save.ticket);
        let work = move || {
            let result = catch_unwind(AssertUnwindSafe(|| records::save::save(&engine, &save)));
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
        self.errand(Errand::Warnings(path));
    }

    /// Keeps a line of the command line for the next start.
    pub(super) fn remember(&mut self, line: Vec<u8>) {
        self.errand(Errand::Remember(line));
    }

    /// Waits until what was handed in is done, a line to be remembered above all; for no longer than `patience`, for a
    /// disk may hang.
    pub(super) fn finish(&mut self, patience: Duration) {
        if self.clerk.is_some() {
            let (told, done) = channel();
            self.errand(Errand::Done(told));
            // Out of time, or the clerk is gone: the console ends all the same.
            let _ = done.recv_timeout(patience);
        }
    }

    fn errand(&mut self, errand: Errand) {
        if self.clerk.is_none() {
            self.clerk = self.hire().ok();
        }
        let unsent = match &self.clerk {
            Some(clerk) => clerk.send(errand).map_err(|e| e.0),
            None => Err(errand),
        };
        self.mailbox.post(match unsent {
            Ok(()) => return,
            Err(Errand::Command(ticket, _)) => Msg::Replied { ticket, reply: Err(no_thread()) },
            Err(Errand::Remember(_) | Errand::Done(_)) => return,
            Err(Errand::Warnings(_)) => Msg::PathWarnings(vec!["not looked at: no thread could be made".into()]),
        });
    }

    fn hire(&self) -> std::io::Result<Sender<Errand>> {
        let (sender, errands) = channel();
        let (engine, mailbox) = (self.engine.clone(), self.mailbox.clone());
        let work = move || {
            for errand in errands {
                match errand {
                    Errand::Command(ticket, command) => perform(&engine, &mailbox, ticket, command),
                    // What cannot be kept is lost with this console, and nothing else is.
                    // Nobody may be there any more to be told.
                    Errand::Done(told) => drop(told.send(())),
                    Errand::Remember(line) => drop(catch_unwind(|| history::add(&line))),
                    Errand::Warnings(path) => {
                        let look = catch_unwind(AssertUnwindSafe(|| engine.path_warnings(&path)));
                        let warnings = look.unwrap_or_else(|_| vec!["not looked at: khelper panicked".into()]);
                        mailbox.post(Msg::PathWarnings(warnings));
                    }
                }
            }
        };
        thread::Builder::new().name("console-clerk".into()).stack_size(STACK).spawn(work)?;
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
        | Command::Kill { .. } => false,
    }
}

fn perform(engine: &Engine, mailbox: &Mailbox, ticket: Ticket, command: Command) {
    let act = || control::dispatch(engine, Origin::Console, command, &Cancel::new());
    let reply = catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| Err(panicked()));
    mailbox.post_with_state(Msg::Replied { ticket, reply });
}

fn trouble(why: &str) -> Answer {
    Answer { trouble: Some(why.to_owned()), ..Answer::default() }
}

fn no_thread() -> ControlError {
    let why = "no thread could be made for this command, and it was not performed";
    EngineError::new(Stage::Process, Errno::EAGAIN, why, "end something, or raise `ulimit -u`, and try again").into()
}

fn panicked() -> ControlError {
    let why = "khelper panicked while it performed this command";
    EngineError::new(Stage::Process, Errno::ECANCELED, why, "this is a bug: its message is printed at the end").into()
}
