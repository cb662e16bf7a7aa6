//! REQ-12: who asked whom, and the end of a whole chain.

use std::sync::Arc;

use khelper::abi::Errno;
use khelper::abi::actor::{Actor, Comm, Origin};
use khelper::abi::error::{Explain, Stage};
use khelper::abi::event::EventKind;
use khelper::abi::process::Process;
use khelper::abi::record::{Outcome, Record};
use khelper::abi::snapshot::ChainEnded;
use khelper::abi::wait::WaitMode;
use khelper::engine::{CallOptions, Caller as Requester, Engine, KnobWrite};
use khelper::sys::fake::{FOREVER, FakeHost, Script};
use khelper::sys::host::Clock;

use crate::support::*;

/// A process that a helper has started, or one of its children.
fn child(host: &FakeHost, pid: i32, parent: i32, session: i32) {
    let process =
        Process { pid, comm: Comm::new(b"sh"), lives: true, parent, session, start_time: 7, started: host.now() };
    host.change(|m| m.processes.push(process));
}

fn by(pid: i32) -> Requester {
    let actor = Actor { start_time: Some(7), ..Actor::new(Origin::Outside, pid, 0, 0, b"sh") };
    Requester { actor: Some(Arc::new(actor)), ..Requester::default() }
}

/// Requests `name` from a child, with this pid, of the helper with the pid `helper`. Returns at once.
fn ask<'s>(
    s: &'s std::thread::Scope<'s, '_>,
    host: &FakeHost,
    engine: &'s Engine,
    of: (i32, i32),
    name: &'s str,
) -> Caller<'s> {
    let (pid, helper) = of;
    child(host, pid, helper, helper);
    s.spawn(move || engine.request_module_as(name, true, &by(pid)))
}

/// A chain of requests: each name but the first is requested by the helper of the one before. Returns the helpers' pids.
fn build<'s>(
    s: &'s std::thread::Scope<'s, '_>,
    host: &FakeHost,
    engine: &'s Engine,
    names: &[&'s str],
) -> (Vec<i32>, Vec<Caller<'s>>) {
    let (mut pids, mut callers) = (Vec::new(), Vec::new());
    let before = host.counts().launched;
    for (at, name) in names.iter().copied().enumerate() {
        callers.push(match pids.last() {
            None => s.spawn(move || engine.request_module(name, true)),
            Some(helper) => ask(s, host, engine, (helper + 5000, *helper), name),
        });
        host.wait_for("the next helper", |now| now.launched == before + at + 1 && now.running == before + at + 1);
        pids.push(host.launches()[before + at].pid);
    }
    (pids, callers)
}

fn results(records: &[Arc<Record>]) -> Vec<(Outcome, Option<i32>)> {
    records.iter().map(|r| (r.outcome, r.result)).collect()
}

#[test]
fn req_12_a_refusal_names_the_loop_its_slots_and_what_ends_it() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    set(&engine, KnobWrite::MaxConcurrent(3));
    scope(&host, |s| {
        let other = callers(s, &engine, 1, "other");
        host.wait_for("a helper", |now| now.running == 1);
        let (pids, chain) = build(s, &host, &engine, &["snd-a", "b"]);
        let refused = ask(s, &host, &engine, (9000, pids[1]), "snd_a").join().unwrap();
        assert_eq!((refused.errno, refused.asked_by, refused.id), (Some(Errno::ENOMEM), Some(3), 4));
        let why = refused.why().unwrap();
        assert!(why.contains("; it belongs to a loop, snd-a → b → snd-a, which holds 2 slots"), "{why}");
        assert!(why.ends_with("holds 2 slots: `khelper kill --chain '#2'` ends it"), "{why}");
        let links: Vec<_> = refused.chain.iter().map(|l| (l.pid, l.helper_of)).collect();
        let expected = [(9000, None), (pids[1], Some(3)), (pids[0] + 5000, None), (pids[0], Some(2)), (1000, None)];
        assert_eq!(links, expected);
        // A request that belongs to no loop gets the general advice.
        let alone = engine.request_module("alone", true);
        assert!(alone.asked_by.is_none() && alone.why().unwrap().contains("look for a modprobe"), "{:?}", alone.why());
        let asked_by: Vec<_> = engine.snapshot().running.iter().map(|live| live.asked_by).collect();
        assert_eq!(asked_by, [None, None, Some(2)]);
        kill_holders(&engine);
        join(other);
        assert_eq!(join(chain).iter().map(|r| r.asked_by).collect::<Vec<_>>(), [None, Some(2)]);
    });
}

