//! Calls that other programs make: legal ones, wrong ones and hostile ones, whole or in pieces.

use serde_json::{Value, json};

use super::{daemon, parsed};
use crate::abi::depth::Depth;
use crate::abi::error::ControlError;
use crate::abi::event::EventKinds;
use crate::abi::knob::Key;
use crate::abi::knob_value::KnobValue;
use crate::abi::mask::MaskExpr;
use crate::abi::wait::WaitMode;
use crate::control::command::{Call, Command, Reply};
use crate::wire::client::{self, Heard};
use crate::wire::error;
use crate::wire::event::Subscribe;
use crate::wire::interface::DEFINITION;
use crate::wire::server::{self, Ask};

fn ask(text: &str) -> Ask {
    server::read(text.as_bytes(), &daemon(), None).unwrap().ask
}

/// The answer to a call that needs no command.
pub fn answer_to(text: &str) -> Vec<u8> {
    match ask(text) {
        Ask::Nothing(answer) => answer,
        other => panic!("{text}: {other:?}"),
    }
}

fn call(method: &str, parameters: &Value) -> String {
    json!({ "method": format!("io.khelper.Control.{method}"), "parameters": parameters }).to_string()
}

fn command(method: &str, parameters: Value) -> Command {
    match ask(&call(method, &parameters)) {
        Ask::Command(command) => command,
        other => panic!("{method} {parameters}: {other:?}"),
    }
}

/// The name of the error, and its parameters.
fn refused(text: &str) -> (String, Value) {
    let mut answer = parsed(&answer_to(text));
    let name = answer["error"].as_str().unwrap_or_else(|| panic!("{text}: {answer}")).to_owned();
    (name, answer["parameters"].take())
}

