//! Configuration files (sysctl.d(5), in systemd's syntax): where they are read from, what they say together, and how
//! that is applied to an engine, kept in them, and compared with what runs.

mod apply;
mod diff;
pub(super) mod edit;
pub(super) mod files;
pub mod last_good;
mod origin;
pub mod parse;
mod persist;
mod resolve;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::abi::cap::CapMask;
use crate::abi::error::{ControlError, ParseError};
use crate::abi::knob::Key;
use crate::abi::knob_value::Source;
use crate::abi::safe_text::SafeText;
use crate::control::provenance::Setting;
use crate::sys::linux::trust::{Folder, Untrusted};

pub use apply::{Applied, Started, apply, reload, start};
pub use resolve::{Grammar, ReadValue, resolve, resolve_as};

pub(super) use diff::diff;
pub use origin::came_from;

pub(super) use origin::knobs;
pub(super) use persist::{persist, unpersist};

/// The folders of the system, the first one before the others where a name is in several.
const SYSTEM: [&str; 3] = ["/etc/khelper.d", "/run/khelper.d", "/usr/lib/khelper.d"];
/// The ending of the names of configuration files.
const ENDING: &[u8] = b".conf";
/// The file of `set --persist`.
const PERSIST: &str = "zz-persist.conf";

/// A line and what is wrong with it, or what to know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The line.
    pub source: Source,
    /// The sentence.
    pub why: SafeText,
    /// Whether the line names a knob that does not exist.
    pub unknown: bool,
}

impl std::fmt::Display for Remark {
    /// `/etc/khelper.d/10.conf:3: unknown key`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.source, self.why)
    }
}

/// What all files say together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// One setting for each knob that is set, in the order in which they are applied.
    pub settings: Vec<Setting>,
    /// Lines that cannot be applied: unknown keys, malformed lines and values.
    pub faults: Vec<Remark>,
    /// Lines that are applied and may not mean what their author intended.
    pub warnings: Vec<Remark>,
}

/// The configuration of one engine: its folders, and what was applied last.
#[derive(Debug)]
pub struct Config {
    folders: Vec<PathBuf>,
    /// Whether the operator named the folder, which must exist then.
    named: bool,
    applied: Mutex<Vec<Setting>>,
    /// The file of the last good configuration, if it follows what is kept.
    last_good: Option<PathBuf>,
}

impl Default for Config {
    /// The folders of the system: /etc/khelper.d, /run/khelper.d and /usr/lib/khelper.d.
    fn default() -> Self {
        Self::new(SYSTEM.iter().map(PathBuf::from).collect())
    }
}

impl Config {
    fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders, named: false, applied: Mutex::default(), last_good: None }
    }

    /// One folder in place of those of the system. It must exist: a misspelt one must not read as an empty one.
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self { named: true, ..Self::new(vec![folder.into()]) }
    }

    /// Makes `set --persist` and `--unpersist` change this file of the last good configuration, too.
    #[must_use]
    pub fn with_last_good(self, path: PathBuf) -> Self {
        Self { last_good: Some(path), ..self }
    }

    /// Stores what was applied last as the last good configuration, but for these knobs as the files now set them.
    fn refresh_last_good(&self, keys: &[Key], known: CapMask) -> Result<(), ControlError> {
        let Some(last) = &self.last_good else { return Ok(()) };
        let mut set = self.load(known)?;
        set.settings.retain(|setting| keys.contains(&setting.key));
        let others = self.settings().into_iter().filter(|setting| !keys.contains(&setting.key));
        set.settings.splice(0..0, others);
        last_good::store(last, &set, known)
    }

    /// Reads the files. `known` holds the capabilities that the engine's kernel knows.
    ///
    /// # Errors
    /// `EPERM` if another user could change a file, a folder or a parent of it: nothing is read then (AUTH-6). The
    /// errno of the call where reading fails. Faults of single lines are in the [`Set`].
    pub fn load(&self, known: CapMask) -> Result<Set, ControlError> {
        if self.named && Folder::open(self.persisted()).map_err(|e| refused(&e))?.is_none() {
            let error =
                ParseError::with(nix::errno::Errno::ENOENT, "there is no such folder", "name a folder that exists");
            return Err(at(self.persisted(), error));
        }
        Ok(resolve(&files::read(&self.folders, ENDING)?, known))
    }

    /// The folder that `set --persist` writes to.
    fn persisted(&self) -> &Path {
        self.folders.first().map_or(Path::new(SYSTEM[0]), PathBuf::as_path)
    }

    /// The settings that were applied last.
    fn settings(&self) -> Vec<Setting> {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers the settings that were applied, for `get --where` and the next reload.
    fn adopt(&self, settings: Vec<Setting>) {
        *self.applied.lock().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// The line that set this knob, and those that lost.
    pub(super) fn applied(&self, key: Key) -> Option<(Source, Vec<Source>)> {
        let applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        applied.iter().find(|s| s.key == key).map(|s| (s.source.clone(), s.others.clone()))
    }
}

/// Reads the text of one file, whatever its owner. Every knob but `keys` is unknown.
pub fn read(path: &Path, bytes: Vec<u8>, known: CapMask, keys: &[Key]) -> Set {
    let value = |key: Key, text: &[u8]| key.parse_value(text, known);
    resolve_as(&[files::File { path: path.to_owned(), bytes }], &Grammar { keys, value: &value })
}

/// The error for a file or folder.
fn refused(untrusted: &Untrusted) -> ControlError {
    let advice = match untrusted.errno {
        nix::errno::Errno::EPERM => {
            "configuration is read only from regular files that root or the engine's user owns and nobody else can write \
             or replace, parents included; no file was read"
        }
        _ => "check the file and its folder",
    };
    at(&untrusted.path, ParseError::with(untrusted.errno, untrusted.why.clone(), advice))
}

/// The error about this path.
fn at(path: &Path, error: ParseError) -> ControlError {
    use std::os::unix::ffi::OsStrExt;
    ControlError::Value { key: SafeText::escape(path.as_os_str().as_bytes()).into(), error }
}

/// The name of the file of `set --persist`.
fn persist_name() -> &'static OsStr {
    OsStr::new(PERSIST)
}
