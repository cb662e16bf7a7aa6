//! The files of rules and of profiles: those with one ending, in a few folders.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use serde_json::{Value, json};

use crate::abi::error::{ControlError, Explain, ParseError};
use crate::abi::escape::screen;
use crate::control::config::files;
use crate::control::json_source::V;
use crate::policy::rules::{Fault, Fix, Source};
use crate::sys::linux::whole_file::read;

/// The largest file that is read.
const MOST: u64 = 1 << 20;

/// Files by their names; `None` for one that is masked.
pub type Named = BTreeMap<OsString, Option<Source>>;

/// A kind of files.
pub trait Kind {
    /// Where they are; a name that is in several folders is read from the first.
    const FOLDERS: [&'static str; 3];
    /// How the name of such a file ends.
    const ENDING: &'static str;
    /// What to name in place of something that is no such file.
    const ADVICE: &'static str;
}

/// The folders of a kind of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders<K>(Vec<PathBuf>, PhantomData<K>);

impl<K: Kind> Default for Folders<K> {
    /// Those of the system.
    fn default() -> Self {
        Self(K::FOLDERS.iter().map(PathBuf::from).collect(), PhantomData)
    }
}

impl<K: Kind> Folders<K> {
    /// One folder in place of those of the system.
    pub fn only(folder: PathBuf) -> Self {
        Self(vec![folder], PhantomData)
    }

    /// Reads every file. A link to /dev/null masks a file of later folders.
    ///
    /// # Errors
    /// `EPERM` if another user than root and this one could change a file, a folder or a parent of it: nothing is read
    /// then (AUTH-6); else the errno of the call that failed.
    pub fn named(&self) -> Result<Named, ControlError> {
        let of = |file: files::File| source(&file.path, file.bytes);
        let all = files::named(&self.0, K::ENDING.as_bytes())?;
        Ok(all.into_iter().map(|(name, file)| (name, file.map(of))).collect())
    }

    /// The same in the order of their names, without those that are masked.
    ///
    /// # Errors
    /// As for [`Self::named`].
    pub fn read(&self) -> Result<Vec<Source>, ControlError> {
        Ok(self.named()?.into_values().flatten().collect())
    }
}

/// Reads one file, or every file of a folder, whatever its owner: to look at what is not in force.
///
/// # Errors
/// The errno of the call that failed; `EINVAL` if it is neither a regular file nor a folder, `EFBIG` over 1 MiB.
pub fn from_path<K: Kind>(path: &Path) -> Result<Vec<Source>, ControlError> {
    if !path.is_dir() {
        return Ok(vec![one(path, K::ADVICE)?]);
    }
    let listed = std::fs::read_dir(path)
        .map_err(|e| failed(path, Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)), K::ADVICE))?;
    let is_meant = |name: &OsStr| name.as_bytes().ends_with(K::ENDING.as_bytes()) && !name.as_bytes().starts_with(b".");
    let names = listed.flatten().map(|entry| entry.file_name()).filter(|name| is_meant(name));
    crate::abi::sorted::set(names).keys().map(|name| one(&path.join(name), K::ADVICE)).collect()
}

/// Reads one file, whatever its owner.
///
/// # Errors
/// As for [`from_path`]; `EINVAL` for a folder, too.
pub fn one(path: &Path, advice: &'static str) -> Result<Source, ControlError> {
    read(path, MOST).map(|bytes| source(path, bytes)).map_err(|errno| failed(path, errno, advice))
}

fn failed(path: &Path, errno: Errno, advice: &'static str) -> ControlError {
    let why = if errno == Errno::EINVAL { "it is neither a regular file nor a folder" } else { errno.desc() };
    ControlError::Value { key: screen(path.as_os_str().as_bytes()), error: ParseError::with(errno, why, advice) }
}

fn source(path: &Path, text: Vec<u8>) -> Source {
    Source { path: screen(path.as_os_str().as_bytes()).into(), text }
}

/// A faulty line as JSON.
pub fn fault<W: Fix>(fault: &Fault<W>) -> Value {
    json!({"v": V, "fault": fault.what.to_string(), "advice": fault.advice(), "file": &*fault.at.file,
        "line": fault.at.line, "column": fault.column})
}
