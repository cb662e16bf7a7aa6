//! Ends a chain of requests: a request and everything below it (REQ-12).

use std::collections::BTreeSet;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::{EngineError, Stage};
use crate::abi::process::Process;
use crate::abi::snapshot::{ChainEnded, Live};
use crate::abi::time::TERM_TO_KILL;
use crate::policy::recursion;
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
    /// Ends a request and everything below it: sends `signal` to each helper and to what is left of the sessions of ended
    /// ones, ends the waits for a slot, and refuses requests from the chain meanwhile. Helpers that are still queued are
    /// signalled once they have started. SIGTERM is followed by SIGKILL 2 s later. Blocks until the chain has ended, at
    /// most 3 s.
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
        drop(shut);
        let signalled: BTreeSet<u64> = ending.helpers.iter().map(|(id, _)| *id).collect();
        let strays: BTreeSet<i32> = ending.strays.iter().map(|(pid, _)| *pid).collect();
        Ok(ChainEnded { signalled: signalled.into_iter().collect(), processes: strays.len(), left })
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
    helpers: BTreeSet<(u64, i32)>,
    strays: BTreeSet<(i32, i32)>,
}

impl<'a> Ending<'a> {
    fn new(inner: &'a Inner, top: u64, signal: i32, actor: &'a Actor) -> Self {
        let now = inner.now();
        let kill_at = (signal == Signal::SIGTERM as i32).then_some(now.saturating_add(TERM_TO_KILL));
        let patience = if signal == Signal::SIGKILL as i32 { KILL_TO_GONE } else { TERM_TO_KILL };
        let until = kill_at.map_or(now.saturating_add(patience), |kill_at| kill_at.saturating_add(KILL_TO_GONE));
        Self { inner, top, actor, signal, kill_at, until, helpers: BTreeSet::new(), strays: BTreeSet::new() }
    }

    /// Signals the members until none is left or the time is up. Returns the requests that are left.
    fn work(&mut self) -> Vec<u64> {
        loop {
            let now = self.inner.now();
            if self.kill_at.is_some_and(|kill_at| now >= kill_at) {
                self.signal = Signal::SIGKILL as i32;
                self.kill_at = None;
            }
            let live = self.inner.registry.lock().live_below(self.top);
            self.end_waits(&live, now);
            live.iter().for_each(|live| self.end(live));
            // What is left of sessions is ended last: most of it ends with its helper or with its answer.
            let strays = if live.is_empty() { self.strays() } else { Vec::new() };
            strays.iter().for_each(|stray| self.end_stray(stray));
            if live.is_empty() && strays.is_empty() || now >= self.until {
                return live.iter().map(|live| live.id).collect();
            }
            let next = self.kill_at.unwrap_or(self.until);
            match strays.first() {
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
            self.helpers.insert((live.id, self.signal));
        }
    }

    /// The living processes of the chain's sessions that are no live helpers.
    fn strays(&self) -> Vec<Process> {
        let sessions = self.inner.registry.lock().lineage.below(self.top);
        let ids: Vec<i32> = sessions.iter().map(|session| session.asker.pid).collect();
        // Only what certainly belongs to a helper is signalled.
        if ids.is_empty() { Vec::new() } else { recursion::members(self.inner.host.members(&ids), &sessions) }
    }

    fn end_stray(&mut self, stray: &Process) {
        if self.strays.insert((stray.pid, self.signal)) {
            // An error means that it has ended, or runs as another user.
            let _ = self.inner.host.kill_process(stray, self.signal);
        }
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
    /// Refuses requests from this chain from now on, if anything of it runs.
    fn shut_chain(&self, top: u64) -> Result<(), EngineError> {
        let sessions = {
            let mut registry = self.registry.lock();
            if !registry.knows(top) {
                return Err(no_request(top));
            }
            registry.lineage.shut(top);
            if !registry.live_below(top).is_empty() {
                return Ok(());
            }
            registry.lineage.below(top)
        };
        let ids: Vec<i32> = sessions.iter().map(|session| session.asker.pid).collect();
        if !ids.is_empty() && !recursion::members(self.host.members(&ids), &sessions).is_empty() {
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
