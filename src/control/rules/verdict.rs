//! The answers to the shim: what the rules say of a helper that the kernel has started, and the powers that it gets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::abi::verdict::{ALLOW, Answer, Question};
use crate::policy::rules::{Decision, Requester, Wanted};
use crate::sys::linux::waiting::{Waiter, Waiting};

use super::live::Live;

/// Told of each decision that cites a rule, before it is answered: the helper's pid, the decision, the sentence.
pub type Told = Arc<dyn Fn(i32, &Decision, &str) + Send + Sync>;

/// A question that is open.
#[derive(Clone, Copy, Debug)]
pub struct Open<'a> {
    /// The helper.
    pub pid: i32,
    /// Whether its requester waits for its end, as far as is known. One that does not is nowhere to be found.
    pub is_waited: bool,
    /// What it is to run.
    pub question: Question<'a>,
}

/// Answers questions.
pub struct Judge {
    live: Arc<Live>,
    told: Told,
    counts: [AtomicU64; 3],
}

/// How many answers were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The helper runs.
    pub allowed: u64,
    /// The helper does not run.
    pub denied: u64,
    /// The helper runs, and would not if the rules were enforced.
    pub would_deny: u64,
}

impl Judge {
    /// Answers by these rules.
    pub fn new(live: Arc<Live>, told: Told) -> Self {
        Self { live, told, counts: Default::default() }
    }

    /// Answers each of these questions. Who asked is looked up once for all of them.
    pub fn answers(&self, questions: &[Open<'_>]) -> Vec<Answer> {
        let waiters = if self.live.asks_who() { requesters(&Waiting::now()) } else { Vec::new() };
        let mut candidates: Vec<Requester<'_>> = waiters.iter().map(known).collect();
        // The last one is for helpers whose requester does not wait.
        candidates.push(Requester::default());
        let waited = &candidates[..candidates.len() - 1];
        let of = |open: &Open<'_>| self.answer(open, if open.is_waited { waited } else { &candidates });
        questions.iter().map(of).collect()
    }

    fn answer(&self, Open { pid, question, .. }: &Open<'_>, candidates: &[Requester<'_>]) -> Answer {
        let wanted = match question.module() {
            Some(name) => Wanted::Module(name),
            None => Wanted::Helper(question.program()),
        };
        // A helper whose rule names a profile would have more powers than the rule gives it.
        let (decision, lacks_profile) = match self.live.strictest(wanted, candidates) {
            Decision::Allow(Some(cited)) if cited.rule.profile.is_some() => (Decision::Deny(cited), true),
            other => (other, false),
        };
        let (what, at) = match &decision {
            _ if lacks_profile => ("not run, because profiles are for the engine's helpers alone, by", 1),
            Decision::Allow(_) => ("allowed by", 0),
            Decision::Deny(_) => ("denied by", 1),
            Decision::WouldDeny(_) => ("would be denied by", 2),
        };
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        if let Decision::Allow(Some(cited)) | Decision::Deny(cited) | Decision::WouldDeny(cited) = &decision {
            (self.told)(*pid, &decision, &format!("{what} {}", cited.of(wanted.name())));
        }
        powers(&decision)
    }

    /// Whether there is something to look at from time to time, and looks at it.
    pub fn is_due(&self) -> bool {
        // The mode may have gone back.
        let _ = self.live.mode();
        self.live.goes_back()
    }

    /// What was answered so far.
    pub fn counted(&self) -> Answers {
        let [allowed, denied, would_deny] = self.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        Answers { allowed, denied, would_deny }
    }
}

/// The powers that a decision gives.
fn powers(decision: &Decision) -> Answer {
    let flags = if matches!(decision, Decision::Deny(_)) { 0 } else { ALLOW };
    Answer { flags, uid: 0, gid: 0, bounding: 0, inheritable: 0, permitted: 0, ambient: 0 }
}

/// Everybody who may have asked. One who was killed since, or who is not waited for, is unknown: where more helpers are
/// waited for than there are requesters, the unknown one may be any helper's.
fn requesters(waiting: &Waiting) -> Vec<Waiter> {
    let mut all: Vec<Waiter> = waiting.requesters.iter().map(|tid| Waiter::of(*tid)).collect();
    if all.len() < waiting.workers {
        all.push(Waiter::default());
    }
    all
}

fn known(waiter: &Waiter) -> Requester<'_> {
    Requester {
        uid: waiter.ids.map(|ids| ids.0),
        gid: waiter.ids.map(|ids| ids.1),
        place: waiter.facts.place.as_ref(),
        exe: waiter.facts.exe.as_deref(),
        in_userns: waiter.facts.in_userns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_more_than_requesters_means_that_one_is_unknown() {
        let count = |workers, requesters| requesters_of(workers, requesters).len();
        assert_eq!([count(0, 0), count(1, 1), count(2, 1), count(1, 0), count(1, 2)], [0, 1, 2, 1, 2]);
    }

    fn requesters_of(workers: usize, count: usize) -> Vec<Waiter> {
        requesters(&Waiting { requesters: vec![-1; count], workers })
    }
}
