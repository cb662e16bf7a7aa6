//! Callers that stop waiting, helpers that are killed, limits and drains on the real machine (UMH-4, UMH-7, UMH-14,
//! REQ-3 to REQ-5, GATE-2, GATE-3). What these rules need of time is proved on the scripted host.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use common::{Dir, finished, info, run, started, until};
use khelper::abi::actor::Origin;
use khelper::abi::depth::Depth;
use khelper::abi::era::Era;
use khelper::abi::error::Explain;
use khelper::abi::event::EventKind;
use khelper::abi::record::Outcome;
use khelper::abi::record::Record;
use khelper::abi::wait::WaitMode;
use khelper::engine::{CallOptions, Caller, Cancel, Engine, KnobWrite};
use nix::errno::Errno;

/// The helper sleeps far longer than any test; each test ends its own.
const ASLEEP: [&str; 2] = ["/bin/sleep", "1000"];

fn modprobe(engine: &Engine, path: &str) {
    engine.write(&[KnobWrite::Modprobe(path.as_bytes().into())], Origin::Library).unwrap();
}

/// Asks from a thread of its own; small stacks, for there are many.
fn ask(engine: &Engine, name: &str) -> JoinHandle<Arc<Record>> {
    let (engine, name) = (engine.clone(), name.to_owned());
    Builder::new().stack_size(128 * 1024).spawn(move || engine.request_module(name, true)).unwrap()
}

fn kill_all(engine: &Engine) {
    for live in engine.snapshot().running {
        let _ = engine.kill(live.id, libc::SIGKILL);
    }
}

#[test]
fn req_4_the_51st_is_refused_while_50_run() {
    let engine = Engine::start().unwrap();
    let dir = Dir::new();
    modprobe(&engine, &dir.script("modprobe", "#!/bin/sh\nexec sleep 1000\n"));
    let events = engine.subscribe(10_000);
    let threads_max: u32 = std::fs::read_to_string("/proc/sys/kernel/threads-max").unwrap().trim().parse().unwrap();
    let limit = 50.min(threads_max / 2) as usize;
    let asked: Vec<_> = (0..limit).map(|n| ask(&engine, &format!("mod{n}"))).collect();
    for _ in 0..limit {
        started(&events);
    }
    for n in 0..60 {
        let record = engine.request_module(format!("over{n}"), true);
        assert_eq!(
            (record.outcome, record.errno, record.result),
            (Outcome::Refused, Some(Errno::ENOMEM), Some(-libc::ENOMEM))
        );
        assert!(
            record.pid.is_none() && record.chain[0].pid == std::process::id().cast_signed(),
            "REQ-12: {:?}",
            record.chain
        );
    }
    let snapshot = engine.snapshot();
    assert_eq!((snapshot.totals.refused_limit, snapshot.slots.loop_messages), (60, 5));
    let messages: Vec<String> = snapshot.warnings.iter().map(|w| w.text().into()).collect();
    assert_eq!(messages.len(), 5);
    assert_eq!(messages[4], "request_module: runaway loop modprobe over0");
    assert_eq!(snapshot.slots.concurrent as usize, limit);
    kill_all(&engine);
    for asked in asked {
        assert_eq!(asked.join().unwrap().result, Some(9), "REQ-11: killed by SIGKILL");
    }
    assert_eq!(engine.snapshot().slots.concurrent, 0, "REQ-9");
}

/// The helpers end when the test lets them: thirty callers wait for a slot by then.
#[test]
fn req_5_eighty_callers_with_short_helpers_are_all_served() {
    let engine = Engine::start().unwrap();
    let dir = Dir::new();
    let gate = dir.fifo("gate");
    // Opened for both, so that neither side waits for the other to open it.
    let mut gate = File::options().read(true).write(true).open(gate).unwrap();
    modprobe(&engine, &dir.script("modprobe", "#!/bin/sh\nread -r line <\"${0%/*}/gate\"\nexit 1\n"));
    engine.write(&[KnobWrite::Era(Era::Current)], Origin::Library).unwrap();
    let events = engine.subscribe(10_000);
    let asked: Vec<_> = (0..80).map(|n| ask(&engine, &format!("mod{n}"))).collect();
    let (mut starts, mut waits) = (0, 0);
    while (starts, waits) != (50, 30) {
        let more = until(&events, |kind| match kind {
            EventKind::Started { .. } => Some((1, 0)),
            EventKind::Waiting { .. } => Some((0, 1)),
            EventKind::Finished(record) => panic!("it has ended: {record:?}"),
            _ => None,
        });
        (starts, waits) = (starts + more.0, waits + more.1);
    }
    gate.write_all("\n".repeat(80).as_bytes()).unwrap();
    for asked in asked {
        assert_eq!(asked.join().unwrap().result, Some(256));
    }
    let slots = engine.snapshot().slots;
    assert!(slots.peak == 50 && slots.concurrent == 0 && slots.waiting == 0, "{slots:?}");
}

