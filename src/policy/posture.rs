//! Judges what this machine's kernel may execute on its own: who could replace it, and what its knobs allow.

use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::cap::{CapMask, Capability};
use crate::abi::kernel_program::{Component, Fact, FileKind, Format, Part, Program, Value};

/// How serious a finding is. A later one is more serious.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing was found.
    Ok,
    /// It could not be read, so nothing is claimed.
    Unknown,
    /// As most machines have it, and more than is needed.
    Low,
    /// It does not work as it should, or a group could take the machine over.
    Medium,
    /// Another user could take the machine over, or the next request harms it.
    High,
}

impl Level {
    /// Every level, the least serious first.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Unknown, Self::Low, Self::Medium, Self::High];

    /// Its name in text and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Who could replace a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// Its owner, or that of a folder on the way.
    Uid(u32),
    /// The members of a group.
    Group(u32),
    /// Every user.
    Everyone,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A user other than root could replace the program, or what is in the file.
    Replaceable {
        /// The component of the path that gives the right.
        at: Arc<[u8]>,
        /// Who has it.
        by: Writer,
    },
    /// The knob could not be read.
    Unreadable(Errno),
    /// The program does not exist, or its path cannot be followed.
    NoProgram(Errno),
    /// It is not a regular file.
    NotAFile,
    /// Nobody may execute it.
    NotExecutable,
    /// It is neither ELF nor a script: executing it makes the kernel ask for a module again.
    NotAProgram,
    /// The path is relative: it begins in the working directory of process 1.
    Relative,
    /// The mask takes nothing away.
    FullMask,
    /// modprobe may not load modules.
    CannotLoad,
    /// A release agent is set.
    AgentSet,
    /// Every helper is replaced by nothing and counts as a success.
    NothingRuns,
}

impl Fault {
    /// Its name in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Replaceable { .. } => "replaceable",
            Self::Unreadable(_) => "unreadable",
            Self::NoProgram(_) => "no_program",
            Self::NotAFile => "not_a_file",
            Self::NotExecutable => "not_executable",
            Self::NotAProgram => "not_a_program",
            Self::Relative => "relative",
            Self::FullMask => "full_mask",
            Self::CannotLoad => "cannot_load",
            Self::AgentSet => "agent_set",
            Self::NothingRuns => "nothing_runs",
        }
    }

    /// How serious it is for this part.
    pub const fn level(&self, part: &Part) -> Level {
        match self {
            Self::Replaceable { by: Writer::Group(_), .. } => Level::Medium,
            Self::Replaceable { .. } => Level::High,
            Self::Unreadable(_) => Level::Unknown,
            // The kernel executes it once for each request, and each execution is a request again.
            Self::NotAProgram if matches!(part, Part::Modprobe | Part::StaticHelper) => Level::High,
            Self::NotAProgram | Self::NotAFile | Self::NotExecutable | Self::Relative => Level::Medium,
            Self::CannotLoad => Level::Medium,
            // Most machines have no request-key.
            Self::NoProgram(_) if matches!(part, Part::RequestKey) => Level::Ok,
            Self::NoProgram(_) | Self::FullMask | Self::AgentSet | Self::NothingRuns => Level::Low,
        }
    }
}

/// A part, how it stands, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub fact: Fact,
    /// The most serious of its faults.
    pub level: Level,
    /// What is wrong; empty if nothing is.
    pub faults: Vec<Fault>,
}

/// Judges every fact, in its order. `known` are the capabilities that the kernel knows.
pub fn judge(facts: Vec<Fact>, known: CapMask) -> Vec<Finding> {
    let value = |part: &Part| facts.iter().find(|fact| fact.part == *part).map(|fact| fact.value.clone());
    let text = |part: &Part| match value(part) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    };
    let loads = text(&Part::Modprobe).is_some_and(|path| !path.is_empty())
        && text(&Part::ModulesDisabled).is_none_or(|disabled| *disabled == *b"0");
    let finding = |fact: Fact| {
        let faults = faults(&fact, known, loads);
        let level = faults.iter().map(|fault| fault.level(&fact.part)).max().unwrap_or(Level::Ok);
        Finding { fact, level, faults }
    };
    facts.iter().cloned().map(finding).collect()
}

