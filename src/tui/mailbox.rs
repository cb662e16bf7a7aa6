//! The mailbox through which other threads reach the drawing thread: messages, a flag that the target's state changed,
//! and one wakeup for both.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::abi::error::SysError;

use super::model::log::{self, Line, Ring};
use super::msg::Msg;

/// The mailbox. Any thread posts to it; the drawing thread empties it.
pub(super) struct Mailbox {
    wakeup: EventFd,
    /// Whether something waits. The thread that sets the flag also sends the wakeup; the drawing thread clears it
    /// before it empties the mailbox. So each round needs one wakeup.
    full: AtomicBool,
    /// The target's state has changed since it was last read.
    changed: AtomicBool,
    messages: Mutex<Vec<Msg>>,
    /// Log lines that wait to be fetched; at most as many as the log holds.
    lines: Mutex<Ring>,
}

impl Mailbox {
    pub(super) fn new() -> Result<Arc<Self>, SysError> {
        let wakeup = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .map_err(|e| SysError::new("eventfd", e))?;
        let (full, changed) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Arc::new(Self { wakeup, full, changed, messages: Mutex::default(), lines: Mutex::default() }))
    }

    pub(super) fn post(&self, msg: Msg) {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(msg);
        self.ring();
    }

    /// Posts an answer, and marks the state as changed: a slot is released after the event of its helper's end.
    pub(super) fn post_with_state(&self, msg: Msg) {
        self.changed.store(true, Ordering::Release);
        self.post(msg);
    }

    /// Posts a line for the log.
    pub(super) fn log(&self, line: Line) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        self.ring();
    }

    /// Marks the target's state as changed.
    pub(super) fn look_again(&self) {
        if !self.changed.swap(true, Ordering::AcqRel) {
            self.ring();
        }
    }

    /// Wakes the drawing thread for something that is stored elsewhere.
    pub(super) fn ring(&self) {
        if !self.full.swap(true, Ordering::AcqRel) {
            // Fails only if the counter is at its maximum: then a wakeup is pending already.
            let _ = self.wakeup.write(1);
        }
    }

    /// Clears the wakeup. What caused it stays until [`Self::empty`], and causes no other wakeup before that.
    pub(super) fn clear_wakeup(&self) {
        let _ = self.wakeup.read();
    }

    /// Whether something waits.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Takes the messages, and whether the target's state has changed; resets both.
    pub(super) fn empty(&self) -> (bool, Vec<Msg>) {
        self.full.store(false, Ordering::Release);
        let changed = self.changed.swap(false, Ordering::AcqRel);
        let mut messages = std::mem::take(&mut *self.messages.lock().unwrap_or_else(PoisonError::into_inner));
        let lines = std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner));
        if !lines.is_empty() {
            let missing = log::missing(&lines);
            messages.push(Msg::Logged(missing.into_iter().chain(lines.into_lines()).collect()));
        }
        (changed, messages)
    }
}

impl AsFd for Mailbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wakeup.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bell_rings_once_for_each_look() {
        let mailbox = Mailbox::new().unwrap();
        let rung = |mailbox: &Mailbox| mailbox.wakeup.read().ok();
        mailbox.post(Msg::Tick(1));
        mailbox.post(Msg::Tick(2));
        assert_eq!((rung(&mailbox), mailbox.is_full()), (Some(1), true));
        mailbox.post(Msg::Tick(3));
        assert_eq!(rung(&mailbox), None);
        assert_eq!(mailbox.empty().1.len(), 3);
        assert!(!mailbox.is_full());
        mailbox.post(Msg::Tick(4));
        assert_eq!(rung(&mailbox), Some(1));
    }
}
