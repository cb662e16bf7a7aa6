//! Ends a chain of requests: a request and everything below it (REQ-12).

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::{EngineError, Stage};
use crate::abi::launch_spec::helper_cgroup;
use crate::abi::process::Process;
use crate::abi::snapshot::{ChainEnded, LeftProcess, Live};
use crate::abi::sorted::{SortedSet, set};
use crate::abi::time::TERM_TO_KILL;
use crate::policy::recursion::{self, Session};
use crate::sys::host::Micros;

use super::cancel::Cancel;
use super::end::no_request;
use super::handle::Engine;
use super::inner::Inner;

/// How long a request may take to notice that its wait for a slot has been ended: 0.1 s.
const UNTIL_AWAKE: Micros = 100_000;
/// How long a chain may take to end after the last signal: 1 s.
const KILL_TO_GONE: Micros = 1_000_000;

impl Engine {
    /// Ends a request and everything below it: sends `signal` to each helper, to its descendants and to what is left of
    /// the sessions of ended ones, ends the waits for a slot, and refuses requests from the chain meanwhile. Helpers that
    /// are still queued are signalled once they have started. SIGTERM is followed by SIGKILL 2 s later. Blocks until the
    /// chain has ended, at most about 3 s; the result names what is left then.
    ///
    /// # Errors
    /// `ESRCH` if nothing of the chain runs; `EOWNERDEAD` in a forked child.
    pub fn kill_chain(&self, id: u64, signal: i32) -> Result<ChainEnded, EngineError> {
        self.kill_chain_as(id, signal, self.inner.actors.me(Origin::Library))
    }

    /// Like [`Self::kill_chain`], on behalf of `actor`, whom the events name.
    pub fn kill_chain_as(&self, id: u64, signal: i32, actor: &Actor) -> Result<ChainEnded, EngineError> {
        self.check_process()?;
        self.inner.shut_chain(id)?;
        let shut = Shut { inner: &self.inner, top: id };
        let mut ending = Ending::new(&self.inner, id, signal, actor);
        let left = ending.work();
        let left_processes = ending.left_processes();
        drop(shut);
        let signalled = set(ending.helpers.keys().map(|(id, _)| *id));
        let processes = set(ending.signalled.keys().map(|(pid, _)| *pid)).len();
        Ok(ChainEnded { signalled: signalled.into_keys().collect(), processes, left, left_processes })
    }
}

/// A chain that refuses requests until this is dropped.
struct Shut<'a> {
    inner: &'a Inner,
    top: u64,
}

impl Drop for Shut<'_> {
    fn drop(&mut self) {
        let now = self.inner.now();
        self.inner.registry.lock().lineage.open(self.top, Some(now));
    }
}

/// The work of ending one chain.
struct Ending<'a> {
    inner: &'a Inner,
    top: u64,
    actor: &'a Actor,
    signal: i32,
    /// When SIGKILL follows, and when to stop waiting.
    kill_at: Option<Micros>,
    until: Micros,
    /// The helpers that got a signal, by request, and the other processes, by pid, with the signal.
    helpers: SortedSet<(u64, i32)>,
    signalled: SortedSet<(i32, i32)>,
    /// The processes of the chain that are no helpers, as they were when they were last looked for. One that leaves its
    /// session is known only as long as its parents live, so they are looked for before these end.
    strays: Vec<Process>,
    /// The sessions whose processes were looked for.
    sessions: SortedSet<i32>,
    /// Those that may belong to the chain.
    doubtful: Vec<Process>,
    /// Those that may not be signalled.
    refused: SortedSet<i32>,
}

impl<'a> Ending<'a> {
    fn new(inner: &'a Inner, top: u64, signal: i32, actor: &'a Actor) -> Self {
        let now = inner.now();
        let kill_at = (signal == Signal::SIGTERM as i32).then_some(now.saturating_add(TERM_TO_KILL));
        let patience = if signal == Signal::SIGKILL as i32 { KILL_TO_GONE } else { TERM_TO_KILL };
        let until = kill_at.map_or(now.saturating_add(patience), |kill_at| kill_at.saturating_add(KILL_TO_GONE));
        Self {
            inner,
            top,
            actor,
            signal,
            kill_at,
            until,
            helpers: SortedSet::new(),
            signalled: SortedSet::new(),
            strays: Vec::new(),
            sessions: SortedSet::new(),
            doubtful: Vec::new(),
            refused: SortedSet::new(),
        }
    }

    /// Signals the members until none is left or the time is up. Returns the requests that are left.
    fn work(&mut self) -> Vec<u64> {
        self.look();
        loop {
            let now = self.inner.now();
            let kills = self.kill_at.is_some_and(|kill_at| now >= kill_at);
            if kills {
                self.signal = Signal::SIGKILL as i32;
                self.kill_at = None;
            }
            let live = self.inner.registry.lock().live_below(self.top);
            // A helper may have started processes before its own start was noted.
            if live.iter().any(|live| live.pid.is_some_and(|pid| !self.sessions.contains(&pid))) {
                self.look();
            }
            self.end_waits(&live, now);
            live.iter().for_each(|live| self.end(live));
            // The other processes are ended last: most of them end with their helper or with their answer.
            let last = now >= self.until;
            if live.is_empty() || kills || last {
                self.look();
                self.end_strays();
            }
            let awaited = self.strays.iter().find(|stray| !self.refused.contains(&stray.pid));
            if live.is_empty() && awaited.is_none() || last {
                return live.iter().map(|live| live.id).collect();
            }
            let next = self.kill_at.unwrap_or(self.until);
            match awaited.filter(|_| live.is_empty()) {
                Some(stray) => _ = self.inner.host.wait_for_process(stray, next),
                None => self.wait_for_change(&live, next),
            }
        }
    }

