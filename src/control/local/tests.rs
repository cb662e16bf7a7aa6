use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::abi::cap::CapMask;
use crate::abi::depth::Depth;
use crate::abi::record::Outcome;
use crate::control::ask::ask;
use crate::control::batch::Batch;
use crate::control::command::Reply;
use crate::control::watch::Watched;
use crate::sys::fake::{FOREVER, FakeHost, Script};
use nix::errno::Errno;

type Answers = Receiver<Result<Reply, ControlError>>;

/// A target whose modprobe runs for `runs`.
fn target(runs: u64) -> (Arc<FakeHost>, Engine, Arc<dyn Target>, Actor) {
    let host = FakeHost::new();
    host.script("/sbin/modprobe", Script { runs, stdout: b"said".to_vec(), ..Script::default() });
    let engine = Engine::builder().host(host.clone()).start().unwrap();
    let target = Local::shared(&engine);
    (host, engine, target, crate::control::actor(Origin::Console))
}

fn submit(target: &dyn Target, by: &Actor, id: CallId, command: Command) -> Answers {
    let (sender, answers) = channel();
    target.submit(by, id, command, Completion::new(move |reply| sender.send(reply).unwrap()));
    answers
}

fn request() -> Command {
    Command::RequestModule { name: b"dummy".to_vec(), wait: true, profile: None }
}

#[test]
fn reads_from_memory_are_answered_before_submit_returns() {
    let (_host, _engine, target, by) = target(0);
    ask(&*target, &by, request()).unwrap();
    let read = |command| submit(&*target, &by, CallId::fresh(), command).try_recv().expect("answered already");
    let Ok(Reply::Status(status)) = read(Command::Status) else { panic!() };
    assert!(status.last.len() == 1 && status.last[0].output.is_none(), "the state is without output");
    let Ok(Reply::Record(Some(record))) = read(Command::Record(1)) else { panic!() };
    assert_eq!(record.output.as_ref().unwrap().stdout, b"said");
    assert!(matches!(read(Command::Record(2)), Ok(Reply::Record(None))));
    assert!(matches!(read(Command::Live { after: 0, most: 9 }), Ok(Reply::Live(live)) if live.is_empty()));
    assert!(matches!(read(Command::Get(Key::Gate)), Ok(Reply::Value(gate)) if gate.text() == "enabled"));
}

#[test]
fn a_read_sees_the_write_submitted_before_it() {
    let (_host, _engine, target, by) = target(0);
    for n in 0..200 {
        let value = format!("x{n}");
        let write = Command::Write(vec![(Key::Deny, Key::Deny.parse_value(value.as_bytes(), CapMask::EMPTY).unwrap())]);
        let written = submit(&*target, &by, CallId::fresh(), write);
        let read = submit(&*target, &by, CallId::fresh(), Command::Get(Key::Deny));
        assert!(matches!(read.recv().unwrap(), Ok(Reply::Value(read)) if read.text() == value), "{n}");
        assert!(matches!(written.try_recv(), Ok(Ok(Reply::Written(_)))), "in order");
    }
}

#[test]
fn umh_4_a_cancelled_command_no_longer_waits_and_its_helper_lives_on() {
    let (host, _engine, target, by) = target(FOREVER);
    let (one, other) = (CallId::fresh(), CallId::fresh());
    let answers = [one, other].map(|id| submit(&*target, &by, id, request()));
    host.wait_for("two helpers", |now| now.running == 2);
    let taken = submit(&*target, &by, one, request()).try_recv().expect("refused at once");
    assert!(matches!(taken, Err(ControlError::Busy(_))), "the number is in use: {taken:?}");
    target.cancel(one);
    let Ok(Reply::Answered(record)) = answers[0].recv().unwrap() else { panic!() };
    assert_eq!((record.errno, record.abandoned), (Some(Errno::EINTR), true));
    assert!(answers[1].try_recv().is_err(), "the other one is still waited for");
    assert_eq!(host.counts().running, 2);
    target.cancel(one);
    target.cancel(other);
    assert!(answers[1].recv().unwrap().is_ok());
}

