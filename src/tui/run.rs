//! The loop of the console: one `poll` for the terminal, signals and the wakeup of other threads. It has a timeout only
//! while input is unfinished (a lone ESC, a sequence or a paste without its end), while events wait for the next frame,
//! and while a helper runs. Otherwise nothing wakes the console.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::abi::actor::Actor;
use crate::abi::error::SysError;
use crate::sys::signals::Signals;

use super::config::Settings;
use super::input::{Decoder, Input};
use super::msg::{Effect, Msg};
use super::paint::Painter;
use super::session::{Session, Setup};
use super::sessions::Sessions;
use super::targets::Targets;
use super::terminal::Tty;
use super::terminal_type::{Colours, TerminalType};
use super::theme::Theme;
use super::{Frontend, Options};

/// The time between frames while something on the screen changes with time.
const TICK: Duration = Duration::from_secs(1);
/// Size of one read, in bytes.
const READ: usize = 4096;

/// The parts of the console.
pub(super) struct Parts<'a> {
    pub(super) targets: &'a Targets,
    pub(super) by: Actor,
    pub(super) tty: Arc<Tty>,
}

/// The console, from the first frame to its exit code.
pub(super) struct Console<'a> {
    face: Frontend,
    pub(super) signals: &'a Signals,
    pub(super) tty: Arc<Tty>,
    pub(super) painter: Painter,
    sessions: Sessions<'a>,
    input: Decoder,
    tick: Option<Instant>,
    pub(super) ending: Option<u8>,
}

impl<'a> Console<'a> {
    /// Takes the terminal; draws nothing yet.
    pub(super) fn open(
        parts: Parts<'a>,
        signals: &'a Signals,
        options: Options,
        settings: Settings,
        face: Frontend,
    ) -> Result<Self, SysError> {
        let Parts { targets, by, tty } = parts;
        let kind = TerminalType::from_env();
        let theme = theme(options.theme.or(settings.theme), kind);
        let size = tty.size();
        let setup = Setup { options, settings, kind, theme, update: face.update, by };
        let sessions = Sessions::open(targets, setup, size)?;
        let painter = Painter::new(tty.clone(), &tty.enter()?, size, kind);
        let input = Decoder::new(Instant::now());
        Ok(Self { face, signals, tty, painter, sessions, input, tick: None, ending: None })
    }

    /// Draws the first frame, starts the slower parts, and runs until the operator, a signal or the end of the terminal
    /// ends it. Returns the exit code.
    pub(super) fn run(&mut self) -> Result<u8, SysError> {
        // Before the first frame, which may show the log.
        self.sessions.now_mut().fill_log();
        if self.paint().is_err() {
            return Ok(super::EXIT_HANGUP);
        }
        self.sessions.now_mut().start()?;
        while self.ending.is_none() {
            if self.poll_once().is_err() {
                return Ok(super::EXIT_HANGUP);
            }
        }
        self.sessions.finish();
        Ok(self.ending.unwrap_or_default())
    }

    /// Waits once and handles what came. Returns an error if the terminal is gone.
    fn poll_once(&mut self) -> io::Result<()> {
        let now = Instant::now();
        self.tick = if self.sessions.now().model.needs_tick() { self.tick.or(Some(now + TICK)) } else { None };
        let wanted = if self.painter.is_behind() { PollFlags::POLLIN | PollFlags::POLLOUT } else { PollFlags::POLLIN };
        let mut fds = vec![PollFd::new(self.tty.as_fd(), wanted), PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.sessions.each().map(|session| PollFd::new(session.mailbox.as_fd(), PollFlags::POLLIN)));
        match poll(&mut fds, timeout(self.deadline(), now)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
        let events = |fd: &PollFd<'_>| fd.revents().unwrap_or(PollFlags::empty());
        let (tty, signals) = (events(&fds[0]), events(&fds[1]));
        for (session, _) in self.sessions.each().zip(&fds[2..]).filter(|(_, fd)| !events(fd).is_empty()) {
            session.mailbox.clear_wakeup();
        }
        if !signals.is_empty() {
            self.read_signals()?;
            if self.ending.is_some() {
                // In the background another read would stop this process.
                return Ok(());
            }
        }
        if tty.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL) {
            return Err(Errno::EIO.into());
        }
        if tty.contains(PollFlags::POLLIN) {
            self.read()?;
        }
        self.timers();
        self.paint()
    }

