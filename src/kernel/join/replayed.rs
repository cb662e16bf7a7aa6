//! Recordings of real kernels, replayed with losses, delays and another order of arrival.

use proptest::prelude::*;

use super::tests::{Happened, History, Truth, check, play, traced};
use super::*;
use crate::kernel::recorded::Recording;

/// A second time the recording has helpers with other numbers, so far above the first; the addresses of works and the
/// workers are the same.
const SECOND: i32 = 1_000_000;

/// A recording `twice` in a row, or once.
fn history(recording: &Recording, is_twice: bool) -> History {
    let mut history = History { threads: recording.threads.clone(), ..History::default() };
    let works = recording.events(&recording.works);
    let forks = recording.events(&recording.forks);
    let is_helper = |pid: i32| recording.truth.iter().any(|one| one.pid == pid);
    let ends = recording.ends.iter().map(|[time, ..]| time.unsigned_abs());
    let last = ends.chain(works.iter().map(|(time, _)| *time)).max().unwrap_or(0);
    let first = works.iter().chain(&forks).map(|(time, _)| *time).min().unwrap_or(0);
    for (shift, number) in [(0, 0), (last - first + 1, SECOND)].into_iter().take(1 + usize::from(is_twice)) {
        let renamed = |pid: i32| if is_helper(pid) { pid + number } else { pid };
        for (time, event) in works.iter().chain(&forks).cloned() {
            let what = match event.what {
                What::Forked { parent, child } => What::Forked { parent, child: renamed(child) },
                What::Executes { pid, file } => What::Executes { pid: renamed(pid), file },
                What::Renamed { pid, comm } => What::Renamed { pid: renamed(pid), comm },
                other => other,
            };
            if let What::Forked { child, .. } = what {
                history.lives.entry(child).or_default().0 = time + shift;
            }
            history.events.push(traced(time + shift, renamed(event.by), what));
        }
        for [time, pid, parent, status] in &recording.ends {
            let [pid, parent, status] = [pid, parent, status].map(|number| i32::try_from(*number).unwrap());
            let (time, pid) = (time.unsigned_abs() + shift, renamed(pid));
            history.lives.entry(pid).and_modify(|life| life.1 = time);
            let input = Input::Exit(Exit { pid, parent, status });
            history.events.push(Happened { time, source: None, input, is_late: false });
        }
        for one in &recording.truth {
            let module = (one.kind == "module").then(|| name(&recording.works, recording, one.tid, one.number));
            let truth = Truth { tid: one.tid, module, agent: one.kind == "agent", executes: true, status: one.status };
            history.truths.insert(renamed(one.pid), truth);
        }
    }
    let truths = &history.truths;
    history.lives.retain(|pid, _| truths.contains_key(pid));
    history.events.sort_by_key(|event| event.time);
    history
}

/// The whole name of the module of this number: the requester recorded its beginning.
fn name(pages: &[Vec<u8>], recording: &Recording, tid: i32, number: u64) -> Box<[u8]> {
    let begins = format!("fs-{number}-");
    let asked = recording.events(pages).into_iter().find_map(|(_, event)| match event.what {
        What::Module(request) if event.by == tid && request.name.starts_with(begins.as_bytes()) => Some(request.name),
        _ => None,
    });
    asked.expect("the kernel told of its request")
}

fn histories() -> Vec<History> {
    Recording::all().iter().flat_map(|(_, one)| [history(one, false), history(one, true)]).collect()
}

/// In so many rounds of equal length.
fn round(history: &History, rounds: u64) -> u64 {
    let times = || history.events.iter().map(|event| event.time);
    ((times().max().unwrap_or(0) - times().min().unwrap_or(0)) / rounds).max(1)
}

#[test]
fn a_recording_of_a_real_kernel_is_joined_as_its_processes_recorded_it() {
    for history in histories() {
        let (seen, join) = play(&history, round(&history, 100), &[], 0);
        check(&history, &seen, true).unwrap();
        assert_eq!(join.counts().foreign_forks, 0);
        assert!(join.counts().foreign_exits > 0, "the recordings have ends of other processes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn recordings_replayed_in_any_order_with_losses_and_delays_are_never_joined_wrongly(
        which in 0usize..6, rounds in 1u64..300, shuffle in 0usize..1000,
        losses in proptest::collection::vec((any::<bool>(), 0u64..1000, 0u64..150), 0..4),
        late in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut history = histories().swap_remove(which);
        let (first, count) = (history.events[0].time, history.events.len());
        for at in late {
            let event = &mut history.events[at.index(count)];
            event.is_late = event.source.is_none();
        }
        let length = history.events[count - 1].time - first;
        // In thousandths of the whole time.
        let at = |part: u64| first + length / 1000 * part;
        let losses: Vec<_> = losses.into_iter().map(|(works, from, long)| (if works { Lost::Works } else { Lost::Forks }, at(from), at(from + long))).collect();
        let (seen, _) = play(&history, round(&history, rounds), &losses, shuffle);
        check(&history, &seen, losses.is_empty())?;
    }
}
