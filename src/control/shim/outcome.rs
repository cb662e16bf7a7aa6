//! What an upgrade and a removal of the shim have done.

use std::ffi::OsString;

use crate::abi::knob_value::Change;

use super::program::Release;

/// What became of the installed shim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// None is installed.
    Absent,
    /// It is this khelper's already.
    Current,
    /// It was this khelper's, and has been replaced. Its settings are the same.
    Replaced(Release),
    /// It is a newer khelper's, and has been left.
    Newer(Release),
    /// The file is no shim of khelper's, and has been left.
    Foreign,
}

/// What an uninstallation found and did, also where it then failed.
#[derive(Debug, Default)]
pub struct Removed {
    /// The change of the knob, if it still had our value.
    pub restored: Vec<Change>,
    /// The knob has the value already that the shim replaced.
    pub as_before: Option<Vec<u8>>,
    /// The knob's value, which another has set.
    pub foreign: Option<Vec<u8>>,
    /// The line that kept the shim for the next start is gone, or has the value again that it had before.
    pub no_longer_kept: bool,
    /// What our file keeps for the next start and is not ours.
    pub kept_by_another: Option<Vec<u8>>,
    /// Whether there was a shim, which is gone now.
    pub file: bool,
    /// What is in the place of the shim and is none; it was left.
    pub other_file: Option<String>,
    /// Other files in the folder of the shim, for which it stays.
    pub beside: Vec<OsString>,
}
