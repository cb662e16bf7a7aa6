//! The loop of the console: one `poll` for the terminal, signals and the wakeup of other threads. It has a timeout only
//! while input is unfinished (a lone ESC, a sequence or a paste without its end), while events wait for the next frame,
//! and while a helper runs. Otherwise nothing wakes the console.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::abi::actor::Actor;
use crate::abi::error::SysError;
use crate::abi::snapshot::Snapshot;
use crate::abi::time::Micros;
use crate::control::target::Target;
use crate::control::watch::Watch;
use crate::sys::signals::Signals;

use super::config::Settings;
use super::executor::Executor;
use super::input::{Decoder, Input};
use super::line_history;
use super::log_feed;
use super::mailbox::Mailbox;
use super::model::Model;
use super::msg::{Effect, Msg};
use super::paint::Painter;
use super::state_feed::StateFeed;
use super::terminal::Tty;
use super::terminal_type::{Colours, TerminalType};
use super::theme::Theme;
use super::{Frontend, Options};

/// The shortest time between frames that show events: 30 frames a second.
pub(super) const FRAME: Duration = Duration::from_millis(34);
/// The time between frames while something on the screen changes with time.
const TICK: Duration = Duration::from_secs(1);
/// How long the console waits at its end for unfinished file jobs; a history line is written in much less.
const LAST_JOBS: Duration = Duration::from_millis(500);
/// Size of one read, in bytes.
const READ: usize = 4096;

/// The parts of the console.
pub(super) struct Parts {
    pub(super) target: Arc<dyn Target>,
    pub(super) by: Actor,
    pub(super) tty: Arc<Tty>,
}

/// The console, from the first frame to its exit code.
pub(super) struct Console<'a> {
    pub(super) target: Arc<dyn Target>,
    face: Frontend,
    pub(super) signals: &'a Signals,
    pub(super) tty: Arc<Tty>,
    pub(super) painter: Painter,
    pub(super) model: Model,
    input: Decoder,
    pub(super) state: StateFeed,
    /// The events for the log, until the log thread takes them.
    pub(super) log: Option<Watch>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) executor: Executor,
    /// Replies that wait for the state that contains their effect, each with the number of the question that returns
    /// it.
    pub(super) held: Vec<(u64, Msg)>,
    /// The time on the target's clock, and the local instant at which it was read.
    pub(super) clock: (Micros, Instant),
    /// The modprobe path that was checked last.
    pub(super) path: Option<Arc<[u8]>>,
    /// When the mailbox may be emptied again.
    pub(super) due: Instant,
    tick: Option<Instant>,
    /// The model has changed since it was drawn.
    dirty: bool,
    pub(super) ending: Option<u8>,
}

impl<'a> Console<'a> {
    /// Takes the terminal; draws nothing yet.
    pub(super) fn open(
        parts: Parts,
        signals: &'a Signals,
        options: Options,
        settings: Settings,
        face: Frontend,
    ) -> Result<Self, SysError> {
        let Parts { target, by, tty } = parts;
        let mailbox = Mailbox::new()?;
        // Subscribe before the state is read: what the state does not contain yet then comes as an event.
        let log = Some(log_feed::watch(&*target));
        let mut state = StateFeed::open(target.clone(), by.clone(), mailbox.clone());
        let (info, first) = (target.info(), state.take());
        let seen = first.is_some();
        let snapshot = first.unwrap_or_else(|| Snapshot::unknown(info.pid, info.uid, info.known));
        let now = Instant::now();
        let (size, clock) = (tty.size(), (snapshot.now, now));
        let kind = TerminalType::from_env();
        let mut model = Model::new(options, info, snapshot, size.0, size.1);
        model.link.seen = seen;
        model.line.history = line_history::read();
        (model.keys, model.clipboard) = (settings.keys, kind.clipboard);
        model.ascii = options.ascii;
        model.notices.extend(settings.warning.map(|warning| (model.now, warning)));
        model.theme = theme(options.theme.or(settings.theme), kind);
        model.colours = kind.colours != Colours::None;
        let painter = Painter::new(tty.clone(), &tty.enter()?, size, kind);
        let executor = Executor::new(target.clone(), by, mailbox.clone());
        let input = Decoder::new(now);
        Ok(Self {
            target,
            face,
            signals,
            tty,
            painter,
            model,
            input,
            state,
            log,
            mailbox,
            executor,
            held: Vec::new(),
            clock,
            path: None,
            due: now,
            tick: None,
            dirty: true,
            ending: None,
        })
    }

