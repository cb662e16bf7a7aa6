//! The methods of the interface, and the conversion between commands and calls, and between replies and answers.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::knob::Key;
use crate::control::command::{Command, Reply};
use crate::control::from_json;
use crate::control::target_info::RunId;

use super::interface::VERSION;
use super::translate::{inward, object, outward};

/// How the value of a command or reply becomes parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// There are none.
    Nothing,
    /// The fields of the value are the parameters.
    Fields,
    /// The value is the parameter of this name.
    One(&'static str),
}

use Shape::{Fields, Nothing, One};

/// A method that performs a command.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// Its name without the interface.
    pub name: &'static str,
    /// The name of the command, as it is serialized.
    command: &'static str,
    parameters: Shape,
    /// The name of the reply, as it is serialized.
    reply: &'static str,
    answer: Shape,
}

const fn method(
    name: &'static str,
    command: &'static str,
    parameters: Shape,
    reply: &'static str,
    answer: Shape,
) -> Method {
    Method { name, command, parameters, reply, answer }
}

/// The parameter of the methods that write knobs.
const WRITES: &str = "writes";

/// Every method that performs a command. To add a command, add its line here and its method to the interface file.
pub static METHODS: [Method; 28] = [
    method("Request", "request_module", Fields, "answered", One("record")),
    method("Run", "call", Fields, "answered", One("record")),
    method("Probe", "probe", Fields, "answered", One("record")),
    method("Rehearse", "rehearse", Fields, "rehearsed", Fields),
    method("Get", "get", One("key"), "value", One("value")),
    method("List", "knobs", One("keys"), "knobs", One("knobs")),
    method("Set", "write", One("writes"), "written", One("changes")),
    method("Persist", "persist", One("writes"), "written", One("changes")),
    method("Unpersist", "unpersist", One("keys"), "done", Nothing),
    method("Diff", "diff", Nothing, "diff", Fields),
    method("Gate", "set_depth", One("depth"), "done", Nothing),
    method("Reset", "reset", One("mask"), "written", One("changes")),
    method("ResetLoopMessages", "reset_loop_messages", Nothing, "done", Nothing),
    method("Abandon", "abandon", One("id"), "done", Nothing),
    method("Kill", "kill", Fields, "done", Nothing),
    method("KillChain", "kill_chain", Fields, "chain_ended", Fields),
    method("Status", "status", Nothing, "status", One("state")),
    method("Record", "record", One("id"), "record", One("record")),
    method("Chain", "chain", One("pid"), "chain", One("chain")),
    method("CheckPath", "check_path", One("path"), "warnings", One("warnings")),
    method("Live", "live", Fields, "live", One("live")),
    method("Activity", "activity", Fields, "activity", One("page")),
    method("Matching", "matching", Fields, "matching", One("ids")),
    method("Records", "records", One("ids"), "records", One("records")),
    method("Log", "log", Fields, "log", Fields),
    method("Why", "why", Fields, "why", Fields),
    method("Rules", "rules", Nothing, "rules", Fields),
    method("Shutdown", "shutdown", Fields, "left", One("left")),
];

/// Why the parameters of a call are no command.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    /// A parameter is missing, unknown, or has a wrong type: its name, or the whole fault.
    Parameter(String),
    /// A knob or value that does not exist.
    Knob(ControlError),
}

impl From<String> for Wrong {
    fn from(parameter: String) -> Self {
        Self::Parameter(parameter)
    }
}

