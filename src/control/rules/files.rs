//! The files of rules: `*.rules` of a few folders, by their names.

use std::path::Path;

use crate::abi::error::ControlError;
use crate::control::sources::{self, Kind, one};
use crate::policy::rules::Source;

/// Files of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleFiles;

impl Kind for RuleFiles {
    const FOLDERS: [&'static str; 3] =
        ["/etc/khelper.d/rules.d", "/run/khelper.d/rules.d", "/usr/lib/khelper.d/rules.d"];
    const ENDING: &'static str = ".rules";
    const ADVICE: &'static str = "name a file of rules, or a folder of files *.rules";
}

/// The folders of rules.
pub type Folders = sources::Folders<RuleFiles>;

/// Reads one file, or every file of a folder, whatever its owner: to look at rules that are not in force.
///
/// # Errors
/// As for [`sources::from_path`].
pub fn from_path(path: &Path) -> Result<Vec<Source>, ControlError> {
    sources::from_path::<RuleFiles>(path)
}

/// Reads one file that is to become rules.
///
/// # Errors
/// As for [`from_path`]; `EINVAL` for a folder, too.
pub fn to_import(path: &Path) -> Result<Source, ControlError> {
    one(path, "name a file of modprobe.d, or one with the name of a module on each line")
}
