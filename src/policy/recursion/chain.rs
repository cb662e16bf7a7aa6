//! The chain of requesters (REQ-12): from the process that made a request, through its parents, to the helper that they
//! belong to, then to the process that requested that helper, and so on.
//!
//! Every helper leads a session of its own, and no process can enter a session: one that is not its leader has inherited
//! it. The session's id is not given to another process before the session is empty. So the session of a process names
//! its helper also when its parents and the helper itself are dead.

use std::sync::Arc;

use crate::abi::actor::{Actor, ChainLink, Comm};
use crate::abi::process::Process;
use crate::abi::time::Micros;

/// The longest chain that is followed.
pub const LONGEST: usize = 64;

/// A request with a helper.
#[derive(Clone)]
pub struct Asker {
    /// The request.
    pub id: u64,
    /// Whether it is a module request.
    pub module: bool,
    /// The module's name or the helper's path.
    pub title: Arc<[u8]>,
    /// Its helper, and so the helper's session.
    pub pid: i32,
    /// The name of the helper's program.
    pub comm: Comm,
    /// The process that made the request.
    pub actor: Arc<Actor>,
    /// The request whose helper made it.
    pub asked_by: Option<Arc<Asker>>,
}

impl Asker {
    /// Whether this request is `top` or below it.
    pub fn is_below(&self, top: u64) -> bool {
        self.way_up().any(|asker| asker.id == top)
    }

    /// This request and those that led to it, nearest first.
    pub fn way_up(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |asker| asker.asked_by.as_deref())
    }

    /// The same request, whose helper has this name now.
    fn named(&self, comm: Comm) -> Self {
        let mut asker = self.clone();
        asker.comm = comm;
        asker
    }
}

impl Drop for Asker {
    /// Drops a long chain without recursion.
    fn drop(&mut self) {
        let mut next = self.asked_by.take();
        while let Some(mut asker) = next.and_then(Arc::into_inner) {
            next = asker.asked_by.take();
        }
    }
}

/// The session of a helper.
#[derive(Clone)]
pub struct Session {
    /// The helper's request.
    pub asker: Asker,
    /// When the helper ended, on the engine's clock; `None` while it lives.
    pub ended: Option<Micros>,
}

/// A chain of requesters.
pub struct Chain {
    /// Its links, nearest first; at most [`LONGEST`].
    pub links: Vec<ChainLink>,
    /// The request whose helper made the request.
    pub asked_by: Option<Asker>,
    /// Whether the requester has ended. If it is a zombie, its chain can still be told.
    pub gone: bool,
}

/// Where the chain leads next.
enum Step {
    /// To the process that made a request, and if that has ended, to the request whose helper it belonged to.
    Requester(Arc<Actor>, Option<Arc<Asker>>),
    /// To a process that exists, known or guessed.
    Process(Process, bool),
    /// To a helper, known or guessed.
    Helper(Asker, bool),
    /// To a process about which nothing can be read, known or guessed.
    Unreadable(i32, bool),
}

/// Follows the chain that led to a request of `actor`. `process` reads a process, `session` finds the helper whose
/// session has this id, and `cgroup` the helper in whose own cgroup a process is.
pub fn chain(
    actor: &Arc<Actor>,
    process: impl Fn(i32) -> Option<Process>,
    session: impl Fn(i32) -> Option<Session>,
    cgroup: impl Fn(i32) -> Option<Session>,
) -> Chain {
    let mut chain = Chain { links: Vec::new(), asked_by: None, gone: false };
    let mut next = Some(Step::Requester(actor.clone(), None));
    while chain.links.len() < LONGEST
        && let Some(step) = next
    {
        next = match step {
            Step::Requester(actor, asked_by) => match process(actor.pid).filter(|p| is_same(&actor, p)) {
                Some(process) => {
                    chain.gone |= chain.links.is_empty() && !process.lives;
                    Some(Step::Process(process, true))
                }
                None => {
                    chain.gone |= chain.links.is_empty();
                    chain.push(actor.pid, actor.comm, true, None);
                    asked_by.map(|asker| Step::Helper(Asker::clone(&asker), true))
                }
            },
            Step::Process(p, _) if chain.has(p.pid) => None,
            Step::Process(p, known) => chain.through(p, known, &process, &session, &cgroup),
            Step::Helper(asker, known) => chain.helper(asker, known),
            Step::Unreadable(pid, known) => {
                chain.push(pid, Comm::default(), known, None);
                None
            }
        };
    }
    chain
}

