//! The watch on this machine's kernel, at full speed: a private hierarchy of cgroups makes the kernel start helpers,
//! and what the watch says is compared with what the requesting threads and the helpers themselves recorded.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod hierarchy;
mod watcher;

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hierarchy::{Asked, Hierarchy};
use watcher::{Seen, Watcher};

/// One at a time: every watch sees the helpers of all tests.
static ALONE: Mutex<()> = Mutex::new(());

fn note(words: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

/// A hierarchy and a watch, or says why there are none.
fn begin() -> Option<(MutexGuard<'static, ()>, Hierarchy, Watcher)> {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let both = Hierarchy::new().and_then(|hierarchy| Ok((hierarchy, Watcher::start()?)));
    match both {
        Ok((hierarchy, watcher)) => Some((alone, hierarchy, watcher)),
        Err(why) => {
            note(format_args!("skipped: {why}"));
            None
        }
    }
}

/// Not a test of its own: the other process of the tests below.
#[test]
fn watcher_process() {
    if std::env::var_os(watcher::PROCESS).is_some() {
        watcher::process();
    }
}

fn end_of(number: usize) -> (String, i32) {
    match number % 5 {
        0 => ("k9".to_owned(), 9),
        1 => ("e0".to_owned(), 0),
        _ => (format!("e{}", number % 251), i32::try_from(number % 251).unwrap() << 8),
    }
}

/// The observations of our agents, by pid; a pid that comes twice is checked by its order.
fn of_agent<'a>(seen: &'a [Seen], hierarchy: &Hierarchy) -> Vec<&'a Seen> {
    let agent = hierarchy.agent();
    seen.iter().filter(|seen| seen.file == agent.to_str().unwrap()).collect()
}

/// Compares every observation with the records. Returns how many requesters are known, and how many uids and arguments.
fn compare(seen: &[&Seen], noted: &[(i32, usize)], asked: &HashMap<usize, Asked>) -> [usize; 4] {
    let mut by_pid: HashMap<i32, Vec<usize>> = HashMap::new();
    noted.iter().for_each(|(pid, number)| by_pid.entry(*pid).or_default().push(*number));
    let mut counts = [0; 4];
    for seen in seen {
        let numbers = by_pid.get(&seen.pid).unwrap_or_else(|| panic!("no agent had this pid: {seen:?}"));
        let fits = |number: &usize| {
            let asked = asked[number];
            asked.status == seen.status && (seen.tid == 0 || seen.doubtful || asked.tid == seen.tid)
        };
        let at = numbers.iter().position(fits);
        let at = at.unwrap_or_else(|| {
            panic!("{seen:?} is none of {:?}", numbers.iter().map(|n| (n, asked[n])).collect::<Vec<_>>())
        });
        by_pid.get_mut(&seen.pid).unwrap().remove(at);
        counts[0] += usize::from(seen.tid != 0 && !seen.doubtful);
        counts[1] += usize::from(seen.uid == 0);
        counts[2] += usize::from(seen.argv);
        counts[3] += usize::from(seen.executed == "yes");
    }
    counts
}

#[test]
fn no_helper_is_missed_at_full_speed_and_every_status_and_requester_is_right() {
    const HELPERS: usize = 4000;
    let Some((_alone, hierarchy, mut watcher)) = begin() else { return };
    let (before, began) = (watcher.costs(), Instant::now());
    let asked = hierarchy.start(0, HELPERS, 4, end_of);
    let took = began.elapsed();
    let (mut seen, mut lost) = (Vec::new(), 0);
    watcher.until(&mut seen, &mut lost, |seen| of_agent(seen, &hierarchy).len() == HELPERS);
    let costs = watcher.costs();
    let counts = watcher.end(&mut seen, &mut lost);
    let ours = of_agent(&seen, &hierarchy);
    let [requesters, uids, arguments, executed] = compare(&ours, &hierarchy.noted(), &asked);
    let cpu = costs.0.saturating_sub(before.0);
    note(format_args!(
        "{HELPERS} helpers, {:.0} a second: {} seen, requester {requesters}, uid {uids}, argv {arguments}; CPU {:.3} ms a helper, \
         resident {} KiB, at most {} KiB; {counts}",
        HELPERS as f64 / took.as_secs_f64(),
        ours.len(),
        cpu.as_secs_f64() * 1000.0 / HELPERS as f64,
        costs.1,
        costs.2,
    ));
    assert_eq!((ours.len(), requesters, executed, lost), (HELPERS, HELPERS, HELPERS, 0));
}

#[test]
fn an_idle_watch_costs_next_to_nothing() {
    let Some((_alone, _hierarchy, watcher)) = begin() else { return };
    let before = watcher.costs();
    // Time is what is measured here; nothing waits for it.
    std::thread::sleep(Duration::from_secs(10));
    let after = watcher.costs();
    note(format_args!("idle for 10 s: {} ms of CPU, resident {} KiB", (after.0 - before.0).as_millis(), after.1));
}
