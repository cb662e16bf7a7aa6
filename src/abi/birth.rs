//! What a helper is born with, and how the masks were enforced.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::Serialize;

use super::cap::CapMask;

/// How the capability masks were enforced for one helper (UMH-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// The bounding set itself was cut, or lay within the mask already.
    Masks,
    /// The worker's own sets were cut and the helper got `no_new_privs`; its CapBnd still reads wide.
    NoNewPrivs,
    /// Neither could be done; nothing was started (`EPERM`).
    Refused,
}

impl Enforcement {
    /// As JSON and the screen spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Masks => "masks",
            Self::NoNewPrivs => "no_new_privs",
            Self::Refused => "refused",
        }
    }
}

/// A part of UMH-9 that could not be set for want of privilege.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotEnforced {
    /// The nice value stayed above 0.
    Nice,
    /// The scheduling policy stayed other than SCHED_OTHER.
    Scheduler,
    /// Some online CPU stayed out of reach.
    Affinity,
    /// The supplementary groups stayed.
    Groups,
    /// oom_score_adj stayed other than 0.
    OomScoreAdj,
}

impl NotEnforced {
    /// As JSON and the screen spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nice => "nice",
            Self::Scheduler => "scheduler",
            Self::Affinity => "affinity",
            Self::Groups => "groups",
            Self::OomScoreAdj => "oom_score_adj",
        }
    }
}

/// What a helper reads on fd 0.
#[derive(Clone, Debug, Default)]
pub enum Stdin {
    /// `/dev/null`.
    #[default]
    Null,
    /// These bytes, then end-of-file.
    Data(Vec<u8>),
    /// An open file, such as the reading end of a pipe ([`Stdin::file`]). The engine closes it once the helper has it.
    File(Arc<OwnedFd>),
}

impl Stdin {
    /// An open file: `File`, `OwnedFd`, `PipeReader`, a socket.
    pub fn file(file: impl Into<OwnedFd>) -> Self {
        Self::File(Arc::new(file.into()))
    }
}

impl PartialEq for Stdin {
    /// Files are equal if they are the same descriptor.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Data(a), Self::Data(b)) => a == b,
            (Self::File(a), Self::File(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}
impl Eq for Stdin {}

/// The session keyring of a helper (session-keyring(7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionKeyring {
    /// A new and empty one.
    #[default]
    New,
    /// The keyring with this serial number.
    Join(i32),
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

/// What the init hook sees and may change (UMH-6). The sets can only be narrowed.
#[derive(Debug)]
pub struct Birth {
    path: CString,
    argv: Vec<CString>,
    bounding: CapMask,
    inheritable: CapMask,
    /// The environment, and nothing else.
    pub envp: Vec<CString>,
    /// What it reads on fd 0.
    pub stdin: Stdin,
    /// Limits to set; those not named are the host's.
    pub rlimits: Vec<Rlimit>,
    /// Its session keyring.
    pub session_keyring: SessionKeyring,
}

impl Birth {
    /// This program with these sets, as the masks have cut them.
    pub fn new(path: CString, argv: Vec<CString>, sets: SetsPlan, envp: Vec<CString>) -> Self {
        Self {
            path,
            argv,
            bounding: sets.bounding,
            inheritable: sets.inheritable,
            envp,
            stdin: Stdin::Null,
            rlimits: Vec::new(),
            session_keyring: SessionKeyring::New,
        }
    }
    /// The program; for a module request the modprobe path as it is at launch.
    pub fn path(&self) -> &CString {
        &self.path
    }
    /// Its arguments, `argv[0]` included.
    pub fn argv(&self) -> &[CString] {
        &self.argv
    }
    /// The program and its arguments, to launch it with.
    pub(crate) fn take_program(&mut self) -> (CString, Vec<CString>) {
        (std::mem::take(&mut self.path), std::mem::take(&mut self.argv))
    }
    /// The bounding set it will get.
    pub fn bounding(&self) -> CapMask {
        self.bounding
    }
    /// The inheritable set it will get.
    pub fn inheritable(&self) -> CapMask {
        self.inheritable
    }
    /// Cuts the bounding set further, and the inheritable set with it.
    pub fn narrow_bounding(&mut self, to: CapMask) {
        self.bounding = self.bounding & to;
        self.inheritable = self.inheritable & to;
    }
    /// Cuts the inheritable set further.
    pub fn narrow_inheritable(&mut self, to: CapMask) {
        self.inheritable = self.inheritable & to;
    }
}

/// What the launcher is given: everything prepared, nothing left to decide.
#[derive(Debug)]
pub struct Image {
    /// The program.
    pub path: CString,
    /// Its arguments, `argv[0]` included.
    pub argv: Vec<CString>,
    /// Its environment.
    pub envp: Vec<CString>,
    /// fd 0.
    pub stdin: Stdin,
    /// Whether fds 1 and 2 are pipes that are read (else `/dev/null`, UMH-14).
    pub capture: bool,
    /// Limits to set.
    pub rlimits: Vec<Rlimit>,
    /// Its session keyring.
    pub session_keyring: SessionKeyring,
    /// Whether the helper gets `no_new_privs` (UMH-11).
    pub no_new_privs: bool,
}

/// The sets that a worker is cut down to (judged by `policy::masks`, applied by `sys`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetsPlan {
    /// The bounding set, already cut by the host's.
    pub bounding: CapMask,
    /// The inheritable set, already cut by `bounding` and the host's.
    pub inheritable: CapMask,
}
