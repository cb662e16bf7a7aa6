//! What is in the place of the shim.

use std::ffi::OsStr;

use nix::errno::Errno;

use crate::abi::error::ControlError;

use super::program::{self, Settings};
use super::{Contents, FILE, Folder, Shim, Untrusted, untrusted, words};

/// What is at the path of the shim.
pub(super) enum There {
    Nothing,
    /// Its settings, and the whole file.
    Shim(Settings, Vec<u8>),
    /// No shim that this khelper can read, or one that another user could change: what it is.
    Other(String),
}

impl Shim {
    /// What is there now.
    ///
    /// # Errors
    /// As for the folder and the file, but for a file that is not to be trusted.
    pub(super) fn there(&self) -> Result<There, ControlError> {
        let read = Folder::open(&self.folder()).and_then(|folder| match folder {
            Some(folder) => folder.read(OsStr::new(FILE)),
            None => Ok(Contents::Missing),
        });
        Ok(match read {
            Ok(Contents::Missing) => There::Nothing,
            Ok(Contents::Masked) => There::Other("a link to /dev/null is there".to_owned()),
            Ok(Contents::Bytes(bytes)) => match program::settings(&bytes) {
                Some(settings) => There::Shim(settings, bytes),
                None => There::Other(words::unreadable(program::release(&bytes))),
            },
            Err(refused @ Untrusted { errno: Errno::EPERM | Errno::EFBIG | Errno::ENOTDIR, .. }) => {
                There::Other(words::refused(&refused))
            }
            Err(error) => return Err(untrusted(&error)),
        })
    }
}
