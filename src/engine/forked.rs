//! Handles that a forked child has inherited (UMH-8). The child has none of the engine's threads, and any lock of the
//! engine may stay locked for ever by one of them. So nothing here takes a lock, and every entry point checks the
//! process before it takes one.

use std::sync::Arc;
use std::time::SystemTime;

use nix::errno::Errno;

use crate::abi::actor::{Actor, Origin};
use crate::abi::cap::CapMask;
use crate::abi::depth::Depth;
use crate::abi::error::{EngineError, Stage};
use crate::abi::subprocess::SubprocessInfo;
use crate::abi::wait::WaitMode;

use super::handle::Engine;
use super::inner::Inner;
use super::options::{CallOptions, Caller};
use super::umh::boxed;
use crate::abi::event::Level;
use crate::abi::log::{LogKind, LogLine};
use crate::abi::record::{Args, Kind, Outcome, Record, State};
use crate::abi::snapshot::{Knobs, Snapshot};

impl Engine {
    /// Checks that this is the process that started the engine. Every other entry point calls this before it takes a
    /// lock.
    ///
    /// # Errors
    /// `EOWNERDEAD` in a forked child, which has none of the engine's threads.
    pub fn check_process(&self) -> Result<(), EngineError> {
        if self.inner.mark.is_current() {
            return Ok(());
        }
        Err(EngineError::new(
            Stage::Forked,
            Errno::EOWNERDEAD,
            "this process was forked from the one that started the engine, and has none of the engine's threads",
            "start another engine in this process, or ask the process that started this one",
        ))
    }
}

impl Inner {
    /// The record of a module request that a forked child makes.
    pub(super) fn forked_request(&self, name: &[u8], wait: bool, caller: &Caller, error: &EngineError) -> Arc<Record> {
        let mode = if wait { WaitMode::PROC } else { WaitMode::EXEC };
        let mut record = self.forked_record(Kind::Module, mode, caller, error);
        record.module = Some(name.into());
        record.args = Args::Module;
        Arc::new(record)
    }

    /// The record of a call that a forked child makes. The call's `cleanup` runs, on the calling thread.
    pub(super) fn forked_call(
        &self,
        info: SubprocessInfo,
        wait: WaitMode,
        options: &CallOptions,
        error: &EngineError,
    ) -> Arc<Record> {
        let mut record = self.forked_record(Kind::Helper, wait, &options.ask, error);
        record.path = info.path().map_or(&b""[..], |p| p.as_bytes()).into();
        record.args = Args::List(boxed(info.argv()));
        record.env = boxed(info.envp());
        record.own = options.own.map(Box::new);
        let record = Arc::new(record);
        info.end(&record);
        record
    }

    /// A refusal without an id: the engine does not keep it.
    fn forked_record(&self, kind: Kind, wait: WaitMode, caller: &Caller, error: &EngineError) -> Record {
        let me = self.actors.me(Origin::Library);
        let own = || Arc::new(Actor { pid: std::process::id().cast_signed(), start_time: None, ..(**me).clone() });
        let actor = caller.actor.clone().unwrap_or_else(own);
        let mut record = Record::new(kind, wait, actor, (SystemTime::now(), 0));
        record.state = State::Ended;
        record.outcome = Outcome::Refused;
        record.ended_us = Some(0);
        record.result = Some(-(error.errno as i32));
        record.fail(error);
        record
    }

    /// The snapshot of an engine in which nothing runs and nothing can be started.
    pub(super) fn forked_snapshot(&self, error: &EngineError) -> Snapshot {
        let (pid, uid) = (std::process::id().cast_signed(), self.actors.me(Origin::Library).uid);
        let unknown = Snapshot::unknown(pid, uid, self.sysctl.known());
        Snapshot {
            wall: SystemTime::now(),
            knobs: Knobs { bset: CapMask::EMPTY, inheritable: CapMask::EMPTY, ..unknown.knobs },
            gate: Depth::Disabled,
            warnings: vec![LogLine {
                at: 0,
                kind: LogKind::Note { level: Level::Error, text: error.to_string().into() },
            }],
            ..unknown
        }
    }
}
