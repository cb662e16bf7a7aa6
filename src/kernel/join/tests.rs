//! Random histories of helpers, replayed through the join with losses, delays and another order of arrival.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::super::event::ModuleRequest;
use super::super::observation::{Cause, Executed};
use super::*;

pub(super) const ALL: Sources = Sources { works: true, forks: true, exits: true };
const WORKERS: [i32; 3] = [10, 11, 12];

/// What really happened to one helper.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    pub(super) tid: i32,
    pub(super) module: Option<Box<[u8]>>,
    pub(super) agent: bool,
    pub(super) executes: bool,
    pub(super) status: i32,
}

/// An event of the history: its source for losses (`None`: an end), and whether it comes late.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub(super) time: u64,
    pub(super) source: Option<Lost>,
    pub(super) input: Input,
    pub(super) is_late: bool,
}

#[derive(Default)]
pub(super) struct History {
    pub(super) events: Vec<Happened>,
    pub(super) truths: BTreeMap<i32, Truth>,
    /// From the fork to the end of each helper.
    pub(super) lives: BTreeMap<i32, (u64, u64)>,
    /// The kernel threads at its beginning.
    pub(super) threads: Vec<i32>,
}

pub(super) fn traced(time: u64, by: i32, what: What) -> Happened {
    let source = match what {
        What::Forked { .. } | What::Executes { .. } | What::Renamed { .. } => Lost::Forks,
        _ => Lost::Works,
    };
    Happened { time, source: Some(source), input: Input::Traced(Traced { by, what }, Reading::None), is_late: false }
}

/// One helper's plan: thread, module name, by a release agent, executed, status, parent in its end, late, steps.
type Plan = (i32, Option<u8>, bool, bool, i32, u8, bool, [u64; 7]);

/// Many helpers at once: three workers, four addresses of works, some threads. The addresses are used again at once.
fn history(plans: &[Plan]) -> History {
    let threads = WORKERS.into_iter().chain([20]).collect();
    let mut history = History { threads, ..History::default() };
    let mut free_at: [u64; 3] = [1_000; 3];
    // A work must have begun before its address is used again.
    let mut work_free = [1_000u64; 4];
    // A thread asks for one module after the other.
    let mut thread_free: HashMap<i32, u64> = HashMap::new();
    for (number, (tid, module, agent, executes, status, parent, late, steps)) in plans.iter().enumerate() {
        let pid = 1000 + i32::try_from(number).unwrap();
        let (worker, work) = (number % WORKERS.len(), (number * 7 + steps[0] as usize) % work_free.len());
        let queued = work_free[work].max(free_at[worker].saturating_sub(steps[0]));
        let thread = thread_free.entry(*tid).or_default();
        let queued = queued.max(*thread) + 2 + steps[0];
        *thread = queued;
        let mut push = |event| history.events.push(event);
        let work_at = |index: usize| What::Queued { work: 0x1000 + index as u64 };
        let kworker = WORKERS[worker];
        let mut began = queued.max(free_at[worker]) + 1 + steps[1];
        if let Some(name) = module.filter(|_| !*agent) {
            let request = ModuleRequest { name: [name].into(), call_site: 7, waits: true };
            push(traced(queued - 1, *tid, What::Module(Box::new(request))));
        }
        push(traced(queued, *tid, work_at(work)));
        if *agent {
            // The worker of the agent's work queues the helper's.
            let other = 20;
            push(traced(began, other, What::Began { work: 0x1000 + work as u64 }));
            let inner = work_free.len() + number % 2;
            push(traced(began + 1, other, work_at(inner)));
            push(traced(began + 2, other, What::Done));
            work_free[work] = began;
            began += 3;
            push(traced(began, kworker, What::Began { work: 0x1000 + inner as u64 }));
            // The other worker and both inner works are free again before the next agent.
            free_at.iter_mut().for_each(|free| *free = (*free).max(began + 1));
            work_free.iter_mut().for_each(|free| *free = (*free).max(began + 1));
        } else {
            push(traced(began, kworker, What::Began { work: 0x1000 + work as u64 }));
            work_free[work] = began;
        }
        let forked = began + 1 + steps[2];
        push(traced(forked, kworker, What::Forked { parent: kworker, child: pid }));
        let executed = forked + 1 + steps[3];
        if *executes {
            push(traced(executed, pid, What::Executes { pid, file: b"/agent".as_slice().into() }));
        }
        let ended = executed + 1 + steps[4];
        let parent = [0, 2, kworker][usize::from(*parent) % 3];
        let status = if *executes { *status } else { 0 };
        let exit = Input::Exit(Exit { pid, parent, status });
        push(Happened { time: ended, source: None, input: exit, is_late: *late });
        let done = if parent == kworker { ended + 1 } else { forked + 1 } + steps[5];
        push(traced(done, kworker, What::Done));
        free_at[worker] = done;
        history.truths.insert(
            pid,
            Truth { tid: *tid, module: module.map(|name| [name].into()), agent: *agent, executes: *executes, status },
        );
        history.lives.insert(pid, (forked, ended));
    }
    history.events.sort_by_key(|event| event.time);
    history
}