/// Whether the process is the actor, and not a later one with its pid.
fn is_same(actor: &Actor, process: &Process) -> bool {
    actor.start_time.is_none_or(|start_time| start_time == process.start_time)
}

/// Whether a process is certainly a member of the helper's session, and not of a later session with the same id. It is
/// if the helper lived when the process started: then the id was the helper's. (To a clock tick: in so short a time the
/// kernel does not use all other pids.)
pub fn is_member(process: &Process, session: &Session) -> bool {
    process.session == session.asker.pid && session.ended.is_none_or(|ended| process.started <= ended)
}

/// Those of these processes that are certainly members of one of the sessions, or descendants of such a member; and
/// those that only may be members.
pub fn members(mut processes: Vec<Process>, sessions: &[Session]) -> (Vec<Process>, Vec<Process>) {
    let is_member = |process: &Process| sessions.iter().any(|session| is_member(process, session));
    let mut members: Vec<Process> = processes.extract_if(.., |process| is_member(process)).collect();
    let mut at = 0;
    while at < members.len() {
        let pid = members[at].pid;
        let children: Vec<Process> = processes.extract_if(.., |child| child.parent == pid).collect();
        members.extend(children);
        at += 1;
    }
    // A living leader means that the helper's session was empty, and that this is a later one.
    let is_later = |id: i32| processes.iter().any(|leader| leader.pid == id);
    let ids = sessions.iter().map(|session| session.asker.pid).filter(|id| !is_later(*id)).collect::<Vec<_>>();
    processes.retain(|process| ids.contains(&process.session));
    (members, processes)
}

impl Chain {
    fn has(&self, pid: i32) -> bool {
        self.links.iter().any(|link| link.pid == pid)
    }

    fn push(&mut self, pid: i32, comm: Comm, known: bool, helper_of: Option<u64>) {
        self.links.push(ChainLink { pid, comm, known, helper_of });
    }

    fn helper(&mut self, asker: Asker, known: bool) -> Option<Step> {
        self.push(asker.pid, asker.comm, known, Some(asker.id));
        let next = Step::Requester(asker.actor.clone(), asker.asked_by.clone());
        self.asked_by.get_or_insert(asker);
        Some(next)
    }

