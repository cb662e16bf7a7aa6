//! The commands that an operator can give, and their replies.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::abi::actor::ChainLink;
use crate::abi::depth::Depth;
use crate::abi::knob::{Key, MaskKnob};
use crate::abi::knob_value::{Change, KnobValue};
use crate::abi::mask::MaskExpr;
use crate::abi::record::Record;
use crate::abi::safe_text::SafeText;
use crate::abi::snapshot::{ChainEnded, Live, Snapshot};
use crate::abi::wait::WaitMode;
use crate::abi::wire;

use super::activity::page::{PageRequest, RecordPage};
use super::activity::query::Query;
use super::ledger_view::{LogPage, LogRequest, Told, WhyRequest};
use super::provenance::{Comparison, Knob, Setting};
use super::rules_view::RulesView;

/// A call of a helper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// An absolute path; it is `argv[0]` too.
    #[serde(with = "wire::bytes")]
    pub path: Vec<u8>,
    /// The arguments after `argv[0]`.
    #[serde(with = "wire::bytes", default)]
    pub args: Vec<Vec<u8>>,
    /// `K=V`, added to the environment of a module request.
    #[serde(with = "wire::bytes", default)]
    pub env: Vec<Vec<u8>>,
    /// How to wait.
    #[serde(default)]
    pub wait: WaitMode,
    /// Narrower masks for this call alone.
    pub bset: Option<MaskExpr>,
    /// Narrower masks for this call alone.
    pub inheritable: Option<MaskExpr>,
    /// TERM after this, KILL 2 s later.
    pub timeout: Option<Duration>,
    /// The name of the profile that confines the helper.
    #[serde(default)]
    pub profile: Option<String>,
}

/// A rehearsal: a program under draft masks, then under the live ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rehearse {
    /// The absolute path of the program; `None` for the built-in probe.
    #[serde(with = "wire::bytes", default)]
    pub path: Option<Arc<[u8]>>,
    /// Its arguments after `argv[0]`.
    #[serde(with = "wire::bytes", default)]
    pub args: Vec<Vec<u8>>,
    /// The draft of the bounding set; `None` for the live mask.
    pub bset: Option<MaskExpr>,
    /// The draft of the inheritable set; `None` for the live mask.
    pub inheritable: Option<MaskExpr>,
}

/// What a rehearsal has shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rehearsed {
    /// The run under the draft masks.
    pub draft: Arc<Record>,
    /// The run under the live masks; `None` if the caller stopped waiting for the first one.
    pub live: Option<Arc<Record>>,
    /// How the runs differ, except in their times; empty if they do not.
    pub differences: Vec<SafeText>,
    /// The draft masks were the live ones, so that no difference proves nothing.
    pub as_live: bool,
}

/// Whether a module request waits for modprobe unless it says otherwise.
const fn waits() -> bool {
    true
}

