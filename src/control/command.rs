//! What an operator can intend, whatever the door.

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
use crate::abi::snapshot::{Live, Snapshot};
use crate::abi::wait::WaitMode;
use crate::abi::wire;

use super::activity::page::{PageRequest, RecordPage};
use super::activity::query::Query;

/// A call of any helper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// An absolute path; it is `argv[0]` too.
    #[serde(with = "wire::bytes")]
    pub path: Vec<u8>,
    /// The arguments after `argv[0]`.
    #[serde(with = "wire::bytes")]
    pub args: Vec<Vec<u8>>,
    /// `K=V`, added to the environment of a module request.
    #[serde(with = "wire::bytes")]
    pub env: Vec<Vec<u8>>,
    /// How to wait.
    pub wait: WaitMode,
    /// Narrower masks for this call alone.
    pub bset: Option<MaskExpr>,
    /// Narrower masks for this call alone.
    pub inheritable: Option<MaskExpr>,
    /// TERM after this, KILL 2 s later.
    pub timeout: Option<Duration>,
}

/// One intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Ask for a module; the name is judged by the engine (REQ-1). Blocks until answered.
    RequestModule {
        /// The name, hostile bytes.
        #[serde(with = "wire::bytes")]
        name: Vec<u8>,
        /// WAIT_PROC, else WAIT_EXEC (REQ-8).
        wait: bool,
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
    /// Read a knob.
    Get(Key),
    /// Write knobs, all in one hold of the lock or none (SYS-9). `khelper.gate` stands alone, since it may block
    /// (freezing and disabled drain, up to 5 s).
    Write(Vec<(Key, KnobValue)>),
    /// Change the gate without draining (GATE-5).
    SetDepth(Depth),
    /// Put a mask back to full: its own act (SYS-8, AUTH-3).
    Reset(MaskKnob),
    /// Set the count of runaway messages back to 0 (REQ-4, AUTH-3).
    ResetLoopMessages,
    /// Stop waiting for a request; its helper lives on.
    Abandon(u64),
    /// Signal a helper and its group.
    Kill {
        /// The request whose helper it is.
        id: u64,
        /// The signal's number.
        signal: i32,
    },
    /// Read the state at this moment.
    Status,
    /// Read one record, with what its helper wrote.
    Record(u64),
    /// Read who asked whom for a process, nearest first (REQ-12).
    Chain(i32),
    /// Look for reasons why a modprobe path would not run, and for who else could replace it (SYS-6).
    CheckPath(#[serde(with = "wire::bytes")] Arc<[u8]>),
    /// Read the requests that are not over, with ids above `after`, oldest first.
    Live {
        /// The id.
        after: u64,
        /// The most that are read.
        most: usize,
    },
    /// Read one page of records, and the record under the cursor.
    Activity(Box<PageRequest>),
    /// Read the ids of the records that match, in order, none of a request newer than `newest`.
    Matching {
        /// Which records.
        query: Box<Query>,
        /// The newest request.
        newest: Option<u64>,
    },
    /// Read these records, with what their helpers wrote.
    Records(Vec<u64>),
    /// End the engine: shut the gate for good and wait for what runs (UMH-14). Blocks up to `patience`, and up to a second
    /// more while a launch is under way.
    Shutdown {
        /// How long to wait for helpers that run.
        patience: Duration,
    },
}

/// What came of a command that was let through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// A request was answered: the record as it stood then (outcomes `refused` and `exec_failed` among them).
    Answered(Arc<Record>),
    /// A knob's value.
    Value(KnobValue),
    /// Knobs were written.
    Written(Vec<Change>),
    /// Done, nothing to say.
    Done,
    /// The state. Its records are without what their helpers wrote ([`Command::Record`] has it).
    Status(Box<Snapshot>),
    /// A record; `None` if there is none with this id, or none any more.
    Record(Option<Arc<Record>>),
    /// Who asked whom, nearest first.
    Chain(Vec<ChainLink>),
    /// What is wrong with a path; advice only.
    Warnings(Vec<SafeText>),
    /// Requests that are not over.
    Live(Vec<Live>),
    /// A page of records.
    Activity(Box<RecordPage>),
    /// The ids of the records that match.
    Matching(Vec<u64>),
    /// The records that were asked for, in that order; those that have been dropped are left out.
    Records(Vec<Arc<Record>>),
    /// The engine has ended; what it leaves running.
    Left(Vec<Left>),
}

/// A request that outlives its engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// The request.
    pub live: Live,
    /// The engine read what its helper writes: the next write may end the helper (SIGPIPE).
    pub captured: bool,
}
