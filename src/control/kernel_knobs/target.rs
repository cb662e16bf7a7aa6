//! The kernel as a target without a watch: its knobs, and requests whose helpers are not watched. It needs no thread, no
//! trace instance and no privilege to start.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::ControlError;
use crate::abi::event::{Event, EventKind, EventKinds};
use crate::abi::sink::Changed;
use crate::control::authorize::authorize;
use crate::control::command::{Command, Reply};
use crate::control::completion::{CallId, Completion};
use crate::control::target::{LinkState, RunId, Seq, Target, TargetInfo, TargetKind};
use crate::control::watch::{EventSource, Wake, Watch, Watched};

use super::ask::ask;
use super::{KernelKnobs, NO_PROFILE, Recorder};
use crate::sys::process::monotonic;

/// This machine's kernel, not watched.
pub struct Unwatched {
    knobs: KernelKnobs,
    /// Receives the changes that are made, and counts them.
    record: Option<Recorder>,
    changes: AtomicU64,
    /// Why it is not watched.
    why: String,
}

impl Unwatched {
    /// The target. `why` is a clause: `no watcher: ...`.
    pub fn new(knobs: KernelKnobs, why: impl Into<String>) -> Self {
        Self { knobs, record: None, changes: AtomicU64::new(0), why: why.into() }
    }

    /// The changes of knobs go to `record`, too.
    #[must_use]
    pub fn recorded(self, record: Recorder) -> Self {
        Self { record: Some(record), ..self }
    }

    fn tell(&self, kind: EventKind) {
        let event = Event { seq: self.changes.fetch_add(1, Ordering::Relaxed) + 1, at: monotonic(), kind };
        self.record.iter().for_each(|record| record(&Changed { wall: SystemTime::now(), event: event.clone() }));
    }

    fn perform(&self, actor: &Arc<Actor>, command: &Command) -> Result<Reply, ControlError> {
        if let Command::RequestModule { name, wait, profile } = command {
            if profile.is_some() {
                return Err(ControlError::Unsupported(NO_PROFILE.to_owned()));
            }
            let question = ask(&self.knobs, name, *wait, actor)?;
            let record = question.noop().unwrap_or_else(|| question.unknown(&self.why));
            return Ok(Reply::Answered(Arc::new(record)));
        }
        match command {
            Command::Chain(_) => Ok(Reply::Chain(Vec::new())),
            Command::Shutdown { .. } => Ok(Reply::Left(Vec::new())),
            command => self
                .knobs
                .recorded(command, actor, &mut |kind| self.tell(kind))
                .unwrap_or_else(|| Err(ControlError::Unsupported(self.why.clone()))),
        }
    }
}

impl Target for Unwatched {
    fn info(&self) -> TargetInfo {
        let me = crate::control::actor(Origin::Library);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        TargetInfo {
            kind: TargetKind::Kernel,
            name: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: me.pid,
            uid: me.uid,
            run: RunId { started: u64::try_from(now.as_micros()).unwrap_or(u64::MAX), pid: me.pid },
            link: LinkState::Up,
            known: self.knobs.known,
        }
    }

    fn submit(&self, by: &Actor, _: CallId, command: Command, done: Completion) {
        done.finish(authorize(by.clone(), command).and_then(|authorization| {
            let (actor, command, _) = authorization.into_parts();
            self.perform(&actor, &command)
        }));
    }

    /// Every command is answered before `submit` returns.
    fn cancel(&self, _: CallId) {}

    fn watch(&self, _: EventKinds, _: Option<(RunId, Seq)>, _: usize, _: Wake) -> Watch {
        Watch::new(Nothing(self.why.as_str().into()))
    }
}

/// A watch that has ended.
struct Nothing(Arc<str>);

impl EventSource for Nothing {
    fn next(&self) -> Option<Watched> {
        Some(self.wait())
    }
    fn wait(&self) -> Watched {
        Watched::Closed { why: Some(self.0.clone()) }
    }
    fn close(&self) {}
}