#[test]
fn req_12_a_run_is_attributed_too() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    scope(&host, |s| {
        let (pids, chain) = build(s, &host, &engine, &["a"]);
        child(&host, 9000, pids[0], pids[0]);
        let options = CallOptions { ask: by(9000), ..CallOptions::default() };
        let record = engine.call_usermodehelper_with(info("/bin/true"), WaitMode::PROC, &options);
        assert_eq!((record.result, record.asked_by), (Some(0), Some(1)));
        kill_holders(&engine);
        join(chain);
    });
}

/// The engine's own requests cost no look at a process.
#[test]
fn req_12_a_request_of_this_process_is_attributed_to_none() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    scope(&host, |s| {
        let first = callers(s, &engine, 1, "a");
        host.wait_for("a helper", |now| now.running == 1);
        // If it were looked at: a process with this one's pid, in the helper's session.
        let helper = host.launches()[0].pid;
        child(&host, 1000, helper, helper);
        host.change(|m| m.processes[0].start_time = 4711);
        let second = callers(s, &engine, 1, "b");
        host.wait_for("two helpers", |now| now.running == 2);
        assert!(engine.snapshot().running.iter().all(|live| live.asked_by.is_none()));
        kill_holders(&engine);
        assert!(join(first).iter().chain(&join(second)).all(|r| r.asked_by.is_none() && r.chain.is_empty()));
    });
}

#[test]
fn req_12_a_helper_that_asks_before_its_start_is_noted_is_attributed() {
    let host = host(Script { exec: SECOND / 2, runs: FOREVER, ..Script::default() });
    let engine = start(&host);
    scope(&host, |s| {
        let first = callers(s, &engine, 1, "a");
        host.wait_for("an exec", |now| now.executing == 1);
        // The helper runs, and its worker does not know yet.
        let helper = 1001;
        child(&host, helper, 1000, helper);
        let engine_process = Process {
            pid: 1000,
            comm: Comm::new(b"test"),
            lives: true,
            parent: 1,
            session: 1000,
            start_time: 4711,
            started: 0,
        };
        host.change(|m| m.processes.push(engine_process));
        let second = ask(s, &host, &engine, (9000, helper), "b");
        host.wait_for("the wait for the helper's start", |now| now.on_clock == 1);
        host.advance(SECOND / 2);
        host.wait_for("both helpers", |now| now.launched == 1 && now.executing == 1);
        host.advance(SECOND / 2);
        host.wait_for("both helpers", |now| now.running == 2);
        assert_eq!(engine.snapshot().running[1].asked_by, Some(1));
        kill_holders(&engine);
        join(first);
        second.join().unwrap();
    });
}

/// A child of the host program that leads a session, while a launch hangs: the request is served after 1 s.
#[test]
fn req_12_the_wait_for_a_start_ends() {
    let host = host(Script { exec: 10 * SECOND, ..Script::default() });
    let engine = start(&host);
    scope(&host, |s| {
        let first = callers(s, &engine, 1, "a");
        host.wait_for("an exec", |now| now.executing == 1);
        child(&host, 1000, 1, 1000);
        child(&host, 8000, 1000, 8000);
        host.change(|m| m.processes[0].start_time = 4711);
        let second = ask(s, &host, &engine, (9000, 8000), "b");
        host.wait_for("the wait for a start", |now| now.on_clock == 1);
        host.advance(SECOND);
        host.wait_for("both launches", |now| now.executing == 2);
        host.advance(10 * SECOND);
        join(first);
        assert_eq!(second.join().unwrap().asked_by, None);
    });
}

