//! The files of rules: `*.rules` of a few folders, by their names.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::abi::error::{ControlError, ParseError};
use crate::abi::escape::screen;
use crate::control::config::files;
use crate::policy::rules::Source;
use crate::sys::linux::whole_file::read;

/// Where rules are; a name that is in several folders is read from the first.
const FOLDERS: [&str; 3] = ["/etc/khelper.d/rules.d", "/run/khelper.d/rules.d", "/usr/lib/khelper.d/rules.d"];
/// The ending of a file's name.
const ENDING: &[u8] = b".rules";
/// The largest file that is read.
const MOST: u64 = 1 << 20;

/// The folders of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders(Vec<PathBuf>);

impl Default for Folders {
    /// Those of the system.
    fn default() -> Self {
        Self(FOLDERS.iter().map(PathBuf::from).collect())
    }
}

impl Folders {
    /// One folder in place of those of the system.
    pub fn only(folder: PathBuf) -> Self {
        Self(vec![folder])
    }

    /// Reads every file, in the order of their names. A link to /dev/null masks a file of later folders.
    ///
    /// # Errors
    /// `EPERM` if another user than root and this one could change a file, a folder or a parent of it: nothing is read
    /// then (AUTH-6); else the errno of the call that failed.
    pub fn read(&self) -> Result<Vec<Source>, ControlError> {
        Ok(files::read(&self.0, ENDING)?.into_iter().map(|file| source(&file.path, file.bytes)).collect())
    }
}

/// Reads one file, or every file of a folder, whatever its owner: to look at rules that are not in force.
///
/// # Errors
/// The errno of the call that failed; `EINVAL` if it is neither a regular file nor a folder, `EFBIG` over 1 MiB.
pub fn from_path(path: &Path) -> Result<Vec<Source>, ControlError> {
    const ADVICE: &str = "name a file of rules, or a folder of files *.rules";
    if !path.is_dir() {
        return Ok(vec![one(path, ADVICE)?]);
    }
    let listed = std::fs::read_dir(path)
        .map_err(|e| failed(path, Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)), ADVICE))?;
    let is_rules = |name: &OsStr| name.as_bytes().ends_with(ENDING) && !name.as_bytes().starts_with(b".");
    let names = listed.flatten().map(|entry| entry.file_name()).filter(|name| is_rules(name));
    crate::abi::sorted::set(names).keys().map(|name| one(&path.join(name), ADVICE)).collect()
}

/// Reads one file that is to become rules.
///
/// # Errors
/// As for [`from_path`]; `EINVAL` for a folder, too.
pub fn to_import(path: &Path) -> Result<Source, ControlError> {
    one(path, "name a file of modprobe.d, or one with the name of a module on each line")
}

fn one(path: &Path, advice: &'static str) -> Result<Source, ControlError> {
    read(path, MOST).map(|bytes| source(path, bytes)).map_err(|errno| failed(path, errno, advice))
}

fn failed(path: &Path, errno: Errno, advice: &'static str) -> ControlError {
    ControlError::Value {
        key: screen(path.as_os_str().as_bytes()),
        error: ParseError::with(errno, errno.desc(), advice),
    }
}

fn source(path: &Path, text: Vec<u8>) -> Source {
    Source { path: screen(path.as_os_str().as_bytes()).into(), text }
}
