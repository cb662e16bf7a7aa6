//! Knobs as JSON, as `get`, `set` and `diff` print them. A mask is `0x` and 16 digits, a counter a number, a path
//! escaped ([`json`]).

use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;

use crate::abi::actor::{Actor, Origin};
use crate::abi::cap::CapMask;
use crate::abi::escape::json;
use crate::abi::knob::Key;
use crate::abi::knob_value::{Change, KnobValue, Source};
use crate::abi::mask::hex;
use crate::abi::time::rfc3339;

use super::provenance::{Drift, Knob, Where};
use super::record_json::V;

/// Where a value comes from; the default has neither.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum From {
    /// A configuration file.
    File {
        /// The file.
        file: String,
        /// The line.
        line: u32,
        /// The lines that lost, `FILE:LINE`.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        over: Vec<String>,
    },
    /// A process.
    Actor {
        /// The process.
        actor: By,
        /// When: RFC 3339, UTC.
        at: String,
    },
}

/// The process that changed a knob.
#[derive(Debug, Serialize)]
pub struct By {
    origin: Origin,
    pid: i32,
    uid: u32,
    loginuid: Option<u32>,
    comm: String,
}

/// `get --json`.
#[derive(Debug, Serialize)]
pub struct Got<'a> {
    v: u8,
    target: &'a str,
    key: Key,
    value: Value,
    #[serde(rename = "where")]
    from: Option<From>,
}

/// `set --json`.
#[derive(Debug, Serialize)]
pub struct Written<'a> {
    #[serde(flatten)]
    now: Got<'a>,
    before: Value,
    after: Value,
    not_granted: Option<String>,
}

/// `diff --json`.
#[derive(Debug, Serialize)]
pub struct Differs<'a> {
    v: u8,
    target: &'a str,
    key: Key,
    running: Value,
    configured: Value,
    #[serde(rename = "where")]
    from: Option<From>,
}

fn value(value: &KnobValue) -> Value {
    match value {
        KnobValue::Path(path) => json(path).into(),
        KnobValue::Number(number) => (*number).into(),
        other => other.mask().map_or_else(|| other.text(), hex).into(),
    }
}

fn file(source: &Source, others: &[Source]) -> From {
    let over = others.iter().map(Source::to_string).collect();
    From::File { file: source.file.to_string(), line: source.line, over }
}

fn actor(actor: &Actor, at: SystemTime) -> From {
    let by = By {
        origin: actor.origin,
        pid: actor.pid,
        uid: actor.uid,
        loginuid: actor.loginuid,
        comm: json(actor.comm.as_bytes()),
    };
    From::Actor { actor: by, at: rfc3339(at) }
}

impl<'a> Got<'a> {
    /// A knob of this target.
    pub fn of(target: &'a str, knob: &Knob) -> Self {
        let from = match &knob.from {
            Where::Default | Where::Unknown => None,
            Where::File { source, others } => Some(file(source, others)),
            Where::Actor { actor: by, at } => Some(actor(by, *at)),
        };
        Self { v: V, target, key: knob.key, value: value(&knob.value), from }
    }
}

impl<'a> Written<'a> {
    /// A write to a knob of this target, made now by this process, or the line that keeps it.
    pub fn of(target: &'a str, change: &Change, by: &Actor) -> Self {
        let kept = change.source.as_ref().map(|source| file(source, &[]));
        let from = kept.unwrap_or_else(|| actor(by, SystemTime::now()));
        let after = value(&change.after);
        let not_granted = change.after.mask().map(|_: CapMask| hex(change.not_granted));
        let now = Got { v: V, target, key: change.key, value: after.clone(), from: Some(from) };
        Self { now, before: value(&change.before), after, not_granted }
    }
}

impl<'a> Differs<'a> {
    /// A knob whose value is not what is configured.
    pub fn of(target: &'a str, drift: &Drift) -> Self {
        let from = drift.source.as_ref().map(|source| file(source, &[]));
        let (running, configured) = (value(&drift.running), value(&drift.configured));
        Self { v: V, target, key: drift.key, running, configured, from }
    }
}
