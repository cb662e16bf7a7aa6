//! AUTH-5: a request bears the process that made it, not the engine's own, whatever command it came by.

use std::path::PathBuf;

use khelper::abi::actor::{Comm, Origin, Requester};
use khelper::abi::cap::CapMask;
use khelper::abi::event::EventKind;
use khelper::abi::wait::WaitMode;
use khelper::control::{Call, Command, Reply, dispatch, dispatch_as};
use khelper::engine::{CallOptions, Caller, Cancel, Engine};
use khelper::sys::fake::{FakeHost, Script};

use crate::support::*;

fn stranger() -> Requester {
    Requester { pid: 4242, uid: 1234, comm: Comm::new(b"client") }
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
    };
    vec![
        Command::RequestModule { name: b"dummy".to_vec(), wait: true },
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
        let (me, all) = (engine.requester().clone(), !CapMask::EMPTY);
        assert_ne!(me, stranger());
        for command in commands() {
            let theirs = dispatch_as(&engine, origin, Some(stranger()), all, command.clone(), &Cancel::new());
            let Ok(Reply::Answered(record)) = theirs else { panic!("{command:?}: {theirs:?}") };
            assert_eq!((&*record.requester, record.origin), (&stranger(), origin), "{command:?}");
            let ours = dispatch(&engine, origin, command.clone(), &Cancel::new());
            let Ok(Reply::Answered(record)) = ours else { panic!("{command:?}: {ours:?}") };
            assert_eq!((&*record.requester, record.origin), (&me, origin), "{command:?}");
        }
    }
}

/// The engine judges no origin; its callers do. The record, the live request and the event name the other process.
#[test]
fn auth_5_the_engine_books_a_request_from_outside_on_who_made_it() {
    let host = host(runs(SECOND));
    let engine = start(&host);
    let events = subscribe(&engine);
    let ask = || Caller { origin: Some(Origin::Outside), requester: Some(stranger()), cancel: Cancel::new() };
    scope(&host, |s| {
        let caller = s.spawn(|| engine.request_module_as("dummy", true, &ask()));
        host.wait_for("a helper", |now| now.running == 1);
        assert_eq!(*engine.snapshot().running[0].requester, stranger());
        host.advance(SECOND);
        let record = caller.join().unwrap();
        assert_eq!((&*record.requester, record.origin), (&stranger(), Origin::Outside));
    });
    let options = CallOptions { ask: ask(), ..CallOptions::default() };
    let record = engine.call_usermodehelper_with(info("/bin/true"), WaitMode::PROC, &options);
    assert_eq!((&*record.requester, record.origin), (&stranger(), Origin::Outside));
    let asked: Vec<Requester> = told(&events)
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ModuleRequest { requester, .. } => Some((**requester).clone()),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [stranger()]);
}
