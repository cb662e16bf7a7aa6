//! The state of the engine at one moment, as a copy: the screen never holds an engine lock.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::glob::Globs;
use super::knob_value::Provenance;
use super::log::LogLine;
use super::record::{Kind, Outcome, Record, State};
use super::rules_mode::RulesState;
use super::safe_text::SafeText;
use super::sink::LedgerState;
use crate::abi::actor::{Actor, Comm};
use crate::abi::cap::{CapMask, ThreadSets};
use crate::abi::depth::Depth;
use crate::abi::era::Era;
use crate::abi::error::Stage;
use crate::abi::histogram::Histogram;
use crate::abi::time::Micros;
use crate::abi::wire;

/// The current values of the knobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knobs {
    /// `kernel.modprobe`.
    #[serde(with = "wire::bytes")]
    pub modprobe: Arc<[u8]>,
    /// `kernel.usermodehelper.bset`.
    pub bset: CapMask,
    /// `kernel.usermodehelper.inheritable`.
    pub inheritable: CapMask,
    /// `khelper.era`.
    pub era: Era,
    /// `khelper.max_concurrent` as set; the limit in force is `Slots::limit`.
    pub max_concurrent: u32,
    /// `khelper.allow`.
    pub allow: Globs,
    /// `khelper.deny`.
    pub deny: Globs,
}

/// The slots of module requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// The limit in force now.
    pub limit: u32,
    /// Requests in progress (`khelper.concurrent`).
    pub concurrent: u32,
    /// Requests that wait for a slot (era current).
    pub waiting: u32,
    /// The most requests in progress at once.
    pub peak: u32,
    /// The requests that hold a slot, oldest first.
    pub holders: Vec<u64>,
    /// Runaway messages logged (`khelper.loop_messages`), 5 at most.
    pub loop_messages: u32,
    /// Throttle messages suppressed by the rate limit.
    pub suppressed: u64,
}

/// How the requests ended, since the engine started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Requests of every kind.
    pub requests: u64,
    /// Helpers launched.
    pub launched: u64,
    /// By outcome, in the order of `Outcome` (`Running` is always 0).
    pub by_outcome: [u64; 8],
    /// Refused by the limit, era 3.4 (REQ-4).
    pub refused_limit: u64,
    /// When the limit last refused a request, on the engine's clock.
    pub refused_limit_at: Option<Micros>,
    /// Stopped waiting for a slot, era current (REQ-5).
    pub throttled: u64,
    /// Refused by the gate.
    pub refused_gate: u64,
    /// Refused by the hook.
    pub refused_hook: u64,
    /// Every refusal by its stage, in the order of [`Stage::ALL`].
    pub refused_by_stage: [u64; Stage::ALL.len()],
    /// How long helpers ran, from the exec to the end.
    pub run_times: Histogram,
    /// How long calls waited, from the request to the exec: for a slot, for a worker and for the launch.
    pub queue_times: Histogram,
    /// Callers that stopped waiting.
    pub abandoned: u64,
    /// Oldest records dropped, to keep at most 10,000.
    pub records_dropped: u64,
    /// Bytes of output dropped, to stay within the output budget.
    pub text_dropped: u64,
    /// Records and changes that the record sink did not get, because its queue was full or because it panicked.
    pub records_lost: u64,
    /// Events that watchers lost because they read too slowly.
    pub events_missed: u64,
}

impl Totals {
    /// How many requests had this outcome.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.by_outcome[outcome as usize]
    }
    /// How many requests have ended, dropped records included.
    pub fn over(&self) -> u64 {
        self.by_outcome.iter().sum()
    }
    /// Every refusal (`khelper.refused`).
    pub fn refused(&self) -> u64 {
        self.of(Outcome::Refused)
    }
    /// How many requests were refused at this stage.
    pub fn refused_at(&self, stage: Stage) -> u64 {
        self.refused_by_stage[stage as usize]
    }
}

/// A request that has not ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// The request.
    pub id: u64,
    /// Module request or helper call.
    pub kind: Kind,
    /// Module name or path (hostile bytes).
    #[serde(with = "wire::bytes")]
    pub title: Arc<[u8]>,
    /// Its state.
    pub state: State,
    /// Whether its caller has stopped waiting.
    pub abandoned: bool,
    /// When the request was made, on the engine's clock.
    pub at: Micros,
    /// Its helper, once there is one.
    pub pid: Option<i32>,
    /// The process that made the request.
    pub actor: Arc<Actor>,
    /// The request whose helper, or a process that this helper started, made this request (REQ-12).
    pub asked_by: Option<u64>,
}