/// Plays a history in rounds that end at multiples of `round`. Events in `losses` are lost.
pub(super) fn play(
    history: &History,
    round: u64,
    losses: &[(Lost, u64, u64)],
    shuffle: usize,
) -> (Vec<Observation>, Join) {
    let mut join = Join::new(ALL, 0);
    join.listed(0, history.threads.iter().copied(), &[]);
    let end = history.events.last().map_or(0, |event| event.time) + 10 * HOLD;
    let mut out = Vec::new();
    let begin = history.events.first().map_or(0, |event| event.time);
    let (mut now, mut delayed): (u64, Vec<Happened>) = (begin, Vec::new());
    let is_lost = |event: &Happened| {
        event.source.is_some_and(|source| {
            losses.iter().any(|(of, from, to)| *of == source && (*from..=*to).contains(&event.time))
        })
    };
    let mut told = vec![false; losses.len()];
    while now < end {
        let until = if now > history.events.last().map_or(0, |e| e.time) { now + HOLD } else { now + round };
        let mut new: Vec<Happened> = std::mem::take(&mut delayed);
        let of_round =
            history.events.iter().filter(|event| (now..until).contains(&event.time) && !is_lost(event)).cloned();
        for event in of_round {
            if event.is_late { delayed.push(event) } else { new.push(event) }
        }
        if !new.is_empty() {
            reorder(&mut new, shuffle);
        }
        new.into_iter().for_each(|event| join.push(event.time, event.input));
        for (told, (source, from, to)) in told.iter_mut().zip(losses) {
            if !*told && *to < until {
                *told = true;
                let of = |event: &&Happened| event.source == Some(*source) && (*from..=*to).contains(&event.time);
                join.lose(
                    *source,
                    from.saturating_sub(1),
                    to + 1,
                    Some(history.events.iter().filter(of).count() as u64),
                );
            }
        }
        if join.must_list() {
            let lives: Vec<i32> = history
                .lives
                .iter()
                .filter(|(_, (from, to))| *from < until && *to >= until)
                .map(|(pid, _)| *pid)
                .collect();
            join.listed(until, [], &lives);
        }
        // A loss that is not yet known holds the time up, as an unread buffer does.
        let unread =
            losses.iter().zip(&told).filter(|(_, told)| !**told).map(|((_, from, _), _)| from.saturating_sub(1)).min();
        out.extend(join.advance((until - 1).min(unread.unwrap_or(u64::MAX))));
        now = until;
    }
    out.extend(join.finish());
    (out, join)
}

