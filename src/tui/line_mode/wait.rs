//! Waits: for a line, for signals, and for what was asked for.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::sys::orphans;
use crate::sys::probe::ignores;
use crate::sys::signals::stop;
use crate::tui::EXIT_HANGUP;
use crate::tui::dialogs::quit::{Quit, Quitting};
use crate::tui::model::{Pending, Tab};
use crate::tui::msg::Ticket;
use crate::tui::run;
use crate::tui::signals::is_to_end;

use super::LineMode;
use super::streams::Input;

/// How long a command may take before the next line is read: one that is answered at once, and one that waits for a
/// helper.
const ANSWERED: Duration = Duration::from_secs(10);
const ENDED: Duration = Duration::from_secs(1);
/// How long to wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// For the answer to a command.
    Answer,
    /// For all answers, however long it takes.
    All,
}

impl LineMode<'_> {
    /// Waits for a line. What comes from the targets meanwhile is stored, and said later. Returns `None` after a signal.
    pub(super) fn wait_for_line(&mut self) -> Option<Input> {
        loop {
            if let Some(input) = self.reader.next() {
                return Some(input);
            }
            let timeout = self.timeout(None);
            let stdin = std::io::stdin();
            let mut fds = vec![
                PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(stdin.as_fd(), PollFlags::POLLIN),
            ];
            fds.extend(self.sessions.each().map(|session| PollFd::new(session.mailbox.as_fd(), PollFlags::POLLIN)));
            if poll(&mut fds, timeout).is_err_and(|e| e != Errno::EINTR) {
                self.ending = Some(EXIT_HANGUP);
                return None;
            }
            let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
            let gone = self.terminal && fds[1].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP));
            drop(fds);
            self.clear(&ready[2..]);
            if ready[0] && self.take_signals() {
                self.interrupt();
                return None;
            }
            if self.ending.is_some() {
                return None;
            }
            if gone || ready[1] && self.reader.read().is_err() {
                self.ending = Some(EXIT_HANGUP);
                return None;
            }
            self.deliver();
            if self.following {
                self.say_log();
            }
        }
    }

    /// Waits until what was asked for is answered.
    pub(super) fn settle(&mut self, patience: Patience) {
        let begun = Instant::now();
        while self.ending.is_none() {
            self.deliver();
            self.fit();
            let (asked, waits) = self.unanswered(patience);
            let quitting = self.model().top::<Quit>().is_some_and(|quit| quit.stage != Quitting::Asking);
            let limit = match (asked, waits, patience) {
                // The helpers are signalled again as time passes; their end is the program's.
                _ if quitting => {
                    self.sessions.now_mut().tick(Instant::now());
                    self.serve();
                    None
                }
                (false, false, _) => return,
                (_, _, Patience::All) => None,
                (true, _, _) => Some(begun + ANSWERED),
                (false, true, _) => Some(begun + ENDED),
            };
            if limit.is_some_and(|limit| limit <= Instant::now()) {
                return;
            }
            let tick = quitting.then(|| Instant::now() + ENDED);
            let timeout = self.timeout(limit.or(tick));
            let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            fds.extend(self.sessions.each().map(|session| PollFd::new(session.mailbox.as_fd(), PollFlags::POLLIN)));
            let _ = poll(&mut fds, timeout);
            let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
            drop(fds);
            self.clear(&ready[1..]);
            if ready[0] && self.take_signals() {
                return;
            }
        }
    }

    /// Whether a command is unanswered that is answered at once, or one that waits for a helper: one of this line, or
    /// any.
    pub(super) fn unanswered(&self, patience: Patience) -> (bool, bool) {
        let session = self.sessions.now();
        let model = &session.model;
        let waits = |pending: &Pending| matches!(pending, Pending::Request(_) | Pending::Series(_));
        let asked = !model.link.seen && model.link.info.lost().is_none()
            || self.sessions.is_opening()
            || session.due().is_some()
            || model.activity.reads()
            || model.rules.reads()
            || model.tab == Tab::Activity && model.activity.answer.older.reads
            || model.pending.values().any(|pending| !waits(pending));
        let of_line = |ticket: &Ticket| patience == Patience::All || *ticket > self.asked_before;
        (asked, model.pending.iter().any(|(ticket, pending)| waits(pending) && of_line(ticket)))
    }

    /// The time until something is due, or until `limit`.
    pub(super) fn timeout(&self, limit: Option<Instant>) -> PollTimeout {
        let due = [self.sessions.due(), limit].into_iter().flatten().min();
        run::timeout(due, Instant::now())
    }

    pub(super) fn clear(&self, ready: &[bool]) {
        for (session, _) in self.sessions.each().zip(ready).filter(|(_, ready)| **ready) {
            session.mailbox.clear_wakeup();
        }
    }

    pub(super) fn deliver(&mut self) {
        let now = Instant::now();
        if self.sessions.due().is_some_and(|due| due <= now) {
            self.sessions.deliver(now);
            self.serve();
        }
    }

    /// Handles the signals that have come. Returns whether ctrl-c was pressed.
    pub(super) fn take_signals(&mut self) -> bool {
        let mut interrupted = false;
        while self.ending.is_none()
            && let Ok(Some(signal)) = self.signals.next()
        {
            match signal {
                Signal::SIGINT if self.terminal => interrupted = true,
                Signal::SIGWINCH | Signal::SIGCONT => {}
                Signal::SIGTSTP => stop(false, is_to_end),
                Signal::SIGCHLD => orphans::reap(),
                _ if ignores(signal) => {}
                _ => self.ending = Some(128 + signal as u8),
            }
        }
        interrupted
    }
}
