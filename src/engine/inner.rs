//! The parts of an engine. Lock order: a call's state, the registry, the slots, the knobs; the gate or the record
//! sink's queue, under the registry or alone; the list of pools, then a pool. Hooks run without any lock.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::cap::CapSets;
use crate::abi::depth::Depth;
use crate::abi::era::Era;
use crate::abi::error::EngineError;
use crate::abi::launch_spec::Rlimit;
use crate::abi::module::ModuleName;
use crate::abi::wait::WaitMode;
use crate::policy::limit::ceiling;
use crate::policy::rules::{Decision, Wanted};
use crate::sys::caller::CallerState;
use crate::sys::fork::ProcessMark;
use crate::sys::host::{Host, Micros};

use super::actors::Actors;
use super::call::Call;
use super::cancel::Cancel;
use super::gate::Gatekeeper;
use super::options::Caller;
use super::pools::Pools;
use super::registry::Registry;
use super::slots::Slots;
use super::sync::{Monitor, Mutex, lock};
use super::sysctl::{Sysctl, Values};
use crate::abi::event::EventKind;
use crate::abi::knob::Key;
use crate::abi::knob_value::{Change, Provenance};
use crate::abi::log::{Holdout, LogKind};
use crate::abi::profile::Profile;
use crate::abi::record::{Kind, Outcome, Record, State};

/// An embedder's security hook, called after `khelper.deny` and `khelper.allow` have allowed a request (REQ-2). An
/// `Err` refuses the request with that errno.
pub type SecurityHook = Arc<dyn Fn(&ModuleName, &Actor) -> Result<(), Errno> + Send + Sync>;

