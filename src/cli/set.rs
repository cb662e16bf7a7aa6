//! `--set KEY=VALUE` and `khelper set`: the same command and the same rules as in the console.

use std::ffi::OsString;
use std::path::Path;

use crate::abi::cap::CapMask;
use crate::abi::error::{ControlError, Explain, io_words};
use crate::abi::escape::screen;
use crate::control::config::{self, Config, Set};
use crate::control::knob_json::Written;
use crate::control::provenance::Setting;
use crate::control::target::TargetKind;
use crate::control::text::change::remarks;
use crate::control::text::provenance::{Lasts, narrowed};
use crate::control::{Change, Command, KernelWrite, Key, KnobValue, Reply};
use crate::sys::linux::whole_file::bounded;
use crate::verbs::knobs::{SetKnobs, Writing, writes};

use super::Caller;
use super::exit::Verdict;
use super::output::{complain, say};
use super::request::{Asker, fail};

/// The largest file of `-p`, in bytes.
const FILE_MAX: u64 = 1024 * 1024;

/// Writes the knobs of `--set`: all of them under one lock, or none (SYS-9); then the gate. Reports capabilities that
/// were not granted. The error is the exit code; the cause is already on stderr.
pub(super) fn set(caller: &Caller, settings: &[OsString]) -> Result<(), u8> {
    let known = caller.target.info().known;
    match write(caller, settings, known) {
        Ok(written) => {
            written.iter().flat_map(|w| remarks(w, known)).for_each(|line| say(&line));
            Ok(())
        }
        Err(error) => {
            complain(&error);
            Err(Verdict::of_error(&error).code())
        }
    }
}

fn write(caller: &Caller, settings: &[OsString], known: CapMask) -> Result<Vec<Change>, ControlError> {
    let mut written = Vec::new();
    for write in writes("--set", settings, known)? {
        written.extend(changes(caller.ask(Command::Write(write))?));
    }
    Ok(written)
}

fn changes(reply: Reply) -> Vec<Change> {
    match reply {
        Reply::Written(changes) => changes,
        // The reply to a write is always the changes.
        _ => Vec::new(),
    }
}

impl Asker {
    /// `khelper set`.
    pub(super) fn set(&self, set: &SetKnobs) -> Verdict {
        let info = self.caller.target.info();
        if set.system || !set.load.is_empty() {
            return self.load(set, info.known);
        }
        let all = match set.writing(info.known) {
            Ok(Writing::Write(all)) => all,
            Ok(Writing::Unpersist(keys)) => return self.unpersist(set, keys),
            Err(error) => return fail(&error),
        };
        let mut verdict = Verdict::Own(0);
        for write in all {
            let written = match set.dry_run {
                true => self.preview(write),
                false => self.write(set, write),
            };
            match written {
                Ok(changes) => changes.iter().for_each(|change| self.wrote(set, change)),
                Err(error) => verdict = verdict.and(fail(&error)),
            }
        }
        verdict
    }

    fn unpersist(&self, set: &SetKnobs, keys: Vec<Key>) -> Verdict {
        match self.caller.ask(Command::Unpersist(keys.clone())) {
            Ok(_) if set.quiet => {}
            Ok(_) => {
                keys.iter().for_each(|key| self.answers.line(&format!("{key}: no longer kept for the next start")))
            }
            Err(error) => return fail(&error),
        }
        Verdict::Own(0)
    }

    /// Applies the lines of files one after another: one that fails does not stop the others.
    fn load(&self, set: &SetKnobs, known: CapMask) -> Verdict {
        let mut verdict = Verdict::Own(0);
        let is_kernel = self.caller.target.info().kind == TargetKind::Kernel;
        if set.system && is_kernel {
            let why = "systemd-sysctl(8) and `sysctl --system` apply the files of the kernel's knobs";
            return fail(&ControlError::Unsupported(why.to_owned()));
        }
        if set.system {
            let config = set.config.as_ref().map_or_else(Config::default, Config::folder);
            return match config.load(known) {
                Ok(lines) => self.apply(set, lines),
                Err(error) => fail(&error),
            };
        }
        for path in &set.load {
            let one = match read(path) {
                Ok(bytes) => {
                    self.apply(set, config::read(path, bytes, known, if is_kernel { &Key::KERNEL } else { &Key::ALL }))
                }
                Err(e) => {
                    say(&format!("cannot read {}: {}", screen(path.as_os_str().as_encoded_bytes()), io_words(&e)));
                    Verdict::Own(1)
                }
            };
            verdict = verdict.and(one);
        }
        verdict
    }

