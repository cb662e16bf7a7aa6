//! The posture of this machine's kernel as JSON: one object for each part.

use serde::Serialize;
use serde_json::Value as Json;

use crate::abi::error::errno_name;
use crate::abi::escape::json;
use crate::abi::kernel_program::{Format, Part, Program, Value};
use crate::abi::mask::hex;
use crate::policy::posture::{Fault, Finding, Writer};

use super::record_json::V;
use super::text::posture::{fault, why};

#[derive(Serialize)]
struct Object {
    v: u8,
    target: &'static str,
    part: &'static str,
    level: &'static str,
    value: Option<Json>,
    exists: bool,
    place: Option<String>,
    line: Option<u32>,
    program: Option<File>,
    faults: Vec<FaultObject>,
    why: &'static str,
}

#[derive(Serialize)]
struct File {
    path: String,
    file: Option<String>,
    uid: Option<u32>,
    gid: Option<u32>,
    mode: Option<String>,
    format: Option<&'static str>,
    errno: Option<String>,
}

#[derive(Serialize)]
struct FaultObject {
    fault: &'static str,
    level: &'static str,
    at: Option<String>,
    uid: Option<u32>,
    gid: Option<u32>,
    words: String,
}

/// A finding as one line.
pub fn line(finding: &Finding) -> String {
    let Finding { fact, level, faults } = finding;
    let (place, line) = match &fact.part {
        Part::KeyProgram { file, line } => (Some(json(file)), (*line > 0).then_some(*line)),
        Part::ReleaseAgent(mounted) => (Some(json(mounted)), None),
        _ => (None, None),
    };
    let object = Object {
        v: V,
        target: "kernel",
        part: fact.part.name(),
        level: level.name(),
        value: match &fact.value {
            Value::Text(text) => Some(json(text).into()),
            Value::Mask(mask) => Some(hex(*mask).into()),
            Value::Absent | Value::Unreadable(_) => None,
        },
        exists: fact.value != Value::Absent,
        place,
        line,
        program: fact.program.as_ref().map(file),
        faults: faults.iter().map(|fault| fault_object(fault, &fact.part)).collect(),
        why: why(&fact.part),
    };
    // It has only strings, numbers and lists of them, which always serialize.
    serde_json::to_string(&object).unwrap_or_default()
}

fn file(program: &Program) -> File {
    let file = program.file();
    File {
        path: json(&program.path),
        file: file.map(|file| json(&file.path)),
        uid: file.map(|file| file.uid),
        gid: file.map(|file| file.gid),
        mode: file.map(|file| format!("{:04o}", file.mode)),
        format: match program.format {
            Format::Elf => Some("elf"),
            Format::Script => Some("script"),
            Format::Neither => Some("neither"),
            Format::Unreadable => None,
        },
        errno: program.fault.map(errno_name),
    }
}

fn fault_object(what: &Fault, part: &Part) -> FaultObject {
    let (at, uid, gid) = match what {
        Fault::Replaceable { at, by: Writer::Uid(uid) } => (Some(json(at)), Some(*uid), None),
        Fault::Replaceable { at, by: Writer::Group(gid) } => (Some(json(at)), None, Some(*gid)),
        Fault::Replaceable { at, by: Writer::Everyone } => (Some(json(at)), None, None),
        _ => (None, None, None),
    };
    FaultObject { fault: what.name(), level: what.level(part).name(), at, uid, gid, words: fault(what) }
}
