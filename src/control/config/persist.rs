//! `set --persist` and `set --unpersist`: writes a line into the file `zz-persist.conf` of the first folder, or removes
//! it.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::cap::CapMask;
use crate::abi::error::{ControlError, Explain, ParseError};
use crate::abi::knob::Key;
use crate::abi::knob_value::{Change, KnobValue, Source};
use crate::abi::safe_text::SafeText;
use crate::abi::snapshot::Snapshot;
use crate::control::knobs::{read, write};
use crate::engine::Engine;
use crate::sys::linux::trust::{Contents, Folder, Lock, Untrusted};

use super::files::{self, File};
use super::{Config, ENDING, PERSIST, at, edit, persist_name, refused, resolve};

/// Writes knobs, all or none, and keeps their values in the file. Nothing is written if another line would win over the
/// file's.
///
/// # Errors
/// Those of a write. `EPERM` for files that another user could change; `EEXIST` if another line would win; the error
/// names it. If the file cannot be written, the knobs are changed and the error says so.
pub(in crate::control) fn persist(
    engine: &Engine,
    config: &Config,
    writes: Vec<(Key, KnobValue)>,
    actor: &Actor,
) -> Result<Vec<Change>, ControlError> {
    let file = Kept::open(Folder::make(config.persisted()).map_err(|e| refused(&e))?)?;
    let snapshot = engine.snapshot();
    let expected = writes.iter().map(|(key, value)| (*key, after(&snapshot, *key, value)));
    file.wins(config, &file.with(expected, snapshot.known)?, writes.iter().map(|(key, _)| *key), snapshot.known)?;
    let mut changes = write(engine, writes, actor)?;
    let kept = file
        .with(changes.iter().map(|change| (change.key, change.after.clone())), snapshot.known)
        .and_then(|text| file.write(&text).map(|()| text));
    let text = kept.map_err(|error| changed(&changes, &error))?;
    let keys: Vec<Key> = changes.iter().map(|change| change.key).collect();
    let stored = config.refresh_last_good(&keys, snapshot.known);
    for change in &mut changes {
        change.source = file.line_of(&text, change.key);
        if let Err(error) = &stored {
            change.warnings.push(format!("not in the last good configuration: {}", error.whole()).into());
        }
    }
    Ok(changes)
}

/// Removes the lines of these knobs from the file. What runs is not changed.
///
/// # Errors
/// `ENOENT` for a knob that the file does not set; nothing is removed then.
pub(in crate::control) fn unpersist(config: &Config, keys: &[Key], known: CapMask) -> Result<(), ControlError> {
    let folder = Folder::open(config.persisted()).map_err(|e| refused(&e))?;
    let absent = |key: &Key| {
        let why = format!("{key} is not in this file");
        let advice = "`khelper get --where` names the file that sets it";
        at(&config.persisted().join(PERSIST), ParseError::with(Errno::ENOENT, why, advice))
    };
    let Some(folder) = folder else { return keys.first().map_or(Ok(()), |key| Err(absent(key))) };
    let file = Kept::open(folder)?;
    let mut text = file.text.clone();
    for key in keys {
        let (rest, found) = edit::without(&text, *key);
        if !found {
            return Err(absent(key));
        }
        text = rest;
    }
    file.write(&text)?;
    // The files are right; a start that can use them does not look at the last good configuration.
    let _ = config.refresh_last_good(keys, known);
    Ok(())
}

/// The file, locked against other writers.
struct Kept {
    folder: Folder,
    text: Vec<u8>,
    /// Held until the file is written.
    _lock: Lock,
}

impl Kept {
    fn open(folder: Folder) -> Result<Self, ControlError> {
        let open = || {
            let lock = folder.lock()?;
            let text = match folder.read(persist_name())? {
                Contents::Bytes(text) => text,
                Contents::Missing => Vec::new(),
                Contents::Masked => {
                    let (path, why) = (folder.path_of(persist_name()), "is a link to /dev/null".to_owned());
                    return Err(Untrusted { path, why, errno: Errno::EEXIST });
                }
            };
            Ok(Self { folder, text, _lock: lock })
        };
        open().map_err(|e| refused(&e))
    }

    fn path(&self) -> PathBuf {
        self.folder.path_of(persist_name())
    }

    /// The text with these values.
    fn with(&self, values: impl Iterator<Item = (Key, KnobValue)>, known: CapMask) -> Result<Vec<u8>, ControlError> {
        let mut text = self.text.clone();
        for (key, value) in values {
            text = edit::with(&text, key, &edit::line(key, &value, known)?, edit::HEAD);
        }
        Ok(text)
    }

    /// Checks that the file's lines would win over those of all other files.
    fn wins(
        &self,
        config: &Config,
        text: &[u8],
        mut keys: impl Iterator<Item = Key>,
        known: CapMask,
    ) -> Result<(), ControlError> {
        let mut all = files::read(&config.folders, ENDING)?;
        all.retain(|file| file.path != self.path());
        let at_name = |file: &File| file.path.file_name().is_some_and(|name| name < persist_name());
        let place = all.iter().position(|file| !at_name(file)).unwrap_or(all.len());
        all.insert(place, File { path: self.path(), bytes: text.to_vec() });
        let set = resolve(&all, known);
        let won = |key: Key| {
            let ours = self.line_of(text, key);
            let setting = set.settings.iter().find(|setting| setting.key == key);
            if setting.is_some_and(|setting| Some(&setting.source) == ours.as_ref()) {
                return Ok(());
            }
            // A `-KEY` alone sets nothing, and wins too.
            let excluding = || all[place + 1..].iter().rev().find_map(|file| last_line(file, key));
            let winner = setting.map(|setting| setting.source.clone()).or_else(excluding);
            let winner = winner.map_or_else(|| "another line".to_owned(), |source| source.to_string());
            let why = format!("nothing was written: {winner} would win over {PERSIST}, which is read before it");
            let error = ParseError::with(Errno::EEXIST, why, "remove that line, or change the value there");
            Err(ControlError::Value { key: key.name().to_owned(), error })
        };
        keys.try_for_each(won)
    }

    fn line_of(&self, text: &[u8], key: Key) -> Option<Source> {
        last_line(&File { path: self.path(), bytes: text.to_vec() }, key)
    }

    fn write(&self, text: &[u8]) -> Result<(), ControlError> {
        self.folder.replace(persist_name(), text).map_err(|e| refused(&e))
    }
}

/// The last line that names the knob.
fn last_line(file: &File, key: Key) -> Option<Source> {
    let number = edit::lines(&file.bytes, key).pop()?;
    Some(Source { file: SafeText::escape(file.path.as_os_str().as_bytes()), line: number })
}

/// The value that a write is expected to leave.
fn after(snapshot: &Snapshot, key: Key, value: &KnobValue) -> KnobValue {
    match (value, read(snapshot, key).mask()) {
        (KnobValue::Mask(mask), Some(live)) => (mask.resolve(live, snapshot.known) & live).into(),
        _ => value.clone(),
    }
}

/// The knobs were written and the file was not.
fn changed(changes: &[Change], error: &ControlError) -> ControlError {
    let names: Vec<&str> = changes.iter().map(|change| change.key.name()).collect();
    let why = format!("changed, but not kept for the next start: {error}");
    let error = ParseError::with(error.errno(), why, error.advice());
    ControlError::Value { key: names.join(" and "), error }
}
