//! REQ-12 on the real machine: helpers that ask again. What needs time is proved on the scripted host.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "common/asking.rs"]
mod asking;
mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use asking::Asking;
use common::{finished, until};
use khelper::abi::actor::Origin;
use khelper::abi::era::Era;
use khelper::abi::event::EventKind;
use khelper::abi::record::{Outcome, Record};
use khelper::engine::{Engine, KnobWrite, Subscription};
use nix::errno::Errno;

/// Not a test: see [`asking::client`].
#[test]
fn client() {
    asking::client();
}

fn engine(era: Era, limit: u32) -> Engine {
    let engine = Engine::start().unwrap();
    engine.write(&[KnobWrite::Era(era), KnobWrite::MaxConcurrent(limit)], Origin::Library).unwrap();
    engine
}

fn ask(asking: &Asking, name: &str) -> JoinHandle<Arc<Record>> {
    let (engine, name) = (asking.engine().clone(), name.to_owned());
    std::thread::spawn(move || engine.request_module(name, true))
}

/// `1-of-3 → 2-of-3 → 3-of-3 → 1-of-3`.
fn loop_of(length: usize) -> String {
    let names: Vec<String> = (0..=length).map(|at| format!("{}-of-{length}", at % length + 1)).collect();
    names.join(" → ")
}

fn refused(events: &Subscription) -> Arc<Record> {
    loop {
        let record = finished(events);
        if record.outcome == Outcome::Refused {
            return record;
        }
    }
}

/// Every link up to this process is known, and the requests of the helpers in it come in the order in which they asked.
/// Who started this process may be a guess.
fn check_chain(record: &Record) {
    let helpers: Vec<u64> = record.chain.iter().filter_map(|link| link.helper_of).collect();
    let first = record.id - u64::try_from(helpers.len()).unwrap();
    assert_eq!(helpers, (first..record.id).rev().collect::<Vec<_>>(), "{:?}", record.chain);
    let mut ours = record.chain.iter().take_while(|link| u32::try_from(link.pid) != Ok(std::process::id()));
    assert!(ours.all(|link| link.known), "{:?}", record.chain);
    assert_eq!(record.asked_by, Some(record.id - 1));
}

fn req_4_a_loop_is_refused(length: usize, limit: u32) {
    let asking = Asking::demo(engine(Era::V3_4, limit));
    let events = asking.engine().subscribe(10_000);
    let first = ask(&asking, &format!("1-of-{length}"));
    let refusal = refused(&events);
    assert_eq!((refusal.id, refusal.errno), (u64::from(limit) + 1, Some(Errno::ENOMEM)));
    let why = refusal.why().unwrap();
    let what = format!(
        "it belongs to a loop, {}, which holds {limit} slots: `khelper kill --chain '#1'` ends it",
        loop_of(length)
    );
    assert!(why.ends_with(&what), "{why}");
    check_chain(&refusal);
    // Each helper gets the refusal from the one below, and passes it on.
    let first = first.join().unwrap();
    assert_eq!((first.outcome, first.status.and_then(|s| s.exit_code())), (Outcome::Exited, Some(1)));
    check_gone(&asking);
}

fn check_gone(asking: &Asking) {
    assert_eq!((asking.engine().sessions(), asking.processes()), (0, Vec::new()));
}

#[test]
fn req_4_loops_of_one_two_and_three_modules_are_refused_and_named() {
    for length in 1..=3 {
        req_4_a_loop_is_refused(length, 7);
    }
}

/// What the limit of 50 exists for.
#[test]
fn req_4_a_loop_is_refused_at_50() {
    req_4_a_loop_is_refused(2, 50);
}

#[test]
fn req_5_a_loop_is_throttled_and_named() {
    let asking = Asking::demo(engine(Era::Current, 4));
    let events = asking.engine().subscribe(10_000);
    let first = ask(&asking, "1-of-3");
    let refusal = refused(&events);
    assert_eq!((refusal.id, refusal.errno), (5, Some(Errno::ETIME)));
    assert!(refusal.why().unwrap().contains(&loop_of(3)), "{:?}", refusal.why());
    check_chain(&refusal);
    first.join().unwrap();
    check_gone(&asking);
}

fn waiting(events: &Subscription) -> u64 {
    until(events, |kind| match kind {
        EventKind::Waiting { id } => Some(*id),
        _ => None,
    })
}

/// A slot is given back just after its request has ended.
fn check_slots(asking: &Asking, events: &Subscription) {
    while asking.engine().snapshot().slots.concurrent > 0 {
        until(events, |kind| matches!(kind, EventKind::Released { .. }).then_some(()));
    }
}

