//! A record as JSON.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use khelper::abi::Errno;
use khelper::abi::actor::{Actor, ChainLink, Comm, Origin};
use khelper::abi::cap::{CapMask, CapSets};
use khelper::abi::error::Stage;
use khelper::abi::escape::unescape;
use khelper::abi::launch_spec::{Enforcement, NotEnforced};
use khelper::abi::place::{Attribution, Place};
use khelper::abi::record::Record;
use khelper::abi::record::{Args, Kind, Outcome, Output, State};
use khelper::abi::wait::{WaitMode, WaitStatus};
use khelper::control::record_json::{Entry, Source};
use khelper::control::target_info::{LinkState, RunId, TargetInfo, TargetKind};
use khelper::sys::fake::Script;
use serde_json::{Value, json};

/// Bytes that are no UTF-8, a control character, a backslash and a quotation mark.
const HOSTILE: &[u8] = b"\xff\x1b\\\"";

/// `HOSTILE` with a name before it, so that no two strings are equal.
fn hostile(name: &str) -> Box<[u8]> {
    [name.as_bytes(), HOSTILE].concat().into()
}

fn of(bits: u64) -> CapMask {
    CapMask::from_bits(bits)
}

/// A record with a value of its own in every field.
fn whole() -> Record {
    let mut record = super::record();
    record.id = 3;
    record.kind = Kind::Helper;
    record.module = None;
    record.wall = UNIX_EPOCH + Duration::new(1_795_662_588, 123_456_789);
    record.path = Arc::from(hostile("path"));
    record.args = Args::List(Arc::from([hostile("argv0"), hostile("argv1")]));
    record.env = Arc::from([hostile("A="), hostile("B=")]);
    record.wait = WaitMode::EXEC;
    let place = Attribution { place: Place::Unit(b"cron.service"[..].into()), is_believed: true };
    let actor = Actor::new(Origin::Library, 51, 52, 53, &hostile("comm"));
    record.actor = Actor { place: Some(place.into()), ..actor }.into();
    record.state = State::Ended;
    record.outcome = Outcome::Killed;
    record.stage = Some(Stage::Cancel);
    record.errno = Some(Errno::EINTR);
    record.result = Some(-4);
    record.status = Some(WaitStatus::from_raw(0x8b));
    record.timed_out = true;
    record.enforced = Some(Enforcement::NoNewPrivs);
    record.bset = of(0x11);
    record.inheritable = of(0x12);
    record.own = Some(Box::new((of(0x13), of(0x14)).into()));
    record.profile = Some("tight".into());
    record.caps = Some(Arc::new(CapSets {
        inheritable: of(0x21),
        permitted: of(0x22),
        effective: of(0x23),
        bounding: of(0x24),
        ambient: of(0x25),
    }));
    record.caps_started = Some(Arc::new(CapSets { permitted: of(0x31), ..CapSets::default() }));
    record.not_enforced = Box::new([NotEnforced::Scheduler, NotEnforced::OomScoreAdj]);
    record.chain =
        Box::new([ChainLink { pid: 62, comm: Comm::new(&hostile("link")), known: true, helper_of: Some(63) }]);
    record.pid = Some(61);
    record.queued_us = Some(71);
    record.started_us = Some(72);
    record.ended_us = Some(73);
    record.cpu_us = 74;
    record.max_rss_kib = 75;
    record.output =
        Some(Arc::new(Output { stdout: hostile("stdout").into(), stderr: hostile("stderr").into(), dropped: 76 }));
    record
}

fn target(kind: TargetKind, name: &str) -> TargetInfo {
    let (name, run) = (name.to_owned(), RunId { started: 0x5f1c, pid: 7 });
    TargetInfo { kind, name, version: String::new(), pid: 7, uid: 0, run, link: LinkState::Up, known: of(1) }
}

fn text(record: &Record) -> String {
    let source = Source::of(&target(TargetKind::Daemon, "unix:/run/x"));
    serde_json::to_string(&Entry::of(record, &source)).unwrap()
}

fn as_json(record: &Record) -> Value {
    serde_json::from_str(&text(record)).unwrap()
}

fn mask(bits: u64) -> Value {
    json!(format!("{bits:#018x}"))
}