#[test]
fn req_12_one_command_ends_the_whole_chain_and_nothing_else() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    let events = subscribe(&engine);
    scope(&host, |s| {
        let other = callers(s, &engine, 1, "other");
        host.wait_for("a helper", |now| now.running == 1);
        let (pids, chain) = build(s, &host, &engine, &["a", "b", "c"]);
        // Ending the middle leaves what is above it.
        let ended = engine.kill_chain(3, libc::SIGTERM).unwrap();
        assert_eq!((ended.signalled, ended.left), (vec![3, 4], vec![]));
        host.wait_for("their end", |now| now.running == 2);
        let ended = engine.kill_chain(2, libc::SIGTERM).unwrap();
        assert_eq!((ended.signalled, ended.left), (vec![2], vec![]));
        assert_eq!(results(&join(chain)), [(Outcome::Killed, Some(15)); 3]);
        assert_eq!((host.counts().running, engine.snapshot().slots.holders), (1, vec![1]));
        kill_holders(&engine);
        join(other);
        assert_eq!(pids.len(), 3);
    });
    let signalled = |e: &Arc<khelper::abi::event::Event>| match &e.kind {
        EventKind::Signalled { id, signal: 15, .. } => Some(*id),
        _ => None,
    };
    assert_eq!(received(&events).iter().filter_map(signalled).collect::<Vec<_>>(), [3, 4, 2]);
}

#[test]
fn req_12_a_chain_that_ignores_term_is_killed_after_2_s_and_gets_nothing_new_meanwhile() {
    let host = host(Script { runs: FOREVER, ignores_term: true, ..Script::default() });
    let engine = start(&host);
    scope(&host, |s| {
        let (pids, chain) = build(s, &host, &engine, &["a", "b"]);
        let before = host.counts().signals;
        // A request that is served ends at once.
        host.script(MODPROBE, Script::default());
        let end = s.spawn(|| engine.kill_chain(1, libc::SIGTERM).unwrap());
        host.wait_for("TERM to both, and the wait for their end", |now| now.signals == before + 2 && now.on_clock == 1);
        for (pid, helper) in [(9000, pids[0]), (9001, pids[1])] {
            let shut = ask(s, &host, &engine, (pid, helper), "c").join().unwrap();
            assert_eq!(
                (shut.outcome, shut.stage, shut.errno),
                (Outcome::Refused, Some(Stage::Loop), Some(Errno::ECANCELED))
            );
            assert!(shut.why().unwrap().contains("request 1 is being ended"), "{:?}", shut.why());
        }
        // A request whose requester has ended may be one of the chain's; others are served.
        let lost = engine.request_module_as("c", true, &by(12_345));
        assert_eq!(lost.errno, Some(Errno::ECANCELED));
        let served = engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC);
        assert_eq!(served.result, Some(0));
        host.advance(2 * SECOND);
        let ended = end.join().unwrap();
        assert_eq!((ended.signalled, ended.left), (vec![1, 2], vec![]));
        assert_eq!(results(&join(chain)), [(Outcome::Killed, Some(9)); 2]);
        // For 1 s more, a request of a process that has ended is refused: one that is gone, and a zombie of the chain.
        child(&host, 12_346, 1, pids[1]);
        host.change(|m| m.processes.last_mut().unwrap().lives = false);
        let late = || [12_345, 12_346].map(|pid| engine.request_module_as("c", true, &by(pid)));
        assert_eq!(late().map(|late| late.errno), [Some(Errno::ECANCELED); 2]);
        host.advance(SECOND);
        assert_eq!(late().map(|late| late.result), [Some(0); 2]);
    });
}

#[test]
fn req_12_a_signal_that_does_not_end_the_chain_names_what_is_left() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    scope(&host, |s| {
        let (pids, chain) = build(s, &host, &engine, &["a", "b"]);
        let end = s.spawn(|| engine.kill_chain(1, libc::SIGUSR1).unwrap());
        host.wait_for("the wait for the end", |now| now.on_clock == 1);
        host.advance(2 * SECOND);
        let ended = while_time_passes(&host, end);
        // The process that requested the second one waits for its answer.
        assert_eq!(left(&ended), [(pids[0] + 5000, true)]);
        assert_eq!((ended.signalled, ended.left), (vec![1, 2], vec![1, 2]));
        kill_holders(&engine);
        join(chain);
    });
}

#[test]
fn req_12_waits_for_a_slot_end_with_the_chain() {
    let host = host(runs(FOREVER));
    let engine = start_current(&host);
    set(&engine, KnobWrite::MaxConcurrent(2));
    scope(&host, |s| {
        let (pids, chain) = build(s, &host, &engine, &["a", "b"]);
        let waits = ask(s, &host, &engine, (9000, pids[1]), "a");
        host.wait_for("the wait for a slot", |now| now.on_clock == 1);
        let ended = engine.kill_chain(1, libc::SIGTERM).unwrap();
        let waited = waits.join().unwrap();
        assert_eq!((waited.asked_by, ended.left), (Some(2), vec![]));
        // Its wait ends before a helper gives it its slot.
        assert_eq!((waited.outcome, waited.errno), (Outcome::Abandoned, Some(Errno::EINTR)));
        assert_eq!((ended.signalled, host.counts().launched), (vec![1, 2], 2));
        join(chain);
        assert_eq!(engine.snapshot().slots.concurrent, 0);
    });
}