#[test]
fn a_caller_may_leave_out_what_is_optional() {
    let status = |text: &str| assert!(matches!(ask(text), Ask::Command(Command::Status)), "{text}");
    status(r#"{"method":"io.khelper.Control.Status"}"#);
    status(r#"{"method":"io.khelper.Control.Status","parameters":{}}"#);
    status(r#"{"method":"io.khelper.Control.Status","parameters":null,"more":null,"oneway":false}"#);
    status(r#"{"method":"io.khelper.Control.Status","parameters":{"target":null},"extra":[1]}"#);
    let short = Call {
        path: b"/bin/true".to_vec(),
        args: Vec::new(),
        env: Vec::new(),
        wait: WaitMode::PROC,
        bset: None,
        inheritable: None,
        timeout: None,
        profile: None,
    };
    assert_eq!(command("Run", json!({"path": "/bin/true", "args": null})), Command::Call(short));
    assert_eq!(command("List", json!({})), Command::Knobs(Key::ALL.to_vec()));
    assert_eq!(command("List", json!({"keys": ["khelper/era"]})), Command::Knobs(vec![Key::Era]));
    let request = Command::RequestModule { name: b"a\xff\\".to_vec(), wait: true, profile: None };
    assert_eq!(command("Request", json!({"name": "a\\xff\\\\", "target": "daemon"})), request);
    let Ask::Watch(all) = ask(r#"{"method":"io.khelper.Control.Watch","more":true}"#) else { panic!() };
    assert_eq!(all, Subscribe { kinds: EventKinds::ALL, from: None });
}

#[test]
fn a_value_is_given_as_text_or_typed_and_a_mask_by_names_or_bits() {
    let write = |value: Value| command("Set", json!({ "writes": [value] }));
    let bset = |mask| Command::Write(vec![(Key::Bset, KnobValue::Mask(mask))]);
    let key = "kernel.usermodehelper.bset";
    let chown = crate::abi::cap::CapMask::from_bits(1);
    let dropped = MaskExpr::Change { from_full: false, keep: Default::default(), drop: chown };
    assert_eq!(write(json!({"key": key, "text": "-cap_chown"})), bset(dropped));
    for mask in [json!({"names": ["cap_chown"]}), json!({"hex": "0x1"}), json!({"names": ["CAP_CHOWN"], "hex": "0x01"})]
    {
        let typed = json!({"key": "kernel/usermodehelper/bset", "value": {"mask": {"exactly": mask}}});
        assert_eq!(write(typed), bset(MaskExpr::Exactly(chown)), "{mask}");
    }
    let gate = json!({"key": "khelper.gate", "value": {"depth": "freezing"}});
    assert_eq!(write(gate), Command::Write(vec![(Key::Gate, Depth::Freezing.into())]));
    let most = json!({"key": "khelper.max_concurrent", "value": {"number": "18446744073709551615"}});
    assert_eq!(write(most), Command::Write(vec![(Key::MaxConcurrent, u64::MAX.into())]));
}

#[test]
fn wrong_parameters_are_refused_by_their_name() {
    let set = |write: Value| json!({ "writes": [write] });
    let mask = |mask: Value| set(json!({"key": "kernel.usermodehelper.bset", "value": {"mask": {"exactly": mask}}}));
    for (method, parameters, named) in [
        ("Kill", json!({"id": 1}), "signal"),
        ("Kill", json!({"id": 1, "signal": 9, "persist": true}), "persist"),
        ("Kill", json!({"id": -1, "signal": 9}), "-1"),
        ("Kill", json!({"id": "1", "signal": 9}), "string"),
        ("Kill", json!([1, 9]), "parameters"),
        ("Kill", json!("x"), "parameters"),
        ("Abandon", json!({}), "id"),
        ("Status", json!({"deep": true}), "deep"),
        ("Get", json!({"key": 7}), "key"),
        ("Get", json!({}), "key"),
        ("Get", json!({"key": "khelper.era", "target": "nowhere"}), "target"),
        ("Get", json!({"key": "khelper.era", "target": 7}), "target"),
        ("Set", json!({}), "writes"),
        ("Set", json!({"writes": {}}), "writes"),
        ("Set", json!({"writes": [7]}), "key"),
        ("Set", set(json!({"key": "khelper.era"})), "writes"),
        ("Set", set(json!({"key": "khelper.era", "text": "3.4", "value": {"era": "3.4"}})), "writes"),
        ("Set", set(json!({"key": "khelper.era", "value": {"colour": "3.4"}})), "colour"),
        ("Set", mask(json!({"names": ["cap_chown"], "hex": "0x3"})), "exactly"),
        ("Set", mask(json!({"names": ["cap_nothing"]})), "exactly"),
        ("Set", mask(json!({"names": "cap_chown"})), "exactly"),
        ("Set", mask(json!({"hex": 3})), "exactly"),
        ("Set", mask(json!({})), "map"),
        ("Request", json!({"name": "a\\q"}), "backslash"),
        ("Gate", json!({"depth": "open"}), "open"),
        ("Run", json!({"path": "/x", "wait": "never"}), "wait"),
        ("Reset", json!({"mask": "ambient"}), "ambient"),
    ] {
        let (name, fault) = refused(&call(method, &parameters));
        assert_eq!(name, "org.varlink.service.InvalidParameter", "{method} {parameters}");
        let parameter = fault["parameter"].as_str().unwrap();
        assert!(parameter.contains(named), "{method} {parameters}: {parameter}");
    }
    for watch in [json!({"kinds": ["sneezed"]}), json!({"after": 3}), json!({"kinds": 3}), json!({"speed": 1})] {
        let text = json!({"method": "io.khelper.Control.Watch", "parameters": watch, "more": true}).to_string();
        assert_eq!(refused(&text).0, "org.varlink.service.InvalidParameter", "{text}");
    }
    assert_eq!(refused(r#"{"method":"io.khelper.Control.Watch"}"#).0, "org.varlink.service.ExpectedMore");
}

#[test]
fn knobs_that_do_not_exist_and_bad_values_are_typed_errors() {
    for (method, parameters, error) in [
        ("Get", json!({"key": "khelper.nothing"}), "UnknownKnob"),
        ("List", json!({"keys": ["khelper.era", "khelper.nothing"]}), "UnknownKnob"),
        ("Unpersist", json!({"keys": ["khelper.nothing"]}), "UnknownKnob"),
        ("Set", json!({"writes": [{"key": "khelper.nothing", "text": "1"}]}), "UnknownKnob"),
        ("Set", json!({"writes": [{"key": "khelper.era", "text": "6.4"}]}), "InvalidValue"),
        ("Set", json!({"writes": [{"key": "khelper.live", "text": "1"}]}), "ReadOnly"),
    ] {
        let (name, fault) = refused(&call(method, &parameters));
        assert_eq!(name, format!("io.khelper.Control.{error}"));
        assert!(fault["knob"].as_str().unwrap().starts_with("khelper."), "{fault}");
        assert!(!fault["advice"].as_str().unwrap().is_empty() && !fault["reason"].as_str().unwrap().is_empty());
        assert!(fault["errno"].as_str().unwrap().starts_with('E') && fault["errno_number"].as_i64().unwrap() > 0);
    }
}

#[test]
fn what_does_not_exist_is_an_error_of_varlink_s_own_interface() {
    for (method, error, parameter) in [
        ("io.khelper.Control.Nothing", "MethodNotFound", "method"),
        ("io.khelper.Control.get", "MethodNotFound", "method"),
        ("io.khelper.Control.", "MethodNotFound", "method"),
        ("Get", "MethodNotFound", "method"),
        ("", "MethodNotFound", "method"),
        ("org.varlink.service.Get", "MethodNotFound", "method"),
        ("io.khelper.Other.Get", "InterfaceNotFound", "interface"),
    ] {
        let (name, fault) = refused(&json!({ "method": method }).to_string());
        assert_eq!(name, format!("org.varlink.service.{error}"), "{method}");
        assert!(fault[parameter].is_string(), "{method}: {fault}");
    }
    let upgrade = json!({"method": "io.khelper.Control.Status", "upgrade": true}).to_string();
    assert_eq!(refused(&upgrade), ("org.varlink.service.InvalidParameter".into(), json!({"parameter": "upgrade"})));
}

#[test]
fn a_oneway_call_gets_no_answer() {
    let oneway = |method: &str| json!({"method": method, "oneway": true}).to_string();
    for method in ["io.khelper.Control.Nothing", "org.varlink.service.GetInfo", "io.khelper.Control.Kill", "x"] {
        assert_eq!(answer_to(&oneway(method)), b"", "{method}");
    }
    let request = server::read(oneway("io.khelper.Control.ResetLoopMessages").as_bytes(), &daemon(), None).unwrap();
    assert!(matches!(request.ask, Ask::Command(Command::ResetLoopMessages)));
    assert_eq!(request.way.answer(&daemon(), &Ok(Reply::Done)), b"");
    assert_eq!(request.way.answer(&daemon(), &Err(ControlError::Busy("x".into()))), b"");
    assert_eq!(request.way.refuse(&ControlError::Busy("x".into())), b"");
}

#[test]
fn only_a_request_with_more_gets_progress() {
    let wants = |method: &str, parameters: Value, more: bool, oneway: bool| {
        let method = format!("io.khelper.Control.{method}");
        let text = json!({"method": method, "parameters": parameters, "more": more, "oneway": oneway}).to_string();
        server::read(text.as_bytes(), &daemon(), None).unwrap().way.wants_progress()
    };
    assert!(wants("Request", json!({"name": "x"}), true, false));
    assert!(wants("Run", json!({"path": "/x"}), true, false) && wants("Probe", json!({}), true, false));
    assert!(!wants("Request", json!({"name": "x"}), false, false));
    assert!(!wants("Request", json!({"name": "x"}), true, true));
    assert!(!wants("Status", json!({}), true, false));
}

#[test]
fn a_service_describes_itself() {
    let info = parsed(&answer_to(r#"{"method":"org.varlink.service.GetInfo","parameters":{}}"#));
    assert_eq!(info["parameters"]["interfaces"], json!(["org.varlink.service", "io.khelper.Control"]));
    assert!(info["parameters"]["version"] == env!("CARGO_PKG_VERSION") && info.get("continues").is_none());
    let describe = |name: &str| {
        let method = "org.varlink.service.GetInterfaceDescription";
        json!({"method": method, "parameters": {"interface": name}}).to_string()
    };
    let described = parsed(&answer_to(&describe("io.khelper.Control")));
    assert_eq!(described["parameters"]["description"], DEFINITION);
    assert!(parsed(&answer_to(&describe("org.varlink.service")))["parameters"]["description"].is_string());
    assert_eq!(refused(&describe("x.y")).0, "org.varlink.service.InterfaceNotFound");
    assert_eq!(refused(r#"{"method":"org.varlink.service.GetInterfaceDescription"}"#).1["parameter"], "interface");
}

#[test]
fn an_older_daemon_is_named_with_what_it_does_not_know() {
    let (sent, _) = client::call(&Command::Kill { id: 1, signal: 9 }, false).unwrap();
    let said = |message: Vec<u8>| {
        use crate::abi::error::Explain;
        let Heard::Last(Err(error)) = sent.answer(&message[..message.len() - 1], "0.0.9") else { panic!() };
        assert!(matches!(error, ControlError::Version(_)), "{error:?}");
        error.whole()
    };
    let not_found = error::of_service("MethodNotFound", Some(("method", "io.khelper.Control.Kill")));
    assert_eq!(said(not_found), "this daemon (0.0.9) does not know Kill; restart it");
    let parameter = said(error::of_service("InvalidParameter", Some(("parameter", "signal"))));
    assert!(parameter.starts_with("this daemon (0.0.9) refused Kill: ") && parameter.contains("signal"), "{parameter}");
    let (sent, _) = client::call(&Command::Status, false).unwrap();
    for message in [&b"{}"[..], b"{\"parameters\":{\"state\":7}}", b"[]", b"x", b"{\"parameters\":7}", b""] {
        let Heard::Last(Err(error)) = sent.answer(message, "0.0.9") else { panic!() };
        assert!(matches!(&error, ControlError::Version(why) if why.contains("Status")), "{error:?}");
    }
    assert!(client::described(b"{}").is_err() && client::watched(b"{\"continues\":true}", "0.0.9").is_err());
    // An event of a later kind is one that this client misses.
    let later = br#"{"parameters":{"event":{"seq":9,"at":1,"kind":{"sneezed":{"id":1}}}},"continues":true}"#;
    assert_eq!(client::watched(later, "9.0").unwrap(), crate::wire::event::Item::Missed(1));
}

#[test]
fn what_is_no_call_is_an_error_without_an_answer() {
    for text in
        ["", "7", "[]", "{}", "x", "{\"method\":7}", "{\"method\":\"a\",\"method\":\"b\"}", "{\"method\":\"a\"} x"]
    {
        assert!(server::read(text.as_bytes(), &daemon(), None).is_err(), "{text}");
    }
    assert!(server::read(b"{\"method\":\"\xff\"}", &daemon(), None).is_err());
    let deep = format!("{{\"method\":\"a\",\"parameters\":{}", "[".repeat(100_000));
    assert!(server::read(deep.as_bytes(), &daemon(), None).is_err());
}
