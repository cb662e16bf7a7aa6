//! The last good configuration: what was applied last without an error, in one file of the same format. A start whose
//! files have an error uses it.

use std::path::Path;

use nix::errno::Errno;

use crate::abi::cap::CapMask;
use crate::abi::error::{ControlError, ParseError};
use crate::sys::linux::trust::{Contents, Folder};

use super::files::File;
use super::{Set, at, edit, refused, resolve};

/// Where a daemon keeps it.
pub const PATH: &str = "/var/lib/khelper/last-good";

/// Replaces the file by what `set` says. Each line is preceded by a comment that names its source.
///
/// # Errors
/// `EPERM` if another user could change the file (AUTH-6); the errno of the call that failed.
pub fn store(path: &Path, set: &Set, known: CapMask) -> Result<(), ControlError> {
    let mut text = b"# The configuration that khelper applied last. Do not edit: it is replaced.\n".to_vec();
    for setting in &set.settings {
        text.extend_from_slice(format!("# {}\n", setting.source).as_bytes());
        text.extend_from_slice(if setting.ignore { b"-" } else { b"" });
        text.extend(edit::line(setting.key, &setting.value, known)?);
        text.push(b'\n');
    }
    let (folder, name) = split(path)?;
    Folder::make(folder).and_then(|folder| folder.replace(name, &text)).map_err(|e| refused(&e))
}

/// Reads the file; `None` if there is none.
///
/// # Errors
/// `EPERM` if another user could change the file (AUTH-6); `EINVAL` if a line is at fault.
pub fn load(path: &Path, known: CapMask) -> Result<Option<Set>, ControlError> {
    let (folder, name) = split(path)?;
    let Some(folder) = Folder::open(folder).map_err(|e| refused(&e))? else { return Ok(None) };
    match folder.read(name).map_err(|e| refused(&e))? {
        Contents::Missing | Contents::Masked => Ok(None),
        Contents::Bytes(bytes) => {
            let set = resolve(&[File { path: folder.path_of(name), bytes }], known);
            set.fault().map_or(Ok(Some(set)), Err)
        }
    }
}

fn split(path: &Path) -> Result<(&Path, &std::ffi::OsStr), ControlError> {
    path.parent().zip(path.file_name()).ok_or_else(|| {
        at(path, ParseError::with(Errno::EINVAL, "the path has no file name", "give the path of a file"))
    })
}
