//! What the engine needs from a machine: one trait for the real ([`super::linux`]) and the scripted one
//! ([`super::fake`]).

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::cap::{CapMask, CapSets, ThreadSets};
use crate::abi::error::SysError;
pub use crate::abi::launch_spec::CapPlan;
use crate::abi::launch_spec::{Enforcement, LaunchSpec, NotEnforced};
use crate::abi::process::Process;
use crate::abi::safe_text::SafeText;
use crate::abi::wait::WaitStatus;

use super::caller::CallerState;

pub use crate::abi::time::Micros;

/// A group of waiters that can be woken to check their condition again. Waking takes the lock under which they check
/// and sleep, so that no wake-up is lost between the two.
pub trait Wake: Send + Sync {
    /// Wakes every waiter.
    fn wake(&self);
}

/// An armed timer of a virtual clock; dropping it disarms the timer.
pub type Armed = Box<dyn Send>;

/// A monotonic clock, real or virtual.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> Micros;
    /// The wall clock.
    fn wall(&self) -> SystemTime;
    /// For a virtual clock: wakes `waiter` at `deadline`, or at once if that has passed. The real clock returns
    /// `None`, and the waiter then sleeps with a time-out.
    fn arm(&self, deadline: Micros, waiter: Arc<dyn Wake>) -> Option<Armed>;
}

/// An output stream of a helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// fd 1.
    Stdout,
    /// fd 2.
    Stderr,
}

/// A helper that was launched.
#[derive(Clone, Debug)]
pub struct Launched {
    /// Its process id, session id and process group.
    pub pid: i32,
    /// What could not be set, sorted.
    pub not_enforced: Vec<NotEnforced>,
    /// The caller waits only for exec, and the helper died before it was seen to run: whether exec succeeded is known
    /// only once the helper is reaped (UMH-3).
    pub undecided: bool,
}

/// Why a launch failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchFailure {
    /// No process could be created: `EAGAIN`, `ENOMEM`, or the error of an earlier step.
    Process(SysError),
    /// The process was created but could not execute the program; it is already reaped.
    Exec(Errno),
    /// The kernel rejected the image after it had destroyed the old one; the text says why the image can never be
    /// loaded. The process is already reaped (UMH-3).
    Image(&'static str),
    /// The masks depend on no_new_privs, which could not be set; the process ended before exec and is reaped (UMH-11).
    NotConfined,
    /// A part of the helper's profile could not be applied; nothing has run.
    Profile(SysError),
}

/// Whether the image of a helper that was killed had been loaded (UMH-3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loading {
    /// Yes, as far as is known.
    #[default]
    Complete,
    /// It died of SIGSEGV or SIGKILL without having been seen to run.
    Doubtful,
    /// No; the text says why it can never be loaded.
    Impossible(&'static str),
}

/// How a helper ended.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// Its raw wait status; `None` if it was lost (UMH-8).
    pub status: Option<WaitStatus>,
    /// Its five capability sets at its end, read before it was reaped; `None` if /proc could not be read.
    pub caps: Option<CapSets>,
    /// Its five capability sets while it ran, if it ran long enough for them to be read.
    pub caps_started: Option<CapSets>,
    /// Whether its image had been loaded.
    pub loading: Loading,
    /// CPU time, user and system.
    pub cpu_us: u64,
    /// Peak memory, as reported by wait4(2).
    pub max_rss_kib: u64,
}

/// Receives a helper's output and its end from the worker. Called on the worker's thread.
pub trait Watcher {
    /// New output.
    fn output(&mut self, stream: Stream, bytes: &[u8]);
    /// The helper is dead but not yet reaped, so its pid is still reserved. The engine marks it as ended here, under
    /// the lock that `kill` takes, so that no signal can reach another process.
    fn about_to_reap(&mut self);
}

/// A thread with narrowed capabilities that launches helpers. It stays on the thread that created it and is not `Send`.
pub trait Worker {
    /// The sets of the thread that created this worker, read at that time (UMH-10).
    fn host_sets(&self) -> ThreadSets;
    /// Whether this worker and `caller` have the same root directory. Threads share it unless one has called
    /// unshare(2), so a chroot(2) by the host can change it while the worker is idle. `true` if the caller's root could
    /// not be read: in that case the caller has started this worker itself.
    fn has_root_of(&self, caller: &CallerState) -> bool;
    /// Narrows this worker's sets; never widens them. Returns how the plan is enforced, or `Enforcement::Refused`.
    fn narrow(&mut self, plan: &CapPlan) -> Enforcement;
    /// Creates the process. Returns when exec has succeeded or failed.
    fn launch(&mut self, image: &LaunchSpec) -> Result<Launched, LaunchFailure>;
    /// Reads the output of the helper launched last until it ends, then reaps it.
    fn wait(&mut self, watcher: &mut dyn Watcher) -> Ended;
}

