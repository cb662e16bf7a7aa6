//! The line mode: the console for screen readers and for terminals that only print lines. It has the model, the dialogs
//! and the keys of the console. Instead of drawing a screen, it says lines: numbered, without colour, one after another.
//! Nothing is said while a line is typed: what has happened meanwhile is said when the line is entered.

mod act;
mod help;
mod news;
mod page;
mod plain;
mod streams;
mod typed;

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::abi::actor::Actor;
use crate::abi::error::SysError;
use crate::sys::orphans;
use crate::sys::probe::ignores;
use crate::sys::signals::{Signals, stop};

use super::config::Settings;
use super::dialogs::quit::{Quit, Quitting};
use super::model::{Model, Pending};
use super::msg::{Effect, Msg, Ticket};
use super::session::Setup;
use super::sessions::Sessions;
use super::signals::is_to_end;
use super::targets::Targets;
use super::terminal_type::{Clipboard, Colours, TerminalType};
use super::theme::Theme;
use super::{EXIT_HANGUP, Options, ascii, update};
use news::News;
use page::Page;
use streams::{Input, Reader};

/// How long a command may take before the next line is read: one that is answered at once, and one that waits for a
/// helper.
const ANSWERED: Duration = Duration::from_secs(10);
const ENDED: Duration = Duration::from_secs(1);
/// A line was not understood, and no operator is there to correct it: a usage error.
const EXIT_NOT_UNDERSTOOD: u8 = 64;
/// Standard output cannot be written, as in the command line.
const EXIT_OUTPUT: u8 = 74;

/// How long to wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// For the answer to a command.
    Answer,
    /// For all answers, however long it takes.
    All,
}

/// The console in line mode.
pub(super) struct LineMode<'a> {
    sessions: Sessions<'a>,
    signals: &'a Signals,
    reader: Reader,
    /// The input is a terminal: there is a prompt, and ctrl-c does not end the program.
    terminal: bool,
    ascii: bool,
    /// The screen that was said last; its numbers are the ones that can be typed.
    page: Page,
    news: News,
    /// Lines of the log are said as they come.
    following: bool,
    /// The input has ended, and the question about that was asked.
    over: bool,
    /// The number of lines that were read.
    lines: usize,
    /// The ticket of the last command before the line that is done now.
    asked_before: Ticket,
    ending: Option<u8>,
}

impl<'a> LineMode<'a> {
    /// Starts to watch the first target.
    pub(super) fn open(
        targets: &'a Targets,
        by: Actor,
        signals: &'a Signals,
        options: Options,
        settings: Settings,
    ) -> Result<Self, SysError> {
        // No sequence is sent to the terminal, so nothing can be copied, and there are no colours.
        let kind =
            TerminalType { colours: Colours::None, clipboard: Clipboard::Unavailable, ..TerminalType::from_env() };
        let ascii = options.ascii;
        // Signs become words before what is left becomes ASCII.
        let options = Options { ascii: false, ..options };
        let setup = Setup { options, settings, kind, theme: Theme::plain(), update: update::update, by };
        let sessions = Sessions::open(targets, setup, page::size(super::model::Tab::Overview))?;
        Ok(Self {
            sessions,
            signals,
            reader: Reader::default(),
            terminal: streams::is_terminal(),
            ascii,
            page: Page::default(),
            news: News::default(),
            following: false,
            over: false,
            lines: 0,
            asked_before: 0,
            ending: None,
        })
    }

    /// Reads lines until the operator, a signal or the end of the input ends it. Returns the exit code.
    pub(super) fn run(&mut self) -> Result<u8, SysError> {
        let session = self.sessions.now_mut();
        session.fill_log();
        session.start()?;
        self.settle(Patience::Answer);
        self.greet();
        while self.ending.is_none() {
            self.prompt();
            match self.wait_for_line() {
                Some(Input::Line(line)) => {
                    self.lines += 1;
                    self.over = false;
                    self.line(&line);
                }
                Some(Input::TooLong) => {
                    self.lines += 1;
                    self.say("the line was too long, and nothing was done");
                    self.not_understood();
                }
                Some(Input::End) => self.end_of_input(),
                None => {}
            }
        }
        self.sessions.finish();
        Ok(self.ending.unwrap_or_default())
    }

