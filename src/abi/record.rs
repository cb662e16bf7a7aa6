//! The record of a request: one type for the library, the screen and JSON.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::actor::{Actor, ChainLink};
pub use super::args::Args;
use super::cap::{CapMask, CapSets};
use super::error::{EngineError, Explain, Stage, exec_advice};
use super::escape::screen;
use super::kernel_helper::KernelHelper;
use super::launch_spec::{Enforcement, NotEnforced};
use super::mask::Masks;
use super::module::modprobe_argv;
use super::wait::{WaitMode, WaitStatus};
use super::wire;

/// How the sentence about the rule that decided begins; the rule follows.
pub const ALLOWED: &str = "allowed by ";
/// The same in the mode audit.
pub const WOULD_DENY: &str = "would be denied by ";
/// The same for what did not run.
pub const DENIED: &str = "denied by ";

/// A module request, or a call of any helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `request_module`.
    Module,
    /// `call_usermodehelper`.
    Helper,
}

/// The state of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for a slot (era current).
    Waiting,
    /// Queued for a worker.
    Queued,
    /// Its helper runs.
    Running,
    /// The request has ended, and so has its helper.
    Ended,
}

/// How a request ended, as the JSON spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The request has not ended.
    Running,
    /// The helper exited.
    Exited,
    /// A signal killed the helper.
    Killed,
    /// No process could be created, or it could not execute the program.
    ExecFailed,
    /// The request was refused; `stage` says where.
    Refused,
    /// The caller stopped waiting while the helper ran, or while the request waited for a slot.
    Abandoned,
    /// The path was empty (REQ-10).
    Noop,
    /// The helper has ended and its status is unknown (UMH-8).
    Lost,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 8] = {
        use Outcome::{Abandoned, ExecFailed, Exited, Killed, Lost, Noop, Refused, Running};
        [Running, Exited, Killed, ExecFailed, Refused, Abandoned, Noop, Lost]
    };

    /// The outcome with this [`Self::name`].
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name().as_bytes() == name)
    }

    /// As JSON and the screen spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Exited => "exited",
            Self::Killed => "killed",
            Self::ExecFailed => "exec_failed",
            Self::Refused => "refused",
            Self::Abandoned => "abandoned",
            Self::Noop => "noop",
            Self::Lost => "lost",
        }
    }
}

/// The end of a helper's output.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// The tail of fd 1, 64 KiB at most.
    #[serde(with = "wire::bytes")]
    pub stdout: Vec<u8>,
    /// The tail of fd 2, 64 KiB at most.
    #[serde(with = "wire::bytes")]
    pub stderr: Vec<u8>,
    /// Bytes of both streams that were not kept.
    pub dropped: u64,
}

impl Output {
    /// How many bytes were kept.
    pub fn bytes(&self) -> usize {
        self.stdout.len() + self.stderr.len()
    }
}

/// A request and its helper, from the call to the end (UMH-12). Times are in microseconds since the request was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The request's number in this engine, from 1.
    pub id: u64,
    /// Module request or helper call.
    pub kind: Kind,
    /// The requested name, as bytes (at most 256 of a name that was refused for its length).
    #[serde(with = "wire::bytes")]
    pub module: Option<Arc<[u8]>>,
    /// The program; the modprobe path as it was at launch.
    #[serde(with = "wire::bytes")]
    pub path: Arc<[u8]>,
    /// Its arguments.
    pub args: Args,
    /// Its environment.
    #[serde(with = "wire::bytes")]
    pub env: Arc<[Box<[u8]>]>,
    /// How the caller waits.
    pub wait: WaitMode,
    /// The process that made the request.
    pub actor: Arc<Actor>,
    /// The request whose helper, or a process that this helper started, made this request (REQ-12).
    pub asked_by: Option<u64>,
    /// When the request was made, by the wall clock.
    pub wall: SystemTime,
    /// When the request was made, in microseconds on the engine's clock.
    pub at: u64,
    /// Its state.
    pub state: State,
    /// How it ended.
    pub outcome: Outcome,
    /// The stage that failed, if one did.
    pub stage: Option<Stage>,
    /// The errno, if there was one.
    #[serde(with = "wire::errno")]
    pub errno: Option<Errno>,
    /// The text of [`Self::why`], if it cannot be computed from the other fields; the sentence of [`Self::ruled`].
    pub(crate) said: Option<Box<str>>,
    /// What the kernel's function would have returned; `None` until the caller has its result.
    pub result: Option<i32>,
    /// The raw wait status of the helper.
    pub status: Option<WaitStatus>,
    /// Whether the caller stopped waiting.
    pub abandoned: bool,
    /// Whether `--timeout` ran out.
    pub timed_out: bool,
    /// How the masks were enforced; `None` if nothing was launched.
    pub enforced: Option<Enforcement>,
    /// `bset` at the launch, or at the request if nothing was launched.
    pub bset: CapMask,
    /// `inheritable` at the launch, or at the request if nothing was launched.
    pub inheritable: CapMask,
    /// Masks given with the call, if any.
    pub own: Option<Box<Masks>>,
    /// The profile that was in force before exec, each part of it.
    pub profile: Option<Arc<str>>,
    /// The helper's five capability sets at its end.
    pub caps: Option<Arc<CapSets>>,
    /// The helper's five capability sets while it ran, if it ran long enough for them to be read.
    pub caps_started: Option<Arc<CapSets>>,
    /// What could not be set for lack of privilege (UMH-9).
    pub not_enforced: Box<[NotEnforced]>,
    /// The helper's pid.
    pub pid: Option<i32>,
    /// When it was queued for a worker.
    pub queued_us: Option<u64>,
    /// When exec succeeded.
    pub started_us: Option<u64>,
    /// When the helper ended, or the request if it had none.
    pub ended_us: Option<u64>,
    /// CPU time of the helper, user and system.
    pub cpu_us: u64,
    /// Peak memory of the helper, as reported by wait4(2).
    pub max_rss_kib: u64,
    /// What it wrote. Shared with the engine's store, which may drop it (it is `None` then, and the drop is counted).
    pub output: Option<Arc<Output>>,
    /// The requesters, nearest first (REQ-12): at once for a refusal or a request from outside, else when needed.
    pub chain: Box<[ChainLink]>,
    /// What is known of a helper of this machine's kernel; `None` for the requests of an engine.
    #[serde(default)]
    pub kernel: Option<Box<KernelHelper>>,
}

