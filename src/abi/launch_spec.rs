//! What a helper is started with, and how the masks were enforced.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cap::CapMask;
use super::profile::Profile;
pub use super::profile::Rlimit;

/// What the name of a helper's own cgroup begins with; the number of its request follows.
pub const HELPER_CGROUP: &str = "helper-";

/// The cgroup of a request's helper, below the one that helpers' cgroups are in.
pub fn helper_cgroup(below: &Path, id: u64) -> PathBuf {
    below.join(format!("{HELPER_CGROUP}{id}"))
}

/// How the capability masks were enforced for one helper (UMH-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// The bounding set itself was narrowed, or was within the mask already.
    Masks,
    /// The worker's other sets were narrowed and the helper got `no_new_privs`; its CapBnd still shows the wider set.
    NoNewPrivs,
    /// Neither was possible, so nothing was started (`EPERM`).
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

/// An attribute of UMH-9 that could not be set for a helper, for lack of privilege or because a call was refused. The
/// table in `sys/linux/inherited` says how each one is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotEnforced {
    /// The nice value stayed above 0.
    Nice,
    /// The scheduling policy stayed other than SCHED_OTHER.
    Scheduler,
    /// The helper cannot run on every online CPU.
    Affinity,
    /// The supplementary groups stayed.
    Groups,
    /// oom_score_adj stayed other than 0.
    OomScoreAdj,
    /// The utilization clamps stayed (sched_setattr(2)).
    Utilization,
    /// The core scheduling cookie stayed (PR_SCHED_CORE); the kernel has no call to remove one.
    CoreScheduling,
    /// The I/O priority stayed (ioprio_set(2)).
    IoPriority,
    /// The timer slack stayed other than 50 us (PR_SET_TIMERSLACK).
    TimerSlack,
    /// The NUMA memory policy stayed (set_mempolicy(2)).
    NumaPolicy,
    /// The execution domain stayed (personality(2)).
    Personality,
    /// The securebits of the host program are in force (capabilities(7)); they are never lifted.
    Securebits,
    /// A speculation feature stayed disabled (PR_SET_SPECULATION_CTRL).
    SpeculationControl,
    /// The memory corruption kill policy stayed (PR_MCE_KILL).
    MachineCheckKill,
    /// The IO_FLUSHER state stayed (PR_SET_IO_FLUSHER).
    IoFlusher,
    /// Reading the timestamp counter stayed forbidden (PR_SET_TSC).
    TimestampCounter,
    /// Permissions for I/O ports may have stayed (ioperm(2), iopl(2)).
    IoPorts,
    /// There is no new session keyring: keyctl(2) was refused (keyrings(7)).
    SessionKeyring,
    /// The core dump filter stayed other than 0x33 (core(5)).
    CoreFilter,
    /// Transparent huge pages stayed disabled (PR_SET_THP_DISABLE).
    ThpDisable,
    /// Same-page merging stayed on (PR_SET_MEMORY_MERGE).
    MemoryMerge,
    /// Memory-deny-write-execute of the host program is in force (PR_SET_MDWE); it cannot be lifted.
    MemoryDenyWriteExecute,
}

impl NotEnforced {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Nice,
        Self::Scheduler,
        Self::Affinity,
        Self::Groups,
        Self::OomScoreAdj,
        Self::Utilization,
        Self::CoreScheduling,
        Self::IoPriority,
        Self::TimerSlack,
        Self::NumaPolicy,
        Self::Personality,
        Self::Securebits,
        Self::SpeculationControl,
        Self::MachineCheckKill,
        Self::IoFlusher,
        Self::TimestampCounter,
        Self::IoPorts,
        Self::SessionKeyring,
        Self::CoreFilter,
        Self::ThpDisable,
        Self::MemoryMerge,
        Self::MemoryDenyWriteExecute,
    ];

    /// As JSON and the screen spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nice => "nice",
            Self::Scheduler => "scheduler",
            Self::Affinity => "affinity",
            Self::Groups => "groups",
            Self::OomScoreAdj => "oom_score_adj",
            Self::Utilization => "utilization",
            Self::CoreScheduling => "core_scheduling",
            Self::IoPriority => "io_priority",
            Self::TimerSlack => "timer_slack",
            Self::NumaPolicy => "numa_policy",
            Self::Personality => "personality",
            Self::Securebits => "securebits",
            Self::SpeculationControl => "speculation_control",
            Self::MachineCheckKill => "machine_check_kill",
            Self::IoFlusher => "io_flusher",
            Self::TimestampCounter => "timestamp_counter",
            Self::IoPorts => "io_ports",
            Self::SessionKeyring => "session_keyring",
            Self::CoreFilter => "core_filter",
            Self::ThpDisable => "thp_disable",
            Self::MemoryMerge => "memory_merge",
            Self::MemoryDenyWriteExecute => "memory_deny_write_execute",
        }
    }
}

