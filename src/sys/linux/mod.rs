//! The real machine. A helper is a child of a *worker*: a thread of the engine that has set up its own descriptor
//! table, scheduling, groups and capability sets once, so that a launch has little left to do.

mod attend;
mod caller;
mod caps;
pub mod cgroup;
mod child;
mod clone;
mod close;
mod confine;
mod dispositions;
mod exec_failure;
mod group;
mod inherited;
pub mod kernel_ask;
pub mod kernel_helper;
pub mod kernel_knobs;
pub mod kernel_log;
pub mod kernel_programs;
mod keyring;
pub mod landlock;
mod launch;
pub mod lines;
mod loading;
mod path;
pub mod peer;
mod place;
pub(super) mod proc;
pub mod proc_connector;
mod reap;
pub mod requester;
pub mod seqpacket;
mod sigchld;
pub(super) mod stat;
mod step;
pub mod tasks;
pub mod ticks;
pub mod tracefs;
pub mod trust;
pub mod waiting;
pub mod whole_file;
mod worker;
mod worker_setup;

use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use nix::errno::Errno;

use super::caller::CallerState;
use super::host::{Armed, Clock, Host, Micros, Wake, Worker};
use crate::abi::actor::Actor;
use crate::abi::cap::{CapMask, ThreadSets};
use crate::abi::error::SysError;
use crate::abi::process::Process;
use crate::abi::safe_text::SafeText;

/// This machine.
#[derive(Debug)]
pub struct LinuxHost {
    clock: RealClock,
    known: CapMask,
}

impl LinuxHost {
    /// This machine; its clock starts now.
    pub fn new() -> Self {
        Self {
            clock: RealClock { start: Instant::now() },
            known: caps::known_to_the_kernel().unwrap_or_else(proc::known),
        }
    }
}

impl Default for LinuxHost {
    fn default() -> Self {
        Self::new()
    }
}

/// CLOCK_MONOTONIC, from the start of the engine.
#[derive(Debug)]
struct RealClock {
    start: Instant,
}

impl Clock for RealClock {
    fn now(&self) -> Micros {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
    fn arm(&self, _deadline: Micros, _waiter: Arc<dyn Wake>) -> Option<Armed> {
        None
    }
}

impl Host for LinuxHost {
    fn clock(&self) -> &dyn Clock {
        &self.clock
    }
    fn known(&self) -> CapMask {
        self.known
    }
    fn sets(&self) -> ThreadSets {
        caps::of_this_thread()
    }
    fn caller_state(&self) -> CallerState {
        caller::state()
    }
    fn threads_max(&self) -> Option<u32> {
        proc::threads_max()
    }
    fn actor(&self) -> Actor {
        Actor { effective: self.sets().effective.at_least(), ..proc::this_process() }
    }
    fn check_sigchld(&self, fix: bool) -> Result<(), SysError> {
        sigchld::check_sigchld(fix)
    }
    fn detach_root(&self) {
        worker_setup::detach_root();
    }
    fn worker(&self) -> Result<Box<dyn Worker>, SysError> {
        Ok(Box::new(worker::LinuxWorker::new()?))
    }
    fn kill(&self, pid: i32, signal: i32) -> Result<(), Errno> {
        sigchld::kill(pid, signal)
    }
    fn wait_for_group(&self, leader: i32, until: Micros) -> Vec<i32> {
        group::wait(&self.clock, leader, until)
    }
    fn process(&self, pid: i32) -> Option<Process> {
        stat::process(&self.clock, pid)
    }
    fn members(&self, sessions: &[i32]) -> Vec<Process> {
        stat::members(&self.clock, sessions)
    }
    fn helper_of_cgroup(&self, below: &Path, pid: i32) -> Option<u64> {
        cgroup::helper_of(below, pid)
    }
    fn members_of_cgroup(&self, folder: &Path) -> Vec<Process> {
        let living = |pid: &i32| stat::Stat::of(*pid).is_some_and(|stat| stat.lives());
        let pids = cgroup::members(folder);
        pids.into_iter().filter(living).filter_map(|pid| stat::process(&self.clock, pid)).collect()
    }
    fn remove_cgroup(&self, folder: &Path) -> bool {
        cgroup::remove(folder)
    }
    fn kill_process(&self, process: &Process, signal: i32) -> Result<(), Errno> {
        stat::kill(process, signal)
    }
    fn wait_for_process(&self, process: &Process, until: Micros) -> bool {
        stat::wait(&self.clock, process, until)
    }
    fn same_executable_above(&self) -> Option<i32> {
        proc::same_executable_above()
    }
    fn exec_failure(&self, path: &[u8], errno: Errno) -> Option<String> {
        exec_failure::why(path, errno)
    }
    fn path_warnings(&self, path: &[u8]) -> Vec<SafeText> {
        path::warnings(path).into_iter().map(SafeText::from).collect()
    }
}