    fn apply(&self, set: &SetKnobs, lines: Set) -> Verdict {
        let faults: Vec<_> = lines.faults.iter().filter(|fault| !(set.ignore && fault.unknown)).collect();
        lines.warnings.iter().for_each(|warning| say(&format!("{warning} (warning)")));
        faults.iter().for_each(|fault| say(&fault.to_string()));
        let (gates, knobs): (Vec<_>, Vec<_>) = lines.settings.into_iter().partition(|line| line.key == Key::Gate);
        let verdict = self.apply_together(set, knobs).and(self.apply_together(set, gates));
        if faults.is_empty() { verdict } else { verdict.and(Verdict::Own(1)) }
    }

    /// Writes settings in one write; without each one that fails, until the rest is written.
    fn apply_together(&self, set: &SetKnobs, mut settings: Vec<Setting>) -> Verdict {
        let mut verdict = Verdict::Own(0);
        while !settings.is_empty() {
            let write: Vec<_> = settings.iter().map(|setting| (setting.key, setting.value.clone())).collect();
            let written = if set.dry_run { self.preview(write) } else { self.write(set, write) };
            let error = match written {
                Ok(changes) => {
                    changes.iter().for_each(|change| self.wrote(set, change));
                    break;
                }
                Err(error) => error,
            };
            let Some(at) = settings.iter().position(|setting| error.key() == Some(setting.key.name())) else {
                return verdict.and(fail(&error));
            };
            let failed = settings.remove(at);
            if !failed.ignore {
                say(&format!("{}: {}", failed.source, error.whole()));
                verdict = verdict.and(Verdict::Own(1));
            }
        }
        verdict
    }

    /// Writes knobs, all or none; those of the kernel one after another.
    fn write(&self, set: &SetKnobs, writes: Vec<(Key, KnobValue)>) -> Result<Vec<Change>, ControlError> {
        let command = match (self.caller.target.info().kind, set.persist) {
            (TargetKind::Kernel, persist) => {
                Command::WriteKernel(KernelWrite { writes, until_reboot: set.until_reboot, force: set.force, persist })
            }
            (_, true) => Command::Persist(writes),
            (_, false) => Command::Write(writes),
        };
        self.caller.ask(command).map(changes)
    }

    /// What a write would change.
    fn preview(&self, write: Vec<(Key, KnobValue)>) -> Result<Vec<Change>, ControlError> {
        let known = self.caller.target.info().known;
        let one = |(key, value): (Key, KnobValue)| {
            let Reply::Value(before) = self.caller.ask(Command::Get(key))? else {
                return Ok(Change::new(key, value.clone(), value));
            };
            let (KnobValue::Mask(mask), Some(live)) = (&value, before.mask()) else {
                return Ok(Change::new(key, before, value));
            };
            let asked = mask.resolve(live, known);
            Ok(Change { not_granted: asked.minus(live), ..Change::new(key, live, asked & live) })
        };
        write.into_iter().map(one).collect()
    }

    fn wrote(&self, set: &SetKnobs, change: &Change) {
        let info = self.caller.target.info();
        remarks(change, info.known).iter().for_each(|line| say(line));
        let lasts = match (set.dry_run, info.is_owned()) {
            (true, _) => Lasts::DryRun,
            _ if info.kind == TargetKind::Kernel => Lasts::UntilReboot,
            (_, true) => Lasts::Always,
            _ => Lasts::UntilRestart,
        };
        let value = change.after.text();
        match narrowed(info.short_name(), change, info.known, lasts) {
            _ if set.quiet => {}
            _ if set.json => self.json(&Written::of(info.short_name(), change, &self.caller.by)),
            _ if set.values => self.answers.line(&value),
            Some(sentence) => self.answers.line(&sentence),
            None if info.kind == TargetKind::Kernel => {
                self.answers.line(&format!("{} {} = {value}{}", info.short_name(), change.key, kept(change)));
            }
            None => self.answers.line(&format!("{} = {value}", change.key)),
        }
    }
}

/// Where the value is kept for the next start.
fn kept(change: &Change) -> String {
    change.source.as_ref().map(|source| format!(" (kept in {source})")).unwrap_or_default()
}

/// Reads a file of `-p`, or stdin.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    match path == Path::new("-") {
        true => bounded(std::io::stdin().lock(), FILE_MAX),
        false => bounded(std::fs::File::open(path)?, FILE_MAX),
    }
}
