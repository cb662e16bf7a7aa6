//! What an upgrade and a removal of the shim have done.

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

/// What an uninstallation found and did.
#[derive(Debug, Default)]
pub struct Removed {
    /// The change of the knob, if it still had our value.
    pub restored: Vec<Change>,
    /// The knob's value, which another has set.
    pub foreign: Option<Vec<u8>>,
    /// The line that kept the shim for the next start is gone, or has the value again that it had before.
    pub no_longer_kept: bool,
    /// Whether there was a shim, which is gone now.
    pub file: bool,
    /// There is a file of another's in the place of the shim, which was left.
    pub other_file: bool,
}
