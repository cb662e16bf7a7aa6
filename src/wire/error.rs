//! Errors of commands, as errors of the interface. All have the same parameters: errno, knob, stage, reason, advice.

use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::abi::error::{ControlError, EngineError, Explain, ParseError, Stage, errno_name};
use crate::control::from_json;

use super::frame;
use super::interface::{CONTROL, SERVICE};

/// The parameters of each error of the interface.
#[derive(Serialize, Deserialize)]
struct Parameters {
    errno: String,
    errno_number: i32,
    knob: Option<String>,
    stage: Option<Stage>,
    reason: String,
    advice: String,
}

/// The error's name, knob, stage and reason.
fn parts(error: &ControlError) -> (&'static str, Option<&str>, Option<Stage>, &str) {
    match error {
        ControlError::UnknownKey(key) => ("UnknownKnob", Some(key), None, "there is no such knob"),
        ControlError::ReadOnly(key) => ("ReadOnly", Some(key), None, "the knob can only be read"),
        ControlError::Denied(why) => ("Denied", None, None, why),
        ControlError::Value { key, error } => ("InvalidValue", Some(key), None, error.why()),
        ControlError::Engine(error) => ("Refused", None, Some(error.stage), &error.why),
        ControlError::Busy(why) => ("Busy", None, None, why),
        ControlError::Unsupported(why) => ("Unsupported", None, None, why),
        // A daemon never answers that there is none.
        ControlError::Unavailable(why) | ControlError::NoDaemon(why, _) => ("Unavailable", None, None, why),
        ControlError::Unreached(error) => ("Unavailable", None, None, error.why()),
        ControlError::Version(why) => ("OtherVersion", None, None, why),
    }
}

/// The answer to a command that failed.
pub(super) fn answer(error: &ControlError) -> Vec<u8> {
    let (name, knob, stage, reason) = parts(error);
    let errno = error.errno();
    let parameters = Parameters {
        errno: errno_name(errno),
        errno_number: errno as i32,
        knob: knob.map(str::to_owned),
        stage,
        reason: reason.to_owned(),
        advice: error.advice().into_owned(),
    };
    frame::error(&format!("{CONTROL}.{name}"), &parameters)
}

/// The answer to a call that is no command: an error of Varlink's own interface, with one parameter.
pub(super) fn of_service(name: &str, parameter: Option<(&str, &str)>) -> Vec<u8> {
    let parameters: serde_json::Map<_, _> =
        parameter.map(|(key, value)| (key.to_owned(), value.into())).into_iter().collect();
    frame::error(&format!("{SERVICE}.{name}"), &parameters)
}

/// Reads an error that a daemon of this `version` answered to a call of `method`.
pub(super) fn read(name: &str, parameters: Option<&RawValue>, method: &str, version: &str) -> ControlError {
    let text = parameters.map_or("{}", RawValue::get);
    let unknown = || ControlError::Version(format!("this daemon ({version}) does not know {method}"));
    let Some(short) = name.strip_prefix(CONTROL).and_then(|rest| rest.strip_prefix('.')) else {
        return match name.strip_prefix(SERVICE) {
            Some(".MethodNotFound" | ".InterfaceNotFound" | ".MethodNotImplemented") => unknown(),
            _ => ControlError::Version(format!("this daemon ({version}) refused {method}: {name} {text}")),
        };
    };
    let Ok(p) = from_json::parse::<Parameters>(text.as_bytes()) else { return unknown() };
    let errno = Errno::from_raw(p.errno_number);
    let key = p.knob.unwrap_or_default();
    match (short, p.stage) {
        ("UnknownKnob", _) => ControlError::UnknownKey(key),
        ("ReadOnly", _) => ControlError::ReadOnly(key),
        ("Denied", _) => ControlError::Denied(p.reason),
        ("InvalidValue", _) => ControlError::Value { key, error: ParseError::with(errno, p.reason, p.advice) },
        ("Refused", Some(stage)) => ControlError::Engine(EngineError::new(stage, errno, p.reason, p.advice)),
        ("Busy", _) => ControlError::Busy(p.reason),
        ("Unsupported", _) => ControlError::Unsupported(p.reason),
        ("Unavailable", _) => ControlError::Unavailable(p.reason),
        ("OtherVersion", _) => ControlError::Version(p.reason),
        _ => ControlError::Version(format!("this daemon ({version}) refused {method}: {name} {text}")),
    }
}
