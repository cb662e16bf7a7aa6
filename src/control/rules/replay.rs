//! What rules say about requests that a ledger has recorded.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::abi::error::Stage;
use crate::abi::record::{Kind, Outcome, Record};
use crate::policy::resolution::{Reach, Tree};
use crate::policy::rules::{Asked, Requester, Resolved, Rules, Verdict};

/// The most different changes that are kept; the others are only counted.
const CHANGES: usize = 10_000;

/// How many requests there were, by what became of them and what the rules would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Allowed, and the rules allow them.
    pub allowed: u64,
    /// Denied, and the rules deny them.
    pub denied: u64,
    /// Allowed, and the rules would deny them.
    pub now_denied: u64,
    /// Denied, and the rules would allow them.
    pub now_allowed: u64,
}

impl Counts {
    /// All requests.
    pub const fn requests(&self) -> u64 {
        self.allowed + self.denied + self.now_denied + self.now_allowed
    }

    /// How many were allowed, and how many denied, when they were asked for.
    pub const fn then(&self) -> (u64, u64) {
        (self.allowed + self.now_denied, self.denied + self.now_allowed)
    }

    /// Whether nothing would change.
    pub const fn is_same(&self) -> bool {
        self.now_denied == 0 && self.now_allowed == 0
    }
}

/// Requests that the rules would treat otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Whether they would be denied; else they were.
    pub denies: bool,
    /// The module or the helper's program.
    pub asked: Arc<[u8]>,
    /// The user, if it is known.
    pub uid: Option<u32>,
    /// The rule that decides, and why; `None`: no rule is about it.
    pub by: Option<String>,
}

/// A replay.
pub struct Replay<'a> {
    rules: &'a Rules,
    tree: Option<Arc<Tree>>,
    /// What names resolve to; `None`: it is not known.
    resolved: HashMap<Arc<[u8]>, Option<Reach>>,
    /// What was counted.
    pub counts: Counts,
    /// How often each change occurs.
    pub changes: BTreeMap<Change, u64>,
}

/// What is known of the requester of a record.
pub fn requester(record: &Record) -> Requester<'_> {
    let by = Requester::from(&*record.actor);
    // The watcher of the kernel keeps the place apart.
    let place = record.kernel.as_ref().and_then(|kernel| kernel.place.as_ref());
    let doubted = record.kernel.as_ref().is_some_and(|kernel| kernel.doubts.requester);
    if doubted { Requester::default() } else { Requester { place: place.or(by.place), ..by } }
}

/// Whether a request ended before rules were looked at.
pub const fn is_before_rules(record: &Record) -> bool {
    matches!(record.stage, Some(Stage::Name | Stage::Loop | Stage::Forked))
}

/// Whether rules, a list or a hook denied it.
pub fn was_denied(record: &Record) -> bool {
    record.outcome == Outcome::Refused && record.stage == Some(Stage::Hook)
}

impl<'a> Replay<'a> {
    /// A replay against these rules. Without a tree it is not known what names resolve to.
    pub fn new(rules: &'a Rules, tree: Option<Arc<Tree>>) -> Self {
        Self { rules, tree, resolved: HashMap::new(), counts: Counts::default(), changes: BTreeMap::new() }
    }

    /// Judges a request that is over. One that ended before rules were looked at is passed over.
    pub fn add(&mut self, record: &Record) {
        if is_before_rules(record) {
            return;
        }
        let was_denied = was_denied(record);
        let asked = record.module.as_ref().filter(|_| record.kind == Kind::Module).unwrap_or(&record.path);
        let verdict = self.verdict(record, asked);
        let counts = &mut self.counts;
        let count = match (was_denied, verdict.is_denied()) {
            (false, false) => &mut counts.allowed,
            (true, true) => &mut counts.denied,
            (false, true) => &mut counts.now_denied,
            (true, false) => &mut counts.now_allowed,
        };
        *count += 1;
        if was_denied != verdict.is_denied() {
            let uid = requester(record).uid;
            let by = verdict.cited().map(|cited| cited.of(asked));
            let change = Change { denies: verdict.is_denied(), asked: asked.clone(), uid, by };
            if self.changes.len() < CHANGES || self.changes.contains_key(&change) {
                *self.changes.entry(change).or_default() += 1;
            }
        }
    }

    fn verdict(&mut self, record: &Record, asked: &Arc<[u8]>) -> Verdict {
        let by = requester(record);
        if record.kind == Kind::Helper {
            return self.rules.judge(&Asked::Helper(asked), &by);
        }
        let (tree, rules) = (&self.tree, self.rules);
        if !self.resolved.contains_key(asked) {
            let reach = tree.as_ref().filter(|_| rules.needs_resolution()).and_then(|tree| tree.reach(asked).ok());
            self.resolved.insert(asked.clone(), reach);
        }
        let reach = self.resolved.get(asked).and_then(Option::as_ref);
        let resolved = reach.map_or(Resolved::Unknown, Resolved::To);
        rules.judge(&Asked::Module { name: asked, resolved }, &by)
    }
}