/// Decides by rules, after `khelper.deny` and `khelper.allow`, and before the security hook. A panic in it refuses.
pub type RuleHook = Arc<dyn Fn(Wanted<'_>, &Actor) -> Decision + Send + Sync>;

/// The profile of this name, as rules name it; `None` if there is none. A panic in it refuses.
pub type ProfileHook = Arc<dyn Fn(&str) -> Option<Arc<Profile>> + Send + Sync>;

pub(super) struct Inner {
    pub(super) host: Arc<dyn Host>,
    pub(super) actors: Actors,
    /// The capability sets of the last helper. The next helper nearly always has the same, so records share one copy.
    pub(super) seen: Mutex<Option<Arc<CapSets>>>,
    /// The environment of a module request, shared by its records.
    pub(super) env: Arc<[Box<[u8]>]>,
    pub(super) sysctl: Sysctl,
    /// Serializes writers of knobs, so that events come in the order of the changes. Taken before every other lock.
    pub(super) writers: Mutex<()>,
    pub(super) slots: Slots,
    pub(super) gate: Gatekeeper,
    pub(super) registry: Arc<Monitor<Registry>>,
    pub(super) pools: Pools<Arc<Call>>,
    pub(super) hook: Option<SecurityHook>,
    pub(super) rules: Option<RuleHook>,
    pub(super) profiles: Option<ProfileHook>,
    /// The resource limits of every helper, besides this process's own.
    pub(super) helper_limits: Box<[Rlimit]>,
    /// The cgroup in which every helper gets one of its own.
    pub(super) helper_cgroups: Option<PathBuf>,
    pub(super) probe: Option<(PathBuf, &'static str)>,
    pub(super) above: OnceLock<Option<i32>>,
    /// The state of the thread that started this engine.
    pub(super) initial_state: CallerState,
    /// The process whose threads serve this engine.
    pub(super) mark: ProcessMark,
}

impl Inner {
    pub(super) fn now(&self) -> Micros {
        self.host.clock().now()
    }

    pub(super) fn emit(&self, kind: EventKind) {
        let now = self.now();
        self.registry.lock().emit(now, kind);
    }

    pub(super) fn log(&self, kind: LogKind) {
        let now = self.now();
        self.registry.lock().log(now, kind);
    }

    /// Emits the event of a knob's change, and keeps the change as the knob's provenance (AUTH-5).
    pub(super) fn changed(&self, change: Change, actor: &Arc<Actor>) {
        self.remember(change, actor.clone(), |change, actor| EventKind::KnobChanged { change, actor });
    }

    /// Like [`Self::changed`], for the gate.
    pub(super) fn gate_changed(&self, from: Depth, to: Depth, actor: &Actor) {
        let event = |_, actor| EventKind::GateChanged { from, to, actor };
        self.remember(Change::new(Key::Gate, from, to), self.actors.share(actor), event);
    }

    fn remember(&self, change: Change, actor: Arc<Actor>, event: impl FnOnce(Arc<Change>, Arc<Actor>) -> EventKind) {
        let (at, wall) = (self.now(), self.host.clock().wall());
        self.registry.lock().changed(Provenance { change: Arc::new(change), actor, at, wall }, event);
    }

    /// Returns a record of the request alone, and the `Cancel` that `abandon` uses.
    pub(super) fn draft(&self, kind: Kind, wait: WaitMode, values: &Values, caller: &Caller) -> (Record, Cancel) {
        let clock = self.host.clock();
        let actor = self.actors.of(caller.actor.as_ref());
        let mut record = Record::new(kind, wait, actor, (clock.wall(), clock.now()));
        (record.bset, record.inheritable) = (values.bset, values.inheritable);
        (record, Cancel::new())
    }

    /// The current limit on module requests (REQ-3). In era 3.4, each request reads threads-max.
    pub(super) fn limit_now(&self, era: Era) -> u32 {
        let threads = if era == Era::V3_4 { self.host.threads_max() } else { None };
        ceiling(era, threads).min(self.sysctl.slots())
    }

    /// Ends a request that started no process: refused, abandoned before it got a slot, or a no-op.
    pub(super) fn end_without_process(
        &self,
        record: Record,
        outcome: Outcome,
        error: Option<&EngineError>,
    ) -> Arc<Record> {
        let record = self.close_without_process(record, outcome, error);
        self.finish(self.now(), record.clone());
        record
    }

    /// Completes the record of a request that started no process. The registry does not have it yet.
    pub(super) fn close_without_process(
        &self,
        mut record: Record,
        outcome: Outcome,
        error: Option<&EngineError>,
    ) -> Arc<Record> {
        let now = self.now();
        record.outcome = outcome;
        record.state = State::Ended;
        record.ended_us = Some(now.saturating_sub(record.at));
        record.result = Some(0);
        if let Some(error) = error {
            record.fail(error);
            record.result = Some(-(error.errno as i32));
        }
        if outcome == Outcome::Refused && record.chain.is_empty() {
            record.chain = self.chain(&record.actor).links.into();
        }
        Arc::new(record)
    }

    /// Passes the end of a request to the registry, and wakes a shutdown that waits for the last request (UMH-14).
    pub(super) fn finish(&self, now: Micros, record: Arc<Record>) {
        self.registry.lock().finish(now, record);
        self.registry.notify();
    }

    /// Waits up to a second for the record sink, if there is one, to take its queue.
    pub(super) fn flush_sink(&self) {
        let sink = self.registry.lock().sink.clone();
        if let Some(sink) = sink {
            sink.flush();
        }
    }

    /// Returns `sets`, as the copy that records with equal sets share.
    pub(super) fn share(&self, sets: CapSets) -> Arc<CapSets> {
        let mut seen = lock(&self.seen);
        match &*seen {
            Some(last) if **last == sets => last.clone(),
            _ => seen.insert(Arc::new(sets)).clone(),
        }
    }

    /// Describes the calls that a drain found still running; calls that have ended since have only an id.
    pub(super) fn holdouts(&self, ids: &[u64]) -> Vec<Holdout> {
        let registry = self.registry.lock();
        let name = |id: &u64| match registry.live().find(|l| l.id == *id) {
            Some(live) => Holdout { id: *id, title: Some(live.title.clone()), pid: live.pid },
            None => Holdout { id: *id, title: None, pid: None },
        };
        ids.iter().map(name).collect()
    }
}
