//! Every kind of command, reply, event and error is equal after it went over the wire, and has the types that the
//! interface file declares.

mod calls;
mod schema;
mod stream;

use std::collections::BTreeSet;
use std::io::Write;

use proptest::prelude::*;
use serde_json::Value;

use super::client::{self, Heard, Sent};
use super::event::{self, Item, Subscribe};
use super::frame::Answer;
use super::interface::{DEFINITION, SERVICE_DEFINITION, VERSION};
use super::method::METHODS;
use super::server::{self, Ask, Progress, Request, Way};
use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::event::EventKinds;
use crate::control::command::{Command, Reply};
use crate::control::target_info::{LinkState, RunId, TargetInfo, TargetKind};
use crate::control::tests::{Seed, seed};
use schema::Schema;

/// The daemon of these tests.
fn daemon() -> TargetInfo {
    TargetInfo {
        kind: TargetKind::Daemon,
        name: String::new(),
        version: "1.2.3".into(),
        pid: 700,
        uid: 0,
        run: RunId { started: 1_795_000_000_000_000, pid: 700 },
        link: LinkState::Up,
        known: CapMask::up_to(40),
    }
}

fn parsed(message: &[u8]) -> Value {
    let text = message.strip_suffix(b"\0").expect("ended by a NUL");
    assert!(!text.contains(&0), "one message");
    serde_json::from_slice(text).unwrap()
}

/// Sends a command; the daemon reads the same command.
fn sent(command: &Command) -> (Sent, Way) {
    let (sent, message) = client::call(command, false).expect("each command has a method");
    let text = &message[..message.len() - 1];
    match server::read(text, &daemon(), None).unwrap() {
        Request { ask: Ask::Command(came), way, .. } => {
            assert_eq!(&came, command, "{}", String::from_utf8_lossy(text));
            (sent, way)
        }
        other => panic!("{other:?}: {}", String::from_utf8_lossy(text)),
    }
}

/// Sends a reply; the client reads the same reply.
fn answered(sent: &Sent, way: &Way, reply: &Result<Reply, ControlError>) -> Vec<u8> {
    let message = way.answer(&daemon(), reply);
    let Heard::Last(back) = sent.answer(&message[..message.len() - 1], VERSION) else { panic!("the last answer") };
    assert_eq!(&back, reply, "{}", String::from_utf8_lossy(&message));
    message
}

/// Which of the replies is one to this command.
fn replies_to(command: &Command, reply: &Reply) -> bool {
    match command {
        Command::RequestModule { .. } | Command::Call(_) | Command::Probe { .. } => matches!(reply, Reply::Answered(_)),
        Command::Rehearse(_) => matches!(reply, Reply::Rehearsed(_)),
        Command::Get(_) => matches!(reply, Reply::Value(_)),
        Command::Knobs(_) => matches!(reply, Reply::Knobs(_)),
        Command::Diff => matches!(reply, Reply::Diff(_)),
        Command::KillChain { .. } => matches!(reply, Reply::ChainEnded(_)),
        Command::Configure(_) | Command::WriteKernel(_) => false,
        Command::Write(_) | Command::Persist(_) | Command::Reset(_) => matches!(reply, Reply::Written(_)),
        Command::SetDepth(_)
        | Command::ResetLoopMessages
        | Command::Abandon(_)
        | Command::Kill { .. }
        | Command::Unpersist(_) => matches!(reply, Reply::Done),
        Command::Status => matches!(reply, Reply::Status(_)),
        Command::Record(_) => matches!(reply, Reply::Record(_)),
        Command::Chain(_) => matches!(reply, Reply::Chain(_)),
        Command::CheckPath(_) => matches!(reply, Reply::Warnings(_)),
        Command::Live { .. } => matches!(reply, Reply::Live(_)),
        Command::Activity(_) => matches!(reply, Reply::Activity(_)),
        Command::Matching { .. } => matches!(reply, Reply::Matching(_)),
        Command::Records(_) => matches!(reply, Reply::Records(_)),
        Command::Log(_) => matches!(reply, Reply::Log(_)),
        Command::Why(_) => matches!(reply, Reply::Why(_)),
        Command::Rules => matches!(reply, Reply::Rules(_)),
        Command::Shutdown { .. } => matches!(reply, Reply::Left(_)),
    }
}

/// Everything of one seed, there and back. With `schema`, each message has the declared types too.
fn there_and_back(seed: &Seed, schema: Option<&Schema>) {
    let check = |message: &[u8], what: &str, field: &str| {
        if let Some(schema) = schema {
            schema.check(what, &parsed(message)[field]);
        }
    };
    let (replies, mut errors) = (seed.replies(), seed.errors());
    // A daemon never answers that there is none, or that it was not reached.
    errors.retain(|error| !matches!(error, ControlError::NoDaemon(..) | ControlError::Unreached(_)));
    let mut came = BTreeSet::new();
    // The files are read by the process that owns the engine, and no engine writes the kernel's knobs.
    let inner = |command: &Command| matches!(command, Command::Configure(_) | Command::WriteKernel(_));
    for command in seed.commands().into_iter().filter(|command| !inner(command)) {
        let (_, message) = client::call(&command, false).unwrap();
        let name = method_of(&message);
        check(&message, &format!("{name} call"), "parameters");
        let (sent, way) = sent(&command);
        for (at, reply) in replies.iter().enumerate().filter(|(_, reply)| replies_to(&command, reply)) {
            let message = answered(&sent, &way, &Ok(reply.clone()));
            check(&message, &format!("{name} answer"), "parameters");
            came.insert(at);
        }
        for error in &errors {
            let message = answered(&sent, &way, &Err(error.clone()));
            let name = parsed(&message)["error"].as_str().unwrap().rsplit_once('.').unwrap().1.to_owned();
            check(&message, &format!("{name} error"), "parameters");
        }
    }
    assert_eq!(came.len(), replies.len(), "every reply belongs to a command");
    for event in seed.events() {
        let message = event::event(&event);
        check(&message, "Watch answer", "parameters");
        let back = client::watched(&message[..message.len() - 1], VERSION).unwrap();
        assert_eq!(back, Item::Event(event.into()), "{}", String::from_utf8_lossy(&message));
    }
}

