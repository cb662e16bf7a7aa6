//! Counts what rules decide. The counts of each rule belong to one reading of the rules: they begin again with the next
//! one. The totals count since the start.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::abi::safe_text::SafeText;
use crate::control::activity::query::micros;
use crate::policy::rules::{Action, Cited, Decision, Mode, Remark, Rules};

use crate::control::rules_view::{Asking, Denied, RuleUse, RulesView};

/// The most entries of what was denied lately, and the most characters of a name in it.
const LATELY: usize = 256;
const NAME: usize = 256;

/// The counts. Threads that decide share them; a decision holds the lock for a few stores.
#[derive(Debug, Default)]
pub struct Counts {
    store: Mutex<Store>,
    totals: [AtomicU64; 3],
    late: AtomicU64,
}

/// How many requests were judged since the start, whatever rules were in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Allowed, by a rule or because none matched.
    pub allowed: u64,
    /// Denied.
    pub denied: u64,
    /// They would have been denied if the rules had been enforced.
    pub would_deny: u64,
}

#[derive(Debug, Default)]
struct Store {
    /// The rules that are counted; `None` before the first decision.
    of: Option<Arc<Rules>>,
    since: i64,
    view: RulesView,
    each: Vec<(u64, Option<Asking>)>,
    /// The rules that can never match, with the earlier rule; found when they are first shown.
    never: Option<Vec<(usize, usize)>>,
}

impl Counts {
    /// Begins to count for these rules.
    pub fn begin(&self, rules: &Arc<Rules>) {
        self.lock().prepare(rules);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a decision of these rules.
    pub fn add(&self, rules: &Arc<Rules>, asked: &[u8], asking: Asking, decision: &Decision) {
        let total = match decision {
            Decision::Allow(_) => 0,
            Decision::Deny(_) => 1,
            Decision::WouldDeny(_) => 2,
        };
        self.totals[total].fetch_add(1, Ordering::Relaxed);
        let mut store = self.lock();
        store.prepare(rules);
        store.view.judged += 1;
        let (cited, enforced) = match decision {
            Decision::Allow(None) => {
                store.view.unmatched += 1;
                return;
            }
            Decision::Allow(Some(cited)) => (cited, None),
            Decision::WouldDeny(cited) => (cited, Some(false)),
            Decision::Deny(cited) => (cited, Some(true)),
        };
        if let Some((times, last)) = store.each.get_mut(cited.number) {
            *times += 1;
            *last = Some(asking.clone());
        }
        if let Some(enforced) = enforced {
            *(if enforced { &mut store.view.denied } else { &mut store.view.would_deny }) += 1;
            store.deny(cited, enforced, asked, asking);
        }
    }

    /// So many helpers have not waited for their answer.
    pub fn late(&self, count: u64) {
        self.late.fetch_add(count, Ordering::Relaxed);
    }

    /// How many have not, since the start.
    pub fn were_late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    /// What was counted since the start.
    pub fn judged(&self) -> Judged {
        let [allowed, denied, would_deny] = self.totals.each_ref().map(|count| count.load(Ordering::Relaxed));
        Judged { allowed, denied, would_deny }
    }

    /// The rules with what was counted.
    pub fn view(&self, rules: &Arc<Rules>, mode: Mode) -> RulesView {
        let mut store = self.lock();
        store.prepare(rules);
        let found = store.never.get_or_insert_with(|| never(rules)).clone();
        let never = |rule| found.iter().find(|(number, _)| *number == rule).map(|(_, before)| *before);
        let one = |(number, (rule, (times, last))): (usize, (&Arc<crate::policy::rules::Rule>, &(u64, _)))| RuleUse {
            file: SafeText::escape(rule.at.file.as_bytes()),
            line: rule.at.line,
            text: SafeText::escape(rule.text.as_bytes()),
            denies: rule.action == Action::Deny,
            never_after: never(number),
            times: *times,
            last: Option::<Asking>::clone(last),
        };
        let all = rules.rules();
        let shown = all.iter().zip(&store.each).enumerate().take(RulesView::MOST).map(one).collect();
        let more = all.len().saturating_sub(RulesView::MOST) as u64;
        RulesView { mode, since: store.since, rules: shown, more, ..store.view.clone() }
    }
}

impl Store {
    fn prepare(&mut self, rules: &Arc<Rules>) {
        if !self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, rules)) {
            let each = vec![(0, None); rules.rules().len()];
            *self = Self { of: Some(rules.clone()), since: micros(SystemTime::now()), each, ..Self::default() };
        }
    }

    fn deny(&mut self, cited: &Cited, enforced: bool, asked: &[u8], last: Asking) {
        let asked = SafeText::escape(&asked[..asked.len().min(NAME)]);
        let is_it = |denied: &Denied| {
            (denied.rule, denied.enforced, &denied.asked) == (cited.number, enforced, &asked)
                && (denied.last.uid, &denied.last.comm) == (last.uid, &last.comm)
        };
        let lately = &mut self.view.lately;
        let times = lately.iter().position(is_it).map_or(0, |at| lately.remove(at).times);
        lately.truncate(LATELY - 1);
        let because = SafeText::new(cited.how());
        lately.insert(0, Denied { rule: cited.number, enforced, asked, because, times: times + 1, last });
    }
}

