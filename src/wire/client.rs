//! The client's side: writes calls and reads answers.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::control::command::{Command, Reply};
use crate::control::from_json;
use crate::control::target_info::RunId;

use super::error;
use super::event::{self, Item, Subscribe, WATCH};
use super::frame::{self, Answer};
use super::interface::{CONTROL, KERNEL, VERSION};
use super::method::Method;
use super::translate::inward;

/// A call that was sent: reads its answers.
#[derive(Clone, Copy, Debug)]
pub struct Sent(&'static Method);

/// What an answer says.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// The request has this number and is queued or has started. Another answer follows.
    Progress(Option<u64>),
    /// The last answer.
    Last(Result<Reply, ControlError>),
}

/// The message of a command to the daemon's engine, or to its watch of the kernel. `None` if the interface has no
/// method for it.
pub fn call(command: &Command, kernel: bool) -> Option<(Sent, Vec<u8>)> {
    let (method, parameters) = Method::of(command)?;
    Some((Sent(method), to(method.name, parameters, method.has_progress(), kernel)))
}

/// The message that subscribes to events.
pub fn watch(subscribe: &Subscribe, kernel: bool) -> Vec<u8> {
    // They have only strings and numbers, which always serialize.
    to(WATCH, from_json::value(&subscribe.parameters()).unwrap_or_default(), true, kernel)
}

/// The message that asks for the daemon's description.
pub fn info(kernel: bool) -> Vec<u8> {
    to("Info", Value::Object(Map::new()), false, kernel)
}

fn to(method: &str, mut parameters: Value, more: bool, kernel: bool) -> Vec<u8> {
    if let (true, Value::Object(members)) = (kernel, &mut parameters) {
        members.insert("target".to_owned(), KERNEL.into());
    }
    frame::call(&full_name(method), &parameters, more)
}

fn full_name(method: &str) -> String {
    format!("{CONTROL}.{method}")
}

/// The description of a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Info {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: i32,
    /// Its user id.
    pub uid: u32,
    /// This start of its engine.
    pub run: RunId,
    /// Every capability that its kernel knows.
    pub known: CapMask,
}

impl Sent {
    /// Whether the command waits for a helper, so that its wait can be stopped.
    pub fn waits(&self) -> bool {
        self.0.has_progress()
    }

    /// Reads an answer from a daemon of this `version`.
    pub fn answer(&self, message: &[u8], version: &str) -> Heard {
        let answer = match parsed(message, self.0.name, version) {
            Ok(answer) => answer,
            Err(error) => return Heard::Last(Err(error)),
        };
        if answer.continues() {
            #[derive(Deserialize)]
            struct Progress {
                id: u64,
            }
            let progress = from_json::parse::<Progress>(answer.parameters.map_or("{}", RawValue::get).as_bytes());
            return Heard::Progress(progress.ok().map(|progress| progress.id));
        }
        let reply = values(answer.parameters).and_then(|values| self.0.reply(values));
        Heard::Last(reply.map_err(|fault| unknown_form(self.0.name, version, &fault)))
    }
}

/// Reads an answer to [`watch`].
pub fn watched(message: &[u8], version: &str) -> Result<Item, ControlError> {
    let answer = parsed(message, WATCH, version)?;
    let parameters = answer.parameters.map_or("{}", RawValue::get);
    event::read(parameters, answer.continues()).map_err(|fault| unknown_form(WATCH, version, &fault))
}

/// Reads the answer to [`info`].
pub fn described(message: &[u8]) -> Result<Info, ControlError> {
    let answer = parsed(message, "Info", "unknown version")?;
    let info = values(answer.parameters).and_then(|mut values| {
        inward(&mut values)?;
        from_json::read(&values).map_err(|error| error.to_string())
    });
    info.map_err(|fault| unknown_form("Info", "unknown version", &fault))
}

fn values(parameters: Option<&RawValue>) -> Result<Value, String> {
    from_json::tree(parameters.map_or("{}", RawValue::get).as_bytes()).map_err(|error| error.to_string())
}

/// Parses a message. An answer that is an error becomes the error.
fn parsed<'a>(message: &'a [u8], method: &str, version: &str) -> Result<Answer<'a>, ControlError> {
    let answer = Answer::parse(message).map_err(|fault| unknown_form(method, version, &fault))?;
    match &answer.error {
        None => Ok(answer),
        Some(name) => Err(error::read(name, answer.parameters, method, version)),
    }
}

fn unknown_form(method: &str, version: &str, fault: &str) -> ControlError {
    ControlError::Version(format!(
        "khelper {VERSION} does not understand the answer of this daemon ({version}) to {method}: {fault}"
    ))
}
