//! A profile: the powers that a helper is started with.

use std::ffi::CString;
use std::path::PathBuf;
use std::sync::Arc;

use super::cap::CapMask;

/// What a helper is confined to. What a profile does not name stays as it is without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Its name: that of its file, without `.profile`.
    pub name: Arc<str>,
    /// The file that it is from.
    pub file: Arc<str>,
    /// The user and group; no supplementary groups then.
    pub user: Option<Ids>,
    /// The capability sets.
    pub sets: Option<Sets>,
    /// Whether the helper gets no_new_privs (PR_SET_NO_NEW_PRIVS).
    pub no_new_privs: bool,
    /// Resource limits (getrlimit(2)).
    pub rlimits: Vec<Rlimit>,
    /// The paths that it may use (landlock(7)); all others are denied.
    pub paths: Option<Paths>,
    /// The system calls that it may make (seccomp(2)).
    pub calls: Option<Calls>,
    /// The cgroup below which it gets one of its own (cgroups(7)).
    pub cgroup: Option<PathBuf>,
    /// Whether it sees every mounted file system read-only (mount_namespaces(7)).
    pub read_only_root: bool,
}

/// A user and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
}

/// Capability sets (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sets {
    /// What the bounding set keeps.
    pub bounding: CapMask,
    /// What the inheritable set keeps.
    pub inheritable: CapMask,
    /// What the permitted and the effective set keep.
    pub permitted: CapMask,
    /// The ambient set.
    pub ambient: CapMask,
}

/// A resource limit for one helper: `RLIMIT_*` number, soft, hard (getrlimit(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rlimit {
    /// The kernel's number (`libc::RLIMIT_CORE` and its like).
    pub resource: u32,
    /// Soft limit.
    pub soft: u64,
    /// Hard limit.
    pub hard: u64,
}

/// Files and folders with everything below them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// Those that may be read.
    pub read: Vec<Place>,
    /// Those that may be written to, and in which files may be made and removed.
    pub write: Vec<Place>,
    /// Those that may be read and executed.
    pub execute: Vec<Place>,
}

/// A path of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The absolute path.
    pub path: CString,
    /// Whether it is passed over where it does not exist; otherwise nothing is started there.
    pub may_lack: bool,
}

/// System calls, by their numbers on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Calls {
    /// These alone succeed; others fail with `EPERM`.
    Allowed(Vec<u32>),
    /// These fail with `EPERM`.
    Denied(Vec<u32>),
}

/// A part of a profile, as records and `profile show` name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// User and group.
    User,
    /// Capability sets.
    Capabilities,
    /// no_new_privs.
    NoNewPrivs,
    /// Resource limits.
    Rlimits,
    /// Paths.
    Landlock,
    /// System calls.
    Seccomp,
    /// The cgroup.
    Cgroup,
    /// Read-only file systems.
    ReadOnlyRoot,
}

impl Part {
    /// All of them, in the order in which they are applied.
    pub const ALL: [Self; 8] = [
        Self::Cgroup,
        Self::ReadOnlyRoot,
        Self::Rlimits,
        Self::NoNewPrivs,
        Self::Landlock,
        Self::User,
        Self::Capabilities,
        Self::Seccomp,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Capabilities => "capabilities",
            Self::NoNewPrivs => "no_new_privs",
            Self::Rlimits => "rlimits",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::Cgroup => "cgroup",
            Self::ReadOnlyRoot => "read_only_root",
        }
    }
}

impl Profile {
    /// What of a helper it sets.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        Part::ALL.into_iter().filter(|part| match part {
            Part::User => self.user.is_some(),
            Part::Capabilities => self.sets.is_some(),
            Part::NoNewPrivs => self.no_new_privs,
            Part::Rlimits => !self.rlimits.is_empty(),
            Part::Landlock => self.paths.is_some(),
            Part::Seccomp => self.calls.is_some(),
            Part::Cgroup => self.cgroup.is_some(),
            Part::ReadOnlyRoot => self.read_only_root,
        })
    }
}
