//! What the threads of a remote target share: the daemon's description, and messages to the thread of the connections.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};

use crate::abi::error::ControlError;
use crate::abi::error::io_words;
use crate::control::completion::CallId;
use crate::control::target::{LinkState, TargetInfo};
use crate::wire::event::Subscribe;

use super::feed::Feed;
use super::line::Job;

/// A message to the thread of the connections.
pub(super) enum Message {
    /// Send a command.
    Submit(Box<Job>),
    /// Stop the wait of a command.
    Cancel(CallId),
    /// The daemon did not stop the wait of this command: answer it here.
    GiveUp(CallId),
    /// Subscribe to events.
    Watch(Arc<Feed>, Subscribe),
    /// A watch was closed.
    Look,
    /// End the thread.
    Stop,
}

pub(super) struct Shared {
    state: Mutex<State>,
    wakeup: OwnedFd,
}

struct State {
    info: TargetInfo,
    version: Arc<str>,
    inbox: Vec<Message>,
}

impl Shared {
    pub(super) fn new(info: TargetInfo, version: String) -> Result<Self, ControlError> {
        let wakeup = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|e| ControlError::Busy(format!("cannot create an eventfd: {}", io_words(&e.into()))))?;
        Ok(Self { state: Mutex::new(State { info, version: version.into(), inbox: Vec::new() }), wakeup })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn info(&self) -> TargetInfo {
        self.lock().info.clone()
    }

    pub(super) fn version(&self) -> Arc<str> {
        self.lock().version.clone()
    }

    /// Stores the description of the daemon that was reached.
    pub(super) fn found(&self, info: TargetInfo, version: String) {
        let mut state = self.lock();
        (state.info, state.version) = (info, version.into());
    }

    pub(super) fn lost(&self, why: &str) {
        self.lock().info.link = LinkState::Lost { why: why.to_owned() };
    }

    /// Queues a message and wakes the thread.
    pub(super) fn send(&self, message: Message) {
        let first = {
            let mut state = self.lock();
            state.inbox.push(message);
            state.inbox.len() == 1
        };
        if first {
            // It fails only if the counter is full, and then the thread is woken anyway.
            let _ = rustix::io::write(&self.wakeup, &1u64.to_ne_bytes());
        }
    }

    /// Takes the messages. The next one wakes the thread again.
    pub(super) fn take(&self) -> Vec<Message> {
        let mut buffer = [0; 8];
        // It fails if nothing woke the thread.
        let _ = rustix::io::read(&self.wakeup, &mut buffer);
        std::mem::take(&mut self.lock().inbox)
    }
}

impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wakeup.as_fd()
    }
}