#[test]
fn req_5_thirty_of_eighty_give_up_after_five_seconds() {
    let engine = Engine::start().unwrap();
    let dir = Dir::new();
    modprobe(&engine, &dir.script("modprobe", "#!/bin/sh\nexec sleep 1000\n"));
    engine.write(&[KnobWrite::Era(Era::Current)], Origin::Library).unwrap();
    let events = engine.subscribe(10_000);
    let before = Instant::now();
    let asked: Vec<_> = (0..80).map(|n| ask(&engine, &format!("mod{n}"))).collect();
    let (mut starts, mut refused) = (0, 0);
    while (starts, refused) != (50, 30) {
        let more = until(&events, |kind| match kind {
            EventKind::Started { .. } => Some((1, 0)),
            EventKind::Finished(record) => {
                assert_eq!((record.outcome, record.errno), (Outcome::Refused, Some(Errno::ETIME)));
                assert!(record.took_us().unwrap() >= 5_000_000);
                Some((0, 1))
            }
            _ => None,
        });
        (starts, refused) = (starts + more.0, refused + more.1);
    }
    assert!(before.elapsed() >= Duration::from_secs(5));
    let snapshot = engine.snapshot();
    assert_eq!((snapshot.totals.throttled, snapshot.slots.concurrent, snapshot.slots.waiting), (30, 50, 0));
    assert!(
        snapshot.warnings[0]
            .text()
            .ends_with("cannot be processed, kmod busy with 50 threads for more than 5 seconds now")
    );
    kill_all(&engine);
    let served = asked.into_iter().map(|a| a.join().unwrap()).filter(|r| r.result == Some(9)).count();
    assert_eq!(served, 50);
}

#[test]
fn umh_7_two_hundred_asleep_hold_up_nobody() {
    let engine = Engine::start().unwrap();
    let events = engine.subscribe(10_000);
    for n in 0..200 {
        if n % 2 == 0 {
            assert_eq!(engine.call_usermodehelper(info(&ASLEEP), WaitMode::NoWait).result, Some(0));
        } else {
            let cancel = Cancel::new();
            cancel.cancel();
            let options = CallOptions { ask: Caller { cancel, ..Caller::default() }, ..CallOptions::default() };
            let record = engine.call_usermodehelper_with(info(&ASLEEP), WaitMode::PROC, &options);
            assert_eq!((record.outcome, record.result), (Outcome::Abandoned, Some(-libc::EINTR)), "UMH-4");
        }
    }
    for _ in 0..200 {
        started(&events);
    }
    let snapshot = engine.snapshot();
    assert_eq!((snapshot.live, snapshot.running_helpers, snapshot.queued), (200, 0, 0), "GATE-3: three numbers");
    assert_eq!(run(&engine, &["/bin/true"]).result, Some(0));
    kill_all(&engine);
    for _ in 0..201 {
        let record = finished(&events);
        assert!(record.status.is_some_and(|s| [0, 9].contains(&s.raw())), "{record:?}");
    }
    assert_eq!(engine.snapshot().live, 0);
}

#[test]
fn umh_4_an_abandoned_helper_lives_on_and_is_reported() {
    let engine = Engine::start().unwrap();
    let events = engine.subscribe(100);
    let cancel = Cancel::new();
    let caller = {
        let (engine, cancel) = (engine.clone(), cancel.clone());
        std::thread::spawn(move || {
            let options = CallOptions { ask: Caller { cancel, ..Caller::default() }, ..CallOptions::default() };
            engine.call_usermodehelper_with(
                info(&["/bin/sh", "-c", "trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done"]),
                WaitMode::PROC,
                &options,
            )
        })
    };
    let (id, pid) = started(&events);
    cancel.cancel();
    let answer = caller.join().unwrap();
    assert_eq!((answer.outcome, answer.errno, answer.pid), (Outcome::Abandoned, Some(Errno::EINTR), Some(pid)));
    until(&events, |kind| matches!(kind, EventKind::Abandoned { id: of, .. } if *of == id).then_some(()));
    assert_eq!(engine.record(id).unwrap().outcome, Outcome::Running);
    // Its output shows that it has set its trap.
    while engine.record(id).unwrap().output.is_none() {
        std::thread::yield_now();
    }
    engine.kill(id, libc::SIGTERM).unwrap();
    let record = finished(&events);
    assert_eq!((record.id, record.status.unwrap().exit_code(), record.abandoned), (id, Some(5), true));
    assert_eq!(engine.kill(id, libc::SIGTERM).unwrap_err().errno(), Errno::ESRCH, "UMH-14: never a stranger");
}

