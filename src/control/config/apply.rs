//! Applies what the files say: the knobs in one write, then the gate.

use std::path::Path;

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::cap::CapMask;
use crate::abi::error::{ControlError, Explain};
use crate::abi::knob::Key;
use crate::abi::knob_value::Change;
use crate::abi::snapshot::Snapshot;
use crate::control::ask::ask;
use crate::control::command::{Command, Reply};
use crate::control::provenance::Setting;
use crate::control::target::Target;

use super::diff::{configured, default, running};
use super::{Config, Remark, Set, last_good};

/// What a configuration changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// The knobs that were written.
    pub changes: Vec<Change>,
    /// Knobs that keep their value until the engine is started again: a mask that would have to be widened, and the era
    /// after the first request.
    pub needs_restart: Vec<Key>,
    /// What could not be applied, although all the rest was: a gate whose drain failed, a default.
    pub failed: Vec<ControlError>,
    /// Lines that were applied and may not mean what their author intended.
    pub warnings: Vec<Remark>,
    /// Why this could not be stored as the last good configuration.
    pub not_stored: Option<ControlError>,
}

/// What a start made of the configuration.
#[derive(Debug)]
pub struct Started {
    /// What was applied.
    pub applied: Applied,
    /// Why the last good configuration is used instead of the files.
    pub instead: Option<ControlError>,
}

/// Applies settings: the knobs in one write, then the gate. Settings that change nothing are left out; settings whose
/// failure is ignored (`-KEY`) are left out where they fail.
///
/// # Errors
/// The error of the write; no knob is changed then. A gate that cannot be written comes after the others, and is in
/// [`Applied::failed`].
pub fn apply(target: &dyn Target, by: &Actor, mut settings: Vec<Setting>) -> Result<Applied, ControlError> {
    let mut applied = Applied::default();
    let snapshot = status(target, by)?;
    settings.retain(|setting| is_news(&snapshot, setting));
    for setting in &mut settings {
        // A change such as `-cap_x` starts from the full mask, as it does when the engine starts.
        setting.value = configured(&setting.value, snapshot.known);
    }
    let (gate, mut knobs): (Vec<_>, Vec<_>) = settings.into_iter().partition(|setting| setting.key == Key::Gate);
    while !knobs.is_empty() {
        match configure(target, by, &knobs) {
            Ok(changes) => {
                applied.add(changes);
                break;
            }
            Err(error) => {
                let at = knobs.iter().position(|s| error.key() == Some(s.key.name()));
                let Some(at) = at.filter(|at| may_stay_out(&knobs[*at], &error)) else { return Err(error) };
                let out = knobs.remove(at);
                if !out.ignore {
                    applied.needs_restart.push(out.key);
                }
            }
        }
    }
    if !gate.is_empty() {
        match configure(target, by, &gate) {
            Ok(changes) => applied.add(changes),
            Err(_) if gate.iter().all(|setting| setting.ignore) => {}
            Err(error) => applied.failed.push(error),
        }
    }
    Ok(applied)
}

/// Whether the setting would change the knob's value or where it comes from.
fn is_news(snapshot: &Snapshot, setting: &Setting) -> bool {
    let last = snapshot.provenance.iter().find(|last| last.change.key == setting.key);
    let same_source = last.is_some_and(|last| last.change.source.as_ref() == Some(&setting.source));
    !same_source || configured(&setting.value, snapshot.known) != running(snapshot, setting.key)
}

/// Whether the others may be written without this setting.
fn may_stay_out(setting: &Setting, error: &ControlError) -> bool {
    setting.ignore || setting.key == Key::Era && error.errno() == Errno::EBUSY
}

fn configure(target: &dyn Target, by: &Actor, settings: &[Setting]) -> Result<Vec<Change>, ControlError> {
    match ask(target, by, Command::Configure(settings.to_vec()))? {
        Reply::Written(changes) => Ok(changes),
        // The reply to `Configure` is always the changes.
        _ => Ok(Vec::new()),
    }
}

fn status(target: &dyn Target, by: &Actor) -> Result<Snapshot, ControlError> {
    match ask(target, by, Command::Status)? {
        Reply::Status(snapshot) => Ok(*snapshot),
        // The reply to `Status` is always a snapshot.
        _ => Ok(Snapshot::unknown(by.pid, by.uid, CapMask::EMPTY)),
    }
}

/// Applies the files before the first request. Where they cannot be read, have an error or cannot be applied, the last
/// good configuration is applied instead, and the error says why. `last` is the file of the last good configuration;
/// what was applied becomes it.
///
/// # Errors
/// The error of the files, if no last good configuration can be applied: masks must not silently start full.
pub fn start(target: &dyn Target, by: &Actor, config: &Config, last: &Path) -> Result<Started, ControlError> {
    let known = target.info().known;
    let adopt = |set: Set| {
        let applied = apply(target, by, set.settings.clone())?;
        if let Some(error) = applied.failed.first() {
            return Err(error.clone());
        }
        config.adopt(set.settings.clone());
        Ok((applied, set))
    };
    let error = match good(config, known).and_then(adopt) {
        Ok((applied, set)) => return Ok(Started { applied: applied.store(&set, last, known), instead: None }),
        Err(error) => error,
    };
    let before = last_good::load(last, known).ok().flatten();
    match before.map(adopt) {
        Some(Ok((applied, _))) => Ok(Started { applied, instead: Some(error) }),
        None | Some(Err(_)) => Err(error),
    }
}

/// Reads the files again and applies them. A knob that the files set before and no longer set gets its default, unless
/// an actor has changed it since then.
///
/// # Errors
/// The error of the files or of the write; the configuration before stays in force as a whole. What failed after the
/// write is in [`Applied::failed`].
pub fn reload(target: &dyn Target, by: &Actor, config: &Config, last: &Path) -> Result<Applied, ControlError> {
    let set = good(config, target.info().known)?;
    let mut applied = apply(target, by, set.settings.clone())?;
    let snapshot = status(target, by)?;
    let gone = |old: &Setting| {
        let last = snapshot.provenance.iter().find(|last| last.change.key == old.key);
        !set.settings.iter().any(|new| new.key == old.key)
            && last.is_some_and(|last| last.change.source.as_ref() == Some(&old.source))
    };
    for old in config.settings().iter().filter(|old| gone(old)) {
        match ask(target, by, Command::Write(vec![(old.key, default(old.key, snapshot.known))])) {
            Ok(Reply::Written(changes)) => applied.add(changes),
            Ok(_) => {}
            Err(error) if error.errno() == Errno::EBUSY => applied.needs_restart.push(old.key),
            Err(error) => applied.failed.push(error),
        }
    }
    config.adopt(set.settings.clone());
    // A gate that could not be closed would not let the next start succeed either.
    if !applied.failed.is_empty() {
        return Ok(Applied { warnings: set.warnings, ..applied });
    }
    Ok(applied.store(&set, last, snapshot.known))
}

/// What the files say, if no line is at fault.
fn good(config: &Config, known: CapMask) -> Result<Set, ControlError> {
    let set = config.load(known)?;
    set.fault().map_or(Ok(set), Err)
}

impl Applied {
    fn add(&mut self, changes: Vec<Change>) {
        let withheld = changes.iter().filter(|change| !change.not_granted.is_empty());
        self.needs_restart.extend(withheld.map(|change| change.key));
        self.changes.extend(changes);
    }

    /// Stores what was applied as the last good configuration, and adds the warnings.
    fn store(self, set: &Set, last: &Path, known: CapMask) -> Self {
        Self { warnings: set.warnings.clone(), not_stored: last_good::store(last, set, known).err(), ..self }
    }
}