fn faults(fact: &Fact, known: CapMask, loads: bool) -> Vec<Fault> {
    let mut all = Vec::new();
    match (&fact.part, &fact.value) {
        (_, Value::Unreadable(errno)) => all.push(Fault::Unreadable(*errno)),
        (Part::Bset, Value::Mask(mask)) => {
            if mask.contains(known) {
                all.push(Fault::FullMask);
            }
            if loads && !mask.has(Capability::SYS_MODULE) {
                all.push(Fault::CannotLoad);
            }
        }
        // It has no effect as long as the other mask lets a helper have every capability.
        (Part::Inheritable, _) => {}
        (Part::ReleaseAgent(_), Value::Text(text)) if !text.is_empty() => all.push(Fault::AgentSet),
        (Part::StaticHelper, Value::Text(text)) if text.is_empty() => all.push(Fault::NothingRuns),
        (Part::Modprobe | Part::UeventHelper, Value::Text(text)) if is_relative(text) => all.push(Fault::Relative),
        (Part::CorePattern, Value::Text(text)) if text.strip_prefix(b"|").is_some_and(is_relative) => {
            all.push(Fault::Relative);
        }
        _ => {}
    }
    if let Some(program) = &fact.program {
        let is_run = !matches!(&fact.part, Part::BootFile | Part::KeyProgram { line: 0, .. });
        all.extend(of_program(program, is_run));
    }
    all
}

fn is_relative(text: &[u8]) -> bool {
    !text.is_empty() && !text.starts_with(b"/")
}

/// What is wrong with a program; with `is_run` false, with a file that is only read.
pub fn of_program(program: &Program, is_run: bool) -> Vec<Fault> {
    let mut all: Vec<Fault> = Vec::new();
    for component in &program.way {
        let Some(by) = writer(component) else { continue };
        let fault = Fault::Replaceable { at: component.path.clone(), by };
        if !all.contains(&fault) {
            all.push(fault);
        }
    }
    if program.fault == Some(Errno::ENOENT)
        && let Some(last) = program.way.last().filter(|last| last.kind == FileKind::Folder && is_sticky(last))
        && let Some(by) = by_mode(last)
    {
        // In a sticky folder nobody can replace another's file, but everybody can make one that does not exist.
        all.push(Fault::Replaceable { at: last.path.clone(), by });
    }
    if !is_run {
        return all;
    }
    match (program.fault, program.file()) {
        (Some(errno), _) => all.push(Fault::NoProgram(errno)),
        (None, Some(file)) if file.kind == FileKind::File => {
            if file.mode & 0o111 == 0 {
                all.push(Fault::NotExecutable);
            } else if program.format == Format::Neither {
                all.push(Fault::NotAProgram);
            }
        }
        (None, _) => all.push(Fault::NotAFile),
    }
    all
}

/// Which user besides root could change this component, or replace what is in it. The mode of a symbolic link is not
/// used.
fn writer(component: &Component) -> Option<Writer> {
    if component.uid != 0 {
        return Some(Writer::Uid(component.uid));
    }
    if component.kind == FileKind::Link || is_sticky(component) {
        return None;
    }
    by_mode(component)
}

fn is_sticky(component: &Component) -> bool {
    component.kind == FileKind::Folder && component.mode & 0o1000 != 0
}