#[test]
fn umh_14_a_time_out_sends_term_then_kill_to_the_group() {
    let engine = Engine::start().unwrap();
    let options = CallOptions { timeout: Some(Duration::from_millis(100)), ..CallOptions::default() };
    let record = engine.call_usermodehelper_with(info(&ASLEEP), WaitMode::PROC, &options);
    assert_eq!((record.timed_out, record.result), (true, Some(15)));
    // Where the machine is so slow that TERM comes before the trap stands, it is started again and given more time.
    let mut tries = [100, 400, 1600, 6400].into_iter().map(|millis| {
        let stubborn = info(&["/bin/sh", "-c", "trap '' TERM; sleep 1000 & wait; wait"]);
        let options = CallOptions { timeout: Some(Duration::from_millis(millis)), ..CallOptions::default() };
        engine.call_usermodehelper_with(stubborn, WaitMode::PROC, &options)
    });
    let record = tries.find(|record| record.result != Some(15)).unwrap();
    assert_eq!((record.timed_out, record.result), (true, Some(9)));
    let group = nix::unistd::Pid::from_raw(record.pid.unwrap());
    // The child of the helper was killed with it; init has yet to reap it, perhaps.
    let late = Instant::now() + Duration::from_secs(20);
    while nix::sys::signal::killpg(group, None).is_ok() {
        if Instant::now() > late {
            let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
            panic!("the group of the helper lives on");
        }
        std::thread::yield_now();
    }
}

/// A helper whose child is stopped, so that SIGTERM does not end it. It prints the pid of the child once that stands.
const STOPPED_CHILD: [&str; 3] = [
    "/bin/sh",
    "-c",
    "sleep 1000 & kill -STOP $!; until grep -q '^State:.T' /proc/$!/status; do :; done; echo $!; wait",
];

