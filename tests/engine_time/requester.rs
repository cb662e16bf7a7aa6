//! AUTH-5: a request names the process that made it, not the engine's process, whatever the command.

use std::path::PathBuf;

use khelper::abi::Errno;
use khelper::abi::actor::{Actor, Origin};
use khelper::abi::cap::CapMask;
use khelper::abi::depth::Depth;
use khelper::abi::event::EventKind;
use khelper::abi::mask::MaskExpr;
use khelper::abi::wait::WaitMode;
use khelper::control::{Call, Command, Reply, dispatch_as};
use khelper::engine::{CallOptions, Caller, Cancel, Engine, KnobWrite};
use khelper::sys::fake::{FOREVER, FakeHost, Script};

use crate::support::*;

fn stranger(origin: Origin) -> Actor {
    let start_time = Some(99);
    Actor { start_time, effective: !CapMask::EMPTY, ..Actor::new(origin, 4242, 1234, 56, b"client") }
}

fn commands() -> Vec<Command> {
    let call = Call {
        path: b"/bin/true".to_vec(),
        args: Vec::new(),
        env: Vec::new(),
        wait: WaitMode::PROC,
        bset: None,
        inheritable: None,
        timeout: None,
        profile: None,
    };
    vec![
        Command::RequestModule { name: b"dummy".to_vec(), wait: true, profile: None },
        Command::Call(call),
        Command::Probe { bset: None, inheritable: None },
    ]
}

fn engine_with_probe() -> (std::sync::Arc<FakeHost>, Engine) {
    let host = host(Script::default());
    host.script("/probe", Script::default());
    let engine = Engine::builder().host(host.clone()).probe(PathBuf::from("/probe"), "--probe").start().unwrap();
    (host, engine)
}

#[test]
fn auth_5_a_command_of_another_process_is_booked_on_that_process() {
    for origin in [Origin::Library, Origin::CommandLine, Origin::Console] {
        let (_host, engine) = engine_with_probe();
        let me = engine.actor(origin);
        assert_eq!((me.pid, me.gid, me.start_time, me.loginuid), (1000, 7, Some(4711), Some(1001)));
        for command in commands() {
            let theirs = dispatch_as(&engine, stranger(origin), command.clone(), &Cancel::new());
            let Ok(Reply::Answered(record)) = theirs else { panic!("{command:?}: {theirs:?}") };
            assert_eq!(*record.actor, stranger(origin), "{command:?}");
            let ours = dispatch_as(&engine, me.clone(), command.clone(), &Cancel::new());
            let Ok(Reply::Answered(record)) = ours else { panic!("{command:?}: {ours:?}") };
            assert_eq!(record.actor, me, "{command:?}");
        }
    }
}

/// The engine does not check the origin; its callers do. The record, the live request and the event name the other
/// process.
#[test]
fn auth_5_the_engine_books_a_request_from_outside_on_who_made_it() {
    let host = host(runs(SECOND));
    let engine = start(&host);
    let events = subscribe(&engine);
    let ask = || Caller { actor: Some(stranger(Origin::Outside).into()), ..Caller::default() };
    scope(&host, |s| {
        let caller = s.spawn(|| engine.request_module_as("dummy", true, &ask()));
        host.wait_for("a helper", |now| now.running == 1);
        assert_eq!(*engine.snapshot().running[0].actor, stranger(Origin::Outside));
        host.advance(SECOND);
        let record = caller.join().unwrap();
        assert_eq!(*record.actor, stranger(Origin::Outside));
    });
    let options = CallOptions { ask: ask(), ..CallOptions::default() };
    let record = engine.call_usermodehelper_with(info("/bin/true"), WaitMode::PROC, &options);
    assert_eq!(*record.actor, stranger(Origin::Outside));
    let asked: Vec<Actor> = received(&events)
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ModuleRequest { actor, .. } => Some((**actor).clone()),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [stranger(Origin::Outside)]);
}

/// Another actor performs each act: the event names that actor, and no other.
#[test]
fn auth_5_every_act_names_its_actor_in_its_event() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    let all = subscribe(&engine);
    let by = |pid: i32| Actor::new(Origin::Console, pid, 1234, 56, b"client");
    scope(&host, |s| {
        let waits = callers(s, &engine, 1, "dummy");
        host.wait_for("a helper", |now| now.running == 1);
        engine.write_as(&[KnobWrite::MaxConcurrent(7)], &by(11)).unwrap();
        engine.write_as(&[KnobWrite::Bset(MaskExpr::Exactly(CapMask::EMPTY))], &by(12)).unwrap();
        engine.set_depth_as(Depth::Freezing, &by(13)).unwrap();
        engine.enable_as(&by(14)).unwrap();
        let drain = s.spawn(|| engine.disable_as(Depth::Disabled, &by(15)));
        host.wait_for("the drain", |now| now.on_clock == 1);
        host.advance(5 * SECOND);
        assert_eq!(drain.join().unwrap().unwrap_err().errno, Errno::EAGAIN);
        engine.abandon_as(1, &by(16)).unwrap();
        assert!(join(waits)[0].abandoned);
        engine.kill_as(1, libc::SIGKILL, &by(17)).unwrap();
        host.wait_for("its end", |now| now.running == 0);
    });
    engine.shutdown_as(std::time::Duration::ZERO, &by(18));
    let named: Vec<(&str, i32)> = received(&all)
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ModuleRequest { actor, .. } => Some(("request", actor.pid)),
            EventKind::KnobChanged { actor, change } => Some((change.key.name(), actor.pid)),
            EventKind::GateChanged { actor, .. } => Some(("gate", actor.pid)),
            EventKind::DrainFailed { actor, .. } => Some(("drain", actor.pid)),
            EventKind::Abandoned { actor, .. } => Some(("abandon", actor.pid)),
            EventKind::Signalled { actor, id: 1, signal: libc::SIGKILL, .. } => Some(("kill", actor.pid)),
            _ => None,
        })
        .collect();
    let expected = [
        ("request", 1000),
        ("khelper.max_concurrent", 11),
        ("kernel.usermodehelper.bset", 12),
        ("gate", 13),
        ("gate", 14),
        ("gate", 15),
        ("gate", 15),
        ("drain", 15),
        ("abandon", 16),
        ("kill", 17),
        ("gate", 18),
    ];
    assert_eq!(named, expected);
}

/// A caller that cancels its own wait is the actor of the event.
#[test]
fn auth_5_a_caller_that_gives_up_is_named_itself() {
    let host = host(runs(SECOND));
    let engine = start(&host);
    let events = subscribe(&engine);
    let cancel = Cancel::new();
    let ask = Caller { actor: Some(stranger(Origin::Library).into()), cancel: cancel.clone(), ..Caller::default() };
    scope(&host, |s| {
        let caller = s.spawn(|| engine.request_module_as("dummy", true, &ask));
        host.wait_for("a helper", |now| now.running == 1);
        cancel.cancel();
        assert!(caller.join().unwrap().abandoned);
        host.advance(SECOND);
    });
    let gave_up = |event: &std::sync::Arc<khelper::abi::event::Event>| match &event.kind {
        EventKind::Abandoned { id: 1, actor } => Some((**actor).clone()),
        _ => None,
    };
    assert_eq!(received(&events).iter().filter_map(gave_up).collect::<Vec<_>>(), [stranger(Origin::Library)]);
}
