//! Delivers what came from the target to the model.

use std::io;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use nix::errno::Errno;

use crate::abi::error::SysError;
use crate::abi::snapshot::Snapshot;

use super::log_feed;
use super::msg::Msg;
use super::run::{Console, FRAME};

impl Console<'_> {
    /// Delivers the state first, then the replies: a reply never meets a state older than itself. Everything else is
    /// delivered at once.
    pub(super) fn empty(&mut self, now: Instant) {
        self.due = now + FRAME;
        let (changed, messages) = self.mailbox.empty();
        if changed && let Some(info) = self.state.changed() {
            self.take(Msg::Target(Box::new(info)));
        }
        if let Some(snapshot) = self.state.take() {
            self.arrived(snapshot);
        }
        let current = self.state.current();
        for msg in std::mem::take(&mut self.held).into_iter().chain(messages.into_iter().map(|msg| (current, msg))) {
            match msg {
                (question, Msg::Replied { .. }) if !self.state.has(question) => self.held.push(msg),
                (_, msg) => self.take(msg),
            }
        }
    }

    fn arrived(&mut self, snapshot: Snapshot) {
        self.clock = (snapshot.now, Instant::now());
        self.look_at(snapshot.knobs.modprobe.clone());
        let is_first = self.log.is_some();
        self.take(Msg::Snapshot(Box::new(snapshot)));
        if is_first {
            self.model.log.take(log_feed::earlier(&self.model.snapshot, SystemTime::now()));
            if let Err(error) = self.start_log() {
                self.take(Msg::Notice(format!("cannot start the log, which stays empty: {error}")));
            }
        }
    }

    /// Starts the log thread. It begins after the state, which contains the earlier warnings.
    pub(super) fn start_log(&mut self) -> Result<(), SysError> {
        let Some(log) = self.log.take() else { return Ok(()) };
        log_feed::keep(self.target.clone(), log, self.mailbox.clone(), self.model.snapshot.seq)
            .map_err(|e| SysError::new("a thread for the log", errno(&e)))
    }

    pub(super) fn look_at(&mut self, path: Arc<[u8]>) {
        if self.path.as_ref() != Some(&path) {
            self.path = Some(path.clone());
            self.executor.look_at(path);
        }
    }
}

fn errno(e: &io::Error) -> Errno {
    Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO))
}
