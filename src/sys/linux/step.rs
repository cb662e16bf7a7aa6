//! The steps of a child between clone and exec.

use libc::c_int;

/// The step of the child that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Setsid,
    Cgroup,
    Chdir,
    Dup,
    Close,
    Rlimit,
    NoNewPrivs,
    ReadOnlyRoot,
    Landlock,
    Bounding,
    User,
    Capabilities,
    Seccomp,
    Exec,
}

impl Step {
    const ALL: [Self; 14] = [
        Self::Setsid,
        Self::Cgroup,
        Self::Chdir,
        Self::Dup,
        Self::Close,
        Self::Rlimit,
        Self::NoNewPrivs,
        Self::ReadOnlyRoot,
        Self::Landlock,
        Self::Bounding,
        Self::User,
        Self::Capabilities,
        Self::Seccomp,
        Self::Exec,
    ];

    /// What it does, if it applies a part of a profile.
    pub(super) fn of_profile(self) -> Option<&'static str> {
        Some(match self {
            Self::ReadOnlyRoot => "making the file systems read-only (mount_setattr(2))",
            Self::Landlock => "enforcing the paths (landlock_restrict_self(2))",
            Self::Bounding => "dropping from the bounding set (PR_CAPBSET_DROP)",
            Self::User => "becoming the user (setgroups(2), setresgid(2), setresuid(2))",
            Self::Capabilities => "setting the capability sets (capset(2), PR_CAP_AMBIENT)",
            Self::Seccomp => "installing the filter of system calls (seccomp(2))",
            _ => return None,
        })
    }

    pub(super) fn from_raw(raw: c_int) -> Option<Self> {
        usize::try_from(raw).ok().and_then(|at| Self::ALL.get(at)).copied()
    }
}