    /// When the wait times out.
    fn deadline(&self) -> Option<Instant> {
        [self.input.deadline(), self.sessions.due(), self.tick].into_iter().flatten().min()
    }

    /// Handles a message to the session that is shown.
    pub(super) fn take(&mut self, msg: Msg) {
        self.sessions.now_mut().take(msg);
        self.serve();
    }

    /// Does what the session that is shown wants of the terminal.
    fn serve(&mut self) {
        let wants = std::mem::take(&mut self.sessions.now_mut().wants);
        for effect in wants {
            match effect {
                Effect::Copy(bytes) => self.painter.copy(&bytes),
                Effect::Repaint => self.resized(),
                Effect::Suspend => self.suspend(true),
                Effect::NextTarget => {
                    self.sessions.turn();
                }
                Effect::FilterTarget(place) => self.sessions.filter(place),
                Effect::Demo => self.ending = Some(super::DEMO),
                Effect::Quit { code } if self.sessions.end() => self.ending = Some(code),
                // The others are the session's own.
                _ => {}
            }
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; READ];
        let length = match self.tty.read(&mut buffer) {
            Ok(0) => return Err(Errno::EIO.into()),
            Ok(length) => length,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        let mut typed = Vec::new();
        self.input.feed(&buffer[..length], Instant::now(), &mut typed);
        self.typed(typed);
        Ok(())
    }

    fn typed(&mut self, typed: Vec<Input>) {
        for input in typed {
            if self.ending.is_some() {
                return;
            }
            self.sessions.typed();
            self.take(match input {
                Input::Key(key) => Msg::Key(key),
                Input::Chord(key) => Msg::Chord(key),
                Input::Paste(bytes) => Msg::Paste(bytes),
                Input::Mouse(mouse) => Msg::Mouse(mouse),
            });
        }
    }

    /// Does everything that is due now.
    fn timers(&mut self) {
        let now = Instant::now();
        let mut typed = Vec::new();
        self.input.expire(now, &mut typed);
        self.typed(typed);
        if self.sessions.due().is_some_and(|due| due <= now) {
            self.sessions.deliver(now);
            self.serve();
        }
        if self.tick.is_some_and(|tick| tick <= now) {
            self.tick = None;
            self.sessions.now_mut().tick(now);
            self.serve();
        }
    }

    fn paint(&mut self) -> io::Result<()> {
        if self.painter.is_behind() {
            self.painter.write()?;
        }
        let Session { model, dirty, .. } = self.sessions.now_mut();
        if *dirty && self.ending.is_none() && !self.painter.is_behind() {
            self.painter.draw(model, self.face.draw)?;
            super::update::shown(model);
            *dirty = false;
        }
        Ok(())
    }
}

/// A chosen theme overrides `NO_COLOR`, which is for users who chose none (no-color.org). On a terminal without colours
/// every theme but [`Theme::plain`] would lose meaning.
fn theme(chosen: Option<Theme>, kind: TerminalType) -> Theme {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match chosen {
        _ if kind.colours == Colours::None => Theme::plain(),
        Some(theme) => theme,
        None if no_color => Theme::plain(),
        None => Theme::ansi(),
    }
}

/// The time until then, for poll(2).
pub(super) fn timeout(deadline: Option<Instant>, now: Instant) -> PollTimeout {
    let Some(deadline) = deadline else { return PollTimeout::NONE };
    // Rounded up: a wait that ends too early would have to be repeated.
    let millis = deadline.saturating_duration_since(now).as_micros().div_ceil(1000);
    PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
}