fn method_of(message: &[u8]) -> String {
    parsed(message)["method"].as_str().unwrap().strip_prefix("io.khelper.Control.").unwrap().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_kind_goes_over_the_wire_and_comes_back(seed in seed(any::<u64>())) {
        there_and_back(&seed, None);
    }

    /// Varlink's integers have a sign.
    #[test]
    fn every_kind_has_the_declared_types(seed in seed(0..1u64 << 62)) {
        there_and_back(&seed, Some(&Schema::control()));
    }
}

#[test]
fn the_methods_of_the_code_and_of_the_file_are_the_same() {
    let schema = Schema::control();
    let mut code: BTreeSet<&str> = METHODS.iter().map(|method| method.name).collect();
    code.extend(["Info", "Watch"]);
    let file: BTreeSet<&str> = schema.methods().collect();
    assert_eq!(code, file);
    assert_eq!(code.len(), METHODS.len() + 2, "a name stands for one method");
    // Each is documented, and those with more than one answer say so.
    for method in file {
        let doc = schema.doc(method);
        assert!(doc.starts_with("# "), "{method} has no comment");
        let streams = METHODS.iter().any(|m| m.name == method && m.has_progress()) || method == "Watch";
        assert_eq!(doc.contains("# [Supports 'more' flag]"), streams, "{method}: {doc}");
    }
}

#[test]
fn the_interface_files_are_valid() {
    for (name, text) in [("io.khelper.Control", DEFINITION), ("org.varlink.service", SERVICE_DEFINITION)] {
        assert!(text.contains(&format!("\ninterface {name}\n")));
        let known = Schema::parse(text);
        known.check_references();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("it.varlink");
        std::fs::write(&file, text).unwrap();
        match std::process::Command::new("varlinkctl").arg("validate-idl").arg(&file).output() {
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
            // A folder of PATH that this user may not enter hides it too.
            Err(why) if matches!(why.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied) => {
                // To the handle itself: the test runner captures `eprintln!`.
                let _ = std::io::stderr().write_all(format!("skipped: varlinkctl validate-idl: {why}\n").as_bytes());
            }
            Err(why) => panic!("{why}"),
        }
    }
}

#[test]
fn answers_that_need_no_command_have_the_declared_types() {
    let schema = Schema::control();
    let run = daemon().run;
    for (message, what) in [
        (event::started(run, true), "Watch answer"),
        (event::missed(7), "Watch answer"),
        (event::ended(), "Watch answer"),
        (Way::progress(Progress::Queued, 3, None), "Request answer"),
        (Way::progress(Progress::Started, 3, Some(77)), "Run answer"),
        (Way::progress(Progress::Started, 3, Some(77)), "Rehearse answer"),
        (calls::answer_to(r#"{"method":"io.khelper.Control.Info"}"#), "Info answer"),
    ] {
        schema.check(what, &parsed(&message)["parameters"]);
    }
    let read = |message: Vec<u8>| client::watched(&message[..message.len() - 1], VERSION).unwrap();
    assert_eq!(read(event::started(run, false)), Item::Started(run));
    assert_eq!(read(event::missed(7)), Item::Missed(7));
    assert_eq!(read(event::ended()), Item::Ended);
    let info = calls::answer_to(r#"{"method":"io.khelper.Control.Info"}"#);
    let info = client::described(&info[..info.len() - 1]).unwrap();
    assert_eq!(
        (info.version.as_str(), info.pid, info.uid, info.run, info.known),
        (VERSION, 700, 0, run, daemon().known)
    );
    // Progress is no answer yet.
    let (sent, way) = sent(&Command::RequestModule { name: b"x".to_vec(), wait: true, profile: None });
    let progress = Way::progress(Progress::Started, 3, Some(77));
    assert!(Answer::parse(&progress[..progress.len() - 1]).unwrap().continues());
    assert_eq!(sent.answer(&progress[..progress.len() - 1], VERSION), Heard::Progress(Some(3)));
    assert!(way.wants_progress() && sent.waits());
}

#[test]
fn every_set_of_kinds_is_subscribed_to_as_it_is() {
    let schema = Schema::control();
    let from = Some((daemon().run, 12));
    for kinds in [
        EventKinds::ALL,
        EventKinds::NONE,
        EventKinds::FINISHED,
        EventKinds::FAILED_NO_WAIT.or(EventKinds::LOG),
        EventKinds::ALL.without(EventKinds::FAILED),
        EventKinds::MODULE_REQUEST.or(EventKinds::WAITING).or(EventKinds::SIGNALLED),
    ] {
        for from in [None, from] {
            let message = client::watch(&Subscribe { kinds, from }, false);
            schema.check("Watch call", &parsed(&message)["parameters"]);
            let request = server::read(&message[..message.len() - 1], &daemon(), None).unwrap();
            assert!(request.way.more && !request.way.wants_progress());
            match request.ask {
                Ask::Watch(came) => assert_eq!(came, Subscribe { kinds, from }),
                other => panic!("{other:?}"),
            }
        }
    }
}