/// The error of a program that could not be executed; `cause` is what examining the file has found.
pub(crate) fn exec_error(errno: Errno, path: &[u8], cause: Option<String>) -> EngineError {
    let why = format!("`{}` could not be executed: {}", screen(path), errno.desc());
    EngineError::new(Stage::Exec, errno, why, cause.map_or(exec_advice(errno).into(), Cow::Owned))
}

impl Record {
    /// A new request, made `at` these times of the wall clock and of the engine's.
    pub(crate) fn new(kind: Kind, wait: WaitMode, actor: Arc<Actor>, at: (SystemTime, u64)) -> Self {
        Self {
            id: 0,
            kind,
            module: None,
            path: Arc::from([]),
            args: Args::List(Arc::from([])),
            env: Arc::from([]),
            wait,
            actor,
            asked_by: None,
            wall: at.0,
            at: at.1,
            state: State::Waiting,
            outcome: Outcome::Running,
            stage: None,
            errno: None,
            said: None,
            result: None,
            status: None,
            abandoned: false,
            timed_out: false,
            enforced: None,
            bset: CapMask::EMPTY,
            inheritable: CapMask::EMPTY,
            own: None,
            profile: None,
            caps: None,
            caps_started: None,
            not_enforced: Box::from([]),
            pid: None,
            queued_us: None,
            started_us: None,
            ended_us: None,
            cpu_us: 0,
            max_rss_kib: 0,
            output: None,
            chain: Box::default(),
            kernel: None,
        }
    }

    /// Records the failure.
    pub(crate) fn fail(&mut self, error: &EngineError) {
        (self.stage, self.errno) = (Some(error.stage), Some(error.errno));
        // Thousands may fail at exec, and the text of most can be computed from the other fields.
        let whole = error.whole();
        self.said = None;
        self.said = (self.why().as_deref() != Some(&whole)).then(|| whole.into());
    }

    /// The reason of a refusal or failure, with advice: `reason (ERRNO); advice`; of a request that went on, the rule that
    /// decided ([`Self::ruled`]).
    pub fn why(&self) -> Option<Cow<'_, str>> {
        match (&self.said, self.stage, self.errno) {
            (Some(said), ..) => Some((&**said).into()),
            (None, Some(Stage::Exec), Some(errno)) => Some(exec_error(errno, &self.path, None).whole().into()),
            _ => None,
        }
    }

    /// The sentence about the rule because of which the request went on: `allowed by FILE:LINE (RULE): ..`, or `would be
    /// denied by ..` in the mode audit. What a rule denied has it in [`Self::why`] alone.
    pub fn ruled(&self) -> Option<&str> {
        self.said.as_deref().filter(|said| [ALLOWED, WOULD_DENY].iter().any(|begins| said.starts_with(begins)))
    }

    /// argv as the helper got it.
    pub fn argv(&self) -> Vec<Vec<u8>> {
        match (&self.args, &self.module) {
            (Args::Module, Some(name)) => modprobe_argv(&self.path, name).map(<[u8]>::to_vec).into(),
            (Args::Module, None) => Vec::new(),
            (Args::List(list), _) => list.iter().map(|a| a.to_vec()).collect(),
        }
    }

    /// The title of its row: the module's name, or the path (hostile bytes).
    pub fn title(&self) -> &[u8] {
        self.module.as_deref().unwrap_or(&self.path)
    }

    /// From the request to the end of the helper, in microseconds.
    pub fn took_us(&self) -> Option<u64> {
        self.ended_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::actor::Origin;

    /// 10,000 records are kept.
    #[test]
    fn a_record_is_small_and_a_failed_exec_keeps_no_text() {
        assert!(size_of::<Record>() <= 344, "{}", size_of::<Record>());
        let me = Arc::new(Actor::new(Origin::Library, 1, 0, 0, b"x"));
        let mut record = Record::new(Kind::Module, WaitMode::PROC, me, (SystemTime::UNIX_EPOCH, 0));
        assert_eq!(record.why(), None);
        record.path = b"/no\nsuch"[..].into();
        record.fail(&exec_error(Errno::ENOENT, &record.path, None));
        assert_eq!(record.said, None);
        let why =
            "`/no\\x0asuch` could not be executed: No such file or directory (ENOENT); check that the file exists";
        assert!(record.why().is_some_and(|w| w.starts_with(why)), "{:?}", record.why());
        record.fail(&exec_error(Errno::ENOENT, &record.path, Some("it is a test".into())));
        assert!(record.why().is_some_and(|w| w.ends_with("(ENOENT); it is a test")), "{:?}", record.why());
        record.fail(&EngineError::new(Stage::Gate, Errno::EBUSY, "the gate is shut", "wait"));
        assert_eq!(record.why().as_deref(), Some("the gate is shut (EBUSY); wait"));
    }
}
