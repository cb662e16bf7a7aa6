//! The line mode: the console for screen readers and for terminals that only print lines. It has the model, the dialogs
//! and the keys of the console. Instead of drawing a screen, it says lines: numbered, without colour, one after another.
//! Nothing is said while a line is typed: what has happened meanwhile is said when the line is entered.

mod act;
mod ends;
mod help;
mod news;
mod page;
mod plain;
mod speak;
mod streams;
mod tour;
mod typed;
mod wait;
mod word;

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::error::SysError;
use crate::abi::escape::screen_again;
use crate::sys::signals::{Signals, stop};

use super::config::Settings;
use super::model::Model;
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
use wait::Patience;

/// A line was not understood, and no operator is there to correct it: a usage error.
const EXIT_NOT_UNDERSTOOD: u8 = 64;
/// Standard output cannot be written, as in the command line.
const EXIT_OUTPUT: u8 = 74;

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
    /// The step of the tour that was said last.
    toured: Option<usize>,
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
            toured: None,
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
            self.say_tour();
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

    /// Says a line. What comes from outside is escaped already, and once more here, whatever made the line.
    fn say(&mut self, line: &str) {
        let _ascii = ascii::only(self.ascii);
        let line = ascii::text(&screen_again(line)).into_owned();
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
                Effect::FilterTarget(place) => self.sessions.filter(place),
                Effect::Demo => self.ending = Some(super::DEMO),
                Effect::Suspend => stop(true, is_to_end),
                Effect::Quit { code } if self.sessions.end() => self.ending = Some(code),
                // There is no clipboard and nothing to repaint; the rest is the session's own.
                _ => {}
            }
        }
    }
}
