//! Attributes each request to the request whose helper made it (REQ-12).

use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::{EngineError, Stage};
use crate::abi::launch_spec::helper_cgroup;
use crate::abi::record::{Kind, Record};
use crate::abi::sorted::{SortedSet, set};
use crate::policy::recursion::{self, Asker, Chain, Node, Session};
use crate::sys::host::Micros;

use super::cancel::Cancel;
use super::handle::Engine;
use super::inner::Inner;
use super::registry::Registry;

/// How long a request of a helper waits until the helper's own start is known: 1 s.
const UNTIL_STARTED: Micros = 1_000_000;

impl Engine {
    /// How many sessions of helpers the engine remembers: those of live helpers, and those of ended ones that still have
    /// a process. It reads every process of the machine.
    pub fn sessions(&self) -> usize {
        if self.check_process().is_err() {
            return 0;
        }
        self.inner.sweep(true);
        self.inner.registry.lock().lineage.len()
    }
}

impl Inner {
    /// Starts a request. One that another process makes is attributed to the request whose helper that process belongs
    /// to; it is refused if that one's chain is being ended.
    pub(super) fn begin(&self, record: &mut Record, cancel: &Cancel) -> Result<(), EngineError> {
        let (asked_by, gone) = self.attribute(record);
        let now = self.now();
        let mut registry = self.registry.lock();
        let shut = registry.lineage.shuts(asked_by.as_deref(), gone, now);
        registry.begin(record, cancel.clone(), asked_by);
        let Some(top) = shut else { return Ok(()) };
        let why = match top {
            0 => {
                "a chain of requests is being ended or has just been, and the process that made this request has ended"
                    .to_owned()
            }
            top => format!("the chain of requests that began with request {top} is being ended, or has just been"),
        };
        Err(EngineError::new(Stage::Loop, Errno::ECANCELED, why, "nothing was started"))
    }

    /// The request whose helper made this one, and whether its requester has ended. Reads /proc only for another process.
    fn attribute(&self, record: &mut Record) -> (Option<Arc<Asker>>, bool) {
        if record.actor.pid == self.actors.me(Origin::Library).pid {
            return (None, false);
        }
        self.sweep(false);
        let chain = self.chain_from_helper(&record.actor);
        record.chain = chain.links.into();
        record.asked_by = chain.asked_by.as_ref().map(|asker| asker.id);
        (chain.asked_by.map(Arc::new), chain.gone)
    }

    /// The chain of requesters of a request by `actor`, as far as it can be determined.
    pub(super) fn chain(&self, actor: &Arc<Actor>) -> Chain {
        let session = |id| self.registry.lock().lineage.session(id);
        recursion::chain(actor, |pid| self.host.process(pid), session, |pid| self.helper_by_cgroup(pid))
    }

    /// The helper in whose own cgroup a process is. A process cannot leave it without the rights of its owner, so it
    /// names the helper also of a process that has left the session and lost its parents.
    fn helper_by_cgroup(&self, pid: i32) -> Option<Session> {
        let id = self.host.helper_of_cgroup(self.helper_cgroups.as_deref()?, pid)?;
        self.registry.lock().lineage.session_of(id)
    }

    /// Like [`Self::chain`]. A helper may make a request before its worker has noted its start; then this waits for that.
    fn chain_from_helper(&self, actor: &Arc<Actor>) -> Chain {
        let clock = self.host.clock();
        let deadline = clock.now().saturating_add(UNTIL_STARTED);
        loop {
            let chain = self.chain(actor);
            let Some(session) = self.may_be_starting(&chain) else { return chain };
            let mut registry = self.registry.lock();
            while !registry.lineage.is_live(session) {
                if registry.queued == 0 || clock.now() >= deadline {
                    return chain;
                }
                registry = self.registry.wait_until(registry, clock, deadline);
            }
        }
    }

    /// The leader of a session in the chain that is a child of this process, but no known helper.
    fn may_be_starting(&self, chain: &Chain) -> Option<i32> {
        let me = self.actors.me(Origin::Library).pid;
        let at = chain.links.iter().position(|link| link.pid == me)?;
        let child = chain.links[..at].last().filter(|link| link.helper_of.is_none())?;
        self.host.process(child.pid).filter(|process| process.session == process.pid).map(|process| process.pid)
    }

    /// Forgets the sessions of ended helpers that have no process any more, if there are many or if `all` is set.
    pub(super) fn sweep(&self, all: bool) {
        let sessions = self.registry.lock().lineage.to_sweep(all);
        if sessions.is_empty() {
            return;
        }
        // A process that another one creates while /proc is read may be overlooked once, but hardly twice.
        let members = [(); 2].map(|()| self.host.members(&sessions));
        let mut kept = self.in_cgroups(&sessions);
        members.iter().flatten().for_each(|process| _ = kept.add(process.session));
        self.registry.lock().lineage.swept(&sessions, |session| kept.contains(&session));
    }

    /// Those of these sessions whose helpers' cgroups still have a process. The other cgroups are removed.
    fn in_cgroups(&self, sessions: &[i32]) -> SortedSet<i32> {
        let Some(below) = &self.helper_cgroups else { return SortedSet::new() };
        let id = |session: &i32| self.registry.lock().lineage.session(*session).map(|session| session.asker.id);
        let is_gone = |id: u64| self.host.remove_cgroup(&helper_cgroup(below, id));
        set(sessions.iter().copied().filter(|session| id(session).is_some_and(|id| !is_gone(id))))
    }

    /// Refuses requests of an engine that runs below another engine.
    pub(super) fn not_within(&self) -> Result<(), EngineError> {
        let above = self.above.get_or_init(|| self.host.same_executable_above());
        recursion::engine_within(*above).map_err(|why| {
            let advice = "let the helper call the engine that started it, or no engine";
            EngineError::new(Stage::Loop, Errno::ELOOP, why, advice)
        })
    }

    /// What to do about a request that gets no slot: names the loop that it belongs to; otherwise `else_advice`.
    pub(super) fn loop_advice(&self, id: u64, else_advice: &'static str) -> std::borrow::Cow<'static, str> {
        let registry = self.registry.lock();
        let Some((names, first)) = named_loop(&registry, id) else { return else_advice.into() };
        let held = {
            let slots = self.slots.lock();
            let is_below = |holder: &&u64| {
                **holder == first || registry.asked_by(**holder).is_some_and(|asker| asker.is_below(first))
            };
            slots.holders().iter().filter(is_below).count()
        };
        format!("it belongs to a loop, {names}, which holds {held} slots: `khelper kill --chain '#{first}'` ends it")
            .into()
    }
}

/// The loop that a live request belongs to, and the request with which its chain began.
fn named_loop(registry: &Registry, id: u64) -> Option<(String, u64)> {
    let asker = registry.asked_by(id)?;
    let mine = registry.draft(id)?;
    let title: Arc<[u8]> = mine.title().into();
    let own = Node { id, asked_by: Some(asker.id), module: mine.kind == Kind::Module, name: &title, slot: false };
    let above = asker.way_up().map(|asker| Node { id: asker.id, name: &asker.title, module: asker.module, ..own });
    let mut way: Vec<Node> = std::iter::once(own).chain(above).take(recursion::LONGEST).collect();
    way.reverse();
    let places: Vec<usize> = (0..way.len()).collect();
    let members = recursion::loop_in(&way, &places);
    let names = recursion::named(members.iter().map(|at| way[*at].name));
    Some((names, asker.way_up().last()?.id)).filter(|_| !members.is_empty())
}
