use proptest::collection::vec;
use proptest::prelude::*;

use super::judge::tests::end;
use super::strength::weakest_first;
use super::*;
use crate::abi::cap::Capability;

/// What a simulated program does in its run number `at`, with a set.
struct Simulated<F> {
    run: F,
    /// What a trace shows.
    used: Option<CapMask>,
    plan: Plan,
}

/// A run that ends so, and changes nothing.
fn ran(end: End, used: Option<CapMask>) -> Run {
    Run { end, changed: Vec::new(), used, refused: CapMask::EMPTY }
}

impl<F: FnMut(usize, CapMask) -> End> Simulated<F> {
    /// Runs the finder. Returns what it found, and each run that it asked for.
    fn find(mut self) -> (Found, Vec<(Purpose, CapMask)>) {
        let (mut runs, mut asked) = (Vec::new(), Vec::new());
        loop {
            match next(&self.plan, &runs) {
                Next::Done(found) => return (found, asked),
                Next::Run(purpose, set) => {
                    assert!(self.plan.all.contains(set) && asked.len() < MOST_RUNS, "{asked:?}");
                    let end = (self.run)(asked.len(), set);
                    runs.push(ran(end, self.used.map(|used| used & set)));
                    asked.push((purpose, set));
                }
            }
        }
    }
}

const ALL: CapMask = CapMask::up_to(40);

fn simulated<F: FnMut(usize, CapMask) -> End>(run: F) -> Simulated<F> {
    Simulated { run, used: None, plan: Plan { all: ALL, resets: true } }
}

/// A program that needs one member of each of these sets.
fn needs(groups: Vec<CapMask>) -> impl FnMut(usize, CapMask) -> End {
    move |_, set| if groups.iter().all(|group| !(*group & set).is_empty()) { good() } else { bad() }
}

fn good() -> End {
    end(0, "done", "")
}

fn bad() -> End {
    end(1, "", "not permitted")
}

fn caps(names: &[&str]) -> CapMask {
    names.iter().filter_map(|name| Capability::from_name(name)).collect()
}

