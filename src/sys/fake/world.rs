//! The state of the scripted host, its clock, and the helpers that run on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use libc::{SIGKILL, SIGTERM};
use nix::errno::Errno;

use super::{Launch, Machine, Now, Script};
use crate::abi::actor::Comm;
use crate::abi::process::{Process, members_and_descendants};
use crate::sys::caller::{CallerState, Filters, NAMESPACES, Root};
use crate::sys::host::{Armed, Micros, Wake};

/// The pid of the first helper.
const FIRST_PID: i32 = 1001;
/// The pid of the process that has the engine.
pub(super) const ENGINE_PID: i32 = 1000;

/// The shared state. Its lock is a leaf: no code of the engine is called under it.
pub(super) struct World {
    state: Mutex<State>,
    /// Notified of every change: time, helpers, timers.
    pub(super) changed: Condvar,
}

pub(super) struct State {
    pub(super) now: Micros,
    pub(super) scripts: BTreeMap<Vec<u8>, Script>,
    pub(super) machine: Machine,
    pub(super) launches: Vec<Launch>,
    pub(super) workers_made: usize,
    pub(super) held: usize,
    pub(super) workers: usize,
    pub(super) reaped: usize,
    pub(super) executing: usize,
    /// Helpers that are not reaped yet.
    pub(super) helpers: BTreeMap<i32, Helper>,
    /// The test has failed; every helper counts as ended.
    pub(super) over: bool,
    timers: BTreeMap<u64, (Micros, Arc<dyn Wake>)>,
    next_timer: u64,
    signals: usize,
    strays: usize,
    pub(super) limit_reads: usize,
}

/// A helper that is not reaped yet.
pub(super) struct Helper {
    pub(super) ends: Micros,
    pub(super) script: Script,
    /// Whether its worker waits for it, which means that the engine knows its pid.
    pub(super) waited: bool,
    /// The signal that killed it.
    pub(super) signal: Option<i32>,
}

impl World {
    pub(super) fn new(machine: Machine) -> Arc<Self> {
        let state = State {
            now: 0,
            scripts: BTreeMap::new(),
            machine,
            launches: Vec::new(),
            workers_made: 0,
            held: 0,
            workers: 0,
            reaped: 0,
            executing: 0,
            helpers: BTreeMap::new(),
            over: false,
            timers: BTreeMap::new(),
            next_timer: 0,
            signals: 0,
            strays: 0,
            limit_reads: 0,
        };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn advance(&self, by: Micros) {
        let due: Vec<_> = {
            let mut state = self.lock();
            state.now = state.now.saturating_add(by);
            let now = state.now;
            state.timers.values().filter(|(deadline, _)| *deadline <= now).map(|(_, w)| w.clone()).collect()
        };
        self.changed.notify_all();
        // Without this lock held: `wake` takes the waiter's lock, under which the waiter has armed its timer.
        for waiter in due {
            waiter.wake();
        }
    }

    /// Called under the waiter's lock. A deadline that has already passed wakes no thread: the caller checks the clock
    /// again after arming.
    pub(super) fn arm(self: &Arc<Self>, deadline: Micros, waiter: Arc<dyn Wake>) -> Armed {
        let mut state = self.lock();
        let key = state.next_timer;
        state.next_timer += 1;
        state.timers.insert(key, (deadline, waiter));
        drop(state);
        self.changed.notify_all();
        Box::new(Timer { world: self.clone(), key })
    }

    /// SIGKILL ends a helper, and so does SIGTERM unless its script ignores that. Signals to a zombie succeed without
    /// effect.
    pub(super) fn kill(&self, pid: i32, signal: i32) -> Result<(), Errno> {
        let mut state = self.lock();
        let now = state.now;
        state.signals += 1;
        let Some(helper) = state.helpers.get_mut(&pid) else {
            state.strays += 1;
            return Err(Errno::ESRCH);
        };
        let deadly = signal == SIGKILL || signal == SIGTERM && !helper.script.ignores_term;
        if deadly && helper.signal.is_none() && now < helper.ends {
            helper.signal = Some(signal);
        }
        drop(state);
        self.changed.notify_all();
        Ok(())
    }
}

impl World {
    /// Ends a process beside the helpers, if the signal is deadly and it may be sent.
    pub(super) fn kill_process(&self, process: &Process, signal: i32) -> Result<(), Errno> {
        let mut state = self.lock();
        if !state.machine.processes.contains(process) {
            return Err(Errno::ESRCH);
        }
        if state.machine.foreign.contains(&process.pid) {
            return Err(Errno::EPERM);
        }
        state.signals += 1;
        if signal == SIGKILL || signal == SIGTERM && !state.machine.ignore_term.contains(&process.pid) {
            state.machine.processes.retain(|other| other != process);
        }
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Waits until a process has ended, or until the time `until`.
    pub(super) fn wait_for_process(&self, process: &Process, until: Micros) -> bool {
        let mut state = self.lock();
        loop {
            let ended = state.process(process.pid).is_none_or(|now| now.start_time != process.start_time);
            if ended || state.over || state.now >= until {
                return ended;
            }
            state = self.wait(state);
        }
    }
}

impl State {
    /// The process with this pid: a helper that lives, or one that the test has added.
    pub(super) fn process(&self, pid: i32) -> Option<Process> {
        let added = || self.machine.processes.iter().find(|process| process.pid == pid).cloned();
        self.helpers.get(&pid).filter(|helper| self.alive(helper)).map(|_| helper_process(pid)).or_else(added)
    }

    pub(super) fn members(&self, sessions: &[i32]) -> Vec<Process> {
        let helpers = self.helpers.iter().filter(|(_, helper)| self.alive(helper)).map(|(pid, _)| helper_process(*pid));
        let all = helpers.chain(self.machine.processes.iter().cloned());
        members_and_descendants(all.collect(), sessions)
    }

    pub(super) fn counts(&self) -> Now {
        Now {
            workers_made: self.workers_made,
            held: self.held,
            workers: self.workers,
            reaped: self.reaped,
            executing: self.executing,
            running: self.helpers.values().filter(|h| h.waited && self.alive(h)).count(),
            launched: self.launches.len(),
            on_clock: self.timers.len(),
            signals: self.signals,
            strays: self.strays,
            limit_reads: self.limit_reads,
        }
    }

    pub(super) fn alive(&self, helper: &Helper) -> bool {
        !self.over && helper.signal.is_none() && self.now < helper.ends
    }

    /// The pid of the next helper; no pid is used twice.
    pub(super) fn next_pid(&self) -> i32 {
        FIRST_PID.saturating_add(i32::try_from(self.launches.len()).unwrap_or(i32::MAX))
    }
}

impl Machine {
    /// The state of every thread.
    pub(super) fn caller_state(&self) -> CallerState {
        CallerState {
            sets: self.sets,
            ids: Some([0; 6]),
            securebits: Some(0),
            no_new_privs: Some(false),
            seccomp: Filters::Initial,
            root: self.root.map(|mount| Root { device: (0, 1), inode: 1, mount }),
            namespaces: Some([1; NAMESPACES]),
        }
    }
}

/// A helper, which leads a session of its own.
fn helper_process(pid: i32) -> Process {
    Process {
        pid,
        comm: Comm::new(b"helper"),
        lives: true,
        parent: ENGINE_PID,
        session: pid,
        start_time: 1,
        started: 0,
    }
}

/// An armed timer.
struct Timer {
    world: Arc<World>,
    key: u64,
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.world.lock().timers.remove(&self.key);
        self.world.changed.notify_all();
    }
}
