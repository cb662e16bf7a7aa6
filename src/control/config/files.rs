//! Reads the configuration files in their order. A name that is in several folders is read from the first of them; a
//! link to /dev/null there masks it (sysctl.d(5)).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::abi::error::ControlError;
use crate::sys::linux::trust::{Contents, Folder};

use super::refused;

/// A configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path.
    pub path: PathBuf,
    /// Its text.
    pub bytes: Vec<u8>,
}

/// Files by their names; `None` for one that is masked.
pub(in crate::control) type Named = BTreeMap<OsString, Option<File>>;

/// Reads the files with this ending of all folders, in the order of their names whatever their folders. A folder that does
/// not exist is empty. Hidden files are passed over.
pub(super) fn read(folders: &[PathBuf], ending: &[u8]) -> Result<Vec<File>, ControlError> {
    Ok(named(folders, ending)?.into_values().flatten().collect())
}

/// The same by their names, with `None` for a name that is masked.
pub(in crate::control) fn named(folders: &[PathBuf], ending: &[u8]) -> Result<Named, ControlError> {
    let mut all = Named::new();
    for path in folders {
        let Some(folder) = Folder::open(path).map_err(|e| refused(&e))? else { continue };
        for name in folder.names().map_err(|e| refused(&e))? {
            let bytes = name.as_bytes();
            if !bytes.ends_with(ending) || bytes.starts_with(b".") || all.contains_key(&name) {
                continue;
            }
            let file = match folder.read(&name).map_err(|e| refused(&e))? {
                // It was removed in the meantime.
                Contents::Missing => continue,
                Contents::Masked => None,
                Contents::Bytes(bytes) => Some(File { path: folder.path_of(&name), bytes }),
            };
            all.insert(name, file);
        }
    }
    Ok(all)
}
