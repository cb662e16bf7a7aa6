//! The answers to the shim: what the rules say of a helper that the kernel has started, and the powers that it gets.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::abi::error::SysError;
use crate::abi::profile::Profile;
use crate::abi::verdict::{Answer, Question};
use crate::engine::ProfileHook;
use crate::policy::profile::{answer, beyond_shim};
use crate::policy::rules::{Cited, Decision, Mode, Requester, Wanted};
use crate::sys::linux::kernel_helper::Ready;
use crate::sys::linux::seqpacket::is_open;
use crate::sys::linux::waiting::Waiter;

use super::live::Live;
use super::strictest::Strictest;
use super::waiters::Waiters;

/// Told of each decision before it is answered: the question, the decision, the sentence if a rule is cited, and the profile
/// that the answer applies.
pub type Told = Arc<dyn Fn(&Open<'_>, &Decision, Option<&str>, Option<&Profile>) + Send + Sync>;

/// Told of a helper, by its pid, that has not taken the answer to its question: the compiled rules decide.
pub type Untaken = Arc<dyn Fn(i32) + Send + Sync>;

/// Says who waits for the helper with this pid and start time, if that is known by now. Of one that was killed nothing is
/// known. It does not wait.
pub type Asks = Arc<dyn Fn(i32, u64) -> Option<Waiter> + Send + Sync>;

/// How long the trace may take to tell that. The shim waits for 200 ms.
const PATIENCE: Duration = Duration::from_millis(100);

/// A question that is open.
#[derive(Clone, Copy, Debug)]
pub struct Open<'a> {
    /// The shim's connection. As long as its other end is open, the pid is the shim's.
    pub connection: BorrowedFd<'a>,
    /// The helper.
    pub pid: i32,
    /// When its process started.
    pub start_time: Option<u64>,
    /// Whether its requester waits for its end, as far as is known. One that does not is nowhere to be found.
    pub is_waited: bool,
    /// What it is to run.
    pub question: Question<'a>,
}

/// What a question is answered.
#[derive(Clone, Debug, Default)]
pub struct Given {
    answer: Option<Answer>,
    confined: Option<Arc<Ready>>,
}

impl Given {
    /// The packet.
    pub fn packet(&self) -> Vec<u8> {
        let none = Answer { flags: 0, uid: 0, gid: 0, bounding: 0, inheritable: 0, permitted: 0, ambient: 0 };
        let filter = self.confined.as_ref().map(|ready| ready.filter()).unwrap_or_default();
        [&self.answer.unwrap_or(none).packet(), filter].concat()
    }

    /// The Landlock ruleset that goes with it.
    pub fn ruleset(&self) -> Option<BorrowedFd<'_>> {
        self.confined.as_ref().and_then(|ready| ready.ruleset())
    }

    /// The helper runs, with the powers that the kernel gave it.
    fn whole() -> Self {
        Self { answer: Some(answer(&Profile::default())), confined: None }
    }
}

/// Answers questions.
pub struct Judge {
    live: Arc<Live>,
    profiles: Option<ProfileHook>,
    /// What the profiles that were used need at each launch.
    ready: Mutex<Vec<Arc<Ready>>>,
    told: Told,
    untaken: Option<Untaken>,
    asks: Option<Asks>,
    patience: Duration,
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
    /// Answers by these rules. A helper whose rule names a profile is refused, unless [`Self::profiles`] knows it.
    pub fn new(live: Arc<Live>, told: Told) -> Self {
        Self {
            live,
            profiles: None,
            ready: Mutex::default(),
            told,
            untaken: None,
            asks: None,
            patience: PATIENCE,
            counts: Default::default(),
        }
    }

    /// Looks up the profiles that rules name.
    #[must_use]
    pub fn profiles(mut self, profiles: ProfileHook) -> Self {
        self.profiles = Some(profiles);
        self
    }

    /// Where several processes may have asked, or none is found, this says which one has.
    #[must_use]
    pub fn asking(mut self, asks: Asks) -> Self {
        self.asks = Some(asks);
        self
    }

    /// How long a question may wait until that is said.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Tells of answers that come too late.
    #[must_use]
    pub fn telling_untaken(mut self, untaken: Untaken) -> Self {
        self.untaken = Some(untaken);
        self
    }

    /// So many helpers have not waited for their answer: the compiled rules decide.
    pub fn late(&self, count: usize) {
        self.live.late(count as u64);
    }

    /// The helper with this pid has not taken its answer.
    pub fn untaken(&self, pid: i32) {
        self.untaken.iter().for_each(|told| told(pid));
    }

    /// How long this question may wait for its requester to be known: not at all if nothing would tell.
    pub fn patience(&self, open: &Open<'_>) -> Duration {
        let tells = self.asks.is_some() && open.is_waited && open.start_time.is_some();
        if tells { self.patience } else { Duration::ZERO }
    }