/// The session keyring that a helper starts with (keyrings(7)); never the host program's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SessionKeyring {
    /// A new keyring without a name, which no other process can reach.
    #[default]
    New,
    /// The keyring with this name, created if there is none (keyctl_join_session_keyring(3)).
    Named(CString),
}

/// What a helper reads on fd 0.
#[derive(Clone, Debug, Default)]
pub enum Stdin {
    /// `/dev/null`.
    #[default]
    Null,
    /// These bytes, then end-of-file.
    Data(Vec<u8>),
    /// An open file, such as the read end of a pipe ([`Stdin::file`]). The engine closes it once the helper has it.
    File(Arc<OwnedFd>),
}

impl Stdin {
    /// An open file: `File`, `OwnedFd`, `PipeReader`, a socket.
    pub fn file(file: impl Into<OwnedFd>) -> Self {
        Self::File(Arc::new(file.into()))
    }
}

impl PartialEq for Stdin {
    /// Two files are equal if they are the same descriptor.
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

/// What the init hook sees and may change (UMH-6). The sets can only be narrowed.
#[derive(Debug)]
pub struct ChildSetup {
    path: CString,
    argv: Vec<CString>,
    bounding: CapMask,
    inheritable: CapMask,
    /// The whole environment.
    pub envp: Vec<CString>,
    /// What it reads on fd 0.
    pub stdin: Stdin,
    /// Resource limits to set; all others are the host's.
    pub rlimits: Vec<Rlimit>,
    /// Its session keyring.
    pub session_keyring: SessionKeyring,
}

impl ChildSetup {
    /// This program with these sets, which the masks have narrowed already.
    pub fn new(path: CString, argv: Vec<CString>, sets: CapPlan, envp: Vec<CString>) -> Self {
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
    /// Moves the program and its arguments out, for the launch.
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
    /// Narrows the bounding set further, and the inheritable set with it.
    pub fn narrow_bounding(&mut self, to: CapMask) {
        self.bounding = self.bounding & to;
        self.inheritable = self.inheritable & to;
    }
    /// Narrows the inheritable set further.
    pub fn narrow_inheritable(&mut self, to: CapMask) {
        self.inheritable = self.inheritable & to;
    }
}

/// The launcher's input: everything is prepared and decided.
#[derive(Debug)]
pub struct LaunchSpec {
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
    /// The cgroup that is made for it and removed once it is empty (cgroups(7)); `None`: the host's.
    pub cgroup: Option<PathBuf>,
    /// Its session keyring.
    pub session_keyring: SessionKeyring,
    /// Whether the caller waits only for exec, so that the launcher must find out whether the image was loaded (UMH-3).
    pub wait_loaded: bool,
    /// Whether the helper gets `no_new_privs` (UMH-11).
    pub no_new_privs: bool,
    /// What it is confined to, besides the masks. What cannot be applied ends the launch.
    pub profile: Option<Arc<Profile>>,
}

/// The sets that a worker is narrowed to (computed by `policy::masks`, applied by `sys`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapPlan {
    /// The bounding set, already within the host's.
    pub bounding: CapMask,
    /// The inheritable set, already within `bounding` and the host's.
    pub inheritable: CapMask,
}
