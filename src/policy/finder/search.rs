//! What to run next.

use std::collections::HashMap;

use super::judge::{End, How, Judge};
use super::strength::{seldom_used, weakest_first};
use super::{BASELINES, CONFIRMATIONS, Doubt, Found, MOST_CAPABILITIES, MOST_RUNS, Next, Plan, Purpose, Refusal, Run};
use crate::abi::cap::{CapMask, Capability};

/// What to do after these runs, which [`next`] itself has asked for in this order.
pub fn next(plan: &Plan, runs: &[Run]) -> Next {
    let mut search = Search { plan, runs: runs.iter(), count: 0, tried: HashMap::new() };
    match search.decide() {
        Ok(found) => Next::Done(found),
        Err(Stop::Found(found)) => Next::Done(*found),
        Err(Stop::Run(purpose, set)) => Next::Run(purpose, set),
    }
}

/// Why the search cannot go on with the runs that there are.
enum Stop {
    /// This run is missing.
    Run(Purpose, CapMask),
    /// It is over early.
    Found(Box<Found>),
}

impl From<Doubt> for Stop {
    fn from(doubt: Doubt) -> Self {
        Self::Found(Box::new(Found::NotConclusive(doubt)))
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Found(Box::new(Found::Refused(refusal)))
    }
}

/// Reads the runs again from the first one. There are few, and so the search needs no state between two of them.
struct Search<'a> {
    plan: &'a Plan,
    runs: std::slice::Iter<'a, Run>,
    count: usize,
    /// Whether the program ended the same with a set.
    tried: HashMap<CapMask, bool>,
}