#[test]
fn req_12_the_throttled_request_names_the_loop() {
    let host = host(runs(FOREVER));
    let engine = start_current(&host);
    set(&engine, KnobWrite::MaxConcurrent(2));
    scope(&host, |s| {
        let (pids, chain) = build(s, &host, &engine, &["a", "b"]);
        let waits = ask(s, &host, &engine, (9000, pids[1]), "a");
        host.wait_for("the wait for a slot", |now| now.on_clock == 1);
        host.advance(5 * SECOND);
        let waited = waits.join().unwrap();
        assert_eq!((waited.stage, waited.errno), (Some(Stage::Throttle), Some(Errno::ETIME)));
        let why = waited.why().unwrap();
        assert!(why.contains("a loop, a → b → a, which holds 2 slots: `khelper kill --chain '#1'`"), "{why}");
        kill_holders(&engine);
        join(chain);
    });
}

#[test]
fn req_12_a_queued_member_is_ended_once_it_has_started() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    scope(&host, |s| {
        let (pids, mut chain) = build(s, &host, &engine, &["a"]);
        host.script(MODPROBE, Script { exec: SECOND / 2, runs: FOREVER, ..Script::default() });
        chain.push(ask(s, &host, &engine, (9000, pids[0]), "b"));
        host.wait_for("an exec", |now| now.executing == 1);
        let end = s.spawn(|| engine.kill_chain(1, libc::SIGKILL).unwrap());
        host.wait_for("the end of the first", |now| now.running == 0 && now.on_clock == 1);
        // Before its start is noted it has started a process, which has left its session and is known by its parent.
        child(&host, 9001, pids[0] + 1, 9001);
        host.advance(SECOND / 2);
        let ended = end.join().unwrap();
        assert_eq!((ended.signalled, ended.processes, ended.left), (vec![1, 2], 2, vec![]));
        assert_eq!(results(&join(chain)), [(Outcome::Killed, Some(9)); 2]);
    });
}

#[test]
fn req_12_what_is_left_of_an_ended_helper_belongs_to_its_chain() {
    let host = host(runs(SECOND));
    let engine = start(&host);
    scope(&host, |s| {
        let first = callers(s, &engine, 1, "a");
        host.wait_for("a helper", |now| now.running == 1);
        let helper = host.launches()[0].pid;
        // Its parent is dead soon, and so is the helper.
        child(&host, 9000, 1, helper);
        host.advance(SECOND);
        assert_eq!(join(first)[0].result, Some(0));
        host.script(MODPROBE, runs(FOREVER));
        let second = s.spawn(|| engine.request_module_as("b", true, &by(9000)));
        host.wait_for("a helper", |now| now.running == 1);
        let live = &engine.snapshot().running[0];
        assert_eq!((live.id, live.asked_by), (2, Some(1)));
        assert_eq!(engine.sessions(), 2);
        let ended = engine.kill_chain(1, libc::SIGTERM).unwrap();
        assert_eq!((ended.signalled, ended.processes, ended.left), (vec![2], 1, vec![]));
        assert_eq!(second.join().unwrap().asked_by, Some(1));
        // A process that started after the helper's end is no certain member: it is named and not signalled.
        host.advance(1);
        child(&host, 9001, 1, helper);
        let signals = host.counts().signals;
        let end = s.spawn(|| engine.kill_chain(1, libc::SIGTERM).unwrap());
        let ended = while_time_passes(&host, end);
        assert_eq!((ended.processes, left(&ended), host.counts().signals), (0, vec![(9001, false)], signals));
        // A later process with the helper's pid leads another session.
        child(&host, helper, 1, helper);
        let error = engine.kill_chain(1, libc::SIGTERM).unwrap_err();
        assert_eq!(error.errno(), Errno::ESRCH, "{error}");
        host.change(|m| m.processes.clear());
        assert_eq!(engine.sessions(), 0, "nothing is left behind");
    });
}

