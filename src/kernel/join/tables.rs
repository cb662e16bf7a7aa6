//! What the join remembers: works that were queued, workers that execute one, helpers that have not ended.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

use crate::abi::actor::Comm;
use crate::abi::wait::WaitStatus;
use crate::kernel::askers::Asker;
use crate::kernel::event::ModuleRequest;
use crate::kernel::observation::{Cause, HelperFacts, Observation, Requester, Unknown};

use super::{Exit, Gaps, Reading, Sources};

/// The kernel thread that makes all others, and the parent of helpers that nobody waits for.
pub(super) const KTHREADD: i32 = 2;
/// How long a work may take from its request to the fork and still be looked at for lost events: 10 s.
const UNTIL_FORK: u64 = 10_000_000_000;
/// A request for a module is followed at once by the queueing of its work.
const UNTIL_QUEUED: u64 = 1_000_000_000;
/// Where no ends are reported, a helper is handed out so long after its execution, or after its fork if that fails.
const UNTIL_READ: u64 = 200_000_000;
const UNTIL_EXECUTED: u64 = 5_000_000_000;
/// The most works and module requests that are remembered; many more than a kernel has at a time, unless events are
/// lost.
const MOST: usize = 16_384;

/// The file or the new name of a program.
pub(super) type Program = (Option<Box<[u8]>>, Option<Comm>);

/// A work that was queued.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) queued: u64,
    pub(super) requester: Requester,
    pub(super) cause: Result<Cause, Unknown>,
    pub(super) is_doubtful: bool,
}

/// A worker that executes a work.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) began: u64,
    pub(super) asked: Result<Asked, Unknown>,
}

/// A helper that has not ended.
#[derive(Clone, Debug)]
pub(super) struct Helper {
    /// When it was found running, if its fork was not seen.
    pub(super) found: Option<u64>,
    pub(super) forked: Option<u64>,
    pub(super) worker: Option<i32>,
    pub(super) asked: Result<Asked, Unknown>,
    pub(super) executed: Option<(u64, Program)>,
    pub(super) facts: Option<Box<HelperFacts>>,
}

#[derive(Debug)]
pub(super) struct Tables {
    pub(super) sources: Sources,
    pub(super) works: Gaps,
    pub(super) forks: Gaps,
    /// From a loss of forks until the processes were listed again.
    pub(super) unlisted: Gaps,
    modules: HashMap<i32, (u64, Box<ModuleRequest>)>,
    queued: HashMap<u64, Asked>,
    workers: HashMap<i32, Running>,
    pub(super) helpers: HashMap<i32, Helper>,
    pub(super) kernel_threads: HashSet<i32>,
    pub(super) new_kernel_threads: Vec<i32>,
    pub(super) orphans: VecDeque<(u64, Exit)>,
    /// The requesters of helpers that were forked, by the helper's pid.
    pub(super) new_askers: Vec<(i32, Asker)>,
}

impl Tables {
    pub(super) fn new(sources: Sources, since: u64) -> Self {
        Self {
            sources,
            works: Gaps::new(since),
            forks: Gaps::new(since),
            unlisted: Gaps::new(0),
            modules: HashMap::new(),
            queued: HashMap::new(),
            workers: HashMap::new(),
            helpers: HashMap::new(),
            kernel_threads: HashSet::new(),
            new_kernel_threads: Vec::new(),
            orphans: VecDeque::new(),
            new_askers: Vec::new(),
        }
    }

    pub(super) fn size(&self) -> usize {
        self.modules.len() + self.queued.len() + self.workers.len() + self.helpers.len() + self.orphans.len()
    }

    pub(super) fn module(&mut self, time: u64, by: i32, request: Box<ModuleRequest>) {
        if self.modules.len() >= MOST {
            self.modules.retain(|_, (asked, _)| *asked + UNTIL_QUEUED > time);
        }
        self.modules.insert(by, (time, request));
    }

    pub(super) fn queued(&mut self, time: u64, by: i32, work: u64, reading: Reading) {
        if self.queued.len() >= MOST {
            self.queued.retain(|_, asked| asked.queued + UNTIL_FORK > time);
        }
        let asked = self.asked(time, by, reading);
        self.queued.insert(work, asked);
    }

    fn asked(&mut self, time: u64, by: i32, reading: Reading) -> Asked {
        let module = self.modules.remove(&by).filter(|(asked, _)| asked + UNTIL_QUEUED > time);
        // A worker that queues work while it executes one: the release agent's, whose requester emptied the cgroup.
        if let Some(running) = self.workers.get(&by) {
            let is_doubtful = self.works.between(running.began, time).is_some();
            if let Ok(first) = &running.asked {
                let cause = Ok(Cause::ReleaseAgent);
                return Asked { cause, is_doubtful: is_doubtful || first.is_doubtful, ..first.clone() };
            }
        }
        // A worker that was made while forks were lost may be gone before it is listed.
        let is_known = !matches!(reading, Reading::None) || !self.forks.has_lost_before(time);
        let facts = match reading {
            Reading::Requester(facts) => Ok(facts),
            Reading::KernelThread => Err(Unknown::KernelThread),
            Reading::None => Err(Unknown::Gone),
        };
        let cause = match module {
            // If the queueing of that request's work is lost, this is another one.
            Some((asked, request)) => self.works.between(asked, time).map_or(Ok(Cause::Module(request)), Err),
            None => self.works.between(time.saturating_sub(UNTIL_QUEUED), time).map_or(Ok(Cause::Other), Err),
        };
        // A worker whose begin of the release agent's work is lost is not the requester.
        let lost = || self.works.between(time.saturating_sub(UNTIL_FORK), time).is_some();
        let may_be_worker = self.kernel_threads.contains(&by)
            || self.workers.contains_key(&by)
            || !is_known
            || facts.as_ref().err() == Some(&Unknown::KernelThread);
        let is_doubtful = may_be_worker && lost();
        Asked { queued: time, requester: Requester { tid: by, facts }, cause, is_doubtful }
    }