    /// Draws the first frame, starts the slower parts, and runs until the operator, a signal or the end of the terminal
    /// ends it. Returns the exit code.
    pub(super) fn run(&mut self) -> Result<u8, SysError> {
        if self.model.link.seen {
            // Before the first frame, which may show the log.
            self.model.log.take(log_feed::earlier(&self.model.snapshot, SystemTime::now()));
        }
        if self.paint().is_err() {
            return Ok(super::EXIT_HANGUP);
        }
        if self.model.link.seen {
            self.start_log()?;
            self.look_at(self.model.snapshot.knobs.modprobe.clone());
        }
        while self.ending.is_none() {
            if self.poll_once().is_err() {
                return Ok(super::EXIT_HANGUP);
            }
        }
        self.executor.finish(LAST_JOBS);
        Ok(self.ending.unwrap_or_default())
    }

    /// Waits once and handles what came. Returns an error if the terminal is gone.
    fn poll_once(&mut self) -> io::Result<()> {
        let now = Instant::now();
        self.tick = if self.model.needs_tick() { self.tick.or(Some(now + TICK)) } else { None };
        let wanted = if self.painter.is_behind() { PollFlags::POLLIN | PollFlags::POLLOUT } else { PollFlags::POLLIN };
        let mut fds = [
            PollFd::new(self.tty.as_fd(), wanted),
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.mailbox.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, timeout(self.deadline(), now)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
        let [tty, signals, wakeup] = fds.map(|fd| fd.revents().unwrap_or(PollFlags::empty()));
        if !wakeup.is_empty() {
            self.mailbox.clear_wakeup();
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
        [self.input.deadline(), self.due(), self.tick].into_iter().flatten().min()
    }

    /// When the mailbox may be emptied, if it contains something.
    fn due(&self) -> Option<Instant> {
        self.mailbox.is_full().then_some(self.due)
    }

    pub(super) fn take(&mut self, msg: Msg) {
        self.dirty = true;
        for effect in (self.face.update)(&mut self.model, msg) {
            match effect {
                Effect::Submit { ticket, command } => self.executor.submit(ticket, command),
                Effect::Series { ticket, batch } => self.executor.series(ticket, batch),
                Effect::Look(question) => self.executor.look(*question),
                Effect::Save { ticket, save } => self.executor.save(ticket, *save),
                Effect::Copy(bytes) => self.painter.copy(&bytes),
                Effect::Remember(line) => self.executor.remember(line),
                Effect::Repaint => self.resized(),
                Effect::Suspend => self.suspend(true),
                Effect::Quit { code } => self.ending = Some(code),
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
        if self.due().is_some_and(|due| due <= now) {
            self.empty(now);
        }
        if self.tick.is_some_and(|tick| tick <= now) {
            self.tick = None;
            let (then, at) = self.clock;
            let passed = u64::try_from(now.duration_since(at).as_micros()).unwrap_or(u64::MAX);
            self.take(Msg::Tick(then.saturating_add(passed)));
        }
    }

    fn paint(&mut self) -> io::Result<()> {
        if self.painter.is_behind() {
            self.painter.write()?;
        }
        if self.dirty && self.ending.is_none() && !self.painter.is_behind() {
            self.painter.draw(&self.model, self.face.draw)?;
            super::update::shown(&mut self.model);
            self.dirty = false;
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

fn timeout(deadline: Option<Instant>, now: Instant) -> PollTimeout {
    let Some(deadline) = deadline else { return PollTimeout::NONE };
    // Rounded up: a wait that ends too early would have to be repeated.
    let millis = deadline.saturating_duration_since(now).as_micros().div_ceil(1000);
    PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
}