    /// Adds a process that exists. Next comes its requester if it is a helper, else its parent. If it has lost its parent, the
    /// helper of its session comes next, or else the leader of its session as a guess.
    fn through(
        &mut self,
        p: Process,
        known: bool,
        process: impl Fn(i32) -> Option<Process>,
        session: impl Fn(i32) -> Option<Session>,
        cgroup: impl Fn(i32) -> Option<Session>,
    ) -> Option<Step> {
        let leads = p.pid == p.session;
        // A living process has the pid of a helper that has ended: the helper's session is empty, and this is another one.
        let is_reused = || leads || process(p.session).is_some();
        let helper = session(p.session).filter(|helper| helper.ended.is_none() || !is_reused());
        if leads && let Some(Session { asker, ended: None }) = &helper {
            return self.helper(asker.named(p.comm), known);
        }
        self.push(p.pid, p.comm, known, None);
        let parent = if p.parent > 0 { process(p.parent) } else { None };
        // A child is created in its parent's session.
        let adopted = !leads && (p.parent <= 1 || parent.as_ref().is_none_or(|parent| parent.session != p.session));
        match helper {
            Some(helper) if adopted => {
                let known = is_member(&p, &helper);
                let living = if helper.ended.is_none() { process(p.session) } else { None };
                return Some(living.map_or(Step::Helper(helper.asker, known), |leader| Step::Process(leader, true)));
            }
            _ => {}
        }
        // It has left its session. Its helper's cgroup names the helper, unless its parent is in there too.
        if let Some(helper) = cgroup(p.pid)
            && cgroup(p.parent).is_none_or(|parents| parents.asker.id != helper.asker.id)
        {
            return Some(Step::Helper(helper.asker, true));
        }
        if p.parent <= 1 && p.session > 1 && !self.has(p.session) {
            return Some(process(p.session).map_or(Step::Unreadable(p.session, false), |p| Step::Process(p, false)));
        }
        match parent {
            Some(parent) => Some(Step::Process(parent, true)),
            None if p.parent > 0 && !self.has(p.parent) => Some(Step::Unreadable(p.parent, true)),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::abi::actor::Origin;

    fn proc(pid: i32, parent: i32, session: i32, started: Micros) -> Process {
        Process { pid, comm: Comm::new(b"sh"), lives: true, parent, session, start_time: started, started }
    }

    fn actor(pid: i32) -> Arc<Actor> {
        Actor::new(Origin::Outside, pid, 0, 0, b"asker").into()
    }

    fn helper(id: u64, pid: i32, requester: i32, asked_by: Option<&Asker>) -> Asker {
        Asker {
            id,
            module: true,
            title: Arc::from(&b"a"[..]),
            pid,
            comm: Comm::new(b"modprobe"),
            actor: actor(requester),
            asked_by: asked_by.map(|asker| Arc::new(asker.clone())),
        }
    }

    /// Pid, whether it is known, and the request whose helper it is.
    type Link = (i32, bool, Option<u64>);

    fn follow(pid: i32, processes: &[Process], sessions: &[Session]) -> (Vec<Link>, Option<u64>) {
        let process = |pid| processes.iter().find(|p| p.pid == pid).cloned();
        let session = |pid| sessions.iter().find(|s| s.asker.pid == pid).cloned();
        let chain = chain(&actor(pid), process, session, |_| None);
        let links = chain.links.iter().map(|link| (link.pid, link.known, link.helper_of)).collect();
        (links, chain.asked_by.as_ref().map(|asker| asker.id))
    }

    /// init 1, the engine 10, a user's shell 20 in session 20; helper 100 of request 7, asked for by the shell.
    fn machine() -> (Vec<Process>, Vec<Session>) {
        let processes = vec![proc(1, 0, 1, 0), proc(10, 1, 10, 0), proc(20, 1, 20, 0), proc(100, 10, 100, 50)];
        (processes, vec![Session { asker: helper(7, 100, 20, None), ended: None }])
    }

    #[test]
    fn req_12_a_chain_leads_from_a_helper_to_its_requester() {
        let (mut processes, sessions) = machine();
        processes.push(proc(101, 100, 100, 60));
        let (links, asked_by) = follow(101, &processes, &sessions);
        let past_helper = [(101, true, None), (100, true, Some(7)), (20, true, None), (1, true, None)];
        assert_eq!((links.as_slice(), asked_by), (&past_helper[..], Some(7)));
        // Its parent is dead, and init has adopted it.
        processes.push(proc(102, 1, 100, 60));
        let (links, asked_by) = follow(102, &processes, &sessions);
        assert_eq!((links[1..2].to_vec(), asked_by), (vec![(100, true, Some(7))], Some(7)));
        // A process that adopts orphans (PR_SET_CHILD_SUBREAPER) is not taken for the parent.
        processes.push(proc(103, 20, 100, 60));
        assert_eq!(follow(103, &processes, &sessions).1, Some(7));
        // One that leads its own session, below a living member.
        processes.push(proc(104, 101, 104, 60));
        assert_eq!(follow(104, &processes, &sessions).1, Some(7));
        // The engine's other children, and other users' processes.
        for (parent, session) in [(10, 105), (10, 10), (20, 20), (1, 105)] {
            processes.push(proc(105, parent, session, 60));
            assert_eq!(follow(105, &processes, &sessions).1, None, "{parent} {session}");
            processes.pop();
        }
    }

    #[test]
    fn req_12_the_session_names_a_helper_that_has_ended() {
        let (mut processes, mut sessions) = machine();
        processes.retain(|p| p.pid != 100);
        sessions[0].ended = Some(80);
        // One process started while the helper lived; another one later, by a process that is gone too.
        processes.extend([proc(101, 1, 100, 80), proc(102, 1, 100, 81)]);
        for (pid, known) in [(101, true), (102, false)] {
            let (links, asked_by) = follow(pid, &processes, &sessions);
            assert_eq!(links, [(pid, true, None), (100, known, Some(7)), (20, true, None), (1, true, None)]);
            assert_eq!(asked_by, Some(7));
        }
        // Another process has the helper's pid: the helper's session is empty, and this session is another one.
        processes.push(proc(100, 1, 100, 90));
        for pid in [100, 102] {
            assert_eq!(follow(pid, &processes, &sessions).1, None, "{pid}");
        }
    }

    #[test]
    fn req_12_a_cgroup_names_the_helper_of_what_has_left_its_session() {
        let (mut processes, sessions) = machine();
        // Two processes in sessions of their own, the first one's parent dead; and a stranger.
        processes.extend([proc(400, 1, 400, 60), proc(401, 400, 401, 61), proc(402, 1, 402, 61)]);
        let process = |pid| processes.iter().find(|p| p.pid == pid).cloned();
        let cgroup = |pid| [100, 400, 401].contains(&pid).then(|| sessions[0].clone());
        let links = |pid| {
            let found = chain(&actor(pid), process, |id| sessions.iter().find(|s| s.asker.pid == id).cloned(), cgroup);
            let links = found.links.iter().map(|link| (link.pid, link.known, link.helper_of)).collect::<Vec<Link>>();
            (links, found.asked_by.map(|asker| asker.id))
        };
        let past = [(400, true, None), (100, true, Some(7)), (20, true, None), (1, true, None)];
        assert_eq!(links(400), (past.to_vec(), Some(7)));
        assert_eq!(links(401), ([&[(401, true, None)], &past[..]].concat(), Some(7)));
        assert_eq!(links(402).1, None);
    }

    #[test]
    fn req_12_descendants_of_a_member_are_members() {
        let session = Session { asker: helper(7, 100, 20, None), ended: Some(80) };
        let all = vec![
            proc(106, 105, 100, 99),
            proc(101, 1, 100, 80),
            proc(103, 102, 100, 95),
            proc(102, 101, 100, 90),
            proc(104, 1, 100, 81),
            proc(105, 104, 100, 85),
            proc(107, 102, 107, 95),
        ];
        let found = |all: Vec<Process>| {
            let (certain, possible) = members(all, std::slice::from_ref(&session));
            [certain, possible].map(|found| found.iter().map(|p| p.pid).collect::<Vec<_>>())
        };
        assert_eq!(found(all.clone()), [vec![101, 102, 103, 107], vec![106, 104, 105]]);
        // Another process has the helper's pid and leads a session of its own.
        let later = vec![proc(100, 1, 100, 90), proc(108, 100, 100, 95)];
        assert!(found(later).concat().is_empty());
    }

    #[test]
    fn req_12_the_chain_goes_on_past_requesters_that_are_gone() {
        let processes = [proc(1, 0, 1, 0), proc(300, 1, 300, 9), proc(301, 300, 300, 9)];
        let a = helper(1, 100, 20, None);
        let b = helper(2, 200, 101, Some(&a));
        let c = helper(3, 300, 201, Some(&b));
        let (links, asked_by) = follow(301, &processes, &[Session { asker: c, ended: None }]);
        let all =
            [301, 300, 201, 200, 101, 100, 20].map(|pid| (pid, true, [100, 200, 300].iter().position(|h| *h == pid)));
        let all = all.map(|(pid, known, helper)| (pid, known, helper.map(|at| at as u64 + 1)));
        assert_eq!((links.as_slice(), asked_by), (&all[..], Some(3)));
    }

    #[test]
    fn req_12_another_process_with_the_requesters_pid_is_not_followed() {
        let (mut processes, sessions) = machine();
        processes.push(proc(101, 100, 100, 60));
        let asks = |start_time| {
            let actor = Arc::new(Actor { start_time, ..Actor::clone(&actor(101)) });
            let process = |pid| processes.iter().find(|p| p.pid == pid).cloned();
            chain(&actor, process, |pid| sessions.iter().find(|s| s.asker.pid == pid).cloned(), |_| None)
                .asked_by
                .is_some()
        };
        assert_eq!([None, Some(60), Some(59)].map(asks), [true, true, false]);
    }

    #[test]
    fn req_12_a_guess_is_marked_and_an_unreadable_process_ends_the_chain() {
        let lost = [proc(31, 1, 30, 5), proc(41, 40, 41, 5)];
        assert_eq!(follow(31, &lost, &[]).0, [(31, true, None), (30, false, None)]);
        assert_eq!(follow(41, &lost, &[]).0, [(41, true, None), (40, true, None)]);
        assert_eq!(follow(99, &lost, &[]).0, [(99, true, None)]);
        // A chain that would go round ends.
        let round = [proc(50, 51, 50, 5), proc(51, 50, 51, 5)];
        assert_eq!(follow(50, &round, &[]).0, [(50, true, None), (51, true, None)]);
    }

    #[test]
    fn req_12_a_long_chain_is_cut_and_dropped_without_recursion() {
        let mut asker = helper(1, 2, 1, None);
        for id in 2..200_000 {
            asker = helper(id, 2, 1, Some(&asker));
        }
        assert!(asker.is_below(1) && asker.is_below(100_000) && !asker.is_below(200_000));
        assert_eq!(follow(3, &[proc(3, 1, 2, 0)], &[Session { asker, ended: None }]).0.len(), LONGEST);
    }

    /// A machine whose processes fork, lead sessions and end, and whose pids are used again as soon as the kernel allows.
    #[derive(Default)]
    struct World {
        now: Micros,
        living: BTreeMap<i32, Process>,
        /// The request to whose helper each living process really belongs.
        belongs: BTreeMap<i32, Option<u64>>,
        sessions: BTreeMap<i32, Session>,
        requests: u64,
    }

    impl World {
        fn free_pid(&self) -> Option<i32> {
            let used: BTreeSet<i32> = self.living.values().flat_map(|p| [p.pid, p.session]).collect();
            (100..106).find(|pid| !used.contains(pid))
        }

        fn pick(&self, n: usize) -> Option<i32> {
            self.living.keys().nth(n % self.living.len().max(1)).copied().filter(|pid| *pid > 10)
        }

        fn step(&mut self, what: u8, n: usize) {
            self.now += 1;
            match (what, self.pick(n), self.free_pid()) {
                // A helper of the engine, asked for by nobody below another helper.
                (0, _, Some(pid)) => {
                    self.requests += 1;
                    self.living.insert(pid, proc(pid, 10, pid, self.now));
                    self.belongs.insert(pid, Some(self.requests));
                    let asker = helper(self.requests, pid, 20, None);
                    self.sessions.insert(pid, Session { asker, ended: None });
                }
                // Another process, in a session of its own.
                (1, _, Some(pid)) => {
                    self.living.insert(pid, proc(pid, 1, pid, self.now));
                    self.belongs.insert(pid, None);
                }
                (2 | 3, Some(parent), Some(pid)) => {
                    let session = self.living[&parent].session;
                    self.living.insert(pid, proc(pid, parent, session, self.now));
                    self.belongs.insert(pid, self.belongs[&parent]);
                }
                (4 | 5, Some(pid), _) => {
                    self.living.remove(&pid);
                    self.living.values_mut().filter(|p| p.parent == pid).for_each(|p| p.parent = 1);
                    if let Some(session) = self.sessions.get_mut(&pid) {
                        session.ended.get_or_insert(self.now);
                    }
                }
                _ => {}
            }
        }
    }

    proptest! {
        /// What is called known is true, however often pids are used again.
        #[test]
        fn req_12_a_known_helper_is_the_right_one(steps in prop::collection::vec((0u8..6, 0usize..50), 1..200)) {
            let mut world = World::default();
            for pid in [1, 10, 20] {
                world.living.insert(pid, proc(pid, 1, pid, 0));
                world.belongs.insert(pid, None);
            }
            for (what, n) in steps {
                world.step(what, n);
                for pid in world.living.keys() {
                    let chain = chain(
                        &actor(*pid),
                        |pid| world.living.get(&pid).cloned(),
                        |pid| world.sessions.get(&pid).cloned(),
                        |_| None,
                    );
                    let found = chain.asked_by.as_ref().map(|asker| asker.id);
                    let is_known = chain.links.iter().find(|l| l.helper_of.is_some()).is_some_and(|l| l.known);
                    let truth = world.belongs[pid];
                    prop_assert!(!is_known || found == truth, "{pid}: {found:?} is {truth:?}");
                    // A helper's descendant is never taken for another one's, and is found.
                    prop_assert!(truth.is_none() || found == truth, "{pid}: {found:?} is {truth:?}");
                }
            }
        }
    }
}
