//! One helper of this machine's kernel: what is known of it, and why the rest is not.

use crate::abi::actor::Comm;
use crate::abi::cap::CapSets;
use crate::abi::wait::WaitStatus;

use crate::abi::place::Attribution;

pub use crate::abi::kernel_helper::{Doubts, Unknown};

/// What made the kernel start the helper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A call of `request_module`.
    Module(Box<super::event::ModuleRequest>),
    /// A cgroup of version 1 became empty: the hierarchy's release agent.
    ReleaseAgent,
    /// Another call of `call_usermodehelper`: a key, a core dump, a network file system, a driver.
    Other,
}

/// What /proc said about the requester.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequesterFacts {
    /// Its process id.
    pub pid: i32,
    /// Its pid inside its own pid namespace, where that is another one.
    pub inner_pid: Option<i32>,
    /// Its real user id.
    pub uid: u32,
    /// Its real group id.
    pub gid: u32,
    /// Its command name. Shown, never trusted.
    pub comm: Comm,
    /// Its unit or container; `None` if it was gone when that was read.
    pub attribution: Option<Attribution>,
}

/// The thread for which the kernel started the helper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requester {
    /// Its thread id.
    pub tid: i32,
    /// What else is known.
    pub facts: Result<Box<RequesterFacts>, Unknown>,
}

/// Whether the program was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executed {
    /// Yes. The file, where the kernel tells it (Linux 6.12), and the new command name, where it does not.
    Yes {
        /// The file that was executed.
        file: Option<Box<[u8]>>,
        /// The command name after it.
        comm: Option<Comm>,
    },
    /// No: the process ended with code 0 without an execution.
    Failed,
    /// Not known.
    Unknown(Unknown),
}

/// What /proc said about the helper after its program was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelperFacts {
    /// Its arguments, each with its NUL; at most 4,096 bytes.
    pub arguments: Box<[u8]>,
    /// Its capability sets; `None` if it was gone when they were read.
    pub sets: Option<CapSets>,
}

/// When each thing happened, in nanoseconds of CLOCK_MONOTONIC; `None` where it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Times {
    /// The requester asked.
    pub queued: Option<u64>,
    /// The helper's process was made.
    pub forked: Option<u64>,
    /// Its program was executed.
    pub executed: Option<u64>,
    /// It ended.
    pub ended: Option<u64>,
}

/// One helper that has ended, or that was still running at the end of the watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Its process id.
    pub pid: i32,
    /// The kernel worker that made it.
    pub worker: Option<i32>,
    /// For whom.
    pub requester: Result<Requester, Unknown>,
    /// What for.
    pub cause: Result<Cause, Unknown>,
    /// Whether its program was executed.
    pub executed: Executed,
    /// Its arguments and sets.
    pub facts: Result<Box<HelperFacts>, Unknown>,
    /// Its raw wait status.
    pub status: Result<WaitStatus, Unknown>,
    /// When.
    pub times: Times,
    /// What may be wrong.
    pub doubts: Doubts,
}
