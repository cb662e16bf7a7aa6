//! The end of the daemon: no new connection, the engine is drained, then everything is written and closed.

use std::time::{Duration, Instant};

use crate::abi::actor::Origin;
use crate::abi::event::Level;
use crate::control::Left;
use crate::control::command::{Command, Reply};
use crate::control::completion::{CallId, Completion};
use crate::control::target::Target;
use crate::daemon::connection::State;
use crate::daemon::mailbox::Mail;
use crate::daemon::outgoing::Message;
use crate::wire::event::ended;

use super::Server;

/// How long to wait for running helpers, as a drain of the gate does (GATE-2).
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for peers that do not read their last answers.
const FLUSH: Duration = Duration::from_secs(1);

/// How far the stop has come.
#[derive(Default)]
pub(super) struct Stop {
    begun: bool,
    /// The requests that still run, once the engine has ended.
    left: Option<Vec<Left>>,
    /// When to give up writing.
    deadline: Option<Instant>,
}

impl Stop {
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn ended(&mut self, left: Vec<Left>) {
        self.left = Some(left);
        self.deadline = Some(Instant::now() + FLUSH);
    }
}

impl Server {
    /// Begins to stop. A second signal ends the daemon at once; helpers go on.
    pub(super) fn begin_stop(&mut self) {
        if self.stop.begun {
            return self.stop.ended(Vec::new());
        }
        self.stop.begun = true;
        self.accepting.close();
        self.notify.stopping();
        self.journal.line(Level::Info, "stopping");
        let mailbox = self.mailbox.clone();
        let done = Completion::new(move |reply| {
            let left = match reply {
                Ok(Reply::Left(left)) => left,
                _ => Vec::new(),
            };
            mailbox.send(Mail::Ended(left));
        });
        let by = self.engine.actor(Origin::Library);
        self.target.submit(&by, CallId::fresh(), Command::Shutdown { patience: PATIENCE }, done);
    }

    /// The requests that still run, once nothing is left to write.
    pub(super) fn stopped(&mut self) -> Option<Vec<Left>> {
        self.stop.left.as_ref()?;
        let late = self.stop.deadline.is_some_and(|at| Instant::now() >= at);
        // Answers that came with the end are given in the next turn.
        if !self.answers.is_empty() && !late {
            return None;
        }
        let numbers: Vec<u64> = self.connections.keys().copied().collect();
        for number in numbers {
            if let Some(connection) = self.connections.get_mut(&number) {
                if matches!(connection.state, State::Watching(_)) && !connection.closing {
                    connection.outgoing.push(Message::Own(ended()));
                }
                // A request that still runs is not answered: it outlives the daemon.
                connection.closing = true;
            }
            self.settle(number);
        }
        if self.connections.is_empty() || late { self.stop.left.take() } else { None }
    }
}
