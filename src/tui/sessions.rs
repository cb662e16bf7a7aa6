//! The sessions of a console, one for each target that was shown, and which of them is shown now.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::abi::error::SysError;
use crate::control::target::Target;
use crate::control::text::outcome::Severity;
use crate::sys::thread::spawn;

use super::dialogs::quit;
use super::model::activity::Activity;
use super::model::{Tab, TargetTab, warnings};
use super::msg::Msg;
use super::session::{Session, Setup};
use super::targets::Targets;

/// The answer of the thread that opens a target.
type Opened = Arc<Mutex<Option<Result<Arc<dyn Target>, String>>>>;

/// The sessions.
pub(super) struct Sessions<'a> {
    setup: Setup,
    targets: &'a Targets,
    /// One place for each target; `None` until it was shown.
    all: Vec<Option<Session>>,
    /// The place that is shown; its session is open.
    here: usize,
    /// The place that is being opened.
    opening: Option<(usize, Opened)>,
    /// The place whose Activity is to be shown with these filters, once it is shown.
    wanted: Option<(usize, Activity)>,
    /// For each place, how many warnings it had when it was left.
    seen: Vec<usize>,
    /// For each place, whether its session agreed to the end.
    agreed: Vec<bool>,
}

impl<'a> Sessions<'a> {
    /// Opens the session of the first target.
    pub(super) fn open(targets: &'a Targets, setup: Setup, size: (u16, u16)) -> Result<Self, SysError> {
        let count = targets.count();
        let mut first = Session::open(targets.first.clone(), &setup, size)?;
        let model = &mut first.model;
        model.notices.extend(setup.settings.warning.clone().map(|warning| (model.now, warning)));
        let mut all: Vec<Option<Session>> = (0..count).map(|_| None).collect();
        all[0] = Some(first);
        let mut sessions = Self {
            setup,
            targets,
            all,
            here: 0,
            opening: None,
            wanted: None,
            seen: vec![0; count],
            agreed: vec![false; count],
        };
        sessions.name();
        Ok(sessions)
    }

    /// The session that is shown.
    pub(super) fn now(&self) -> &Session {
        // The place that is shown is never empty.
        self.all[self.here].as_ref().unwrap_or_else(|| unreachable!("no session is shown"))
    }

    /// The same, mutable.
    pub(super) fn now_mut(&mut self) -> &mut Session {
        self.all[self.here].as_mut().unwrap_or_else(|| unreachable!("no session is shown"))
    }

    /// All open sessions.
    pub(super) fn each(&self) -> impl Iterator<Item = &Session> {
        self.all.iter().flatten()
    }

    /// When the next of them has something to deliver.
    pub(super) fn due(&self) -> Option<Instant> {
        self.each().filter_map(Session::due).min()
    }

    /// Delivers what has come for any of them. Returns whether another target is shown now.
    pub(super) fn deliver(&mut self, now: Instant) -> bool {
        for session in self.all.iter_mut().flatten() {
            session.deliver(now);
        }
        let shows = self.take_opened();
        self.name();
        shows
    }

    /// Shows the next target. Returns whether it is shown now: one that was never shown is opened first.
    pub(super) fn turn(&mut self) -> bool {
        self.wanted = None;
        self.turn_to((self.here + 1) % self.all.len())
    }

    /// Shows the Activity of a place, with the filters of this one.
    pub(super) fn filter(&mut self, place: usize) {
        self.wanted = Some((place, self.now().model.activity.filters_for_another()));
        self.turn_to(place.min(self.all.len() - 1));
    }

    fn turn_to(&mut self, next: usize) -> bool {
        if self.all[next].is_some() {
            self.show(next);
            return true;
        }
        let name = &self.targets.others[next - 1].name;
        if self.opening.is_some() {
            self.say(Severity::Quiet, format!("still opening the target {name}"));
            return false;
        }
        let slot = Opened::default();
        let (open, opened, mailbox) =
            (self.targets.others[next - 1].open.clone(), slot.clone(), self.now().mailbox.clone());
        let work = move || {
            *opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(open());
            mailbox.ring();
        };
        match spawn("console-target", work) {
            Ok(_) => {
                self.opening = Some((next, slot));
                self.say(Severity::Quiet, format!("opening the target {name}"));
            }
            Err(_) => self.say(Severity::Bad, format!("cannot start a thread; the target {name} is not shown")),
        }
        false
    }

