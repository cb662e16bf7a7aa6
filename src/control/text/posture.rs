//! The posture of this machine's kernel, in words.

use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::cap::CapMask;
use crate::abi::error::errno_name;
use crate::abi::escape::screen;
use crate::abi::kernel_program::{Part, Value};
use crate::policy::posture::{Fault, Finding, Writer};

use super::provenance::mask;

/// A fault as a clause: `uid 1000 could replace it: it owns /opt`.
pub fn fault(fault: &Fault) -> String {
    match fault {
        Fault::Replaceable { at, by } => {
            let at = screen(at);
            match by {
                Writer::Uid(uid) => format!("uid {uid} could replace it: {at} belongs to that user"),
                Writer::Group(gid) => format!("group {gid} could replace it: {at} can be written by that group"),
                Writer::Everyone => format!("everyone could replace it: {at} can be written by everyone"),
            }
        }
        Fault::Unreadable(errno) => {
            let advice = if *errno == Errno::EACCES { "; only uid 0 may read it" } else { "" };
            format!("could not be read ({}){advice}", errno_name(*errno))
        }
        Fault::NoProgram(errno) => format!("the program cannot be found ({})", errno_name(*errno)),
        Fault::NotAFile => "it is not a regular file".into(),
        Fault::NotExecutable => "nobody may execute it".into(),
        Fault::NotAProgram => {
            "it is neither ELF nor a script: on some kernels each attempt asks for a module again, 50 levels deep"
                .into()
        }
        Fault::Relative => "the path is relative: it begins in the working directory of process 1".into(),
        Fault::FullMask => "every helper of the kernel gets every capability".into(),
        Fault::CannotLoad => "without cap_sys_module modprobe can load no module".into(),
        Fault::AgentSet => "a release agent is set: an emptied cgroup makes the kernel run it as root".into(),
        Fault::NothingRuns => "the kernel runs no helper at all, and reports success for each".into(),
    }
}

/// Why a part matters.
pub const fn why(part: &Part) -> &'static str {
    match part {
        Part::Modprobe => "the kernel runs it as root when something needs a module; a user can cause that",
        Part::Bset => {
            "the most that a helper of the kernel may do; it can only be narrowed until the machine starts again"
        }
        Part::Inheritable => "what a helper may pass on; it can only be narrowed until the machine starts again",
        Part::ModulesDisabled => {
            "1 stops the loading of modules until the machine starts again; modprobe is run all the same"
        }
        Part::StaticHelper => "this kernel runs it in place of every other helper",
        Part::CorePattern => "the kernel runs the program after `|` as root for each core dump",
        Part::RequestKey => "the kernel runs it as root for a key that it does not have; a user can cause that",
        Part::KeyProgram { line: 0, .. } => "it names the programs that request-key runs as root",
        Part::KeyProgram { .. } => "request-key runs it as root for a key",
        Part::ReleaseAgent(_) => "the kernel runs it as root when a cgroup of this hierarchy becomes empty",
        Part::UeventHelper => "the kernel runs it as root for each event of a device",
        Part::PoweroffCmd => "the kernel runs it as root for an orderly power-off",
        Part::BootFile => "it sets a knob of the kernel at the next start",
    }
}

/// The value of a part, quoted and escaped; a mask in words.
pub fn value(value: &Value, known: CapMask) -> String {
    match value {
        Value::Text(text) if text.iter().all(u8::is_ascii_digit) && !text.is_empty() => screen(text),
        Value::Text(text) => format!("\"{}\"", screen(text)),
        Value::Mask(bits) => mask(*bits & known, known),
        Value::Absent => "(this kernel does not have it)".into(),
        Value::Unreadable(_) => "(not known)".into(),
    }
}

/// Where a part stands, for those that are in a file or mounted somewhere.
fn place(part: &Part) -> String {
    match part {
        Part::KeyProgram { file, line } if *line > 0 => format!(" ({}:{line})", screen(file)),
        Part::ReleaseAgent(mounted) => format!(" ({})", screen(mounted)),
        _ => String::new(),
    }
}

/// Every finding in two lines: how it stands, and why it matters. Hierarchies without a release agent are one finding.
pub fn page(findings: &[Finding], known: CapMask) -> Vec<String> {
    let unset = |finding: &&Finding| {
        let is_agent = matches!(finding.fact.part, Part::ReleaseAgent(_));
        is_agent && finding.faults.is_empty() && finding.fact.value == Value::Text(Arc::from([]))
    };
    let without: Vec<String> = findings.iter().filter(unset).map(|finding| place(&finding.fact.part)).collect();
    let mut is_first = true;
    let shown = findings.iter().filter(|finding| !unset(finding) || std::mem::take(&mut is_first));
    let one = |finding: &Finding| {
        let [mut line, why] = lines(finding, known);
        if unset(&finding) && without.len() > 1 {
            line = line.replace(&place(&finding.fact.part), &without.concat());
        }
        [line, why]
    };
    shown.flat_map(one).collect()
}

fn lines(finding: &Finding, known: CapMask) -> [String; 2] {
    let Finding { fact, level, faults } = finding;
    let faults: Vec<String> = faults.iter().map(fault).collect();
    let said = if faults.is_empty() { String::new() } else { format!("  {}", faults.join("; ")) };
    let level = level.name().to_uppercase();
    let (name, value, place) = (fact.part.name(), value(&fact.value, known), place(&fact.part));
    [format!("kernel  {level:<7} {name} {value}{place}{said}"), format!("                {}", why(&fact.part))]
}
