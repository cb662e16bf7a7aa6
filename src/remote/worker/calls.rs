//! Commands of the worker: which connection they go over, how they are cancelled, and their answers.

use std::sync::Arc;

use crate::abi::error::io_words;
use crate::control::command::Command;
use crate::control::completion::{CallId, Completion};
use crate::control::text::target::{not_sent, object};
use crate::remote::answers::{finish, hear, refuse, unknown};
use crate::remote::connection::Connection;
use crate::remote::line::{Cancelled, Job, Lane, Line, stopped};
use crate::remote::shared::Message;

use super::Worker;

/// The most connections for commands that wait; further ones wait here.
const MOST: usize = 128;
/// The same to another machine: sshd(8) lets in at most ten sessions at a time (MaxSessions, MaxStartups).
const MOST_FAR: usize = 6;
/// The most idle connections that are kept.
const IDLE: usize = 4;

impl Worker {
    pub(super) fn submit(&mut self, job: Job) {
        if self.retry.is_some() {
            let info = self.shared.info();
            return job.done.finish(Err(not_sent(&info, info.lost().unwrap_or("it is being restored"))));
        }
        let lane = Lane::of(&job.command);
        if lane != Lane::Own && self.is_subscribing() {
            return self.held.push_back(job);
        }
        let sent = match lane {
            Lane::Quick => self.quick.as_mut().map_or(Ok(()), |line| line.submit(job)),
            Lane::Reads => match self.reads.is_none().then(|| Connection::open(&self.address)) {
                Some(Err(e)) => return refuse(job, &e),
                Some(Ok(connection)) => self.reads.insert(Line::new(connection)).submit(job),
                None => self.reads.as_mut().map_or(Ok(()), |line| line.submit(job)),
            },
            Lane::Own => {
                self.waiting.push_back(job);
                return self.start_waiting();
            }
        };
        if let Err(e) = sent {
            self.lose(&io_words(&e));
        }
    }

    /// Whether a watch is not active yet. A command that was submitted after it waits, so that the watch sees its
    /// effects: the daemon serves connections in any order.
    fn is_subscribing(&self) -> bool {
        self.follows.iter().any(|follow| follow.connection.is_some() && !follow.active)
    }

    /// Sends the commands that waited for a watch, if every watch is active now.
    pub(super) fn resume(&mut self) {
        if !self.is_subscribing() {
            std::mem::take(&mut self.held).into_iter().for_each(|job| self.submit(job));
            self.start_waiting();
        }
    }

    /// Sends waiting commands, each over a connection of its own.
    pub(super) fn start_waiting(&mut self) {
        if self.is_subscribing() {
            return;
        }
        while let Some(job) = self.waiting.pop_front() {
            let at = match self.own.iter().position(Line::is_idle) {
                Some(at) => at,
                None if self.own.len() >= if self.address.is_far() { MOST_FAR } else { MOST } => {
                    return self.waiting.push_front(job);
                }
                None => match Connection::open(&self.address) {
                    Ok(connection) => {
                        self.own.push(Line::new(connection));
                        self.own.len() - 1
                    }
                    Err(e) => {
                        refuse(job, &e);
                        continue;
                    }
                },
            };
            if let Err(e) = self.own[at].submit(job) {
                self.break_own(at, &io_words(&e));
            }
        }
    }

    pub(super) fn cancel(&mut self, id: CallId) {
        if let Some(at) = self.waiting.iter().position(|job| job.id == id) {
            if let Some(job) = self.waiting.remove(at) {
                job.done.finish(Err(stopped()));
            }
            return;
        }
        for line in &mut self.own {
            match line.cancel(id) {
                Cancelled::Elsewhere => {}
                Cancelled::Nothing => return,
                Cancelled::Abandon(request) => return self.abandon(request, id),
            }
        }
    }

    /// Asks the daemon to stop the wait of a request, which then answers the command.
    pub(super) fn abandon(&mut self, request: u64, id: CallId) {
        let shared = Arc::downgrade(&self.shared);
        let done = Completion::new(move |reply| {
            if let (Err(_), Some(shared)) = (reply, shared.upgrade()) {
                shared.send(Message::GiveUp(id));
            }
        });
        self.submit(Job { id: CallId::fresh(), command: Command::Abandon(request), done });
    }

    pub(super) fn serve_own(&mut self, at: usize) {
        let Some(line) = self.own.get_mut(at) else { return };
        let (answered, outcome) = hear(line, &self.shared);
        let (mut done, mut abandon) = (Vec::new(), Vec::new());
        for one in answered {
            match one {
                Ok(answered) => done.push(answered),
                Err(request) => abandon.push(request),
            }
        }
        let idle = line.is_idle();
        match outcome {
            Err(why) => self.break_own(at, &why),
            Ok(()) if idle && self.own.iter().filter(|line| line.is_idle()).count() > IDLE => {
                self.own.swap_remove(at);
            }
            Ok(()) => {}
        }
        // Each command is answered when the daemon has stopped its wait, or cannot.
        abandon.into_iter().for_each(|(request, id)| self.abandon(request, id));
        self.start_waiting();
        finish(done);
    }

    /// Drops a connection that failed; its command is answered with an error.
    pub(super) fn break_own(&mut self, at: usize, why: &str) {
        let error = unknown(&object(&self.shared.info()), why);
        self.own.swap_remove(at).into_pending().for_each(|done| done.finish(Err(error.clone())));
    }
}