impl<'a> Search<'a> {
    fn run(&mut self, purpose: Purpose, set: CapMask) -> Result<&'a Run, Stop> {
        // The confirmations, and the last run after them, must still be possible.
        let kept = if matches!(purpose, Purpose::Trial) { CONFIRMATIONS + 1 } else { 0 };
        if self.count + kept >= MOST_RUNS {
            return Err(Refusal::TooManyRuns.into());
        }
        self.count += 1;
        let run = self.runs.next().ok_or(Stop::Run(purpose, set))?;
        if run.changed.is_empty() { Ok(run) } else { Err(Doubt::Changed(run.changed.clone()).into()) }
    }

    fn decide(&mut self) -> Result<Found, Stop> {
        let all = self.plan.all;
        // Before anything could be changed for good: what is the same only later was made by a run in between.
        let first = &self.run(Purpose::Bare, CapMask::EMPTY)?.end;
        let (judge, used) = self.baselines()?;
        let set = if judge.is_same(first) {
            CapMask::EMPTY
        } else {
            self.bare_again(&judge, first)?;
            if first.how == judge.how() {
                self.output_of_sets(&judge)?;
            }
            self.tried.extend([(CapMask::EMPTY, false), (all, true)]);
            let pool = self.pool(&judge, used)?;
            let set = self.least(&judge, pool)?;
            self.one_by_one(&judge, set)?
        };
        let missed = self.confirm(&judge, set)? & used.minus(set);
        if !judge.is_same(&self.run(Purpose::Baseline, all)?.end) {
            return Err(Doubt::Drifts.into());
        }
        Ok(Found::Needs { set, judge, missed })
    }

    /// Learns what varies by itself, and which capabilities were used.
    fn baselines(&mut self) -> Result<(Judge, CapMask), Stop> {
        let mut runs: Vec<&Run> = Vec::with_capacity(BASELINES);
        for _ in 0..BASELINES {
            let run = self.run(Purpose::Baseline, self.plan.all)?;
            if run.end.how == How::TimedOut {
                return Err(Refusal::TimesOut.into());
            }
            runs.push(run);
        }
        let ends: Vec<&End> = runs.iter().map(|run| &run.end).collect();
        let judge = Judge::of(&ends).map_err(Doubt::Differs)?;
        let used = |runs: &[&Run]| runs.iter().filter_map(|run| run.used).fold(CapMask::EMPTY, |all, one| all | one);
        let once = used(&runs[..1]).minus(used(&runs[1..]));
        if !once.is_empty() && runs.iter().all(|run| run.used.is_some()) {
            return Err(Doubt::UsedOnce(once).into());
        }
        Ok((judge, used(&runs) & self.plan.all))
    }

    /// The run without any capability again: it must fail as it did before the program was ever run with all of them.
    fn bare_again(&mut self, judge: &Judge, first: &End) -> Result<(), Stop> {
        let again = &self.run(Purpose::Bare, CapMask::EMPTY)?.end;
        match () {
            () if judge.is_same(again) => Err(Doubt::MadeByFirstRun.into()),
            () if !again.resembles(first) => Err(Doubt::FailsInAnotherWay.into()),
            () => Ok(()),
        }
    }

    /// Refuses a program that writes something else without each of three capabilities that next to nothing needs.
    fn output_of_sets(&mut self, judge: &Judge) -> Result<(), Stop> {
        let few = seldom_used(self.plan.all);
        for cap in &few {
            let set = self.plan.all.minus(CapMask::only(*cap));
            if self.ends_same(judge, set)? {
                return Ok(());
            }
        }
        if few.len() < 2 { Ok(()) } else { Err(Refusal::PrintsSets.into()) }
    }

    /// Where to look: the capabilities that were used, if they are enough, else all of them.
    fn pool(&mut self, judge: &Judge, used: CapMask) -> Result<CapMask, Stop> {
        let helps = !used.is_empty() && used != self.plan.all;
        Ok(if helps && self.ends_same(judge, used)? { used } else { self.plan.all })
    }

    fn ends_same(&mut self, judge: &Judge, set: CapMask) -> Result<bool, Stop> {
        if let Some(same) = self.tried.get(&set) {
            return Ok(*same);
        }
        let same = judge.is_same(&self.run(Purpose::Trial, set)?.end);
        self.tried.insert(set, same);
        Ok(same)
    }

    /// The least set within `pool`, which is enough. Each turn halves the search for the weakest capabilities that must be
    /// there up to some strength; the strongest of these cannot be replaced by weaker ones.
    fn least(&mut self, judge: &Judge, pool: CapMask) -> Result<CapMask, Stop> {
        let order = weakest_first(pool);
        let up_to = |count: usize| order[..count].iter().copied().collect::<CapMask>();
        let (mut needed, mut enough) = (CapMask::EMPTY, order.len());
        while !self.ends_same(judge, needed)? {
            if needed.len() >= MOST_CAPABILITIES {
                return Err(Refusal::TooMany.into());
            }
            let mut too_few = 0;
            while enough - too_few > 1 {
                let middle = usize::midpoint(too_few, enough);
                match self.ends_same(judge, needed | up_to(middle))? {
                    true => enough = middle,
                    false => too_few = middle,
                }
            }
            // `needed` and the weakest `enough` together end the same, so that `enough` is 0 only where `needed` alone does.
            let Some(last) = enough.checked_sub(1).and_then(|at| order.get(at)) else { break };
            needed = needed | CapMask::only(*last);
            enough -= 1;
        }
        Ok(needed)
    }

    /// Tries the set without each of its members, the strongest first.
    fn one_by_one(&mut self, judge: &Judge, mut set: CapMask) -> Result<CapMask, Stop> {
        let members: Vec<Capability> = weakest_first(set).into_iter().rev().collect();
        for cap in members {
            let less = set.minus(CapMask::only(cap));
            if self.ends_same(judge, less)? {
                set = less;
            }
        }
        Ok(set)
    }

    /// Runs the program with the result. Returns what it was refused.
    fn confirm(&mut self, judge: &Judge, set: CapMask) -> Result<CapMask, Stop> {
        let (mut refused, mut others) = (CapMask::EMPTY, 0);
        for _ in 0..CONFIRMATIONS {
            let run = self.run(Purpose::Confirmation, set)?;
            refused = refused | run.refused;
            others += usize::from(!judge.is_same(&run.end));
        }
        if others == 0 { Ok(refused) } else { Err(Doubt::Unsteady(set, others).into()) }
    }
}
