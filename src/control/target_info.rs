//! The description of a target, and the state of its connection.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::abi::cap::CapMask;

/// The number of an event, counted from 1 within a run.
pub type Seq = u64;

/// One start of an engine. The numbers of events begin again with each run, and so do those of requests, unless a ledger
/// continues them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId {
    /// When it started, in microseconds since the epoch.
    pub started: u64,
    /// The process that runs it.
    pub pid: i32,
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.started, self.pid)
    }
}

impl RunId {
    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (started, pid) = text.split_once('-')?;
        Some(Self { started: u64::from_str_radix(started, 16).ok()?, pid: pid.parse().ok()? })
    }
}

/// The kind of engine behind a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// An engine of this process; it ends with the process.
    Embedded,
    /// The engine of another process, which outlives the connection.
    Daemon,
    /// This machine's kernel, watched by this process, or by a daemon.
    Kernel,
}

/// The state of the connection to a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// The target can be reached.
    Up,
    /// The target cannot be reached for now: commands are refused, and its known state is out of date.
    Lost {
        /// The reason, escaped.
        why: String,
    },
}

/// The description of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetInfo {
    /// The kind of engine.
    pub kind: TargetKind,
    /// The name that the operator gave it (`unix:PATH`, `ssh://HOST`). Escaped; empty for the daemon at its usual socket, and for
    /// [`TargetKind::Embedded`] unless it is one of [`Self::DEMO`]. `daemon/kernel` or `unix:PATH/kernel` for the kernel that a daemon watches.
    pub name: String,
    /// The version of the program that runs the engine; empty if it is not known.
    pub version: String,
    /// The engine's process.
    pub pid: i32,
    /// The engine's user id.
    pub uid: u32,
    /// This start of the engine.
    pub run: RunId,
    /// The state of the connection.
    pub link: LinkState,
    /// Every capability that the target's kernel knows.
    pub known: CapMask,
}

impl TargetInfo {
    /// The names of the engines of this process whose helpers are built in: the first one, and another.
    pub const DEMO: [&str; 2] = ["demo", "demo-2"];

    /// Whether the helpers of this engine are built in, and end with it.
    pub fn is_demo(&self) -> bool {
        self.is_owned() && Self::DEMO.contains(&&*self.name)
    }

    /// The name of the target in JSON and in lines of output: `embedded`, `daemon`, `unix:PATH`, `kernel`,
    /// `daemon/kernel`.
    pub fn short_name(&self) -> &str {
        match self.kind {
            TargetKind::Embedded => "embedded",
            TargetKind::Kernel if self.name.is_empty() => "kernel",
            TargetKind::Kernel => &self.name,
            TargetKind::Daemon if self.name.is_empty() => "daemon",
            TargetKind::Daemon => &self.name,
        }
    }

    /// The other machine that it is on: a name or an address, or the first word of a longer name. `None`: this machine.
    pub fn host(&self) -> Option<&str> {
        let far = self.name.strip_prefix("ssh://")?;
        let far = far.strip_suffix("/kernel").unwrap_or(far);
        let host = far.rsplit_once('@').map_or(far, |(_, host)| host);
        if let Some(inside) = host.strip_prefix('[') {
            return inside.split(']').next();
        }
        let name = host.split(':').next().unwrap_or(host);
        let is_address = name.parse::<std::net::Ipv4Addr>().is_ok();
        if is_address { Some(name) } else { name.split('.').next() }
    }

    /// Whether the engine ends with this process.
    pub fn is_owned(&self) -> bool {
        self.kind == TargetKind::Embedded
    }

    /// Why the target cannot be reached; `None` if it can.
    pub fn lost(&self) -> Option<&str> {
        match &self.link {
            LinkState::Up => None,
            LinkState::Lost { why } => Some(why),
        }
    }
}