    fn model(&self) -> &Model {
        &self.sessions.now().model
    }

    /// Says a line. Everything in it is escaped already.
    fn say(&mut self, line: &str) {
        let line = if self.ascii {
            let _ascii = ascii::only(true);
            ascii::text(line).into_owned()
        } else {
            line.to_owned()
        };
        self.write(&format!("{line}\n"));
    }

    fn say_all(&mut self, lines: &[String]) {
        lines.iter().for_each(|line| self.say(line));
    }

    fn write(&mut self, text: &str) {
        while self.ending.is_none() {
            match streams::write(text.as_bytes(), self.signals) {
                Ok(()) => return,
                // Some of the text may be lost; the output accepts nothing anyway.
                Err(Errno::EINTR) => {
                    self.take_signals();
                }
                // The reader has enough, which is no error.
                Err(Errno::EPIPE) => self.ending = Some(0),
                Err(Errno::EIO) if self.terminal => self.ending = Some(EXIT_HANGUP),
                Err(_) => self.ending = Some(EXIT_OUTPUT),
            }
        }
    }

    fn prompt(&mut self) {
        self.following &= self.ending.is_none();
        if self.terminal && !self.following {
            let prompt = format!("{}> ", self.place());
            self.write(&prompt);
        }
    }

    /// Waits for a line. What comes from the targets meanwhile is stored, and said later. Returns `None` after a signal.
    fn wait_for_line(&mut self) -> Option<Input> {
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
    fn settle(&mut self, patience: Patience) {
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
    fn unanswered(&self, patience: Patience) -> (bool, bool) {
        let session = self.sessions.now();
        let model = &session.model;
        let waits = |pending: &Pending| matches!(pending, Pending::Request(_) | Pending::Series(_));
        let asked = !model.link.seen && model.link.info.lost().is_none()
            || self.sessions.is_opening()
            || session.due().is_some()
            || model.activity.reads()
            || model.pending.values().any(|pending| !waits(pending));
        let of_line = |ticket: &Ticket| patience == Patience::All || *ticket > self.asked_before;
        (asked, model.pending.iter().any(|(ticket, pending)| waits(pending) && of_line(ticket)))
    }

    /// The time until something is due, or until `limit`.
    fn timeout(&self, limit: Option<Instant>) -> PollTimeout {
        let due = [self.sessions.due(), limit].into_iter().flatten().min();
        super::run::timeout(due, Instant::now())
    }

    fn clear(&self, ready: &[bool]) {
        for (session, _) in self.sessions.each().zip(ready).filter(|(_, ready)| **ready) {
            session.mailbox.clear_wakeup();
        }
    }

    fn deliver(&mut self) {
        let now = Instant::now();
        if self.sessions.due().is_some_and(|due| due <= now) {
            self.sessions.deliver(now);
            self.serve();
        }
    }

    /// Gives the model a page of the size of its screen.
    fn fit(&mut self) {
        let model = self.model();
        let (columns, rows) = page::size(model.tab);
        if (model.columns, model.rows) != (columns, rows) {
            self.take(Msg::Resize { columns, rows });
        }
    }

    /// Handles a message to the session that is shown.
    fn take(&mut self, msg: Msg) {
        if matches!(msg, Msg::Key(_) | Msg::Paste(_)) {
            self.sessions.typed();
        }
        self.sessions.now_mut().take(msg);
        self.serve();
    }

    fn serve(&mut self) {
        let wants = std::mem::take(&mut self.sessions.now_mut().wants);
        for effect in wants {
            match effect {
                Effect::NextTarget => {
                    self.sessions.turn();
                }
                Effect::Suspend => stop(true, is_to_end),
                Effect::Quit { code } if self.sessions.end() => self.ending = Some(code),
                // There is no clipboard and nothing to repaint; the rest is the session's own.
                _ => {}
            }
        }
    }

    /// Handles the signals that have come. Returns whether ctrl-c was pressed.
    fn take_signals(&mut self) -> bool {
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