#[test]
fn req_12_one_command_ends_a_loop_that_waits_for_a_slot() {
    for length in 1..=3 {
        let asking = Asking::demo(engine(Era::Current, 6));
        let events = asking.engine().subscribe(10_000);
        let first = ask(&asking, &format!("1-of-{length}"));
        assert_eq!(waiting(&events), 7);
        let ended = asking.engine().kill_chain(1, libc::SIGTERM).unwrap();
        // A helper whose request has been answered may end by itself before its signal.
        assert!(ended.left.is_empty(), "{ended:?}");
        assert!(matches!(first.join().unwrap().outcome, Outcome::Killed | Outcome::Exited));
        assert_eq!(asking.engine().snapshot().live_total, 0);
        check_slots(&asking, &events);
        check_gone(&asking);
    }
}

/// It asks until it is served, which the limit prevents, and ignores SIGTERM.
const STUBBORN: &str = "#!/bin/sh\ntrap '' TERM\nuntil ${0%/*}/khelper request again; do :; done\n";

#[test]
fn req_12_one_command_ends_a_loop_that_never_gives_up() {
    let asking = Asking::new(engine(Era::V3_4, 5), STUBBORN);
    let events = asking.engine().subscribe(100_000);
    let first = ask(&asking, "again");
    for _ in 0..10 {
        refused(&events);
    }
    let ended = asking.engine().kill_chain(1, libc::SIGTERM).unwrap();
    assert_eq!((ended.signalled[0], ended.left), (1, vec![]));
    assert_eq!(first.join().unwrap().status.and_then(|s| s.signal()), Some(libc::SIGKILL as u8));
    check_gone(&asking);
    check_slots(&asking, &events);
}

