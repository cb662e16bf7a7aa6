//! What a record has of a helper of this machine's kernel beside the fields of all records, and why the rest is not known.

use serde::{Deserialize, Serialize};

use super::place::Attribution;

/// Why something is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// It happened before this watch began.
    BeforeWatch,
    /// Trace events of that time are lost: their buffer was full.
    TraceLost,
    /// Reports of ends are lost: their buffer was full.
    ExitLost,
    /// The process was gone before its files in /proc could be read.
    Gone,
    /// The requester is a thread of the kernel: it has no user, unit or container.
    KernelThread,
    /// The kernel does not tell this process: see [`crate::kernel::knowledge`].
    NotTold,
    /// The helper was still running when the watch ended.
    StillRunning,
}

impl Unknown {
    /// The reason, after `not known: `.
    pub const fn words(self) -> &'static str {
        match self {
            Self::BeforeWatch => "it happened before the watch began",
            Self::TraceLost => "trace events of that time are lost",
            Self::ExitLost => "reports of ends are lost",
            Self::Gone => "gone before it could be read",
            Self::KernelThread => "it is a thread of the kernel",
            Self::NotTold => "the kernel does not tell this process",
            Self::StillRunning => "still running",
        }
    }

    /// The value in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeforeWatch => "before_watch",
            Self::TraceLost => "trace_lost",
            Self::ExitLost => "exit_lost",
            Self::Gone => "gone",
            Self::KernelThread => "kernel_thread",
            Self::NotTold => "not_told",
            Self::StillRunning => "still_running",
        }
    }
}

/// Something of a helper that may not be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Fact {
    /// Which thread asked.
    #[serde(rename = "requester")]
    Requester,
    /// The process, user and command name of that thread.
    #[serde(rename = "requester.pid")]
    Process,
    /// Its unit or container.
    #[serde(rename = "requester.unit")]
    Unit,
    /// What the helper was started for.
    #[serde(rename = "cause")]
    Cause,
    /// The program.
    #[serde(rename = "path")]
    Path,
    /// Its arguments.
    #[serde(rename = "argv")]
    Arguments,
    /// Its raw wait status.
    #[serde(rename = "raw")]
    Status,
}

impl Fact {
    /// The field in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requester => "requester",
            Self::Process => "requester.pid",
            Self::Unit => "requester.unit",
            Self::Cause => "cause",
            Self::Path => "path",
            Self::Arguments => "argv",
            Self::Status => "raw",
        }
    }

    /// In a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Requester => "who asked",
            Self::Process => "the process, user and name of the thread that asked",
            Self::Unit => "the unit of the process that asked",
            Self::Cause => "what it was started for",
            Self::Path => "its program",
            Self::Arguments => "its command line",
            Self::Status => "how it ended",
        }
    }
}

/// Something that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What.
    pub what: Fact,
    /// Why.
    pub why: Unknown,
}

/// Why a part of a record may be wrong. Each is shown beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Doubts {
    /// Trace events between the request and the fork are lost, so the requester and the cause may be another's.
    #[serde(default)]
    pub requester: bool,
    /// The parent of the ended process is not known, so it may be no helper at all.
    #[serde(default)]
    pub is_helper: bool,
}

impl Doubts {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Why the kernel started a helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A call of `request_module`.
    Module,
    /// A cgroup of version 1 became empty: the hierarchy's release agent.
    ReleaseAgent,
    /// Another call of `call_usermodehelper`: a key, a core dump, a network file system, a driver.
    Other,
}

impl Cause {
    /// The value in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::ReleaseAgent => "release_agent",
            Self::Other => "other",
        }
    }
}

/// A helper of this machine's kernel. The record's actor is the requester: an unknown one if it is not known
/// ([`super::actor::Actor::unknown`]). Fields of the record that do not exist for the kernel's helpers are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelHelper {
    /// What it was started for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The address in the kernel that asked for a module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_site: Option<SiteAddress>,
    /// The kernel worker that made its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<i32>,
    /// The thread that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<i32>,
    /// The pid of the requester inside its own pid namespace, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner_pid: Option<i32>,
    /// The requester's unit or container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Attribution>,
    /// What may be wrong.
    #[serde(default, skip_serializing_if = "Doubts::is_none")]
    pub doubts: Doubts,
    /// What is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Missing>,
}

impl KernelHelper {
    /// Why something is not known; `None` if it is known.
    pub fn why_unknown(&self, what: Fact) -> Option<Unknown> {
        self.unknown.iter().find(|missing| missing.what == what).map(|missing| missing.why)
    }
}

/// An address in the kernel; serialized as `0x` and 16 digits, since it exceeds the integers of JSON's readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteAddress(pub u64);

impl std::fmt::Display for SiteAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#018x}", self.0)
    }
}

impl Serialize for SiteAddress {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for SiteAddress {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let digits = text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
        digits.map(Self).ok_or_else(|| serde::de::Error::custom("not an address, such as 0xffffffff81000000"))
    }
}