/// A write to knobs of this machine's kernel. What a mask loses, and `kernel.modules_disabled=1`, stay so until the
/// machine starts again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelWrite {
    /// The knobs, written one after another in this order; the first failure ends the command.
    pub writes: Vec<(Key, KnobValue)>,
    /// The operator has agreed that the change lasts until the machine starts again. Without it nothing is written
    /// (`EINVAL`).
    #[serde(default)]
    pub until_reboot: bool,
    /// Write although a check or a rehearsal advises against it.
    #[serde(default)]
    pub force: bool,
    /// Keep the values for the next start of the machine too, in a file of sysctl.d(5).
    #[serde(default)]
    pub persist: bool,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Request a module; the engine validates the name (REQ-1). Blocks until answered.
    RequestModule {
        /// The name, hostile bytes.
        #[serde(with = "wire::bytes")]
        name: Vec<u8>,
        /// True for WAIT_PROC, false for WAIT_EXEC (REQ-8).
        #[serde(default = "waits")]
        wait: bool,
        /// The name of the profile that confines modprobe.
        #[serde(default)]
        profile: Option<String>,
    },
    /// Call a helper. Blocks until answered.
    Call(Call),
    /// Run the built-in probe as a helper, WAIT_PROC; its report is the record's stdout. Blocks until answered.
    Probe {
        /// Narrower masks for this run alone.
        bset: Option<MaskExpr>,
        /// Narrower masks for this run alone.
        inheritable: Option<MaskExpr>,
    },
    /// Run a program under draft masks and again under the live ones, WAIT_PROC. Blocks until both have been answered.
    Rehearse(Rehearse),
    /// Read a knob.
    Get(Key),
    /// Read knobs at one moment, and where their values come from.
    Knobs(Vec<Key>),
    /// Write knobs, all of them under one lock, or none (SYS-9). `khelper.gate` must be written alone, since it may
    /// block: freezing and disabled drain, for up to 5 s.
    Write(Vec<(Key, KnobValue)>),
    /// Like `Write`, for lines of the configuration files. Only the process that owns the engine reads them.
    Configure(Vec<Setting>),
    /// Like `Write`, and keep the values in the configuration for the next start.
    Persist(Vec<(Key, KnobValue)>),
    /// Remove what `Persist` kept of these knobs. Their values do not change.
    Unpersist(Vec<Key>),
    /// Write knobs of this machine's kernel; only that target performs it.
    WriteKernel(KernelWrite),
    /// Compare the values of the knobs with the configuration.
    Diff,
    /// Change the gate without draining (GATE-5).
    SetDepth(Depth),
    /// Reset a mask to full. A separate command, since fewer actors may give it (SYS-8, AUTH-3).
    Reset(MaskKnob),
    /// Reset the count of runaway messages to 0 (REQ-4, AUTH-3).
    ResetLoopMessages,
    /// Stop waiting for a request; its helper keeps running.
    Abandon(u64),
    /// Send a signal to a helper and its process group.
    Kill {
        /// The helper's request.
        id: u64,
        /// The signal's number.
        signal: i32,
    },
    /// End a request and everything below it (REQ-12): send the signal to each helper, and refuse requests from the chain
    /// meanwhile. SIGTERM is followed by SIGKILL 2 s later. Blocks until the chain has ended, for at most 3 s.
    KillChain {
        /// The request with which the chain begins.
        id: u64,
        /// The signal's number.
        signal: i32,
    },
    /// Read the state at this moment.
    Status,
    /// Read one record, with the helper's output.
    Record(u64),
    /// Read the chain of processes that led to a request by this process, nearest first (REQ-12).
    Chain(i32),
    /// Check whether a modprobe path can be executed, and whether other users can replace it (SYS-6).
    CheckPath(#[serde(with = "wire::bytes")] Arc<[u8]>),
    /// Read the requests that have not ended and have ids above `after`, oldest first.
    Live {
        /// The id.
        after: u64,
        /// The most requests to read.
        most: usize,
    },
    /// Read one page of records, and the record under the cursor.
    Activity(Box<PageRequest>),
    /// Read the ids of the records that match, in order, without requests newer than `newest`.
    Matching {
        /// Which records.
        query: Box<Query>,
        /// The newest request to include.
        newest: Option<u64>,
    },
    /// Read these records, with their helpers' output.
    Records(Vec<u64>),
    /// Read lines of the engine's ledger, one page.
    Log(Box<LogRequest>),
    /// Read what the engine's ledger knows about one request.
    Why(WhyRequest),
    /// Read the rules that are in force, and what they have decided.
    Rules,
    /// End the engine: shut the gate for good and wait for running helpers (UMH-14). Blocks for up to `patience`, and
    /// for up to one second more while a launch is in progress.
    Shutdown {
        /// How long to wait for running helpers.
        patience: Duration,
    },
}

/// The reply to a command that was authorized.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// A request was answered, possibly with outcome `refused` or `exec_failed`: its record at that moment.
    Answered(Arc<Record>),
    /// Both runs of a rehearsal.
    Rehearsed(Box<Rehearsed>),
    /// A knob's value.
    Value(KnobValue),
    /// Knobs, and where their values come from.
    Knobs(Vec<Knob>),
    /// What runs beside what is configured.
    Diff(Comparison),
    /// Knobs were written.
    Written(Vec<Change>),
    /// Done; there is nothing to return.
    Done,
    /// A chain of requests was signalled.
    ChainEnded(ChainEnded),
    /// The state. Its records do not include the helpers' output ([`Command::Record`] does).
    Status(Box<Snapshot>),
    /// A record; `None` if none has this id, or if it has been dropped.
    Record(Option<Arc<Record>>),
    /// The chain of processes that led to a request, nearest first.
    Chain(Vec<ChainLink>),
    /// Warnings about a path.
    Warnings(Vec<SafeText>),
    /// Requests that have not ended.
    Live(Vec<Live>),
    /// A page of records.
    Activity(Box<RecordPage>),
    /// The ids of the records that match.
    Matching(Vec<u64>),
    /// The requested records, in the order of the command; dropped records are left out.
    Records(Vec<Arc<Record>>),
    /// A page of the ledger.
    Log(Box<LogPage>),
    /// What the ledger knows about one request.
    Why(Box<Told>),
    /// The rules, and what they have decided.
    Rules(Box<RulesView>),
    /// The engine has ended; these requests are still running.
    Left(Vec<Left>),
}

/// A request that outlives its engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// The request.
    pub live: Live,
    /// The engine captured the helper's output, so the helper's next write may kill it (SIGPIPE).
    pub captured: bool,
}