/// The helper ends at once; what it has started asks later, in a process group of its own, and without the pipes that end
/// with the helper.
const LEAVES: &str = "#!/bin/sh
for name; do :; done
[ \"$name\" = first ] || exec sleep 1000
here=${0%/*}
timeout 1000 sh -c 'read -r go <\"$1\"; \"$0\" request second' \"$here/khelper\" \"$here/go\" >/dev/null 2>&1 &
";

#[test]
fn req_12_what_a_helper_leaves_behind_is_attributed_and_ended() {
    let asking = Asking::new(engine(Era::V3_4, 5), LEAVES);
    let events = asking.engine().subscribe(10_000);
    let go = asking.dir().fifo("go");
    let first = ask(&asking, "first").join().unwrap();
    assert_eq!((first.outcome, first.result), (Outcome::Exited, Some(0)));
    std::fs::write(go, "go\n").unwrap();
    let (id, _) = until(&events, |kind| match kind {
        EventKind::Started { id: 2, pid } => Some((2, *pid)),
        _ => None,
    });
    let live = asking.engine().record(id).unwrap();
    assert_eq!(live.asked_by, Some(1), "{:?}", live.chain);
    let helper = live.chain.iter().find(|link| link.helper_of == Some(1)).unwrap();
    assert_eq!((helper.pid, helper.known, helper.comm.to_string()), (first.pid.unwrap(), true, "asking".to_owned()));
    let ended = asking.engine().kill_chain(1, libc::SIGTERM).unwrap();
    assert_eq!((ended.signalled, ended.left), (vec![2], vec![]));
    check_gone(&asking);
}

/// The helper ends at once; what it has started ignores SIGUSR1, and says so once its program runs.
const DEAF: &str = "#!/bin/sh
sh -c 'trap \"\" USR1; echo >\"$1/ready\"; read -r line <\"$1/never\"' sh \"${0%/*}\" >/dev/null 2>&1 &
read -r line <\"${0%/*}/ready\"
";

#[test]
fn req_12_a_process_that_ignores_the_signal_is_named() {
    let asking = Asking::new(engine(Era::V3_4, 5), DEAF);
    asking.dir().fifo("ready");
    asking.dir().fifo("never");
    let first = ask(&asking, "first").join().unwrap();
    assert_eq!((first.outcome, first.result), (Outcome::Exited, Some(0)));
    let ended = asking.engine().kill_chain(1, libc::SIGUSR1).unwrap();
    let left: Vec<_> = ended.left_processes.iter().map(|left| (left.comm.to_string(), left.certain)).collect();
    assert_eq!((ended.left, ended.processes, left), (vec![], 1, vec![("sh".to_owned(), true)]));
    let ended = asking.engine().kill_chain(1, libc::SIGTERM).unwrap();
    assert!(ended.processes == 1 && ended.is_whole(), "{ended:?}");
    check_gone(&asking);
}

/// The helper and two processes in sessions of their own below it; all wait.
const SCATTERED: &str = "#!/bin/sh
setsid sh -c 'setsid sleep 1001 >/dev/null 2>&1 & echo >\"$0\"; wait' \"${0%/*}/ready\" >/dev/null 2>&1 &
wait
";

#[test]
fn req_12_descendants_in_other_sessions_end_with_the_chain() {
    let asking = Asking::new(engine(Era::V3_4, 5), SCATTERED);
    let ready = asking.dir().fifo("ready");
    let first = ask(&asking, "first");
    std::fs::read(ready).unwrap();
    let ended = asking.engine().kill_chain(1, libc::SIGTERM).unwrap();
    assert_eq!((&ended.signalled, ended.processes, ended.is_whole()), (&vec![1], 2, true), "{ended:?}");
    first.join().unwrap();
    check_gone(&asking);
}

/// What the helper starts leaves its session, loses its parents, and asks.
const ESCAPES: &str = "#!/bin/sh
for name; do :; done
[ \"$name\" = first ] || exec sleep 1000
here=${0%/*}
setsid sh -c 'sh -c \"read -r go <\\\"\\$1\\\"; \\\"\\$0\\\" request second\" \"$0\" \"$1\" &' \"$here/khelper\" \"$here/go\" >/dev/null 2>&1
";

/// A declared deviation: nothing that it cannot forge still names its helper.
#[test]
fn req_12_what_leaves_its_session_and_loses_its_parents_is_a_stranger() {
    let asking = Asking::new(engine(Era::V3_4, 5), ESCAPES);
    let events = asking.engine().subscribe(10_000);
    let go = asking.dir().fifo("go");
    let first = ask(&asking, "first").join().unwrap();
    assert_eq!((first.outcome, first.result), (Outcome::Exited, Some(0)));
    std::fs::write(go, "go\n").unwrap();
    let started = |kind: &EventKind| matches!(kind, EventKind::Started { id: 2, .. }).then_some(());
    until(&events, started);
    assert_eq!(asking.engine().record(2).unwrap().asked_by, None);
    assert_eq!(asking.engine().kill_chain(1, libc::SIGTERM).unwrap_err().errno, Errno::ESRCH);
    assert!(asking.engine().kill_chain(2, libc::SIGTERM).unwrap().is_whole());
}

/// A cgroup of the test's own. Dropping it removes it, and those of helpers that a failed test has left in it.
struct Cgroup(PathBuf);

impl Drop for Cgroup {
    fn drop(&mut self) {
        for entry in std::fs::read_dir(&self.0).into_iter().flatten().flatten() {
            // The others are files of the kernel's.
            let _ = std::fs::remove_dir(entry.path());
        }
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// A cgroup, if one can be made.
fn cgroup() -> Option<Cgroup> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let root = mounts.lines().filter(|line| line.contains(" - cgroup2 ")).find_map(|line| line.split(' ').nth(4));
    let folder = root.map(|root| Path::new(root).join(format!("khelper-recursion-{}", std::process::id())));
    folder.filter(|folder| std::fs::create_dir(folder).is_ok()).map(Cgroup)
}

/// Where each helper has a cgroup of its own, that still names the helper.
#[test]
fn req_12_what_leaves_its_session_is_attributed_by_its_cgroup() {
    let Some(below) = cgroup() else { return common::skipped("no cgroup can be made here") };
    let engine = Engine::builder().helper_cgroups(below.0.clone()).start().unwrap();
    let asking = Asking::new(engine, ESCAPES);
    let events = asking.engine().subscribe(10_000);
    let go = asking.dir().fifo("go");
    let first = ask(&asking, "first").join().unwrap();
    assert_eq!((first.outcome, first.result), (Outcome::Exited, Some(0)));
    // Its session has no process, and is not forgotten.
    assert_eq!(asking.engine().sessions(), 1);
    std::fs::write(go, "go\n").unwrap();
    until(&events, |kind| matches!(kind, EventKind::Started { id: 2, .. }).then_some(()));
    let live = asking.engine().record(2).unwrap();
    assert_eq!(live.asked_by, Some(1), "{:?}", live.chain);
    let helper = live.chain.iter().find(|link| link.helper_of == Some(1)).unwrap();
    assert_eq!((helper.pid, helper.known), (first.pid.unwrap(), true));
    let ended = asking.engine().kill_chain(1, libc::SIGTERM).unwrap();
    assert_eq!((&ended.signalled, ended.is_whole()), (&vec![2], true), "{ended:?}");
    check_gone(&asking);
    // The cgroups are gone too.
    std::fs::remove_dir(&below.0).unwrap();
}

/// A session of its own below a living helper.
const APART: &str = "#!/bin/sh\nsetsid -w \"${0%/*}/khelper\" request again\n";

#[test]
fn req_12_a_session_of_its_own_below_a_living_helper_is_attributed() {
    let asking = Asking::new(engine(Era::V3_4, 3), APART);
    let events = asking.engine().subscribe(10_000);
    let first = ask(&asking, "again");
    check_chain(&refused(&events));
    assert_eq!(first.join().unwrap().outcome, Outcome::Exited);
}
