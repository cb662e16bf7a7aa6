//! One target of the console: its model, the feeds that fill the model, and the executor of its commands. It needs no
//! terminal. A session that is not shown goes on: its state stays current, and nothing typed in it is lost.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::error::SysError;
use crate::abi::snapshot::Snapshot;
use crate::abi::time::Micros;
use crate::control::target::Target;
use crate::control::watch::Watch;

use super::config::Settings;
use super::executor::Executor;
use super::line_history;
use super::log_feed;
use super::mailbox::Mailbox;
use super::model::Model;
use super::msg::{Effect, Msg};
use super::state_feed::StateFeed;
use super::terminal_type::{Colours, TerminalType};
use super::theme::Theme;
use super::{Options, Update};

/// The shortest time between two deliveries of events: 30 frames a second.
const FRAME: Duration = Duration::from_millis(34);
/// How long a session waits at its end for unfinished file jobs; a history line is written in much less.
const LAST_JOBS: Duration = Duration::from_millis(500);

/// What every session of a console begins with.
pub(super) struct Setup {
    pub(super) options: Options,
    pub(super) settings: Settings,
    pub(super) kind: TerminalType,
    pub(super) theme: Theme,
    pub(super) update: Update,
    pub(super) by: Actor,
}

/// A session.
pub(super) struct Session {
    pub(super) target: Arc<dyn Target>,
    pub(super) model: Model,
    update: Update,
    state: StateFeed,
    /// The events for the log, until the log thread takes them.
    log: Option<Watch>,
    pub(super) mailbox: Arc<Mailbox>,
    executor: Executor,
    /// Replies that wait for the state that contains their effect, each with the number of the question that returns
    /// it.
    held: Vec<(u64, Msg)>,
    /// The time on the target's clock, and the local instant at which it was read.
    clock: (Micros, Instant),
    /// The modprobe path that was checked last.
    path: Option<Arc<[u8]>>,
    /// When the mailbox may be emptied again.
    due: Instant,
    /// The model has changed since it was drawn.
    pub(super) dirty: bool,
    /// Effects that are not the session's: those of the terminal, and the end.
    pub(super) wants: Vec<Effect>,
}

impl Session {
    /// Starts to watch a target, for a screen of this size.
    pub(super) fn open(target: Arc<dyn Target>, setup: &Setup, size: (u16, u16)) -> Result<Self, SysError> {
        let mailbox = Mailbox::new()?;
        // Subscribe before the state is read: what the state does not contain yet then comes as an event.
        let log = Some(log_feed::watch(&*target));
        let mut state = StateFeed::open(target.clone(), setup.by.clone(), mailbox.clone());
        let (info, first) = (target.info(), state.take());
        let seen = first.is_some();
        let snapshot = first.unwrap_or_else(|| Snapshot::unknown(info.pid, info.uid, info.known));
        let now = Instant::now();
        let clock = (snapshot.now, now);
        let mut model = Model::new(setup.options, info, snapshot, size.0, size.1);
        model.link.seen = seen;
        model.line.history = line_history::read();
        (model.keys, model.clipboard) = (setup.settings.keys.clone(), setup.kind.clipboard);
        model.ascii = setup.options.ascii;
        model.theme = setup.theme;
        model.colours = setup.kind.colours != Colours::None;
        let mut executor = Executor::new(target.clone(), setup.by.clone(), mailbox.clone());
        executor.tree = setup.settings.modules.clone();
        Ok(Self {
            target,
            model,
            update: setup.update,
            state,
            log,
            mailbox,
            executor,
            held: Vec::new(),
            clock,
            path: None,
            due: now,
            dirty: true,
            wants: Vec::new(),
        })
    }

    /// Fills the log, which the first frame may show.
    pub(super) fn fill_log(&mut self) {
        if self.model.link.seen {
            self.model.log.take(log_feed::earlier(&self.model.snapshot, SystemTime::now()));
        }
    }

    /// Starts the slower parts, after the first frame.
    pub(super) fn start(&mut self) -> Result<(), SysError> {
        if self.model.link.seen {
            self.start_log()?;
            self.look_at(self.model.snapshot.knobs.modprobe.clone());
        }
        Ok(())
    }

    /// Handles a message. What is left to do is in `wants`.
    pub(super) fn take(&mut self, msg: Msg) {
        self.dirty = true;
        for effect in (self.update)(&mut self.model, msg) {
            match effect {
                Effect::Submit { ticket, command } => self.executor.submit(ticket, command),
                Effect::Series { ticket, batch } => self.executor.series(ticket, batch),
                Effect::Look(question) => self.executor.look(*question),
                Effect::ReadRules => self.executor.read_rules(),
                Effect::Save { ticket, save } => self.executor.save(ticket, *save),
                Effect::FindModules(typed) => self.executor.find_modules(typed),
                Effect::FindProfiles => self.executor.find_profiles(),
                Effect::Remember(line) => self.executor.remember(line),
                other => self.wants.push(other),
            }
        }
    }

    /// When the mailbox may be emptied, if it contains something.
    pub(super) fn due(&self) -> Option<Instant> {
        self.mailbox.is_full().then_some(self.due)
    }

    /// Delivers what has come, if it may be delivered now.
    pub(super) fn deliver(&mut self, now: Instant) {
        if self.due().is_some_and(|due| due <= now) {
            self.empty(now);
        }
    }

    /// Tells the model the time.
    pub(super) fn tick(&mut self, now: Instant) {
        let (then, at) = self.clock;
        let passed = u64::try_from(now.duration_since(at).as_micros()).unwrap_or(u64::MAX);
        self.take(Msg::Tick(then.saturating_add(passed)));
    }

    /// Waits for unfinished file jobs.
    pub(super) fn finish(&mut self) {
        self.executor.finish(LAST_JOBS);
    }

    /// Delivers the state first, then the replies: a reply never meets a state older than itself. Everything else is
    /// delivered at once.
    fn empty(&mut self, now: Instant) {
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
            self.fill_log();
            if let Err(error) = self.start_log() {
                self.take(Msg::Notice(format!("cannot start the log, which stays empty: {error}")));
            }
        }
    }

    /// Starts the log thread. It begins after the state, which contains the earlier warnings.
    fn start_log(&mut self) -> Result<(), SysError> {
        let Some(log) = self.log.take() else { return Ok(()) };
        log_feed::keep(self.target.clone(), log, self.mailbox.clone(), self.model.snapshot.seq)
            .map_err(|e| SysError::new("a thread for the log", Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO))))
    }

    fn look_at(&mut self, path: Arc<[u8]>) {
        if self.path.as_ref() != Some(&path) {
            self.path = Some(path.clone());
            self.executor.look_at(path);
        }
    }
}