    /// Answers a question now if it does not matter who asks, or the trace has told that.
    pub fn at_once(&self, open: &Open<'_>) -> Option<Given> {
        if !self.live.asks_who(wanted(open)) {
            return Some(self.answer(open, &[]));
        }
        let asks = self.asks.as_ref().filter(|_| open.is_waited)?;
        let waiter = asks(open.pid, open.start_time?)?;
        Some(self.answer(open, &[known(&waiter)]))
    }

    /// Answers a question by everybody who may have asked it.
    pub fn by(&self, open: &Open<'_>, waiters: &Waiters) -> Given {
        let mut candidates: Vec<Requester<'_>> = waiters.0.iter().map(known).collect();
        if !open.is_waited {
            // Its requester does not wait.
            candidates.push(Requester::default());
        }
        self.answer(open, &candidates)
    }

    fn answer(&self, open: &Open<'_>, candidates: &[Requester<'_>]) -> Given {
        let wanted = wanted(open);
        let (mode, Strictest { decision, is_torn }) = self.live.strictest(wanted, candidates);
        let mut refused = None;
        let (decision, given) = match decision {
            // What is only watched is not confined either.
            Decision::Allow(Some(cited)) if mode == Mode::Enforce => match self.confined(open, &cited, is_torn) {
                Ok(given) => (Decision::Allow(Some(cited)), given),
                Err(why) => {
                    refused = Some(why);
                    (Decision::Deny(cited), Given::default())
                }
            },
            Decision::Deny(cited) => (Decision::Deny(cited), Given::default()),
            other => (other, Given::whole()),
        };
        let (what, at) = match &decision {
            Decision::Allow(_) => ("allowed by", 0),
            Decision::Deny(_) => ("denied by", 1),
            Decision::WouldDeny(_) => ("would be denied by", 2),
        };
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        let cited = match &decision {
            Decision::Allow(cited) => cited.as_ref(),
            Decision::Deny(cited) | Decision::WouldDeny(cited) => Some(cited),
        };
        let sentence = cited.map(|cited| cited.of(wanted.name())).map(|of| match refused {
            None => format!("{what} {of}"),
            Some(why) => format!("not run, because {why}: {of}"),
        });
        let profile = given.confined.as_ref().map(|ready| &**ready.profile());
        (self.told)(open, &decision, sentence.as_deref(), profile);
        given
    }

    /// What a rule gives to a helper that it allows: it runs with all of its profile, or not at all.
    fn confined(&self, open: &Open<'_>, cited: &Cited, is_torn: bool) -> Result<Given, String> {
        let Some(name) = cited.rule.profile.as_deref() else { return Ok(Given::whole()) };
        if is_torn {
            return Err("it is not known who asked, and the rules give these requesters different profiles".to_owned());
        }
        let found = self.profiles.as_ref().and_then(|profiles| profiles(name));
        let profile = found.ok_or_else(|| format!("the profile {name} does not exist or has a fault"))?;
        if let [part, ..] = beyond_shim(&profile)[..] {
            return Err(format!("the shim cannot apply {} of the profile {name}", part.name()));
        }
        let failed = |error: SysError| format!("the profile {name} could not be applied: {error}");
        let mut all = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = match all.iter().find(|ready| ready.serves(&profile)) {
            Some(ready) => Arc::clone(ready),
            None => {
                // Its cgroup is the same, so it goes before the new one is made.
                all.retain(|ready| ready.profile().name != profile.name);
                let ready = Arc::new(Ready::new(&profile).map_err(failed)?);
                all.push(Arc::clone(&ready));
                ready
            }
        };
        // A process that has given up may be gone, and its pid be another's.
        let placed = if is_open(open.connection) { ready.place(open.pid) } else { Ok(()) };
        placed.map_err(|error| {
            // What was prepared may be of no use any more, as a cgroup that was removed.
            all.retain(|other| !Arc::ptr_eq(other, &ready));
            failed(error)
        })?;
        Ok(Given { answer: Some(answer(&profile)), confined: Some(ready) })
    }

    /// Whether there is something to look at from time to time, and looks at it.
    pub fn is_due(&self) -> bool {
        // The mode may have gone back, or go back in this moment: before or after the look.
        let was_due = self.live.goes_back();
        let _ = self.live.mode();
        was_due || self.live.goes_back()
    }

    /// What was answered so far.
    pub fn counted(&self) -> Answers {
        let [allowed, denied, would_deny] = self.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        Answers { allowed, denied, would_deny }
    }
}

fn wanted<'a>(open: &Open<'a>) -> Wanted<'a> {
    match open.question.module() {
        Some(name) => Wanted::Module(name),
        None => Wanted::Helper(open.question.program()),
    }
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
