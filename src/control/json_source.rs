//! What every JSON object begins with: the version, the target and its run.

use crate::control::target_info::{RunId, TargetInfo};

/// The version of every JSON object that khelper prints.
pub const V: u8 = 1;

/// Where a record comes from: the target and its run, as JSON names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub(super) target: String,
    pub(super) run: String,
}

impl Source {
    /// The source of records that were made in this run.
    pub fn new(target: &str, run: RunId) -> Self {
        Self { target: target.to_owned(), run: run.to_string() }
    }

    /// The source of a target's records.
    pub fn of(info: &TargetInfo) -> Self {
        Self::new(info.short_name(), info.run)
    }
}