    /// Ends the waits for a slot. A helper that ends gives its slot to the next request that waits, so these end first.
    fn end_waits(&self, live: &[Live], now: Micros) {
        let mut registry = self.inner.registry.lock();
        let waiting: Vec<u64> = live.iter().map(|live| live.id).filter(|id| registry.call(*id).is_none()).collect();
        let cancels: Vec<Cancel> = waiting.iter().filter_map(|id| registry.cancel(*id)).collect();
        let actor = self.inner.actors.share(self.actor);
        waiting.iter().for_each(|id| registry.note_abandoned_by(*id, actor.clone()));
        drop(registry);
        cancels.iter().for_each(Cancel::cancel);
        // One that has not begun to wait, for example because its security hook takes long, holds up nothing.
        let (clock, until) = (self.inner.host.clock(), now.saturating_add(UNTIL_AWAKE));
        let mut registry = self.inner.registry.lock();
        while clock.now() < until && waiting.iter().any(|id| registry.is_waiting(*id)) {
            registry = self.inner.registry.wait_until(registry, clock, until);
        }
    }

    /// Signals a helper, each signal once.
    fn end(&mut self, live: &Live) {
        if live.pid.is_none() || self.helpers.contains(&(live.id, self.signal)) {
            return;
        }
        // An error means that the helper has ended, or runs as another user and will be named as left.
        if self.inner.kill(live.id, self.signal, self.actor).is_ok() {
            self.helpers.add((live.id, self.signal));
        }
    }

    /// Looks for the living processes of the chain that are no live helpers.
    fn look(&mut self) {
        let (sessions, (certain, doubtful)) = self.inner.members_below(self.top);
        self.sessions = set(sessions.iter().map(|session| session.asker.pid));
        let is_helper = |pid: i32| sessions.iter().any(|s| s.ended.is_none() && s.asker.pid == pid);
        let host = &self.inner.host;
        self.strays.retain(|stray| !host.wait_for_process(stray, 0));
        let known = set(self.strays.iter().map(|stray| stray.pid));
        self.strays.extend(certain.into_iter().filter(|stray| !known.contains(&stray.pid) && !is_helper(stray.pid)));
        self.doubtful = doubtful;
    }

    /// Signals the other processes, each signal once. Only what certainly belongs to a helper is signalled.
    fn end_strays(&mut self) {
        for stray in &self.strays {
            if self.signalled.contains(&(stray.pid, self.signal)) {
                continue;
            }
            match self.inner.host.kill_process(stray, self.signal) {
                Ok(()) => _ = self.signalled.add((stray.pid, self.signal)),
                Err(Errno::ESRCH) => {}
                Err(_) => _ = self.refused.add(stray.pid),
            }
        }
    }

    /// The processes that are left. A moment is given to those that have just been signalled.
    fn left_processes(&self) -> Vec<LeftProcess> {
        let until = self.inner.now().saturating_add(UNTIL_AWAKE);
        let all = self.strays.iter().map(|stray| (stray, true)).chain(self.doubtful.iter().map(|stray| (stray, false)));
        let left = all.filter(|(stray, _)| !self.inner.host.wait_for_process(stray, until));
        left.map(|(stray, certain)| LeftProcess { pid: stray.pid, comm: stray.comm, certain }).collect()
    }

    /// Waits until a member has started or ended, or until the time `next`.
    fn wait_for_change(&self, seen: &[Live], next: Micros) {
        let clock = self.inner.host.clock();
        let mut registry = self.inner.registry.lock();
        while clock.now() < next && is_unchanged(&registry.live_below(self.top), seen) {
            registry = self.inner.registry.wait_until(registry, clock, next);
        }
    }
}

/// Whether these are the same requests with the same helpers.
fn is_unchanged(now: &[Live], seen: &[Live]) -> bool {
    now.iter().map(|live| (live.id, live.pid, live.state)).eq(seen.iter().map(|live| (live.id, live.pid, live.state)))
}

impl Inner {
    /// The sessions of a chain, with the living processes that certainly belong to them and those that may.
    fn members_below(&self, top: u64) -> (Vec<Session>, (Vec<Process>, Vec<Process>)) {
        let sessions = self.registry.lock().lineage.below(top);
        let ids: Vec<i32> = sessions.iter().map(|session| session.asker.pid).collect();
        let all = if ids.is_empty() { Vec::new() } else { self.host.members(&ids) };
        let (mut certain, doubtful) = recursion::members(all, &sessions);
        for session in &sessions {
            let Some(below) = &self.helper_cgroups else { break };
            let inside = self.host.members_of_cgroup(&helper_cgroup(below, session.asker.id));
            certain.extend(inside.into_iter().filter(|process| !certain.contains(process)).collect::<Vec<_>>());
        }
        (sessions, (certain, doubtful))
    }

    /// Refuses requests from this chain from now on, if anything of it runs.
    fn shut_chain(&self, top: u64) -> Result<(), EngineError> {
        {
            let mut registry = self.registry.lock();
            if !registry.knows(top) {
                return Err(no_request(top));
            }
            registry.lineage.shut(top);
            if !registry.live_below(top).is_empty() {
                return Ok(());
            }
        }
        let (_, (certain, doubtful)) = self.members_below(top);
        if !certain.is_empty() || !doubtful.is_empty() {
            return Ok(());
        }
        let mut registry = self.registry.lock();
        registry.lineage.open(top, None);
        let advice = match registry.first_of(top) {
            first if first == top => "see the records of its requests for how they ended".into(),
            first => format!("its chain began with request {first}: end that one"),
        };
        Err(EngineError::new(Stage::Lost, Errno::ESRCH, format!("nothing of the chain of request {top} runs"), advice))
    }
}
