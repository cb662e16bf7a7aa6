//! A host that is this machine, except for the faults that a test sets.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::SystemTime;

use khelper::abi::actor::Actor;
use khelper::abi::cap::{CapMask, ThreadSets};
use khelper::abi::error::SysError;
use khelper::abi::process::Process;
use khelper::sys::caller::CallerState;
use khelper::sys::host::{Armed, Clock, Host, Micros, Wake, Worker};
use khelper::sys::linux::LinuxHost;
use nix::errno::Errno;

/// A modprobe path for which `path_warnings` panics.
pub const WRONG_PATH: &[u8] = b"/wrong";

/// A modprobe path for which `path_warnings` advances the clock by a minute.
pub const LATER_PATH: &[u8] = b"/later";
const MINUTE: Micros = 61_000_000;

/// This machine, with faults that a test sets. Each fault occurs once.
#[derive(Default)]
pub struct Odd {
    machine: LinuxHost,
    /// How much the clock is ahead, in microseconds.
    ahead: AtomicU64,
    /// Reading the clock on this thread panics.
    pub time: Mutex<Option<ThreadId>>,
    /// Signalling a helper panics.
    pub kill: AtomicBool,
    /// Reading a process panics.
    pub chain: AtomicBool,
}

impl Clock for Odd {
    fn now(&self) -> Micros {
        let wrong = self.time.lock().unwrap().take_if(|id| *id == thread::current().id());
        assert!(wrong.is_none(), "the clock is wrong");
        self.machine.clock().now() + self.ahead.load(Ordering::Acquire)
    }
    fn wall(&self) -> SystemTime {
        self.machine.clock().wall()
    }
    fn arm(&self, _: Micros, _: Arc<dyn Wake>) -> Option<Armed> {
        None
    }
}

impl Host for Odd {
    fn clock(&self) -> &dyn Clock {
        self
    }
    fn known(&self) -> CapMask {
        self.machine.known()
    }
    fn sets(&self) -> ThreadSets {
        self.machine.sets()
    }
    fn caller_state(&self) -> CallerState {
        self.machine.caller_state()
    }
    fn threads_max(&self) -> Option<u32> {
        self.machine.threads_max()
    }
    fn actor(&self) -> Actor {
        self.machine.actor()
    }
    fn check_sigchld(&self, fix: bool) -> Result<(), SysError> {
        self.machine.check_sigchld(fix)
    }
    fn detach_root(&self) {
        self.machine.detach_root();
    }
    fn worker(&self) -> Result<Box<dyn Worker>, SysError> {
        self.machine.worker()
    }
    fn kill(&self, pid: i32, signal: i32) -> Result<(), Errno> {
        assert!(!self.kill.swap(false, Ordering::AcqRel), "the kill is wrong");
        self.machine.kill(pid, signal)
    }
    fn wait_for_group(&self, leader: i32, until: Micros) -> Vec<i32> {
        self.machine.wait_for_group(leader, until)
    }
    fn process(&self, pid: i32) -> Option<Process> {
        assert!(!self.chain.swap(false, Ordering::AcqRel), "the chain is wrong");
        self.machine.process(pid)
    }
    fn members(&self, sessions: &[i32]) -> Vec<Process> {
        self.machine.members(sessions)
    }
    fn kill_process(&self, process: &Process, signal: i32) -> Result<(), Errno> {
        self.machine.kill_process(process, signal)
    }
    fn wait_for_process(&self, process: &Process, until: Micros) -> bool {
        self.machine.wait_for_process(process, until)
    }
    fn same_executable_above(&self) -> Option<i32> {
        // A test runs this program again as its child, which is not a loop of helpers (REQ-12).
        None
    }
    fn exec_failure(&self, path: &[u8], errno: Errno) -> Option<String> {
        self.machine.exec_failure(path, errno)
    }
    fn path_warnings(&self, path: &[u8]) -> Vec<khelper::abi::safe_text::SafeText> {
        assert_ne!(path, WRONG_PATH, "the path is wrong");
        if path == LATER_PATH {
            self.ahead.fetch_add(MINUTE, Ordering::AcqRel);
        }
        self.machine.path_warnings(path)
    }
}