/// The processes that are left, and whether each certainly belongs to the chain.
fn left(ended: &ChainEnded) -> Vec<(i32, bool)> {
    ended.left_processes.iter().map(|left| (left.pid, left.certain)).collect()
}

/// Lets time pass until the thread has ended.
fn while_time_passes<T>(host: &FakeHost, thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    while !thread.is_finished() {
        host.advance(SECOND / 20);
        std::thread::yield_now();
    }
    thread.join().unwrap()
}

/// Ends a chain of which only one process is left, which the signal does not end.
fn outlives(signal: i32, foreign: bool, ends: bool) {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    scope(&host, |s| {
        let (pids, chain) = build(s, &host, &engine, &["a"]);
        child(&host, 9000, pids[0], pids[0]);
        host.change(|m| match foreign {
            true => m.foreign = vec![9000],
            false => m.ignore_term = vec![9000],
        });
        kill_holders(&engine);
        join(chain);
        let end = s.spawn(|| engine.kill_chain(1, signal).unwrap());
        let ended = while_time_passes(&host, end);
        assert_eq!((ended.signalled.len(), ended.processes), (0, usize::from(!foreign)));
        let expected = if ends { vec![] } else { vec![(9000, true)] };
        assert_eq!((left(&ended), ended.is_whole()), (expected, ends));
        assert!(ended.left_processes.iter().all(|left| left.comm == Comm::new(b"sh")));
    });
}

#[test]
fn req_12_a_process_that_outlives_the_end_of_its_chain_is_named() {
    outlives(libc::SIGTERM, true, false);
    outlives(libc::SIGUSR1, false, false);
    // SIGKILL follows.
    outlives(libc::SIGTERM, false, true);
}

/// What leaves the helper's session is known by its parents, so it is looked for before these end.
#[test]
fn req_12_descendants_in_other_sessions_are_ended_too() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    scope(&host, |s| {
        let (pids, chain) = build(s, &host, &engine, &["a"]);
        child(&host, 9000, pids[0], 9000);
        child(&host, 9001, 9000, 9001);
        child(&host, 9002, 1, 9002);
        let ended = engine.kill_chain(1, libc::SIGTERM).unwrap();
        assert_eq!((ended.signalled, ended.processes, ended.left), (vec![1], 2, vec![]));
        host.change(|m| assert_eq!(m.processes.iter().map(|p| p.pid).collect::<Vec<_>>(), [9002]));
        join(chain);
    });
}

/// A helper that cannot be ended does not protect what other helpers of the chain have left.
#[test]
fn req_12_what_is_left_is_ended_though_a_helper_lives_on() {
    let host = host(Script { runs: FOREVER, ..Script::default() });
    let engine = start(&host);
    scope(&host, |s| {
        let (pids, chain) = build(s, &host, &engine, &["a"]);
        child(&host, 9000, pids[0], pids[0]);
        let end = s.spawn(|| engine.kill_chain(1, libc::SIGUSR1).unwrap());
        host.wait_for("the wait for the end", |now| now.on_clock == 1);
        host.advance(2 * SECOND);
        let ended = while_time_passes(&host, end);
        assert_eq!((&ended.left, ended.processes, left(&ended)), (&vec![1], 1, vec![(9000, true)]));
        kill_holders(&engine);
        join(chain);
    });
}

#[test]
fn req_12_a_chain_of_which_nothing_runs_is_an_error_that_names_its_beginning() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    set(&engine, KnobWrite::MaxConcurrent(2));
    scope(&host, |s| {
        let (pids, chain) = build(s, &host, &engine, &["a", "b"]);
        let refused = ask(s, &host, &engine, (9000, pids[1]), "a").join().unwrap();
        let error = engine.kill_chain(refused.id, libc::SIGTERM).unwrap_err();
        assert_eq!(error.errno(), Errno::ESRCH);
        assert!(error.whole().contains("its chain began with request 1"), "{}", error.whole());
        let error = engine.kill_chain(99, libc::SIGTERM).unwrap_err();
        assert_eq!((error.errno(), error.to_string().contains("no request 99")), (Errno::ESRCH, true));
        // The refused command shut nothing.
        kill_holders(&engine);
        join(chain);
        host.script(MODPROBE, Script::default());
        assert_eq!(engine.request_module_as("c", true, &by(12_345)).result, Some(0));
    });
}