    pub(super) fn began(&mut self, time: u64, by: i32, work: u64) {
        let asked = match self.queued.remove(&work) {
            Some(mut asked) => {
                asked.is_doubtful |= self.works.between(asked.queued, time).is_some();
                Ok(asked)
            }
            None => Err(self.works.between(time.saturating_sub(UNTIL_FORK), time).unwrap_or(Unknown::TraceLost)),
        };
        self.workers.insert(by, Running { began: time, asked });
    }

    pub(super) fn done(&mut self, by: i32) {
        self.workers.remove(&by);
    }

    /// Returns false if the fork is nothing of the kernel's.
    pub(super) fn forked(&mut self, time: u64, parent: i32, child: i32, out: &mut Vec<Observation>) -> bool {
        if parent == KTHREADD {
            self.kernel_threads.insert(child);
            self.new_kernel_threads.push(child);
            return true;
        }
        let asked = match self.workers.get_mut(&parent) {
            Some(running) => {
                // A work makes one helper.
                let mut asked = std::mem::replace(&mut running.asked, Err(Unknown::TraceLost));
                if let Ok(asked) = &mut asked {
                    asked.is_doubtful |= self.works.between(running.began, time).is_some();
                }
                asked
            }
            None if !self.kernel_threads.contains(&parent) => return false,
            None if !self.sources.works => Err(Unknown::NotTold),
            None => match self.works.between(time.saturating_sub(UNTIL_FORK), time) {
                Some(why) => Err(why),
                None => return false,
            },
        };
        // The list of processes may already have had this one; else the number is another process's now.
        if self.helpers.get(&child).is_none_or(|helper| helper.found.is_none_or(|found| found < time)) {
            out.extend(self.hand_out(child, Err(Unknown::ExitLost), None));
        }
        self.kernel_threads.remove(&child);
        if let Ok(Asked { queued, requester, is_doubtful: false, .. }) = &asked {
            self.new_askers.push((child, Asker { tid: requester.tid, queued: *queued, forked: time }));
        }
        let helper =
            Helper { found: None, forked: Some(time), worker: Some(parent), asked, executed: None, facts: None };
        self.helpers.insert(child, helper);
        true
    }

    /// A helper that was found running. Returns whether it is new.
    pub(super) fn found(&mut self, time: u64, pid: i32, why: Unknown) -> bool {
        let Entry::Vacant(place) = self.helpers.entry(pid) else { return false };
        place.insert(Helper {
            found: Some(time),
            forked: None,
            worker: None,
            asked: Err(why),
            executed: None,
            facts: None,
        });
        true
    }

    /// Returns whether this is a helper's first execution.
    pub(super) fn executed(&mut self, time: u64, pid: i32, program: Program) -> bool {
        let helper = self.helpers.get_mut(&pid).filter(|helper| helper.executed.is_none());
        helper.map(|helper| helper.executed = Some((time, program))).is_some()
    }

    pub(super) fn read(&mut self, pid: i32, facts: Box<HelperFacts>) {
        if let Some(helper) = self.helpers.get_mut(&pid) {
            helper.facts.get_or_insert(facts);
        }
    }

    /// The end of a process, if it is a helper's.
    pub(super) fn ended(&mut self, time: u64, pid: i32, status: Result<WaitStatus, Unknown>) -> Option<Observation> {
        let is_later = self.helpers.get(&pid)?.forked.is_none_or(|forked| forked <= time);
        if is_later { self.hand_out(pid, status, Some(time)) } else { None }
    }

    pub(super) fn is_kernel_thread_that_ended(&mut self, pid: i32) -> bool {
        self.workers.remove(&pid);
        self.kernel_threads.remove(&pid)
    }

    /// Where no ends are reported: helpers whose files had time to be read.
    pub(super) fn without_ends(&mut self, now: u64, out: &mut Vec<Observation>) {
        let due = |helper: &Helper| match (&helper.executed, helper.forked) {
            (Some((executed, _)), _) => executed + UNTIL_READ < now,
            (None, Some(forked)) => forked + UNTIL_EXECUTED < now,
            (None, None) => true,
        };
        let pids: Vec<i32> = self.helpers.iter().filter(|(_, helper)| due(helper)).map(|(pid, _)| *pid).collect();
        out.extend(pids.into_iter().filter_map(|pid| self.hand_out(pid, Err(Unknown::NotTold), None)));
    }
}