/// The rules that can never match. It takes the square of their number: not of very many.
fn never(rules: &Rules) -> Vec<(usize, usize)> {
    let few = rules.rules().len() <= RulesView::MOST;
    let remarks = if few { rules.remarks(None).unwrap_or_default() } else { Vec::new() };
    let pair = |remark| if let Remark::Never(number, before) = remark { Some((number, before)) } else { None };
    remarks.into_iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::actor::{Actor, Origin};
    use crate::policy::rules::{Asked, Requester, Resolved, Source};

    fn rules(text: &str) -> Arc<Rules> {
        let source = Source { path: "/r".into(), text: text.as_bytes().to_vec() };
        Arc::new(Rules::parse(&[source]).unwrap())
    }

    fn decide(counts: &Counts, rules: &Arc<Rules>, name: &str, uid: u32, mode: Mode) {
        let actor = Actor::new(Origin::Outside, 70, uid, uid, b"nc\x1b");
        let asked = Asked::Module { name: name.as_bytes(), resolved: Resolved::Unknown };
        let decision = rules.judge(&asked, &Requester::from(&actor)).decide(mode);
        counts.add(rules, name.as_bytes(), Asking::by(&actor), &decision);
    }

    #[test]
    fn each_rule_counts_what_it_decides_and_equal_denials_are_one_entry() {
        let (counts, all) = (Counts::default(), rules("deny name sctp dccp\nallow name a*\ndeny name abc uid=0\n"));
        for (name, uid, mode) in [
            ("sctp", 1000, Mode::Audit),
            ("ext4", 0, Mode::Audit),
            ("sctp", 1000, Mode::Audit),
            ("dccp", 0, Mode::Enforce),
            ("abc", 0, Mode::Enforce),
        ] {
            decide(&counts, &all, name, uid, mode);
        }
        let view = counts.view(&all, Mode::Enforce);
        assert_eq!((view.judged, view.unmatched, view.denied, view.would_deny), (5, 1, 1, 2));
        let each: Vec<_> = view.rules.iter().map(|rule| (rule.line, rule.times, rule.denies)).collect();
        assert_eq!(each, [(1, 3, true), (2, 1, false), (3, 0, true)]);
        assert_eq!(view.rules[2].never_after, Some(1), "line 2 has every such name");
        let lately: Vec<_> = view.lately.iter().map(|one| (&*one.asked, one.times, one.enforced, one.rule)).collect();
        assert_eq!(lately, [("dccp", 1, true, 0), ("sctp", 2, false, 0)]);
        assert_eq!((&*view.lately[1].last.comm, view.lately[1].last.uid), ("nc\\x1b", Some(1000)));
        // Other rules, other counts.
        let next = counts.view(&rules("allow *\n"), Mode::Audit);
        assert_eq!((next.judged, next.rules.len(), next.lately.len()), (0, 1, 0));
        // The totals go on.
        assert_eq!(counts.judged(), Judged { allowed: 2, denied: 1, would_deny: 2 });
    }

    #[test]
    fn the_entries_of_a_flood_are_bounded() {
        let (counts, all) = (Counts::default(), rules("deny *\n"));
        for n in 0..1_000 {
            decide(&counts, &all, &format!("m{n}"), 0, Mode::Enforce);
        }
        let view = counts.view(&all, Mode::Enforce);
        assert_eq!((view.denied, view.lately.len(), &*view.lately[0].asked), (1_000, LATELY, "m999"));
    }
}