fn by_mode(component: &Component) -> Option<Writer> {
    match component.mode {
        mode if mode & 0o002 != 0 => Some(Writer::Everyone),
        mode if mode & 0o020 != 0 && component.gid != 0 => Some(Writer::Group(component.gid)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: CapMask = CapMask::up_to(40);

    fn component(path: &str, kind: FileKind, uid: u32, gid: u32, mode: u32) -> Component {
        Component { path: path.as_bytes().into(), kind, uid, gid, mode }
    }

    /// `/`, then these.
    fn program(way: Vec<Component>) -> Program {
        let root = component("/", FileKind::Folder, 0, 0, 0o755);
        let path = way.last().map_or_else(|| root.path.clone(), |last| last.path.clone());
        Program { path, way: std::iter::once(root).chain(way).collect(), fault: None, format: Format::Elf }
    }

    fn fact(part: Part, text: &str, program: Option<Program>) -> Fact {
        Fact { part, value: Value::Text(text.as_bytes().into()), program }
    }

    #[test]
    fn who_could_replace_a_program_is_named_with_the_writable_component() {
        let file = |uid, gid, mode| component("/opt/m", FileKind::File, uid, gid, mode);
        let folder = |uid, gid, mode| component("/opt", FileKind::Folder, uid, gid, mode);
        let sound = || file(0, 0, 0o755);
        for (folder, file, expected) in [
            (folder(0, 0, 0o755), sound(), None),
            (folder(1000, 0, 0o755), sound(), Some(("/opt", Writer::Uid(1000)))),
            (folder(0, 7, 0o775), sound(), Some(("/opt", Writer::Group(7)))),
            (folder(0, 0, 0o775), sound(), None),
            (folder(0, 7, 0o777), sound(), Some(("/opt", Writer::Everyone))),
            (folder(0, 0, 0o1777), sound(), None),
            (folder(0, 0, 0o755), file(0, 9, 0o775), Some(("/opt/m", Writer::Group(9)))),
            (folder(0, 0, 0o755), file(5, 0, 0o755), Some(("/opt/m", Writer::Uid(5)))),
            (folder(0, 0, 0o755), component("/opt/m", FileKind::Link, 0, 0, 0o777), None),
        ] {
            let way = vec![folder, file];
            let found = of_program(&program(way.clone()), false);
            let expected: Vec<Fault> =
                expected.into_iter().map(|(at, by)| Fault::Replaceable { at: at.as_bytes().into(), by }).collect();
            assert_eq!(found, expected, "{way:?}");
        }
    }

    #[test]
    fn a_program_that_is_missing_from_a_sticky_folder_can_be_made_by_everybody() {
        let folder = component("/tmp", FileKind::Folder, 0, 0, 0o1777);
        let missing = Program { fault: Some(Errno::ENOENT), ..program(vec![folder]) };
        let at: Arc<[u8]> = b"/tmp"[..].into();
        let expected = [Fault::Replaceable { at, by: Writer::Everyone }, Fault::NoProgram(Errno::ENOENT)];
        assert_eq!(of_program(&missing, true), expected);
    }

    #[test]
    fn what_cannot_be_executed_is_a_fault_and_a_text_file_as_modprobe_the_worst() {
        let file = |kind, mode| component("/m", kind, 0, 0, mode);
        let of = |component, format| of_program(&Program { format, ..program(vec![component]) }, true);
        assert_eq!(of(file(FileKind::File, 0o755), Format::Script), []);
        assert_eq!(of(file(FileKind::File, 0o644), Format::Elf), [Fault::NotExecutable]);
        assert_eq!(of(file(FileKind::File, 0o755), Format::Neither), [Fault::NotAProgram]);
        assert_eq!(of(file(FileKind::Folder, 0o755), Format::Unreadable), [Fault::NotAFile]);
        assert_eq!(Fault::NotAProgram.level(&Part::Modprobe), Level::High);
        assert_eq!(Fault::NotAProgram.level(&Part::CorePattern), Level::Medium);
        let missing = Fault::NoProgram(Errno::ENOENT);
        assert_eq!((missing.level(&Part::RequestKey), missing.level(&Part::Modprobe)), (Level::Ok, Level::Low));
    }

    #[test]
    fn knobs_are_judged_together() {
        let without = KNOWN.minus(CapMask::only(Capability::SYS_MODULE));
        let bset = |mask| Fact { part: Part::Bset, value: Value::Mask(mask), program: None };
        let judged = |mask, modprobe: &str, disabled: &str| {
            let facts =
                vec![fact(Part::Modprobe, modprobe, None), bset(mask), fact(Part::ModulesDisabled, disabled, None)];
            let found = judge(facts, KNOWN);
            (found[1].level, found[1].faults.clone())
        };
        assert_eq!(judged(KNOWN, "/m", "0"), (Level::Low, vec![Fault::FullMask]));
        assert_eq!(judged(!CapMask::EMPTY, "/m", "0").0, Level::Low, "the bits that no capability has");
        assert_eq!(judged(without, "/m", "0"), (Level::Medium, vec![Fault::CannotLoad]));
        assert_eq!(judged(without, "/m", "1").0, Level::Ok, "nothing can be loaded any more");
        assert_eq!(judged(without, "", "0").0, Level::Ok, "no modprobe is run");
        let unread = Fact { part: Part::Bset, value: Value::Unreadable(Errno::EACCES), program: None };
        assert_eq!(judge(vec![unread], KNOWN)[0].level, Level::Unknown);
        for (part, text, fault) in [
            (Part::Modprobe, "sbin/m", Fault::Relative),
            (Part::CorePattern, "|core", Fault::Relative),
            (Part::ReleaseAgent(b"/cg"[..].into()), "/a", Fault::AgentSet),
            (Part::StaticHelper, "", Fault::NothingRuns),
        ] {
            assert_eq!(judge(vec![fact(part, text, None)], KNOWN)[0].faults, [fault], "{text}");
        }
        for (part, text) in [(Part::Modprobe, ""), (Part::CorePattern, "core"), (Part::CorePattern, "@/run/x")] {
            assert_eq!(judge(vec![fact(part, text, None)], KNOWN)[0].level, Level::Ok, "{text}");
        }
    }
}
