//! Feeds the target's state to the drawing thread, which never blocks on it: after events the state is requested, one
//! question at a time, and taken when the answer has come. A target in this process answers before the question
//! returns.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::abi::actor::Actor;
use crate::abi::error::ControlError;
use crate::abi::event::EventKinds;
use crate::abi::snapshot::Snapshot;
use crate::control::completion::{CallId, Completion};
use crate::control::target::{RunId, Seq, Target, TargetInfo};
use crate::control::watch::{Wake, Watch, Watched};
use crate::control::{Command, Reply};

use super::mailbox::Mailbox;

/// Events say that something happened; the state says what, even after the event queue overflowed.
const EVENTS: usize = 16;

/// The answer to the open question, once it has come.
type Answer = Arc<Mutex<Option<Result<Reply, ControlError>>>>;

pub(super) struct StateFeed {
    target: Arc<dyn Target>,
    by: Actor,
    mailbox: Arc<Mailbox>,
    watch: Watch,
    /// What was last known of the target.
    info: TargetInfo,
    /// The number of the last event that the state contains.
    seen: Option<(RunId, Seq)>,
    answer: Answer,
    /// The number of questions asked, counted from 1, and of questions answered.
    asked: u64,
    answered: u64,
    /// Something happened after the open question was asked.
    again: bool,
}

impl StateFeed {
    /// Starts to watch and asks for the first state: what that state does not contain yet comes as an event.
    pub(super) fn open(target: Arc<dyn Target>, by: Actor, mailbox: Arc<Mailbox>) -> Self {
        let (watch, info) = (watch(&*target, None, &mailbox), target.info());
        let (seen, answer, again) = (None, Answer::default(), false);
        let mut feed = Self { target, by, mailbox, watch, info, seen, answer, asked: 0, answered: 0, again };
        feed.ask();
        feed
    }

    /// Handles an event or an answer of the target. Returns the target's connection if it has changed.
    pub(super) fn changed(&mut self) -> Option<TargetInfo> {
        while let Some(item) = self.watch.next() {
            match item {
                Watched::Event(_) | Watched::Missed(_) => {}
                Watched::Closed { why: None } => break,
                // The next watcher reports nothing until the connection is back.
                Watched::Closed { why: Some(_) } => self.watch = watch(&*self.target, self.seen, &self.mailbox),
            }
        }
        if self.is_asked() {
            self.again = true;
        } else {
            self.ask();
        }
        let info = self.target.info();
        if info == self.info {
            return None;
        }
        self.info = info.clone();
        Some(info)
    }

    /// The state, if an answer has come; `None` also if the answer was an error, which the connection's state explains.
    pub(super) fn take(&mut self) -> Option<Snapshot> {
        let reply = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        self.answered = self.asked;
        let snapshot = match reply {
            Ok(Reply::Status(snapshot)) => Some(*snapshot),
            _ => None,
        };
        if let Some(snapshot) = &snapshot {
            self.seen = Some((self.info.run, snapshot.seq));
        }
        if std::mem::take(&mut self.again) && self.info.lost().is_none() {
            self.ask();
        }
        snapshot
    }

    /// The number of the question whose answer contains everything that has happened by now.
    pub(super) const fn current(&self) -> u64 {
        self.asked + self.again as u64
    }

    /// Whether that question is answered, or will not be asked because the connection is lost.
    pub(super) const fn has(&self, question: u64) -> bool {
        self.answered >= question || !self.is_asked()
    }

    const fn is_asked(&self) -> bool {
        self.answered < self.asked
    }

    fn ask(&mut self) {
        self.asked += 1;
        let (answer, mailbox, me) = (self.answer.clone(), self.mailbox.clone(), thread::current().id());
        let done = Completion::new(move |reply| {
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
            // Answered at once: the caller reads the answer next.
            if thread::current().id() != me {
                mailbox.ring();
            }
        });
        self.target.submit(&self.by, CallId::fresh(), Command::Status, done);
    }
}

fn watch(target: &dyn Target, from: Option<(RunId, Seq)>, mailbox: &Arc<Mailbox>) -> Watch {
    let mailbox = mailbox.clone();
    target.watch(EventKinds::ALL, from, EVENTS, Wake::new(move || mailbox.look_again()))
}