/// Another order: a rotation, and exchanges of neighbours far and near.
fn reorder(events: &mut [Happened], shuffle: usize) {
    let length = events.len();
    events.rotate_left(shuffle % length);
    for at in (0..length).skip(shuffle % 3).step_by(1 + shuffle % 5) {
        events.swap(at, at.wrapping_mul(shuffle | 1).wrapping_add(shuffle) % length);
    }
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let steps = proptest::array::uniform7(prop_oneof![3 => 0u64..4, 1 => 0u64..3000]);
    let plan = (
        100i32..108,
        proptest::option::of(b'a'..=b'e'),
        any::<bool>(),
        any::<bool>(),
        1i32..70_000,
        0u8..3,
        any::<bool>(),
        steps,
    );
    proptest::collection::vec(plan, 1..60)
}

/// Every helper once, with its own status; whatever is said without a doubt is true.
pub(super) fn check(history: &History, seen: &[Observation], is_complete: bool) -> Result<(), TestCaseError> {
    let mut times: HashMap<i32, usize> = HashMap::new();
    for one in seen {
        let Some(truth) = history.truths.get(&one.pid) else {
            // An end without a known parent, of a time of which forks are lost; it is said so.
            prop_assert!(one.doubts.is_helper && !is_complete, "no helper: {one:?}");
            continue;
        };
        *times.entry(one.pid).or_default() += 1;
        prop_assert_eq!(one.status.map(WaitStatus::raw), Ok(truth.status), "{:?}", one);
        match &one.requester {
            Ok(requester) if !one.doubts.requester => prop_assert_eq!(requester.tid, truth.tid, "{:?}", one),
            Ok(_) | Err(_) => prop_assert!(!is_complete, "{one:?}"),
        }
        let cause = match (truth.agent, &truth.module) {
            (true, _) => "agent".to_owned(),
            (false, Some(name)) => format!("module {name:?}"),
            (false, None) => "other".to_owned(),
        };
        let said = match &one.cause {
            Ok(Cause::Module(request)) => format!("module {:?}", request.name),
            Ok(Cause::ReleaseAgent) => "agent".to_owned(),
            Ok(Cause::Other) => "other".to_owned(),
            Err(_) => cause.clone(),
        };
        prop_assert!(one.doubts.requester || said == cause, "{said} is not {cause}: {one:?}");
        match &one.executed {
            Executed::Yes { .. } => prop_assert!(truth.executes, "{one:?}"),
            Executed::Failed => prop_assert!(!truth.executes, "{one:?}"),
            Executed::Unknown(_) => prop_assert!(!is_complete, "{one:?}"),
        }
    }
    let expected: HashMap<i32, usize> = history.truths.keys().map(|pid| (*pid, 1)).collect();
    prop_assert_eq!(times, expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn without_a_loss_everything_is_known_and_right(plans in plans(), round in 1u64..5000, shuffle in 0usize..50) {
        let history = history(&plans);
        let (seen, mut join) = play(&history, round, &[], shuffle);
        check(&history, &seen, true)?;
        let counts = join.counts();
        prop_assert_eq!((counts.foreign_forks, counts.foreign_exits, counts.lost_works), (0, 0, 0));
        prop_assert!(join.advance(u64::MAX).is_empty());
        prop_assert_eq!(join.size(), 0);
    }

    #[test]
    fn after_a_loss_every_end_appears_and_nothing_is_joined_wrongly(
        plans in plans(), round in 1u64..5000, shuffle in 0usize..50,
        losses in proptest::collection::vec((any::<bool>(), 0u64..30_000, 0u64..4000), 1..4),
    ) {
        let history = history(&plans);
        let losses: Vec<_> =
            losses.into_iter().map(|(works, from, long)| (if works { Lost::Works } else { Lost::Forks }, from, from + long)).collect();
        let (seen, join) = play(&history, round, &losses, shuffle);
        check(&history, &seen, false)?;
        let lost = |of| {
            let in_loss = |event: &&Happened| event.source == Some(of);
            let inside = |event: &&Happened| losses.iter().filter(|(source, from, to)| *source == of && (*from..=*to).contains(&event.time)).count() as u64;
            history.events.iter().filter(in_loss).map(|event| inside(&event)).sum::<u64>()
        };
        prop_assert_eq!((join.counts().lost_works, join.counts().lost_forks), (lost(Lost::Works), lost(Lost::Forks)));
    }
}

#[test]
fn a_process_with_the_name_of_a_worker_adds_no_helper() {
    let mut join = Join::new(ALL, 0);
    join.listed(0, WORKERS, &[]);
    for number in 0..20_000i32 {
        let (time, child) = (u64::from(number.unsigned_abs()), 30_000 + number);
        let fork = traced(time, 5000, What::Forked { parent: 5000, child });
        join.push(time, fork.input);
        let parent = if number % 2 == 0 { 0 } else { 5000 };
        join.push(time, Input::Exit(Exit { pid: child, parent, status: 0 }));
    }
    assert_eq!(join.advance(2 * HOLD + 20_000), []);
    assert_eq!((join.counts().foreign_forks, join.counts().foreign_exits, join.size()), (20_000, 20_000, 0));
}

/// The report of an end may come late, when the pid is a helper's already.
#[test]
fn an_end_before_the_fork_is_of_another_process() {
    let mut join = Join::new(ALL, 0);
    join.listed(0, WORKERS, &[]);
    for (time, by, what) in [
        (200, 106, What::Queued { work: 7 }),
        (300, 10, What::Began { work: 7 }),
        (310, 10, What::Forked { parent: 10, child: 164 }),
    ] {
        join.push(time, traced(time, by, what).input);
    }
    assert_eq!(join.advance(320), []);
    assert_eq!(join.new_askers(), [(164, Asker { tid: 106, queued: 200, forked: 310 })]);
    join.push(250, Input::Exit(Exit { pid: 164, parent: 5000, status: 256 }));
    assert_eq!((join.advance(330), join.running()), (vec![], vec![164]));
    join.push(400, Input::Exit(Exit { pid: 164, parent: 10, status: 9 }));
    let seen = join.advance(500);
    assert_eq!((seen.len(), seen[0].status, seen[0].times.ended), (1, Ok(WaitStatus::from_raw(9)), Some(400)));
}

/// Whatever is lost before the first list of processes, an end in that time may be a helper's.
#[test]
fn a_loss_before_the_first_list_is_a_loss_too() {
    for from in [0, 1, 700] {
        let mut join = Join::new(ALL, 0);
        join.lose(Lost::Forks, from, 1000, Some(1));
        join.listed(2000, WORKERS, &[78]);
        join.push(900, Input::Exit(Exit { pid: 77, parent: 0, status: 9 }));
        let seen = join.advance(3000);
        assert_eq!((seen.len(), seen[0].pid, seen[0].doubts.is_helper), (1, 77, true), "{from}");
        assert_eq!(join.finish()[0].requester, Err(Unknown::BeforeWatch));
    }
}

#[test]
fn a_module_request_whose_work_is_lost_is_not_the_cause_of_the_threads_next_work() {
    for (lost, cause) in [(150, Err(Unknown::TraceLost)), (250, Ok(Some(&b"a"[..])))] {
        let mut join = Join::new(ALL, 0);
        join.listed(0, WORKERS, &[]);
        let request = ModuleRequest { name: b"a"[..].into(), call_site: 7, waits: true };
        join.push(100, traced(100, 106, What::Module(Box::new(request))).input);
        join.lose(Lost::Works, lost, lost, Some(1));
        for (time, by, what) in [
            (200, 106, What::Queued { work: 7 }),
            (300, 10, What::Began { work: 7 }),
            (310, 10, What::Forked { parent: 10, child: 164 }),
        ] {
            join.push(time, traced(time, by, what).input);
        }
        join.push(400, Input::Exit(Exit { pid: 164, parent: 10, status: 0 }));
        let seen = join.advance(500);
        // Another thread's work may have begun.
        assert_eq!(join.new_askers().len(), usize::from(lost == 150));
        let said = seen[0].cause.as_ref().map(|cause| match cause {
            Cause::Module(request) => Some(&*request.name),
            _ => None,
        });
        assert_eq!(said, cause.as_ref().copied(), "lost at {lost}");
    }
}

/// A worker may be made, and end, while forks are lost: nothing tells then that what queued the work was no process.
#[test]
fn a_worker_that_was_made_in_a_loss_is_never_a_requester_without_a_doubt() {
    for (reading, doubt) in [(Reading::None, true), (Reading::KernelThread, true), (Reading::None, false)] {
        let mut join = Join::new(ALL, 0);
        join.listed(0, WORKERS, &[]);
        if doubt {
            join.lose(Lost::Forks, 100, 200, Some(2));
        }
        join.lose(Lost::Works, 300, 400, Some(1));
        let queued = Traced { by: 153, what: What::Queued { work: 7 } };
        join.push(500, Input::Traced(queued, reading));
        for (time, what) in [(510, What::Began { work: 7 }), (520, What::Forked { parent: 10, child: 164 })] {
            join.push(time, Input::Traced(Traced { by: 10, what }, Reading::None));
        }
        join.push(600, Input::Exit(Exit { pid: 164, parent: 10, status: 0 }));
        let seen = join.advance(700);
        assert_eq!((seen.len(), seen[0].doubts.requester), (1, doubt));
        assert_eq!(seen[0].requester.as_ref().map(|requester| requester.tid), Ok(153));
    }
}

#[test]
fn a_helper_that_runs_already_and_one_whose_end_is_lost_are_told() {
    let mut join = Join::new(ALL, 1000);
    join.listed(1000, WORKERS, &[77, 78]);
    join.push(2000, Input::Exit(Exit { pid: 77, parent: 0, status: 9 }));
    let seen = join.advance(3000);
    assert_eq!(
        (seen[0].pid, seen[0].requester.clone(), seen[0].status),
        (77, Err(Unknown::BeforeWatch), Ok(WaitStatus::from_raw(9)))
    );
    assert_eq!(join.running(), [78]);
    join.vanished(78);
    let seen = join.advance(4000);
    assert_eq!((seen.len(), seen[0].status), (1, Err(Unknown::ExitLost)));
    // A kernel thread's end is none of a helper.
    join.push(5000, traced(5000, 2, What::Forked { parent: 2, child: 90 }).input);
    join.push(5001, Input::Exit(Exit { pid: 90, parent: 2, status: 0 }));
    assert_eq!((join.advance(6000), join.new_kernel_threads()), (vec![], vec![90]));
}

#[test]
fn each_missing_source_leaves_its_own_part_unknown() {
    let plan: Plan = (100, Some(b'a'), false, true, 256, 2, false, [1; 7]);
    let played = |sources: Sources| {
        let mut join = Join::new(sources, 0);
        join.listed(0, WORKERS, &[]);
        for event in history(&[plan]).events {
            let has = match event.source {
                Some(Lost::Works) => sources.works,
                Some(Lost::Forks) => sources.forks,
                None => sources.exits,
            };
            if has {
                join.push(event.time, event.input);
            }
        }
        join.finish()
    };
    let without_works = played(Sources { works: false, ..ALL });
    assert_eq!((without_works[0].requester.clone(), without_works.len()), (Err(Unknown::NotTold), 1));
    assert!(matches!(without_works[0].executed, Executed::Yes { .. }));
    let without_exits = played(Sources { exits: false, ..ALL });
    assert_eq!((without_exits[0].status, without_exits.len()), (Err(Unknown::NotTold), 1));
    assert_eq!(without_exits[0].requester.as_ref().map(|requester| requester.tid), Ok(100));
    let alone = played(Sources { works: false, forks: false, exits: true });
    assert_eq!(
        (alone[0].requester.clone(), alone[0].status, alone.len()),
        (Err(Unknown::NotTold), Ok(WaitStatus::from_raw(256)), 1)
    );
}