/// What was done to end a chain of requests (REQ-12).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainEnded {
    /// The requests whose helpers were signalled.
    pub signalled: Vec<u64>,
    /// How many other processes of ended helpers were signalled.
    pub processes: usize,
    /// The requests that still run: the signal did not end them in time.
    pub left: Vec<u64>,
    /// The other processes that still run. A daemon older than this field does not report them.
    #[serde(default)]
    pub left_processes: Vec<LeftProcess>,
}

impl ChainEnded {
    /// Whether nothing is left that belongs to the chain, or may belong to it.
    pub fn is_whole(&self) -> bool {
        self.left.is_empty() && self.left_processes.is_empty()
    }
}

/// A process of an ended helper's session that still runs after its chain was ended (REQ-12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftProcess {
    /// The process.
    pub pid: i32,
    /// Its command name.
    pub comm: Comm,
    /// Whether it certainly belongs to the chain. If not, it was not signalled: a later session may have the same id.
    pub certain: bool,
}

impl Snapshot {
    /// The placeholder for a target that has not answered yet: nothing runs, nothing is known.
    pub fn unknown(pid: i32, uid: u32, known: CapMask) -> Self {
        Self {
            seq: 0,
            now: 0,
            wall: SystemTime::UNIX_EPOCH,
            pid,
            uid,
            knobs: Knobs {
                modprobe: Arc::from([]),
                bset: known,
                inheritable: known,
                era: Era::V3_4,
                max_concurrent: 0,
                allow: Globs::default(),
                deny: Globs::default(),
            },
            known,
            host: ThreadSets::UNREADABLE,
            gate: Depth::Enabled,
            draining: false,
            slots: Slots::default(),
            running_helpers: 0,
            live: 0,
            queued: 0,
            running: Vec::new(),
            live_total: 0,
            watchers: 0,
            last: Vec::new(),
            totals: Totals::default(),
            warnings: Vec::new(),
            provenance: Vec::new(),
            ledger: None,
            kernel: None,
            rules: None,
        }
    }
}

/// One state of what can be known of the helpers of this machine's kernel; each part is a sentence without its full stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownState {
    /// The name of the state, as JSON has it.
    pub name: Cow<'static, str>,
    /// What is known.
    pub known: Cow<'static, str>,
    /// What is not known, and why; empty if nothing is missing.
    pub unknown: Cow<'static, str>,
    /// What would change that; empty if nothing is missing.
    pub change: Cow<'static, str>,
}

/// The state of a watch of this machine's kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchState {
    /// Since when the kernel is watched, by the wall clock; `None` if it is not: the helpers that run were listed, and the
    /// states say what a watch would know.
    pub since: Option<SystemTime>,
    /// One state for trace events, one for requesters, one for ends.
    pub states: Vec<KnownState>,
    /// Helpers that have ended.
    pub helpers: u64,
    /// Those of them of which the user that asked is known.
    pub requesters: u64,
    /// Trace events that are lost, and losses of an unknown number, each counted as one.
    pub lost: u64,
    /// Helpers and losses that were not recorded, because this program was too slow.
    pub missed: u64,
    /// Why the watch has ended by itself.
    pub failed: Option<SafeText>,
}

/// The state of an engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The number of the last event that this snapshot includes.
    pub seq: u64,
    /// Now, on the engine's clock.
    pub now: Micros,
    /// The same moment on the wall clock.
    pub wall: SystemTime,
    /// The engine's process.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
    /// The knobs.
    pub knobs: Knobs,
    /// Every capability that the running kernel knows.
    pub known: CapMask,
    /// The sets of the thread that asked for the snapshot, each as far as it can be read.
    pub host: ThreadSets,
    /// The gate.
    pub gate: Depth,
    /// Whether a drain is under way.
    pub draining: bool,
    /// The slots.
    pub slots: Slots,
    /// Calls in flight (`khelper.running_helpers`, GATE-3).
    pub running_helpers: u32,
    /// Live helper processes (`khelper.live`).
    pub live: u32,
    /// Calls queued for a worker (`khelper.queued`).
    pub queued: u32,
    /// Requests that have not ended, oldest first, at most 256; `live_total` counts all.
    pub running: Vec<Live>,
    /// How many requests have not ended.
    pub live_total: usize,
    /// Subscribers to the engine's events.
    pub watchers: u32,
    /// The requests that ended last, newest first, at most 64.
    pub last: Vec<Arc<Record>>,
    /// Totals since the engine started.
    pub totals: Totals,
    /// The last lines of the log at warning or above, newest first, at most 16.
    pub warnings: Vec<LogLine>,
    /// The last change of each knob and of the gate, in the order of the changes; a knob never changed has none.
    pub provenance: Vec<Provenance>,
    /// The ledger that the engine writes, if it has one.
    pub ledger: Option<LedgerState>,
    /// The watch of this machine's kernel, for that target.
    pub kernel: Option<Box<WatchState>>,
    /// The rules that the engine asks, if it asks some.
    pub rules: Option<RulesState>,
}
