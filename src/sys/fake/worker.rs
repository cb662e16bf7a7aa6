//! A worker of the scripted host.

use std::sync::Arc;

use nix::errno::Errno;

use super::world::{Helper, World};
use super::{Launch, Panics, Script};
use crate::abi::cap::{CapMask, CapSets, ThreadSets};
use crate::abi::error::SysError;
use crate::abi::launch_spec::{Enforcement, LaunchSpec};
use crate::abi::wait::WaitStatus;
use crate::sys::caller::CallerState;
use crate::sys::host::{CapPlan, Ended, LaunchFailure, Launched, Stream, Watcher, Worker};

pub(super) struct FakeWorker {
    world: Arc<World>,
    /// The sets of the thread that created it.
    host: ThreadSets,
    /// The sets that are left after all narrowing.
    sets: CapPlan,
    /// The helper that it launched last, and whether its output is read.
    last: Option<(i32, bool)>,
}

impl FakeWorker {
    pub(super) fn make(world: &Arc<World>) -> Result<Box<dyn Worker>, SysError> {
        let mut state = world.lock();
        state.held += 1;
        world.changed.notify_all();
        while state.machine.hold_workers {
            state = world.wait(state);
        }
        state.held -= 1;
        if let Some(errno) = state.machine.no_worker {
            return Err(SysError::new("unshare", errno));
        }
        state.workers_made += 1;
        let host = state.machine.sets;
        state.workers += 1;
        drop(state);
        world.changed.notify_all();
        let sets = CapPlan { bounding: host.bounding.at_most(), inheritable: host.inheritable.at_most() };
        Ok(Box::new(Self { world: world.clone(), host, sets, last: None }))
    }

    /// The sets of a helper with uid 0, which exec computes from its bounding set.
    fn helper_sets(&self) -> CapSets {
        CapSets {
            inheritable: self.sets.inheritable,
            permitted: self.sets.bounding | self.sets.inheritable,
            effective: self.sets.bounding | self.sets.inheritable,
            bounding: self.sets.bounding,
            ambient: CapMask::EMPTY,
        }
    }

    /// Waits as long as the script's exec takes; the launch counts as executing meanwhile.
    fn exec(&self, script: &Script) {
        let mut state = self.world.lock();
        let decided = state.now.saturating_add(script.exec);
        state.executing += 1;
        self.world.changed.notify_all();
        while state.now < decided && !state.over {
            state = self.world.wait(state);
        }
        state.executing -= 1;
        drop(state);
        self.world.changed.notify_all();
    }
}

impl Drop for FakeWorker {
    fn drop(&mut self) {
        self.world.lock().workers -= 1;
        self.world.changed.notify_all();
    }
}

impl Worker for FakeWorker {
    fn host_sets(&self) -> ThreadSets {
        self.host
    }

    fn has_root_of(&self, caller: &CallerState) -> bool {
        caller.root.is_none_or(|root| self.world.lock().machine.root == Some(root.mount))
    }

    fn narrow(&mut self, plan: &CapPlan) -> Enforcement {
        let enforced = self.world.lock().machine.enforcement;
        if enforced != Enforcement::Refused {
            self.sets.bounding = self.sets.bounding & plan.bounding;
            self.sets.inheritable = self.sets.inheritable & plan.inheritable;
        }
        enforced
    }

    fn launch(&mut self, image: &LaunchSpec) -> Result<Launched, LaunchFailure> {
        let script = self.world.lock().scripts.get(image.path.as_bytes()).cloned();
        let script = script.ok_or(LaunchFailure::Exec(Errno::ENOENT))?;
        assert_ne!(script.panics, Some(Panics::InLaunch), "as the script says");
        self.exec(&script);
        if let Some(failure) = script.fails {
            return Err(failure);
        }
        let bytes = |strings: &[std::ffi::CString]| strings.iter().map(|s| s.as_bytes().to_vec()).collect();
        let mut state = self.world.lock();
        let pid = state.next_pid();
        let launch = Launch {
            pid,
            path: image.path.as_bytes().to_vec(),
            argv: bytes(&image.argv),
            envp: bytes(&image.envp),
            stdin: image.stdin.clone(),
            capture: image.capture,
            no_new_privs: image.no_new_privs,
            sets: self.sets,
        };
        state.launches.push(launch);
        let ends = state.now.saturating_add(script.runs);
        let not_enforced = script.not_enforced.clone();
        state.helpers.insert(pid, Helper { ends, script, waited: false, signal: None });
        self.last = Some((pid, image.capture));
        drop(state);
        self.world.changed.notify_all();
        Ok(Launched { pid, not_enforced, undecided: false })
    }

    fn wait(&mut self, watcher: &mut dyn Watcher) -> Ended {
        let Some((pid, capture)) = self.last.take() else { return Ended::default() };
        let script = self.world.lock().helpers.get(&pid).map(|h| h.script.clone()).unwrap_or_default();
        assert_ne!(script.panics, Some(Panics::InWait), "as the script says");
        if capture {
            watcher.output(Stream::Stdout, &script.stdout);
            watcher.output(Stream::Stderr, &script.stderr);
        }
        let mut state = self.world.lock();
        if let Some(helper) = state.helpers.get_mut(&pid) {
            helper.waited = true;
            self.world.changed.notify_all();
        }
        let status = loop {
            match state.helpers.get(&pid) {
                None => break None,
                Some(helper) if state.alive(helper) => state = self.world.wait(state),
                Some(Helper { signal: Some(signal), .. }) => break Some(WaitStatus::from_raw(*signal)),
                Some(helper) => break helper.script.status,
            }
        };
        drop(state);
        // Dead and not reaped. Called without this world's lock: a thread that kills takes it under the watcher's lock.
        watcher.about_to_reap();
        let mut state = self.world.lock();
        state.helpers.remove(&pid);
        state.reaped += 1;
        self.world.changed.notify_all();
        while state.machine.hold_reaped {
            state = self.world.wait(state);
        }
        state.reaped -= 1;
        Ended {
            status,
            caps: Some(self.helper_sets()),
            caps_started: script.caps_started,
            cpu_us: script.cpu_us,
            max_rss_kib: script.max_rss_kib,
            ..Ended::default()
        }
    }
}