impl Method {
    /// Looks up a method by its name without the interface.
    pub fn named(name: &str) -> Option<&'static Self> {
        METHODS.iter().find(|method| method.name == name)
    }

    /// Whether the method takes a helper's time: it sends more than one answer to a caller that accepts them.
    pub fn has_progress(&self) -> bool {
        matches!(self.reply, "answered" | "rehearsed")
    }

    /// The method of a command, and its parameters. `None` if the interface has no such method.
    pub fn of(command: &Command) -> Option<(&'static Self, Value)> {
        let (tag, value) = untagged(command)?;
        let method = METHODS.iter().find(|method| method.command == tag)?;
        let mut parameters = method.parameters.put(value);
        if method.parameters == One(WRITES) {
            parameters[WRITES] = write_objects(parameters[WRITES].take());
        }
        outward(&mut parameters);
        Some((method, parameters))
    }

    /// The command of a call with these parameters. `known` are the capabilities of the target's kernel.
    pub fn command(&self, mut parameters: Map<String, Value>, known: CapMask) -> Result<Command, Wrong> {
        parameters.retain(|_, value| !value.is_null());
        let given: Vec<String> = parameters.keys().cloned().collect();
        let mut parameters = Value::Object(parameters);
        inward(&mut parameters)?;
        match self.name {
            "Get" => _ = knob(&parameters["key"])?,
            "List" if given.is_empty() => {
                parameters["keys"] = Key::ALL.map(|key| Value::from(key.name())).into_iter().collect()
            }
            "List" | "Unpersist" => {
                let keys = parameters["keys"].as_array().into_iter().flatten();
                keys.map(knob).try_for_each(|key| key.map(|_| ()))?;
            }
            _ if self.parameters == One(WRITES) => {
                parameters[WRITES] = write_pairs(parameters[WRITES].take(), known)?;
            }
            _ => {}
        }
        let command: Command = tagged(self.command, self.parameters.take(parameters)?)?;
        // A parameter that this version does not know must not be ignored: the caller relies on its effect.
        let own = Self::of(&command).map(|(_, own)| own).unwrap_or_default();
        match given.into_iter().find(|name| own.get(name).is_none()) {
            Some(unknown) => Err(Wrong::Parameter(unknown)),
            None => Ok(command),
        }
    }

    /// The values of the answer to this method. `None` if the reply belongs to another method.
    pub fn answer(&self, reply: &Reply, run: RunId) -> Option<Value> {
        let (tag, value) = untagged(reply)?;
        if tag != self.reply {
            return None;
        }
        let mut answer = self.answer.put(value);
        match reply {
            Reply::Value(value) => answer["text"] = Value::String(value.text()),
            Reply::Answered(record) => {
                answer["state"] = "ended".into();
                answer["id"] = record.id.into();
                answer["pid"] = record.pid.into();
            }
            Reply::Rehearsed(_) => answer["state"] = "ended".into(),
            Reply::Status(_) => {
                answer["version"] = VERSION.into();
                answer["run"] = from_json::value(&run)?;
            }
            _ => {}
        }
        outward(&mut answer);
        Some(answer)
    }

    /// The reply in these values of an answer. The error says what is wrong with them.
    pub fn reply(&self, answer: Value) -> Result<Reply, String> {
        let fault = |wrong| match wrong {
            Wrong::Parameter(what) => what,
            Wrong::Knob(error) => error.to_string(),
        };
        let mut answer = answer;
        inward(&mut answer)?;
        tagged(self.reply, self.answer.take(answer).map_err(fault)?).map_err(fault)
    }
}

impl Shape {
    fn put(self, value: Value) -> Value {
        match self {
            Nothing => Value::Object(Map::new()),
            Fields => value,
            One(name) => object([(name, value)]),
        }
    }

    /// The value; `None` for [`Nothing`].
    fn take(self, mut parameters: Value) -> Result<Option<Value>, Wrong> {
        match self {
            Nothing => Ok(None),
            Fields => Ok(Some(parameters)),
            One(name) => match parameters.get_mut(name) {
                Some(value) => Ok(Some(value.take())),
                None => Err(Wrong::Parameter(name.to_owned())),
            },
        }
    }
}

/// The name of an enum's variant, and its value: `Null` for a variant without one.
fn untagged(value: &impl Serialize) -> Option<(String, Value)> {
    match from_json::value(value)? {
        Value::String(tag) => Some((tag, Value::Null)),
        Value::Object(members) => members.into_iter().next(),
        _ => None,
    }
}

/// The variant of this name with this value, or without one.
fn tagged<T: DeserializeOwned>(tag: &str, value: Option<Value>) -> Result<T, Wrong> {
    let whole = match value {
        None => Value::String(tag.to_owned()),
        Some(value) => object([(tag, value)]),
    };
    from_json::read(&whole).map_err(|error| Wrong::Parameter(error.to_string()))
}

/// Writes as objects: `{"key": .., "value": ..}`.
fn write_objects(pairs: Value) -> Value {
    let Value::Array(pairs) = pairs else { return pairs };
    let object = |pair: Value| match pair {
        Value::Array(mut pair) if pair.len() == 2 => {
            let value = pair.pop().unwrap_or_default();
            let key = pair.pop().unwrap_or_default();
            object([("key", key), ("value", value)])
        }
        other => other,
    };
    pairs.into_iter().map(object).collect()
}

/// Writes as the command has them. A value may be given as `text`, as an operator types it.
fn write_pairs(writes: Value, known: CapMask) -> Result<Value, Wrong> {
    let wrong = || Wrong::Parameter(WRITES.to_owned());
    let Value::Array(writes) = writes else { return Err(wrong()) };
    let pair = |write: Value| {
        let key = knob(&write["key"])?;
        let value = match (&write["text"], &write["value"]) {
            (Value::String(text), Value::Null) => {
                let value = key.parse_value(text.as_bytes(), known).map_err(Wrong::Knob)?;
                from_json::value(&value).ok_or_else(wrong)?
            }
            (Value::Null, value) if !value.is_null() => value.clone(),
            _ => return Err(wrong()),
        };
        Ok(Value::Array(vec![key.name().into(), value]))
    };
    writes.into_iter().map(pair).collect()
}

/// The knob of this name.
fn knob(name: &Value) -> Result<Key, Wrong> {
    let name = name.as_str().ok_or_else(|| Wrong::Parameter("key".to_owned()))?;
    Key::parse(name).map_err(Wrong::Knob)
}
