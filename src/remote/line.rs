//! A connection with the commands that were sent over it and not answered yet, in order.

use std::collections::VecDeque;
use std::io;

use nix::errno::Errno;

use crate::abi::error::{ControlError, EngineError, Stage};
use crate::abi::knob::Key;
use crate::control::command::Command;
use crate::control::command::Reply;
use crate::control::completion::{CallId, Completion};
use crate::wire::client::{self, Heard, Sent};

use super::connection::Connection;

/// A submitted command.
pub(super) struct Job {
    pub(super) id: CallId,
    pub(super) command: Command,
    pub(super) done: Completion,
}

/// The connection over which a command goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Commands that the daemon answers at once, in order.
    Quick,
    /// Reads of records, in order.
    Reads,
    /// A connection of its own: the command waits for a helper or a drain.
    Own,
}

impl Lane {
    pub(super) fn of(command: &Command) -> Self {
        match command {
            Command::RequestModule { .. }
            | Command::Call(_)
            | Command::Probe { .. }
            | Command::Rehearse(_)
            | Command::KillChain { .. }
            | Command::Shutdown { .. } => Self::Own,
            Command::Write(writes) | Command::Persist(writes) if writes.iter().any(|(key, _)| *key == Key::Gate) => {
                Self::Own
            }
            Command::Activity(_) | Command::Matching { .. } | Command::Records(_) => Self::Reads,
            // A ledger may be long.
            Command::Log(_) | Command::Why(_) => Self::Own,
            _ => Self::Quick,
        }
    }
}

struct Pending {
    id: CallId,
    sent: Sent,
    done: Completion,
    /// The request's number, once the daemon has told it.
    request: Option<u64>,
    cancelled: bool,
}

/// A connection and its unanswered commands.
pub(super) struct Line {
    pub(super) connection: Connection,
    pending: VecDeque<Pending>,
}

/// An answered command.
pub(super) type Answered = (Completion, Result<Reply, ControlError>);

/// What stopping the wait of a command requires.
pub(super) enum Cancelled {
    /// The command is not in this line.
    Elsewhere,
    /// Nothing: it does not wait for a helper, or the daemon has not told its number yet.
    Nothing,
    /// Abandon this request.
    Abandon(u64),
}

impl Line {
    pub(super) const fn new(connection: Connection) -> Self {
        Self { connection, pending: VecDeque::new() }
    }

    /// Whether no command is unanswered.
    pub(super) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// Sends a command. If it cannot be sent, the command is answered.
    pub(super) fn submit(&mut self, job: Job) -> io::Result<()> {
        let Some((sent, message)) = client::call(&job.command, self.connection.kernel) else {
            let why = "this command is not possible over a socket".to_owned();
            job.done.finish(Err(ControlError::Unavailable(why)));
            return Ok(());
        };
        self.pending.push_back(Pending { id: job.id, sent, done: job.done, request: None, cancelled: false });
        self.connection.send(&message)
    }

    /// Takes the next answer that has arrived. `Ok(None)`: no more have arrived. The number is that of a request whose
    /// wait was to be stopped before its number was known, with the id of its command.
    pub(super) fn next_answer(&mut self, version: &str) -> io::Result<Option<Result<Answered, (u64, CallId)>>> {
        while let Some(message) = self.connection.next_message()? {
            let Some(first) = self.pending.front_mut() else {
                return Err(io::Error::other("the daemon answered without a call"));
            };
            match first.sent.answer(message, version) {
                Heard::Progress(request) => {
                    // A rehearsal makes a second request when the first one has ended.
                    let is_new = request.is_some() && request != first.request;
                    first.request = request.or(first.request);
                    if let Some(request) = first.request.filter(|_| is_new && first.cancelled) {
                        return Ok(Some(Err((request, first.id))));
                    }
                }
                Heard::Last(reply) => {
                    let answered = self.pending.pop_front().map(|first| (first.done, reply));
                    return Ok(answered.map(Ok));
                }
            }
        }
        Ok(None)
    }

    /// Stops the wait of a command.
    pub(super) fn cancel(&mut self, id: CallId) -> Cancelled {
        let Some(pending) = self.pending.iter_mut().find(|pending| pending.id == id) else {
            return Cancelled::Elsewhere;
        };
        if !pending.sent.waits() || std::mem::replace(&mut pending.cancelled, true) {
            return Cancelled::Nothing;
        }
        pending.request.map_or(Cancelled::Nothing, Cancelled::Abandon)
    }

    /// Whether this command is unanswered.
    pub(super) fn has(&self, id: CallId) -> bool {
        self.pending.iter().any(|pending| pending.id == id)
    }

    /// The unanswered commands, for an error.
    pub(super) fn into_pending(self) -> impl Iterator<Item = Completion> {
        self.pending.into_iter().map(|pending| pending.done)
    }
}

/// The answer to a command whose wait was stopped on this side.
pub(super) fn stopped() -> ControlError {
    EngineError::new(
        Stage::Cancel,
        Errno::EINTR,
        "the wait was stopped",
        "the helper, if it was started, keeps running",
    )
    .into()
}