#[test]
fn umh_12_every_value_of_a_record_stands_in_its_own_field() {
    let object = as_json(&whole());
    let reason = object["reason"].clone();
    assert!(reason.as_str().is_none_or(|reason| reason.contains("EINTR")), "{reason}");
    let text = |name: &str| json!(format!("{name}\\xff\u{1b}\\\\\""));
    for (key, value) in [
        ("v", json!(1)),
        ("target", json!("unix:/run/x")),
        ("run", json!("5f1c-7")),
        ("id", json!(3)),
        ("asked_at", json!("2026-11-26T03:09:48.123456Z")),
        ("kind", json!("helper")),
        ("module", json!(null)),
        ("path", text("path")),
        ("argv", json!([text("argv0"), text("argv1")])),
        ("env", json!([text("A="), text("B=")])),
        ("wait", json!("exec")),
        ("origin", json!("library")),
        ("chain", json!([{"pid": 62, "comm": text("link"), "known": true}])),
        ("stage", json!("cancel")),
        (
            "requester",
            json!({"pid": 51, "uid": 52, "comm": text("comm"), "unit": "cron.service", "container": null, "claims": null}),
        ),
        ("outcome", json!("killed")),
        ("exit_code", json!(null)),
        ("signal", json!(11)),
        ("core", json!(true)),
        ("errno", json!("EINTR")),
        ("raw", json!(0x8b)),
        ("result", json!(-4)),
        ("enforced", json!("no_new_privs")),
        ("bset", mask(0x11)),
        ("inheritable", mask(0x12)),
        ("own", json!({"bset": mask(0x13), "inheritable": mask(0x14)})),
        ("profile", json!("tight")),
        (
            "caps",
            json!({
                "inheritable": mask(0x21), "permitted": mask(0x22), "effective": mask(0x23),
                "bounding": mask(0x24), "ambient": mask(0x25),
            }),
        ),
        ("not_enforced", json!(["scheduler", "oom_score_adj"])),
        ("pid", json!(61)),
        ("queued_us", json!(71)),
        ("started_us", json!(72)),
        ("ended_us", json!(73)),
        ("cpu_us", json!(74)),
        ("max_rss_kib", json!(75)),
        ("timed_out", json!(true)),
        ("stdout", text("stdout")),
        ("stderr", text("stderr")),
        ("dropped_bytes", json!(76)),
    ] {
        assert_eq!(object[key], value, "{key}");
    }
    assert_eq!(object.as_object().unwrap().len(), 40, "every field is above, with `reason`");
}

/// Scripts may cut the line into fields; people read it.
#[test]
fn the_fields_have_a_fixed_order() {
    let text = text(&whole());
    let keys = [
        "v",
        "target",
        "run",
        "id",
        "asked_at",
        "kind",
        "module",
        "path",
        "argv",
        "env",
        "wait",
        "origin",
        "requester",
        "chain",
        "outcome",
        "exit_code",
        "signal",
        "core",
        "errno",
        "stage",
        "reason",
        "raw",
        "result",
        "enforced",
        "bset",
        "inheritable",
        "own",
        "profile",
        "caps",
        "not_enforced",
        "pid",
        "queued_us",
        "started_us",
        "ended_us",
        "cpu_us",
        "max_rss_kib",
        "timed_out",
        "stdout",
        "stderr",
        "dropped_bytes",
    ];
    let mut from = 0;
    for key in keys {
        let at = text[from..].find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} after {}", &text[..from]));
        from += at;
    }
}

#[test]
fn each_record_names_its_target_and_a_refusal_its_reason() {
    for (info, name) in [
        (target(TargetKind::Embedded, ""), "embedded"),
        (target(TargetKind::Daemon, ""), "daemon"),
        (target(TargetKind::Daemon, "unix:/x"), "unix:/x"),
    ] {
        let record = super::record();
        let source = Source::of(&info);
        let entry = Entry::of(&record, &source);
        let object = serde_json::to_value(&entry).unwrap();
        assert_eq!(
            (&object["target"], &object["reason"], &object["stage"]),
            (&json!(name), &json!(null), &json!(null))
        );
        assert_eq!(object["chain"], json!([]));
        let chain = [ChainLink { pid: 1, comm: Comm::new(b"init"), known: false, helper_of: None }];
        let object = serde_json::to_value(entry.with_chain(&chain)).unwrap();
        assert_eq!(object["chain"], json!([{"pid": 1, "comm": "init", "known": false}]));
    }
    let refused = super::engine(Script::default())
        .request_module("a name with a blank and more than 55 bytes in its whole length", true);
    let object = as_json(&refused);
    assert_eq!((&object["stage"], &object["errno"]), (&json!("name"), &json!("ENAMETOOLONG")));
    assert!(object["reason"].as_str().unwrap().contains("(ENAMETOOLONG); "), "{}", object["reason"]);
}

#[test]
fn req_11_an_exit_and_a_module_request_in_json() {
    let name = hostile("module");
    let mut exited = whole();
    (exited.kind, exited.module, exited.args) = (Kind::Module, Some(Arc::from(name.clone())), Args::Module);
    (exited.outcome, exited.errno, exited.timed_out) = (Outcome::Exited, None, false);
    exited.status = Some(WaitStatus::exited(7));
    let object = as_json(&exited);
    assert_eq!((&object["exit_code"], &object["signal"], &object["raw"]), (&json!(7), &json!(null), &json!(0x700)));
    assert_eq!((&object["core"], &object["errno"], &object["timed_out"]), (&json!(false), &json!(null), &json!(false)));
    assert_eq!(unescape(object["module"].as_str().unwrap()).unwrap(), *name);
    assert_eq!(object["argv"].as_array().unwrap().len(), 4);
    assert_eq!(unescape(object["argv"][3].as_str().unwrap()).unwrap(), *name);
}

/// What no string of JSON can hold comes back byte for byte from every string of the record.
#[test]
fn every_string_of_a_record_can_be_read_back_from_json() {
    let object = as_json(&whole());
    for (pointer, bytes) in [
        ("/path", "path"),
        ("/argv/1", "argv1"),
        ("/env/0", "A="),
        ("/env/1", "B="),
        ("/requester/comm", "comm"),
        ("/stdout", "stdout"),
        ("/stderr", "stderr"),
    ] {
        let text = object.pointer(pointer).and_then(Value::as_str).unwrap();
        assert_eq!(unescape(text).as_deref(), Some(&*hostile(bytes)), "{pointer}: {text}");
    }
}
