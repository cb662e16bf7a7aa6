//! The real machine. A helper is born from a *worker*: a thread of the engine that has made itself ready once (own
//! descriptor table, scheduling, groups, capability sets), so that a launch has next to nothing to do.

mod attend;
mod caps;
mod child;
mod clone;
mod close;
mod dispositions;
mod inherited;
mod keyring;
mod launch;
mod loading;
mod machine;
mod path;
mod proc;
mod ready;
mod reap;
mod worker;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use nix::errno::Errno;

use super::host::{Armed, Clock, Host, Micros, Wake, Worker};
use crate::abi::cap::{CapMask, CapSets};
use crate::abi::error::SysError;
use crate::abi::who::{ChainLink, Requester};

/// This machine.
#[derive(Debug)]
pub struct LinuxHost {
    clock: RealClock,
    known: CapMask,
}

impl LinuxHost {
    /// This machine; its clock starts now.
    pub fn new() -> Self {
        Self { clock: RealClock { start: Instant::now() }, known: proc::known() }
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
    fn sets(&self) -> CapSets {
        caps::of_this_thread(self.known)
    }
    fn threads_max(&self) -> Option<u32> {
        proc::threads_max()
    }
    fn requester(&self) -> Requester {
        proc::this_process()
    }
    fn check_sigchld(&self, fix: bool) -> Result<(), SysError> {
        machine::check_sigchld(fix)
    }
    fn worker(&self) -> Result<Box<dyn Worker>, SysError> {
        Ok(Box::new(worker::LinuxWorker::new(self.known)?))
    }
    fn kill(&self, pid: i32, signal: i32) -> Result<(), Errno> {
        machine::kill(pid, signal)
    }
    fn ancestry(&self, pid: i32) -> Vec<ChainLink> {
        proc::ancestry(pid)
    }
    fn same_executable_above(&self) -> Option<i32> {
        proc::same_executable_above()
    }
    fn path_warnings(&self, path: &[u8]) -> Vec<String> {
        path::warnings(path)
    }
}
