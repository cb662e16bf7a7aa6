//! Which request a request came from (REQ-12): the sessions of helpers, also of ended ones whose processes may still run,
//! and the chains that are being ended.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::abi::actor::Comm;
use crate::abi::record::{Kind, Record};
use crate::abi::time::Micros;
use crate::policy::recursion::{Asker, Session};

/// The most sessions of ended helpers that are remembered; the oldest one is forgotten.
const KEPT: usize = 1024;
/// The fewest sessions of ended helpers that are worth a look at every process of the machine.
const WORTH_A_SWEEP: usize = 64;
/// How long after the end of a chain a request is refused whose requester has ended: 1 s. It may be one that the chain
/// made before it ended.
const AFTER_THE_END: Micros = 1_000_000;

/// The sessions of helpers, and the chains that are being ended.
#[derive(Default)]
pub(super) struct Lineage {
    sessions: BTreeMap<i32, Session>,
    /// The helpers that have ended, oldest first: pid and request.
    ended: VecDeque<(i32, u64)>,
    /// How many of these there must be for the next sweep.
    sweep_at: usize,
    /// The chains that are being ended, and those that have just been.
    shut: Vec<Shut>,
}

/// A chain that is being ended or has been.
struct Shut {
    /// The request that it begins with.
    top: u64,
    /// Until when requests that it may have made before its end are refused; `None` while it is being ended.
    until: Option<Micros>,
}

impl Lineage {
    /// Adds the session of a helper that has just started.
    pub(super) fn started(&mut self, record: &Record, title: Arc<[u8]>, pid: i32, asked_by: Option<Arc<Asker>>) {
        let name = record.path.rsplit(|b| *b == b'/').next().unwrap_or_default();
        let asker = Asker {
            id: record.id,
            module: record.kind == Kind::Module,
            title,
            pid,
            comm: Comm::new(name),
            actor: record.actor.clone(),
            asked_by,
        };
        self.sessions.insert(pid, Session { asker, ended: None });
    }

    /// Notes that a helper has ended. Its session is remembered: processes of it may live on.
    pub(super) fn ended(&mut self, pid: i32, id: u64, at: Micros) {
        let Some(session) = self.sessions.get_mut(&pid).filter(|session| session.asker.id == id) else { return };
        session.ended = Some(at);
        self.ended.push_back((pid, id));
        if self.ended.len() > KEPT
            && let Some((pid, id)) = self.ended.pop_front()
        {
            self.forget(pid, id);
        }
    }

    fn forget(&mut self, pid: i32, id: u64) {
        // A later helper may have got the pid.
        if self.sessions.get(&pid).is_some_and(|session| session.asker.id == id) {
            self.sessions.remove(&pid);
        }
    }

    /// The helper whose session has this id.
    pub(super) fn session(&self, id: i32) -> Option<Session> {
        self.sessions.get(&id).cloned()
    }

    /// The session of a request's helper.
    pub(super) fn session_of(&self, id: u64) -> Option<Session> {
        self.sessions.values().find(|session| session.asker.id == id).cloned()
    }

    /// Whether this is the pid of a helper that has not ended.
    pub(super) fn is_live(&self, pid: i32) -> bool {
        self.sessions.get(&pid).is_some_and(|session| session.ended.is_none())
    }

    /// The sessions of the helpers that `top` and the requests below it have or had.
    pub(super) fn below(&self, top: u64) -> Vec<Session> {
        self.sessions.values().filter(|session| session.asker.is_below(top)).cloned().collect()
    }

    /// How many sessions are remembered.
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// The sessions of ended helpers, if there are enough of them for a sweep.
    pub(super) fn to_sweep(&self, all: bool) -> Vec<i32> {
        let enough = all || self.ended.len() >= self.sweep_at.max(WORTH_A_SWEEP);
        if enough { self.ended.iter().map(|(pid, _)| *pid).collect() } else { Vec::new() }
    }

    /// Forgets those of the sessions `swept` that have no member, as `has_members` says.
    pub(super) fn swept(&mut self, swept: &[i32], has_members: impl Fn(i32) -> bool) {
        let gone = |pid: i32| swept.contains(&pid) && !has_members(pid);
        let (gone, kept) = std::mem::take(&mut self.ended).into_iter().partition::<Vec<_>, _>(|(pid, _)| gone(*pid));
        gone.into_iter().for_each(|(pid, id)| self.forget(pid, id));
        self.sweep_at = 2 * kept.len();
        self.ended = kept.into();
    }

    /// Refuses requests of this chain from now on.
    pub(super) fn shut(&mut self, top: u64) {
        self.shut.push(Shut { top, until: None });
    }

    /// Serves requests of this chain again, which was ended at the time `ended`, if it was.
    pub(super) fn open(&mut self, top: u64, ended: Option<Micros>) {
        if let Some(at) = self.shut.iter().position(|shut| shut.top == top && shut.until.is_none()) {
            self.shut.swap_remove(at);
        }
        if let Some(ended) = ended {
            self.shut.retain(|shut| shut.until.is_none_or(|until| ended < until));
            self.shut.push(Shut { top, until: Some(ended.saturating_add(AFTER_THE_END)) });
        }
    }

