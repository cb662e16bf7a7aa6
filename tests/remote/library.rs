//! [`khelper::remote::Remote`] as the console uses it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use khelper::abi::actor::{Actor, Origin};
use khelper::abi::error::ControlError;
use khelper::abi::event::{EventKind, EventKinds};
use khelper::abi::record::Outcome;
use khelper::abi::wait::WaitMode;
use khelper::control::ask::ask;
use khelper::control::batch::Batch;
use khelper::control::completion::{CallId, Completion};
use khelper::control::target::Target;
use khelper::control::watch::{Wake, Watch, Watched};
use khelper::control::{Call, Command, Key, Reply};
use khelper::remote::{Address, Remote};

use crate::daemon::{Daemon, Relay};

fn connected() -> (Daemon, Arc<dyn Target>) {
    let daemon = Daemon::start();
    let target = Remote::connect(&daemon.address()).unwrap();
    (daemon, target)
}

fn by() -> Actor {
    Actor::new(Origin::Console, 1, 0, 0, b"test")
}

fn submit(target: &dyn Target, id: CallId, command: Command) -> Receiver<Result<Reply, ControlError>> {
    let (sender, answers) = channel();
    target.submit(&by(), id, command, Completion::new(move |reply| sender.send(reply).unwrap()));
    answers
}

fn sleeps() -> Command {
    Command::Call(Call {
        path: b"/bin/sleep".to_vec(),
        args: vec![b"1000".to_vec()],
        env: Vec::new(),
        wait: WaitMode::PROC,
        bset: None,
        inheritable: None,
        timeout: None,
        profile: None,
    })
}