/// A machine.
pub trait Host: Send + Sync {
    /// Its clock.
    fn clock(&self) -> &dyn Clock;
    /// Every capability that the running kernel knows (cap_last_cap).
    fn known(&self) -> CapMask;
    /// The five sets of the calling thread, each as far as it can be read.
    fn sets(&self) -> ThreadSets;
    /// What a helper would inherit from the calling thread (UMH-10). Read for every call, so it must be cheap.
    fn caller_state(&self) -> CallerState;
    /// `kernel.threads-max`, if it can be read (REQ-3).
    fn threads_max(&self) -> Option<u32>;
    /// This process, as the library's caller; its effective set is the calling thread's, empty if it cannot be read.
    fn actor(&self) -> Actor;
    /// Fails with advice if SIGCHLD is ignored or SA_NOCLDWAIT is set; with `fix`, sets it to the default (UMH-8).
    fn check_sigchld(&self, fix: bool) -> Result<(), SysError>;
    /// Stops sharing the root and working directory with other threads, if the machine allows it (unshare(2),
    /// CLONE_FS). A thread that shares them may not enter a mount namespace (setns(2)).
    fn detach_root(&self);
    /// Makes the calling thread a worker (own fd table, nice, CPUs, groups; UMH-9).
    fn worker(&self) -> Result<Box<dyn Worker>, SysError>;
    /// Signals a helper that is not reaped, by pidfd, then its process group (UMH-14). The caller holds the lock under
    /// which a helper is marked as ended.
    fn kill(&self, pid: i32, signal: i32) -> Result<(), Errno>;
    /// Waits until the process group of `leader`, a helper that has ended and is not reaped, has no other member, or
    /// until the time `until`. Returns the members that are left (UMH-14); a host without process groups has none.
    fn wait_for_group(&self, _leader: i32, _until: Micros) -> Vec<i32> {
        Vec::new()
    }
    /// One process, a zombie too; `None` if there is none or it cannot be read (REQ-12).
    fn process(&self, pid: i32) -> Option<Process>;
    /// The living members of these sessions and their living descendants, which may be in other sessions; empty if /proc
    /// cannot be read. It reads every process of the machine.
    fn members(&self, sessions: &[i32]) -> Vec<Process>;
    /// The request in whose helper's cgroup, below `below`, this process is (cgroups(7)); a host without cgroups knows none.
    fn helper_of_cgroup(&self, _below: &Path, _pid: i32) -> Option<u64> {
        None
    }
    /// The living processes in this cgroup and in those below it.
    fn members_of_cgroup(&self, _folder: &Path) -> Vec<Process> {
        Vec::new()
    }
    /// Removes this cgroup if no process is left in it. Returns whether it is gone.
    fn remove_cgroup(&self, _folder: &Path) -> bool {
        true
    }
    /// Signals this process, and no other one that has got its pid: `ESRCH` if it has ended.
    fn kill_process(&self, process: &Process, signal: i32) -> Result<(), Errno>;
    /// Waits until this process has ended, or until the time `until`. Returns whether it has ended.
    fn wait_for_process(&self, process: &Process, until: Micros) -> bool;
    /// The process whose engine started this process, or an ancestor of it, as a helper, if it runs the same executable
    /// (REQ-12). A parent that merely runs the same executable does not count.
    fn same_executable_above(&self) -> Option<i32>;
    /// Why exec of `path` failed with `errno`, from the file itself: one escaped sentence for a person. `None` if there
    /// is nothing to add to the errno. Called on the worker whose child failed.
    fn exec_failure(&self, _path: &[u8], _errno: Errno) -> Option<String> {
        None
    }
    /// Why `path` would not run, or which other user could replace it. Advice only (SYS-6); empty if no fault was
    /// found.
    fn path_warnings(&self, path: &[u8]) -> Vec<SafeText>;
}