#[test]
fn umh_14_a_shutdown_names_what_it_leaves() {
    let (host, _engine, target, by) = target(FOREVER);
    let answer = submit(&*target, &by, CallId::fresh(), request());
    host.wait_for("a helper", |now| now.running == 1);
    let shutdown = Command::Shutdown { patience: std::time::Duration::ZERO };
    let Ok(Reply::Left(left)) = ask(&*target, &by, shutdown) else { panic!() };
    assert_eq!((left.len(), left[0].live.id, left[0].captured), (1, 1, true));
    let Ok(Reply::Status(status)) = ask(&*target, &by, Command::Status) else { panic!() };
    assert_eq!(status.gate, Depth::Disabled);
    drop(answer);
}

#[test]
fn a_batch_uses_one_thread_per_lane() {
    let (_host, engine, target, by) = target(0);
    let threads = Arc::new(std::sync::Mutex::new(std::collections::BTreeSet::new()));
    let seen = threads.clone();
    let batch = Batch { commands: vec![request()], total: 500, parallel: 1 };
    let running = batch.run(target, by, move |reply| {
        assert!(matches!(reply, Ok(Reply::Answered(record)) if record.outcome == Outcome::Exited));
        seen.lock().unwrap().insert(format!("{:?}", std::thread::current().id()));
    });
    assert!(running.wait() && running.is_over());
    assert_eq!((engine.snapshot().totals.requests, threads.lock().unwrap().len()), (500, 1));
}

#[test]
fn a_watch_wakes_once_per_burst_and_not_for_other_kinds() {
    let (_host, _engine, target, by) = target(0);
    let wakes = Arc::new(AtomicUsize::new(0));
    let (sender, woken) = channel();
    let count = wakes.clone();
    let wake = Wake::new(move || {
        count.fetch_add(1, Ordering::AcqRel);
        let _ = sender.send(());
    });
    let finished = target.watch(EventKinds::FINISHED, None, 10, wake);
    let silent_wakes = Arc::new(AtomicUsize::new(0));
    let silent = silent_wakes.clone();
    let log = target.watch(EventKinds::LOG, None, 10, Wake::new(move || _ = silent.fetch_add(1, Ordering::AcqRel)));
    assert!(finished.next().is_none() && log.next().is_none());
    ask(&*target, &by, request()).unwrap();
    woken.recv().unwrap();
    ask(&*target, &by, request()).unwrap();
    assert_eq!(wakes.load(Ordering::Acquire), 1, "it has not looked yet");
    assert!(matches!(finished.next(), Some(Watched::Event(_))) && matches!(finished.next(), Some(Watched::Event(_))));
    assert!(finished.next().is_none());
    ask(&*target, &by, request()).unwrap();
    woken.recv().unwrap();
    assert_eq!((wakes.load(Ordering::Acquire), silent_wakes.load(Ordering::Acquire)), (2, 0));
}

#[test]
fn a_watch_that_comes_back_learns_that_it_missed_something() {
    let (_host, _engine, target, by) = target(0);
    let Ok(Reply::Status(before)) = ask(&*target, &by, Command::Status) else { panic!() };
    ask(&*target, &by, request()).unwrap();
    let run = target.info().run;
    let watch = |from| target.watch(EventKinds::ALL, from, 10, Wake::none()).next();
    let Ok(Reply::Status(now)) = ask(&*target, &by, Command::Status) else { panic!() };
    assert!(now.seq > before.seq);
    let gap = watch(Some((run, before.seq)));
    assert!(matches!(gap, Some(Watched::Missed(n)) if n == now.seq - before.seq), "{gap:?}");
    assert!(watch(Some((run, now.seq))).is_none() && watch(None).is_none());
    let other = RunId { started: run.started + 1, pid: run.pid };
    assert!(matches!(watch(Some((other, 1_000))), Some(Watched::Missed(n)) if n == now.seq), "another run: all is new");
}