fn set(found: &Found) -> CapMask {
    match found {
        Found::Needs { set, .. } => *set,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_program_that_needs_nothing_is_run_17_times() {
    let (found, asked) = simulated(needs(Vec::new())).find();
    assert_eq!((set(&found), asked.len()), (CapMask::EMPTY, 17));
    assert_eq!(asked[0], (Purpose::Bare, CapMask::EMPTY), "before anything can be changed");
    assert_eq!(asked.iter().filter(|(purpose, _)| *purpose == Purpose::Baseline).count(), BASELINES + 1);
    assert_eq!(asked.iter().filter(|run| **run == (Purpose::Confirmation, CapMask::EMPTY)).count(), CONFIRMATIONS);
}

#[test]
fn the_weakest_of_several_that_would_do_is_found() {
    let (found, asked) = simulated(needs(vec![caps(&["dac_override", "dac_read_search"])])).find();
    assert_eq!(set(&found), caps(&["dac_read_search"]));
    assert!(asked.len() <= 25, "{}", asked.len());
    let (found, _) = simulated(needs(vec![caps(&["net_raw", "sys_admin"]), caps(&["sys_admin"])])).find();
    assert_eq!(set(&found), caps(&["sys_admin"]), "nothing is kept that another one makes needless");
}

#[test]
fn a_trace_shortens_the_search_and_does_not_decide() {
    let blind = simulated(needs(vec![caps(&["chown"]), caps(&["setgid"])])).find();
    let run = needs(vec![caps(&["chown"]), caps(&["setgid"])]);
    let seen = Simulated { used: Some(caps(&["chown", "setgid", "sys_admin"])), ..simulated(run) }.find();
    assert_eq!((set(&blind.0), set(&seen.0)), (caps(&["chown", "setgid"]), caps(&["chown", "setgid"])));
    assert!(seen.1.len() + 5 < blind.1.len(), "{} {}", seen.1.len(), blind.1.len());
    // A capability that the trace did not show.
    let wrong = Simulated { used: Some(caps(&["kill"])), ..simulated(needs(vec![caps(&["chown"])])) }.find();
    assert_eq!(set(&wrong.0), caps(&["chown"]));
}

#[test]
fn what_the_first_run_has_made_is_no_result() {
    // A module: the first run with the capability loads it, and later ones find it loaded.
    let mut loaded = false;
    let module = move |_, set: CapMask| {
        loaded |= set.has(Capability::SYS_MODULE);
        if loaded { good() } else { bad() }
    };
    let (found, asked) = simulated(module).find();
    assert_eq!((found, asked.len()), (Found::NotConclusive(Doubt::MadeByFirstRun), 7));
    // A folder: a later run finds it there.
    let mut there = false;
    let folder = move |_, set: CapMask| match set.is_empty() {
        true => bad(),
        false if std::mem::replace(&mut there, true) => end(1, "", "it is there already"),
        false => good(),
    };
    assert_eq!(simulated(folder).find().0, Found::NotConclusive(Doubt::Differs(2)));
    // A program that needs two, of which the first run makes one needless.
    let mut made = false;
    let both = move |_, set: CapMask| {
        made |= set.contains(caps(&["chown", "kill"]));
        match (made || set.contains(caps(&["chown"])), set.contains(caps(&["kill"]))) {
            (true, true) => good(),
            (false, _) => end(1, "", "chown: not permitted"),
            (true, false) => end(1, "", "kill: not permitted"),
        }
    };
    assert_eq!(simulated(both).find().0, Found::NotConclusive(Doubt::FailsInAnotherWay));
}

#[test]
fn a_change_of_the_machine_is_named() {
    let plan = Plan { all: ALL, resets: false };
    let mut runs = vec![ran(bad(), None), ran(good(), None)];
    runs[1].changed.push("the module dummy is loaded".into());
    let doubt = Doubt::Changed(vec!["the module dummy is loaded".into()]);
    assert_eq!(next(&plan, &runs), Next::Done(Found::NotConclusive(doubt)));
}

#[test]
fn a_capability_that_only_the_first_run_uses_is_named() {
    let plan = Plan { all: ALL, resets: false };
    let used = |names: &[&str]| ran(good(), Some(caps(names)));
    let mut runs = vec![ran(bad(), Some(CapMask::EMPTY)), used(&["kill", "chown"])];
    runs.extend((0..4).map(|_| used(&["kill"])));
    assert_eq!(next(&plan, &runs), Next::Done(Found::NotConclusive(Doubt::UsedOnce(caps(&["chown"])))));
    runs[5] = used(&["chown"]);
    assert!(matches!(next(&plan, &runs), Next::Run(Purpose::Bare, _)), "it was used again");
}

#[test]
fn a_program_that_prints_its_sets_is_refused() {
    let (found, asked) = simulated(|_, set| end(0, &format!("{:x}", set.bits()), "")).find();
    assert_eq!((found, asked.len()), (Found::Refused(Refusal::PrintsSets), 10));
    let fails_with_less = |_, set: CapMask| end(u8::from(set != ALL), "", "");
    let (found, asked) = simulated(fails_with_less).find();
    assert_eq!((found, asked.len()), (Found::Refused(Refusal::TooManyRuns), MOST_RUNS - CONFIRMATIONS - 1));
    let thirteen: CapMask = weakest_first(ALL).into_iter().take(13).collect();
    let run = needs(thirteen.iter().map(CapMask::only).collect());
    let found = Simulated { plan: Plan { all: thirteen, resets: true }, ..simulated(run) }.find().0;
    assert!(matches!(found, Found::Refused(Refusal::TooMany | Refusal::TooManyRuns)), "{found:?}");
    let slow = simulated(|_, _| End { how: How::TimedOut, ..bad() }).find();
    assert_eq!((slow.0, slow.1.len()), (Found::Refused(Refusal::TimesOut), 2));
}

#[test]
fn a_program_that_fails_now_and_then_has_no_result() {
    let sometimes = |at: usize, set: CapMask| match at {
        0..17 => needs(vec![caps(&["chown"])])(at, set),
        _ if at.is_multiple_of(3) => bad(),
        _ => good(),
    };
    let (found, _) = simulated(sometimes).find();
    assert!(
        matches!(found, Found::NotConclusive(Doubt::Unsteady(set, others)) if !set.is_empty() && others == 2),
        "{found:?}"
    );
}

#[test]
fn what_is_refused_though_it_is_used_is_named() {
    let plan = Plan { all: ALL, resets: true };
    let mut runs = Vec::new();
    let found = loop {
        match next(&plan, &runs) {
            Next::Done(found) => break found,
            Next::Run(_, set) => {
                let wants = caps(&["chown", "sys_nice"]);
                let end = if set.contains(caps(&["chown"])) { good() } else { bad() };
                let run = Run { refused: wants.minus(set), ..ran(end, Some(wants & set)) };
                runs.push(run);
            }
        }
    };
    assert!(
        matches!(found, Found::Needs { set, missed, .. } if set == caps(&["chown"]) && missed == caps(&["sys_nice"]))
    );
}

/// Up to four groups of up to three capabilities.
fn groups() -> impl Strategy<Value = Vec<CapMask>> {
    vec(vec(0u8..41, 1..4), 0..5)
        .prop_map(|all| all.into_iter().map(|one| one.into_iter().filter_map(Capability::from_bit).collect()).collect())
}

/// The cheapest set by brute force: of all sets with one of each group the one whose strongest member is the weakest, and
/// so on down.
fn best(groups: &[CapMask]) -> Vec<usize> {
    let order = weakest_first(ALL);
    let strength = |cap: Capability| order.iter().position(|other| *other == cap).unwrap();
    let mut sets = vec![CapMask::EMPTY];
    for group in groups {
        sets = sets.iter().flat_map(|set| group.iter().map(|cap| *set | CapMask::only(cap))).collect();
    }
    let ranks = |set: &CapMask| {
        let mut ranks: Vec<usize> = set.iter().map(strength).collect();
        ranks.sort_unstable_by(|a, b| b.cmp(a));
        ranks
    };
    sets.iter().map(ranks).min().unwrap()
}

proptest! {
    #[test]
    fn the_result_is_least_and_its_strongest_members_are_the_weakest_possible(
        groups in groups(), traced in any::<bool>(), hidden in 0u64..4
    ) {
        let used = groups.iter().fold(CapMask::EMPTY, |all, one| all | *one);
        // A trace may show less than what is needed.
        let used = traced.then(|| used & CapMask::from_bits(u64::MAX << hidden));
        let (found, asked) = Simulated { used, ..simulated(needs(groups.clone())) }.find();
        let set = set(&found);
        prop_assert!(groups.iter().all(|group| !(*group & set).is_empty()), "enough");
        for cap in set.iter() {
            let less = set.minus(CapMask::only(cap));
            prop_assert!(groups.iter().any(|group| (*group & less).is_empty()), "{cap:?} is needless");
        }
        if used.is_none() {
            let order = weakest_first(ALL);
            let mut ranks: Vec<usize> = set.iter().map(|cap| order.iter().position(|other| *other == cap).unwrap()).collect();
            ranks.sort_unstable_by(|a, b| b.cmp(a));
            prop_assert_eq!(ranks, best(&groups));
        }
        prop_assert!(asked.len() <= MOST_RUNS);
    }

    /// Whatever a program does, the finder ends, and what it confirms was the same ten times.
    #[test]
    fn any_program_comes_to_an_end(ends in vec(0u8..3, 60), trace in any::<u64>()) {
        let used = Some(CapMask::from_bits(trace));
        let (found, asked) = Simulated { used, ..simulated(|at, _| end(ends[at], "", "")) }.find();
        if let Found::Needs { set, .. } = found {
            let confirmed: Vec<usize> = (0..asked.len()).filter(|at| asked[*at] == (Purpose::Confirmation, set)).collect();
            prop_assert!(confirmed.len() == CONFIRMATIONS && confirmed.iter().all(|at| ends[*at] == ends[1]));
        }
    }
}