    /// The chain that a request belongs to if it is being ended, or has just been and the requester ended with it
    /// (`gone`). A request whose requester has ended may belong to no known chain; then it counts as one of any, and the
    /// result is 0.
    pub(super) fn shuts(&self, asked_by: Option<&Asker>, gone: bool, now: Micros) -> Option<u64> {
        let shut = |shut: &&Shut| shut.until.is_none_or(|until| gone && now < until);
        let mut shut = self.shut.iter().filter(shut).map(|shut| shut.top);
        match asked_by {
            Some(asker) => shut.find(|top| asker.is_below(*top)),
            None => shut.next().filter(|_| gone).map(|_| 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::actor::{Actor, Origin};
    use crate::abi::wait::WaitMode;

    fn start(lineage: &mut Lineage, id: u64, pid: i32, asked_by: Option<u64>) {
        let actor = Actor::new(Origin::Outside, 5, 0, 0, b"x").into();
        let mut record = Record::new(Kind::Module, WaitMode::PROC, actor, (std::time::UNIX_EPOCH, 0));
        (record.id, record.path) = (id, Arc::from(&b"/sbin/modprobe"[..]));
        let by = |id| lineage.sessions.values().find(|s| s.asker.id == id).map(|s| Arc::new(s.asker.clone()));
        let asked_by = asked_by.and_then(by);
        lineage.started(&record, Arc::from(&b"a"[..]), pid, asked_by);
    }

    fn ids(lineage: &Lineage) -> Vec<u64> {
        let mut ids: Vec<u64> = lineage.sessions.values().map(|s| s.asker.id).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn req_12_a_session_is_kept_after_its_helper_and_only_so_many_are() {
        let mut lineage = Lineage::default();
        let many = KEPT as u64 + 10;
        for id in 1..=many {
            start(&mut lineage, id, i32::try_from(id).unwrap(), None);
        }
        assert_eq!(lineage.len() as u64, many, "every live one is kept");
        for id in 1..=many {
            lineage.ended(i32::try_from(id).unwrap(), id, id);
        }
        assert_eq!(ids(&lineage), (11..=many).collect::<Vec<_>>());
        assert_eq!(lineage.session(11).unwrap().asker.comm, Comm::new(b"modprobe"));
        let half = |pid| pid % 2 == 0;
        let swept = lineage.to_sweep(false);
        lineage.swept(&swept, half);
        assert!(ids(&lineage).iter().all(|id| id.is_multiple_of(2)) && lineage.len() == KEPT / 2);
        assert!(lineage.to_sweep(false).is_empty(), "as many again must end before the next sweep");
        let swept = lineage.to_sweep(true);
        lineage.swept(&swept, |_| false);
        assert_eq!((lineage.len(), lineage.ended.len()), (0, 0));
    }

    #[test]
    fn req_12_a_pid_that_is_used_again_names_the_new_helper() {
        let mut lineage = Lineage::default();
        start(&mut lineage, 1, 50, None);
        lineage.ended(50, 1, 9);
        start(&mut lineage, 2, 50, None);
        lineage.ended(50, 1, 9);
        assert!(lineage.is_live(50));
        lineage.swept(&[50], |_| false);
        assert_eq!((ids(&lineage), lineage.ended.len()), (vec![2], 0));
    }

    #[test]
    fn req_12_a_chain_that_is_being_ended_is_shut() {
        let mut lineage = Lineage::default();
        start(&mut lineage, 1, 51, None);
        start(&mut lineage, 2, 52, Some(1));
        start(&mut lineage, 3, 53, None);
        let shuts = |lineage: &Lineage, pid, gone, now| {
            lineage.shuts(lineage.session(pid).map(|s| s.asker).as_ref(), gone, now)
        };
        assert_eq!([51, 52, 53, 99].map(|pid| shuts(&lineage, pid, true, 0)), [None; 4]);
        lineage.shut(1);
        assert_eq!([51, 52, 53, 99].map(|pid| shuts(&lineage, pid, false, 0)), [Some(1), Some(1), None, None]);
        assert_eq!(shuts(&lineage, 99, true, 0), Some(0));
        // Requests that the chain made before its end come a moment later; those of others are served.
        lineage.open(1, Some(10));
        assert_eq!([51, 52].map(|pid| shuts(&lineage, pid, false, 10)), [None; 2]);
        assert_eq!([51, 52, 53, 99].map(|pid| shuts(&lineage, pid, true, 10)), [Some(1), Some(1), None, Some(0)]);
        assert_eq!([52, 99].map(|pid| shuts(&lineage, pid, true, 10 + AFTER_THE_END)), [None; 2]);
        assert_eq!(lineage.below(1).len(), 2);
    }
}