/// The next event that `found` accepts.
fn until<T>(watch: &Watch, mut found: impl FnMut(&EventKind) -> Option<T>) -> T {
    loop {
        match watch.wait() {
            Watched::Event(event) => {
                if let Some(found) = found(&event.kind) {
                    return found;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

fn started(watch: &Watch) -> (u64, i32) {
    until(watch, |kind| match kind {
        EventKind::Started { id, pid } => Some((*id, *pid)),
        _ => None,
    })
}

/// A watch that is active: a command that is answered was sent after that.
fn watch(target: &dyn Target, _: &Daemon) -> Watch {
    let watch = target.watch(EventKinds::ALL, None, 1000, Wake::none());
    ask(target, &by(), Command::Status).unwrap();
    watch
}

#[test]
fn a_watch_sees_the_effects_of_every_command_that_was_submitted_after_it() {
    let (_daemon, target) = connected();
    for n in 0..100 {
        let events = target.watch(EventKinds::KNOB_CHANGED, None, 10, Wake::none());
        let value = Key::Deny.parse_value(format!("x{n}").as_bytes(), target.info().known).unwrap();
        let written = submit(&*target, CallId::fresh(), Command::Write(vec![(Key::Deny, value)]));
        let seen = until(&events, |kind| match kind {
            EventKind::KnobChanged { change, .. } => Some(change.after.text()),
            _ => None,
        });
        assert_eq!(seen, format!("x{n}"));
        assert!(written.recv().unwrap().is_ok());
    }
}

#[test]
fn the_target_is_described_and_commands_are_answered_in_order() {
    let (daemon, target) = connected();
    let info = target.info();
    assert_eq!((info.pid, info.short_name(), info.is_owned()), (daemon.pid(), daemon.target().as_str(), false));
    assert!(info.lost().is_none() && info.run.pid == daemon.pid() && !info.known.is_empty());
    for n in 0..200 {
        let value = Key::Deny.parse_value(format!("x{n}").as_bytes(), info.known).unwrap();
        let written = submit(&*target, CallId::fresh(), Command::Write(vec![(Key::Deny, value.clone())]));
        let read = submit(&*target, CallId::fresh(), Command::Get(Key::Deny));
        assert!(matches!(read.recv().unwrap(), Ok(Reply::Value(read)) if read == value), "{n}");
        assert!(matches!(written.try_recv(), Ok(Ok(Reply::Written(_)))), "in order");
    }
    let denied = ask(&*target, &by(), Command::ResetLoopMessages).unwrap_err();
    assert!(matches!(denied, ControlError::Denied(_)), "{denied:?}");
}

#[test]
fn umh_4_a_cancelled_command_no_longer_waits_and_its_helper_lives_on() {
    let (daemon, target) = connected();
    let events = watch(&*target, &daemon);
    let (one, other) = (CallId::fresh(), CallId::fresh());
    let answers = submit(&*target, one, sleeps());
    let (first, pid) = started(&events);
    let others = submit(&*target, other, sleeps());
    let (second, _) = started(&events);
    // A quick command does not wait for them.
    assert!(ask(&*target, &by(), Command::Get(Key::Gate)).is_ok());
    target.cancel(one);
    let Ok(Reply::Answered(record)) = answers.recv().unwrap() else { panic!() };
    assert_eq!((record.id, record.abandoned), (first, true));
    assert!(others.try_recv().is_err(), "the other one is still waited for");
    let Reply::Live(live) = daemon.ask(&Command::Live { after: 0, most: 9 }) else { panic!() };
    assert_eq!(live.iter().map(|live| live.id).collect::<Vec<_>>(), [first, second]);
    assert_eq!(live[0].pid, Some(pid), "its helper lives on");
    // One that is cancelled before the daemon has told its number.
    let third = CallId::fresh();
    let at_once = submit(&*target, third, sleeps());
    target.cancel(third);
    let Ok(Reply::Answered(record)) = at_once.recv().unwrap() else { panic!() };
    assert!(record.abandoned);
    assert_eq!(started(&events).0, record.id, "its helper starts all the same");
    target.cancel(other);
    assert!(others.recv().unwrap().is_ok());
    for id in [first, second, record.id] {
        daemon.ask(&Command::Kill { id, signal: 9 });
    }
}

#[test]
fn commands_that_wait_do_not_wait_for_each_other() {
    let (daemon, target) = connected();
    let events = watch(&*target, &daemon);
    let held: Vec<_> = (0..20).map(|_| submit(&*target, CallId::fresh(), sleeps())).collect();
    let ids: Vec<u64> = (0..20).map(|_| started(&events).0).collect();
    let Reply::Status(status) = ask(&*target, &by(), Command::Status).unwrap() else { panic!() };
    assert_eq!(status.live, 20);
    for id in ids {
        ask(&*target, &by(), Command::Kill { id, signal: 9 }).unwrap();
    }
    for answer in held {
        let Ok(Reply::Answered(record)) = answer.recv().unwrap() else { panic!() };
        assert_eq!(record.outcome, Outcome::Killed);
    }
    // A long series over few connections.
    daemon.set(Key::Modprobe, b"/bin/true");
    let batch = Batch {
        commands: vec![Command::RequestModule { name: b"x".to_vec(), wait: true, profile: None }],
        total: 300,
        parallel: 10,
    };
    let running = batch.run(target.clone(), by(), |reply| assert!(matches!(reply, Ok(Reply::Answered(_)))));
    assert!(running.wait());
}

#[test]
fn a_slow_reader_learns_how_many_events_it_missed() {
    let (daemon, target) = connected();
    daemon.set(Key::Modprobe, b"/bin/true");
    let first = watch(&*target, &daemon);
    let slow = target.watch(EventKinds::FINISHED, None, 2, Wake::none());
    // It is active once it has an event.
    ask(&*target, &by(), Command::RequestModule { name: b"x".to_vec(), wait: true, profile: None }).unwrap();
    let mut total = 1;
    let mut seen = 0;
    while seen == 0 {
        ask(&*target, &by(), Command::RequestModule { name: b"x".to_vec(), wait: true, profile: None }).unwrap();
        total += 1;
        while slow.next().is_some() {
            seen += 1;
        }
    }
    let before = total;
    for _ in 0..20 {
        ask(&*target, &by(), Command::RequestModule { name: b"x".to_vec(), wait: true, profile: None }).unwrap();
        total += 1;
    }
    // The other watch has every event, so the slow one was offered all of them too, in this order.
    let mut ends = 0;
    while ends < total {
        ends += until(&first, |kind| matches!(kind, EventKind::Finished(_)).then_some(1));
    }
    ask(&*target, &by(), Command::Status).unwrap();
    let (mut events, mut missed) = (0, 0);
    while events + missed < total - before - 1 {
        match slow.wait() {
            Watched::Event(_) => events += 1,
            Watched::Missed(count) => missed += count,
            Watched::Closed { why } => panic!("{why:?}"),
        }
    }
    assert!(missed > 0 && events <= 3, "{events} events, {missed} missed");
}

#[test]
fn a_daemon_that_is_killed_is_reported_and_its_next_start_is_another_run() {
    let (mut daemon, target) = connected();
    let events = watch(&*target, &daemon);
    let before = target.info();
    let Reply::Status(status) = ask(&*target, &by(), Command::Status).unwrap() else { panic!() };
    let waiting = submit(&*target, CallId::fresh(), sleeps());
    let (_, pid) = started(&events);
    daemon.kill();
    // The command has an answer, and the watch an end with the reason.
    let lost = waiting.recv().unwrap().unwrap_err();
    let unknown = "whether the command was performed is unknown";
    assert!(matches!(&lost, ControlError::Unavailable(why) if why.contains(unknown)), "{lost:?}");
    let end = loop {
        match events.wait() {
            Watched::Closed { why } => break why,
            _ => continue,
        }
    };
    assert!(end.is_some_and(|why| why.contains("daemon") || why.contains("reset")));
    assert!(target.info().lost().is_some());
    let refused = ask(&*target, &by(), Command::Status).unwrap_err();
    assert!(refused.to_string().contains("nothing was sent"), "{refused}");
    // A watch that is created meanwhile continues after the restart.
    let (sender, woken) = channel();
    let wake = Wake::new(move || _ = sender.send(()));
    let later = target.watch(EventKinds::ALL, Some((before.run, status.seq)), 100, wake);
    assert!(later.next().is_none());
    daemon.again();
    woken.recv().unwrap();
    let now = target.info();
    assert!(now.lost().is_none() && now.run != before.run && now.pid == daemon.pid(), "{now:?}");
    daemon.set(Key::Deny, b"after");
    loop {
        match later.wait() {
            Watched::Event(event) if matches!(&event.kind, EventKind::KnobChanged { .. }) => break,
            Watched::Event(_) | Watched::Missed(_) => {}
            Watched::Closed { why } => panic!("{why:?}"),
        }
    }
    assert!(ask(&*target, &by(), Command::Status).is_ok());
    // The helper of the killed daemon is ours to end.
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
}

#[test]
fn a_connection_that_is_restored_reports_what_was_missed_meanwhile() {
    let daemon = Daemon::start();
    let relay = Relay::new(&daemon);
    let target = Remote::connect(&Address::unix(relay.path())).unwrap();
    let run = target.info().run;
    let events = target.watch(EventKinds::ALL, None, 100, Wake::none());
    let held = submit(&*target, CallId::fresh(), sleeps());
    let (id, _) = started(&events);
    let Reply::Status(before) = ask(&*target, &by(), Command::Status).unwrap() else { panic!() };
    relay.cut();
    assert!(matches!(events.wait(), Watched::Closed { why: Some(_) }));
    assert!(matches!(held.recv().unwrap(), Err(ControlError::Unavailable(_))), "its answer will never come");
    let (sender, woken) = channel();
    let later = target.watch(EventKinds::ALL, Some((run, before.seq)), 100, Wake::new(move || _ = sender.send(())));
    assert!(later.next().is_none() && target.info().lost().is_some());
    for value in [&b"a"[..], b"b", b"c"] {
        daemon.set(Key::Deny, value);
    }
    relay.join();
    woken.recv().unwrap();
    assert!(matches!(later.wait(), Watched::Missed(3)), "the writes of another client");
    assert_eq!((target.info().run, target.info().lost()), (run, None), "the same run");
    // The request went on without its caller.
    let Reply::Live(live) = ask(&*target, &by(), Command::Live { after: 0, most: 9 }).unwrap() else { panic!() };
    assert_eq!(live[0].id, id);
    ask(&*target, &by(), Command::Kill { id, signal: 9 }).unwrap();
}

#[test]
fn a_watch_that_begins_after_an_event_learns_what_it_missed() {
    let (daemon, target) = connected();
    let run = target.info().run;
    let Reply::Status(before) = ask(&*target, &by(), Command::Status).unwrap() else { panic!() };
    daemon.set(Key::Deny, b"one");
    daemon.set(Key::Deny, b"two");
    let late = target.watch(EventKinds::ALL, Some((run, before.seq)), 100, Wake::none());
    match late.wait() {
        Watched::Missed(count) => assert_eq!(count, 2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_target_that_is_dropped_ends_its_thread_and_its_connections() {
    let (daemon, target) = connected();
    let connections = || {
        let Reply::Status(status) = daemon.ask(&Command::Status) else { panic!() };
        status.watchers
    };
    // The daemon may watch its own engine.
    let own = connections();
    let events = watch(&*target, &daemon);
    assert!(connections() >= own);
    drop(target);
    assert!(matches!(events.wait(), Watched::Closed { why: None } | Watched::Event(_)));
    while connections() > own {
        std::thread::yield_now();
    }
}
