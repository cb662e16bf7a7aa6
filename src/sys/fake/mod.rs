//! A scripted host with a virtual clock, for tests of the engine. It creates no process, time passes only when the test
//! says so, and the test waits for real events, never for a fixed time.
//!
//! ```
//! use khelper::engine::Engine;
//! use khelper::sys::fake::{FakeHost, Script};
//!
//! let host = FakeHost::new();
//! host.script("/sbin/modprobe", Script { runs: 2_000_000, ..Script::default() });
//! let engine = Engine::builder().host(host.clone()).start().unwrap();
//! std::thread::scope(|s| {
//!     let caller = s.spawn(|| engine.request_module("dummy", true));
//!     host.wait_for("a helper to run", |now| now.running == 1);
//!     host.advance(2_000_000);
//!     assert_eq!(caller.join().unwrap().result, Some(0));
//! });
//! ```

mod script;
mod worker;
mod world;

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;

use super::caller::CallerState;
use super::host::{Armed, CapPlan, Clock, Host, Micros, Wake, Worker};
use crate::abi::actor::{Actor, Origin};
use crate::abi::cap::{CapMask, CapSets, ThreadSets};
use crate::abi::error::SysError;
use crate::abi::launch_spec::{Enforcement, Stdin};
use crate::abi::process::Process;
use crate::abi::safe_text::SafeText;

pub use script::{FOREVER, Panics, Script};
use worker::FakeWorker;
use world::{ENGINE_PID, World};

/// How long a test waits for an event before it fails: longer than the slowest machine needs, so only a hang fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is happening on this host: counts for a test to wait for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Workers created so far.
    pub workers_made: usize,
    /// Workers whose creation is on hold.
    pub held: usize,
    /// Workers that were created and have not ended.
    pub workers: usize,
    /// Helpers that are reaped, but whose workers are on hold before they report it.
    pub reaped: usize,
    /// Launches whose exec has neither succeeded nor failed yet.
    pub executing: usize,
    /// Running helpers that the engine waits for: it knows their pids.
    pub running: usize,
    /// Helpers launched so far, including those that have ended.
    pub launched: usize,
    /// Threads of the engine that sleep until a time on the virtual clock.
    pub on_clock: usize,
    /// Signals sent.
    pub signals: usize,
    /// Signals sent to a pid that was already reaped; this must stay 0.
    pub strays: usize,
    /// How often `threads_max` was read.
    pub limit_reads: usize,
}

/// One helper, as it was launched.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Its process id.
    pub pid: i32,
    /// The program.
    pub path: Vec<u8>,
    /// argv.
    pub argv: Vec<Vec<u8>>,
    /// Its environment.
    pub envp: Vec<Vec<u8>>,
    /// What it reads.
    pub stdin: Stdin,
    /// Whether its output is read.
    pub capture: bool,
    /// Whether it got `no_new_privs`.
    pub no_new_privs: bool,
    /// Its worker's sets, after all narrowing.
    pub sets: CapPlan,
}

/// What the test can change about the machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// `kernel.threads-max`.
    pub threads_max: Option<u32>,
    /// The sets of every thread whose sets were not narrowed.
    pub sets: ThreadSets,
    /// The root directory of every thread, as the id of its mount; `None`: it cannot be read.
    pub root: Option<u64>,
    /// How a worker enforces the masks.
    pub enforcement: Enforcement,
    /// While true, no worker is created, and calls that need one stay queued.
    pub hold_workers: bool,
    /// While true, workers do not report the end of a helper that they have reaped.
    pub hold_reaped: bool,
    /// Creating a worker fails with this errno.
    pub no_worker: Option<Errno>,
    /// SIGCHLD is ignored, until it is set to its default.
    pub sigchld_ignored: bool,
    /// The processes beside the helpers. A helper is a child of process 1000, the engine's, in a session of its own.
    pub processes: Vec<Process>,
    /// Those of them that ignore SIGTERM, by pid.
    pub ignore_term: Vec<i32>,
    /// Those of them that this process may not signal, by pid.
    pub foreign: Vec<i32>,
    /// The result of `same_executable_above`.
    pub above: Option<i32>,
    /// The process that has the engine. An engine reads it once, when it starts.
    pub actor: Actor,
}

/// The scripted host.
pub struct FakeHost {
    world: Arc<World>,
}

/// Longer than any wait of the engine.
const END: Micros = 365 * 86_400 * 1_000_000;
/// Every capability that the scripted kernel knows.
const KNOWN: CapMask = CapMask::up_to(40);