/// Whether the process lives: it is there, and no zombie that its new parent has yet to reap.
fn lives(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn printed_pid(record: &Record) -> Option<i32> {
    common::stdout(record).trim().parse().ok()
}

#[test]
fn umh_14_a_time_out_kills_what_is_left_of_the_group_of_a_helper_that_has_ended() {
    let engine = Engine::start().unwrap();
    // The time-out is long enough once the child stands still before it runs out.
    for seconds in [1, 4, 16, 64] {
        let options = CallOptions { timeout: Some(Duration::from_secs(seconds)), ..CallOptions::default() };
        let record = engine.call_usermodehelper_with(info(&STOPPED_CHILD), WaitMode::PROC, &options);
        assert_eq!((record.timed_out, record.result), (true, Some(15)), "the helper itself dies of TERM");
        let Some(child) = printed_pid(&record) else { continue };
        assert!(!lives(child), "the answer comes when the group is gone");
        let warnings = engine.snapshot().warnings;
        assert!(warnings.is_empty(), "{warnings:?}");
        return;
    }
    panic!("the helper never came to print a pid");
}

/// The pids of a helper that runs and of its child that stands still.
fn stopped_child(engine: &Engine, script: &str) -> (u64, i32, i32, JoinHandle<Arc<Record>>) {
    let events = engine.subscribe(100);
    let (caller, script) = (engine.clone(), script.to_owned());
    let caller =
        std::thread::spawn(move || caller.call_usermodehelper(info(&["/bin/sh", "-c", &script]), WaitMode::PROC));
    let (id, pid) = started(&events);
    let child = loop {
        match printed_pid(&engine.record(id).unwrap()) {
            Some(child) => break child,
            None => std::thread::yield_now(),
        }
    };
    (id, pid, child, caller)
}

#[test]
fn umh_14_kill_reaches_the_group_of_a_helper_that_died_of_term() {
    let engine = Engine::start().unwrap();
    let (id, pid, child, caller) = stopped_child(&engine, STOPPED_CHILD[2]);
    engine.kill(id, libc::SIGTERM).unwrap();
    while lives(pid) {
        std::thread::yield_now();
    }
    assert!(lives(child), "TERM waits for it to be continued");
    // Time enough for a worker that does not wait for the group to reap the helper.
    for _ in 0..20 {
        run(&engine, &["/bin/true"]);
    }
    engine.kill(id, libc::SIGKILL).expect("its number is kept for its group");
    let record = caller.join().unwrap();
    assert_eq!((record.outcome, record.result), (Outcome::Killed, Some(15)));
    assert!(!lives(child));
    assert_eq!(engine.kill(id, libc::SIGKILL).unwrap_err().errno(), Errno::ESRCH);
}

/// The helper goes, its group stays: after 10 s without a KILL it is answered, and what is left is named.
#[test]
fn umh_14_a_group_that_outlives_its_signal_is_named_and_left() {
    let engine = Engine::start().unwrap();
    let (id, _, child, caller) = stopped_child(&engine, STOPPED_CHILD[2]);
    engine.kill(id, libc::SIGTERM).unwrap();
    let record = caller.join().unwrap();
    assert_eq!(record.result, Some(15));
    let told = format!("the helper of request {id} has ended; these processes of its group still run: pid {child}");
    assert_eq!(engine.snapshot().warnings[0].text(), told.as_str());
    assert!(lives(child));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child), nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn gate_2_a_drain_succeeds_once_the_helper_has_ended_and_refuses_meanwhile() {
    let engine = Engine::start().unwrap();
    let events = engine.subscribe(100);
    let dir = Dir::new();
    let fifo = dir.path().join("go");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let path = fifo.to_str().unwrap().to_owned();
    let caller = {
        let engine = engine.clone();
        std::thread::spawn(move || engine.call_usermodehelper(info(&["/bin/cat", &path]), WaitMode::PROC))
    };
    started(&events);
    let drain = {
        let engine = engine.clone();
        std::thread::spawn(move || engine.disable(Depth::Disabled))
    };
    until(&events, |kind| matches!(kind, EventKind::GateChanged { to: Depth::Disabled, .. }).then_some(()));
    let refused = run(&engine, &["/bin/true"]);
    assert_eq!((refused.outcome, refused.result), (Outcome::Refused, Some(-libc::EBUSY)));
    // Opened and closed: the helper reads to the end of the file.
    drop(std::fs::OpenOptions::new().write(true).open(&fifo).unwrap());
    drain.join().unwrap().unwrap();
    assert_eq!(caller.join().unwrap().result, Some(0));
    assert_eq!(engine.snapshot().gate, Depth::Disabled);
    engine.enable().unwrap();
    assert_eq!(run(&engine, &["/bin/true"]).result, Some(0));
}

#[test]
fn gate_2_a_drain_that_gives_up_opens_the_gate_and_names_who_held_out() {
    let engine = Engine::start().unwrap();
    let events = engine.subscribe(100);
    let caller = {
        let engine = engine.clone();
        std::thread::spawn(move || engine.call_usermodehelper(info(&ASLEEP), WaitMode::PROC))
    };
    let (id, pid) = started(&events);
    let before = Instant::now();
    let error = engine.disable(Depth::Freezing).unwrap_err();
    assert!(before.elapsed() >= Duration::from_secs(5));
    assert_eq!(error.errno(), Errno::EAGAIN);
    assert!(error.to_string().contains(&format!("#{id} /bin/sleep (pid {pid})")), "{error}");
    assert_eq!(engine.snapshot().gate, Depth::Enabled);
    assert_eq!(run(&engine, &["/bin/true"]).result, Some(0));
    engine.kill(id, libc::SIGKILL).unwrap();
    assert_eq!(caller.join().unwrap().result, Some(9));
}

#[test]
fn umh_14_the_end_of_the_engine_names_what_is_left_and_leaves_it_running() {
    let engine = Engine::start().unwrap();
    let record = engine.call_usermodehelper(info(&ASLEEP), WaitMode::EXEC);
    let pid = record.pid.unwrap();
    let left = engine.shutdown(Duration::ZERO);
    assert_eq!(left.iter().map(|l| (l.id, l.pid)).collect::<Vec<_>>(), [(record.id, Some(pid))]);
    assert_eq!(run(&engine, &["/bin/true"]).result, Some(-libc::EBUSY), "the gate stays shut");
    drop(engine);
    let pid = nix::unistd::Pid::from_raw(pid);
    assert_eq!(nix::sys::signal::kill(pid, None), Ok(()), "it lives");
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn req_12_the_chain_leads_past_a_helper_that_has_ended() {
    let engine = Engine::start().unwrap();
    let record = run(&engine, &["/bin/sh", "-c", "sleep 1000 & echo $!"]);
    let orphan: i32 = common::stdout(&record).trim().parse().unwrap();
    let chain = engine.chain(orphan);
    let group = nix::unistd::Pid::from_raw(record.pid.unwrap());
    nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL).unwrap();
    let pids: Vec<i32> = chain.iter().map(|link| link.pid).collect();
    assert_eq!(pids[..3], [orphan, record.pid.unwrap(), std::process::id().cast_signed()], "{chain:?}");
    assert_eq!(chain[1].helper_of, Some(record.id));
}