    /// Whether a target is being opened.
    pub(super) fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    fn take_opened(&mut self) -> bool {
        let Some((place, slot)) = &self.opening else { return false };
        let Some(opened) = slot.lock().unwrap_or_else(PoisonError::into_inner).take() else { return false };
        let place = *place;
        self.opening = None;
        let model = &self.now().model;
        let size = (model.columns, model.rows);
        let session = opened.and_then(|target| {
            self.targets.opened(target.clone());
            let mut session = Session::open(target, &self.setup, size).map_err(|error| error.to_string())?;
            session.fill_log();
            session.start().map_err(|error| error.to_string())?;
            Ok(session)
        });
        match session {
            Ok(session) => {
                self.all[place] = Some(session);
                self.show(place);
                true
            }
            Err(why) => {
                let name = &self.targets.others[place - 1].name;
                self.say(Severity::Bad, format!("the target {name} cannot be shown: {why}"));
                false
            }
        }
    }

    /// Shows the session of a place, on the same screen in the same theme.
    fn show(&mut self, place: usize) {
        let model = &self.now().model;
        let (size, theme) = ((model.columns, model.rows), model.theme);
        self.seen[self.here] = warnings::all(model).len();
        self.now_mut().model.tour.left = true;
        self.here = place;
        self.seen[place] = 0;
        let wanted = self.wanted.take().filter(|(wanted, _)| *wanted == place);
        let session = self.now_mut();
        session.model.theme = theme;
        if let Some((_, filters)) = wanted {
            session.model.tab = Tab::Activity;
            session.model.activity.filter_as(filters);
        }
        session.take(Msg::Resize { columns: size.0, rows: size.1 });
        session.tick(Instant::now());
        self.name();
    }

    /// A session wants the end. Returns whether all agree; else one that does not is shown, and asks.
    pub(super) fn end(&mut self) -> bool {
        self.agreed[self.here] = true;
        let asks = |at: &usize| {
            let session = self.all[*at].as_ref().filter(|_| !self.agreed[*at]);
            session.is_some_and(|session| !session.model.options.read_only && quit::asks(&session.model))
        };
        let Some(place) = (0..self.all.len()).find(asks) else { return true };
        self.show(place);
        let session = self.now_mut();
        // It asks, so it has no effect.
        quit::ask(&mut session.model);
        session.dirty = true;
        false
    }

    /// A key goes to the session that is shown, which may change its mind.
    pub(super) fn typed(&mut self) {
        self.agreed[self.here] = false;
    }

    /// Waits for the unfinished file jobs of all sessions.
    pub(super) fn finish(&mut self) {
        self.all.iter_mut().flatten().for_each(Session::finish);
    }

    fn say(&mut self, mood: Severity, text: String) {
        let session = self.now_mut();
        session.model.say(mood, text);
        session.dirty = true;
    }

    /// Tells the model that is shown the names of all targets.
    fn name(&mut self) {
        if self.all.len() < 2 {
            return;
        }
        let tab = |(place, session): (usize, &Option<Session>)| match session {
            Some(session) if place == self.here => TargetTab { name: session.model.link.tab(), shown: true, unseen: 0 },
            Some(session) => {
                let unseen = warnings::all(&session.model).len().saturating_sub(self.seen[place]);
                TargetTab { name: session.model.link.tab(), shown: false, unseen }
            }
            None => TargetTab { name: self.targets.others[place - 1].name.clone(), shown: false, unseen: 0 },
        };
        let tabs: Vec<TargetTab> = self.all.iter().enumerate().map(tab).collect();
        let session = self.now_mut();
        if session.model.targets != tabs {
            session.model.targets = tabs;
            session.dirty = true;
        }
    }
}