impl FakeHost {
    /// A machine with every capability, no program and a clock at 0.
    pub fn new() -> Arc<Self> {
        let all = CapSets { permitted: KNOWN, effective: KNOWN, bounding: KNOWN, ..CapSets::default() };
        let machine = Machine {
            threads_max: Some(100_000),
            sets: all.into(),
            root: Some(1),
            enforcement: Enforcement::Masks,
            hold_workers: false,
            hold_reaped: false,
            no_worker: None,
            sigchld_ignored: false,
            processes: Vec::new(),
            ignore_term: Vec::new(),
            foreign: Vec::new(),
            above: None,
            actor: Actor {
                start_time: Some(4711),
                loginuid: Some(1001),
                effective: KNOWN,
                ..Actor::new(Origin::Library, ENGINE_PID, 0, 7, b"test")
            },
        };
        Arc::new(Self { world: World::new(machine) })
    }

    /// Sets the script that runs for `path` from now on; a path without a script does not exist.
    pub fn script(&self, path: &str, script: Script) {
        self.world.lock().scripts.insert(path.as_bytes().to_vec(), script);
    }

    /// Changes the machine.
    pub fn change(&self, change: impl FnOnce(&mut Machine)) {
        change(&mut self.world.lock().machine);
        self.world.changed.notify_all();
    }

    /// Advances the clock, in microseconds, and wakes the threads whose deadline has passed.
    pub fn advance(&self, by: Micros) {
        self.world.advance(by);
    }

    /// Ends every helper, held worker and wait, so that a failed test leaves no thread behind. Results after this call
    /// mean nothing.
    pub fn end_the_world(&self) {
        self.world.lock().over = true;
        self.change(|m| (m.hold_workers, m.hold_reaped) = (false, false));
        self.advance(END);
    }

    /// Waits for an event; panics with the text `what` if it does not occur within 20 seconds.
    pub fn wait_for(&self, what: &str, happened: impl Fn(&Now) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.world.lock();
        loop {
            let now = state.counts();
            if happened(&now) {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "timed out waiting for {what}: {now:?}");
            state = self.world.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The current counts.
    pub fn counts(&self) -> Now {
        self.world.lock().counts()
    }

    /// Every helper launched, in order.
    pub fn launches(&self) -> Vec<Launch> {
        self.world.lock().launches.clone()
    }
}

impl Clock for FakeHost {
    fn now(&self) -> Micros {
        self.world.lock().now
    }
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(self.now())
    }
    fn arm(&self, deadline: Micros, waiter: Arc<dyn Wake>) -> Option<Armed> {
        Some(self.world.arm(deadline, waiter))
    }
}

impl Host for FakeHost {
    fn clock(&self) -> &dyn Clock {
        self
    }
    fn known(&self) -> CapMask {
        KNOWN
    }
    fn sets(&self) -> ThreadSets {
        self.world.lock().machine.sets
    }
    fn caller_state(&self) -> CallerState {
        self.world.lock().machine.caller_state()
    }
    fn threads_max(&self) -> Option<u32> {
        let mut state = self.world.lock();
        state.limit_reads += 1;
        state.machine.threads_max
    }
    fn actor(&self) -> Actor {
        self.world.lock().machine.actor.clone()
    }
    fn check_sigchld(&self, fix: bool) -> Result<(), SysError> {
        let machine = &mut self.world.lock().machine;
        if machine.sigchld_ignored && !fix {
            return Err(SysError::new("SIGCHLD is ignored", Errno::ECHILD));
        }
        machine.sigchld_ignored = false;
        Ok(())
    }
    fn detach_root(&self) {}
    fn worker(&self) -> Result<Box<dyn Worker>, SysError> {
        FakeWorker::make(&self.world)
    }
    fn kill(&self, pid: i32, signal: i32) -> Result<(), Errno> {
        self.world.kill(pid, signal)
    }
    fn process(&self, pid: i32) -> Option<Process> {
        self.world.lock().process(pid)
    }
    fn members(&self, sessions: &[i32]) -> Vec<Process> {
        self.world.lock().members(sessions)
    }
    fn kill_process(&self, process: &Process, signal: i32) -> Result<(), Errno> {
        self.world.kill_process(process, signal)
    }
    fn wait_for_process(&self, process: &Process, until: Micros) -> bool {
        self.world.wait_for_process(process, until)
    }
    fn same_executable_above(&self) -> Option<i32> {
        self.world.lock().machine.above
    }
    fn path_warnings(&self, path: &[u8]) -> Vec<SafeText> {
        if path.is_empty() || self.world.lock().scripts.contains_key(path) {
            return Vec::new();
        }
        vec!["no such file".into()]
    }
}
