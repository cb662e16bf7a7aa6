//! The stages of a request.

use serde::{Deserialize, Serialize};

/// The stage at which a call failed before its helper had an exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The name was malformed or too long (REQ-1).
    Name,
    /// The path was missing, empty, relative, a string held a NUL, or there was no argument (REQ-10, UMH-1, UMH-2).
    Path,
    /// An engine within an engine, or a chain of requests that is being ended (REQ-12).
    Loop,
    /// The security hook, `khelper.deny` or `khelper.allow` (REQ-2).
    Hook,
    /// The limit on requests in progress, era 3.4 (REQ-4).
    Limit,
    /// Waited 5 s for a slot, era current (REQ-5).
    Throttle,
    /// The gate was shut, or the engine not ready (GATE).
    Gate,
    /// The caller was cancelled (REQ-5, UMH-4).
    Cancel,
    /// The init hook failed or panicked (UMH-6).
    Init,
    /// Neither masks nor no_new_privs could be enforced (UMH-11).
    Enforce,
    /// No process could be made (UMH-3).
    Process,
    /// exec failed (UMH-3).
    Exec,
    /// The status was lost (UMH-8).
    Lost,
    /// The engine's handle was used in a forked child of its process (UMH-8).
    Forked,
}

impl Stage {
    /// Every stage, in the order of its number.
    pub const ALL: [Self; 14] = [
        Self::Name,
        Self::Path,
        Self::Loop,
        Self::Hook,
        Self::Limit,
        Self::Throttle,
        Self::Gate,
        Self::Cancel,
        Self::Init,
        Self::Enforce,
        Self::Process,
        Self::Exec,
        Self::Lost,
        Self::Forked,
    ];

    /// As JSON and metrics spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Path => "path",
            Self::Loop => "loop",
            Self::Hook => "hook",
            Self::Limit => "limit",
            Self::Throttle => "throttle",
            Self::Gate => "gate",
            Self::Cancel => "cancel",
            Self::Init => "init",
            Self::Enforce => "enforce",
            Self::Process => "process",
            Self::Exec => "exec",
            Self::Lost => "lost",
            Self::Forked => "forked",
        }
    }
}
