//! What the engine asks of a machine: one trait for the real one ([`super::linux`]) and the scripted one ([`super::fake`]).

use std::sync::Arc;
use std::time::SystemTime;

use nix::errno::Errno;

use crate::abi::actor::{Actor, ChainLink};
use crate::abi::cap::{CapMask, CapSets, ThreadSets};
use crate::abi::error::SysError;
pub use crate::abi::launch_spec::CapPlan;
use crate::abi::launch_spec::{Enforcement, LaunchSpec, NotEnforced};
use crate::abi::safe_text::SafeText;
use crate::abi::wait::WaitStatus;

use super::caller::CallerState;

pub use crate::abi::time::Micros;

/// Something blocked that can be told to look again. Waking takes the lock that the waiter sleeps under, so that
/// a wake-up between its look and its sleep is not lost.
pub trait Wake: Send + Sync {
    /// Wakes every waiter.
    fn wake(&self);
}

/// An armed timer of a virtual clock; dropping it disarms.
pub type Armed = Box<dyn Send>;

/// A monotonic clock, real or virtual.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Micros;
    /// The wall clock.
    fn wall(&self) -> SystemTime;
    /// For a virtual clock: wakes `waiter` when `deadline` has come (or at once if it has). `None` from the real
    /// clock: the waiter uses a wait with a time-out of its own.
    fn arm(&self, deadline: Micros, waiter: Arc<dyn Wake>) -> Option<Armed>;
}

/// Which of the helper's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// fd 1.
    Stdout,
    /// fd 2.
    Stderr,
}

/// A helper that runs.
#[derive(Clone, Debug)]
pub struct Launched {
    /// Its process id, session id and process group.
    pub pid: i32,
    /// What could not be set, sorted.
    pub not_enforced: Vec<NotEnforced>,
    /// Somebody waits for exec alone, and the helper died without having been seen to run: whether exec succeeded can
    /// be said at the end only (UMH-3).
    pub undecided: bool,
}

/// A helper that does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchFailure {
    /// No process could be made: `EAGAIN`, `ENOMEM`, or what went wrong before.
    Process(SysError),
    /// The process was made and could not execute the program; it is already reaped.
    Exec(Errno),
    /// The kernel rejected the image after it had destroyed the old one: why it can never be loaded. It is already
    /// reaped (UMH-3).
    Image(&'static str),
    /// The masks depend on no_new_privs, which could not be set; the process ended before exec and is reaped (UMH-11).
    NotConfined,
}

/// Whether the image of a helper that was killed had been loaded (UMH-3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loading {
    /// Yes; nothing speaks against it.
    #[default]
    Complete,
    /// It died of SIGSEGV or SIGKILL without having been seen to run.
    Doubtful,
    /// No: why it can never be.
    Impossible(&'static str),
}

/// How a helper ended.
#[derive(Clone, Debug, Default)]
pub struct Ended {
    /// Its raw wait status; `None` if it was lost (UMH-8).
    pub status: Option<WaitStatus>,
    /// The five sets it ended with, read while it was dead and not yet reaped; `None` if /proc could not tell.
    pub caps: Option<CapSets>,
    /// The five sets it was seen with while it ran, where it lived long enough to be looked at.
    pub caps_started: Option<CapSets>,
    /// Whether its image had been loaded.
    pub loading: Loading,
    /// CPU time, user and system.
    pub cpu_us: u64,
    /// Peak memory, as wait4(2) tells it.
    pub max_rss_kib: u64,
}

/// Told by a worker while its helper lives. Called on the worker's thread.
pub trait Watcher {
    /// Output, as it comes.
    fn output(&mut self, stream: Stream, bytes: &[u8]);
    /// The helper is dead and not yet reaped: its pid still is its own. The engine marks it ended here, under the
    /// lock that `kill` takes, so that no signal can reach a stranger.
    fn about_to_reap(&mut self);
}

/// A thread that was cut down and can launch. It lives on the thread that made it and is not `Send`.
pub trait Worker {
    /// The sets of the thread that made this worker, read when it was made (UMH-10).
    fn host_sets(&self) -> ThreadSets;
    /// Whether this worker's root directory is that of `caller`. Threads share it, unless one has called unshare(2), so
    /// a chroot(2) of the host's can change it while the worker is idle. `true` if the caller's could not be read: then
    /// the caller started this worker itself.
    fn has_root_of(&self, caller: &CallerState) -> bool;
    /// Cuts this worker further; it never widens. Says how, or `Enforcement::Refused` if it could not.
    fn narrow(&mut self, plan: &CapPlan) -> Enforcement;
    /// Makes the process; returns when exec has succeeded or failed.
    fn launch(&mut self, image: &LaunchSpec) -> Result<Launched, LaunchFailure>;
    /// Waits until the helper launched last is gone, reading its output all the while; reaps it.
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
    /// What a helper would inherit from the calling thread (UMH-10). Read for every call: it has to be cheap.
    fn caller_state(&self) -> CallerState;
    /// `kernel.threads-max`, if it can be read (REQ-3).
    fn threads_max(&self) -> Option<u32>;
    /// This process, as the library's caller; its effective set is the calling thread's, empty if it cannot be read.
    fn actor(&self) -> Actor;
    /// Fails with advice if SIGCHLD is ignored or SA_NOCLDWAIT set; sets it to default if `fix` (UMH-8).
    fn check_sigchld(&self, fix: bool) -> Result<(), SysError>;
    /// Gives the calling thread its own root directory, which is that of its creator, where the machine allows that
    /// (unshare(2), CLONE_FS). A thread that shares it with another may not enter a mount namespace (setns(2)).
    fn detach_root(&self);
    /// Makes the calling thread a worker (own fd table, nice, CPUs, groups; UMH-9).
    fn worker(&self) -> Result<Box<dyn Worker>, SysError>;
    /// Signals a helper that is known not to be reaped, by pidfd, then its group (UMH-14). The caller holds the
    /// lock under which it is marked ended.
    fn kill(&self, pid: i32, signal: i32) -> Result<(), Errno>;
    /// Waits until no process but `leader`, a helper that has ended and is not reaped, is in its group, or until `until`
    /// has come on the host's clock; who is left then (UMH-14). A host without process groups has none.
    fn wait_for_group(&self, _leader: i32, _until: Micros) -> Vec<i32> {
        Vec::new()
    }
    /// The ancestry of `pid`, nearest first, `pid` itself included (REQ-12).
    fn ancestry(&self, pid: i32) -> Vec<ChainLink>;
    /// The process whose engine started this process, or an ancestor of it, as a helper, if it runs the same executable
    /// (REQ-12). A parent that merely runs the same executable does not count.
    fn same_executable_above(&self) -> Option<i32>;
    /// Why exec of `path` has failed with `errno`, by what the file is: one sentence for a person, escaped. `None` if the
    /// errno alone says it. Called on the worker whose child it was.
    fn exec_failure(&self, _path: &[u8], _errno: Errno) -> Option<String> {
        None
    }
    /// Why `path` would not run, or who else could replace it; advice only (SYS-6). Empty: nothing to say.
    fn path_warnings(&self, path: &[u8]) -> Vec<SafeText>;
}
