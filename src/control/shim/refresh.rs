//! An upgrade of khelper brings another shim, which takes the place of the installed one.

use crate::abi::error::ControlError;

use super::program::{Release, program, release, settings};
use super::{Shim, words};

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

impl Shim {
    /// Replaces an installed shim by this khelper's, with the settings that it has. The knob is not touched.
    ///
    /// # Errors
    /// As for an installation; the old shim is in its place then.
    pub fn refresh(&self) -> Result<Refreshed, ControlError> {
        let Some(bytes) = self.file()? else { return Ok(Refreshed::Absent) };
        let (Some(of), settings) = (release(&bytes), settings(&bytes)) else { return Ok(Refreshed::Foreign) };
        if of > Release::own() {
            return Ok(Refreshed::Newer(of));
        }
        let Some(settings) = settings else { return Ok(Refreshed::Foreign) };
        let ours = program(&settings).ok_or_else(words::no_shim)?;
        if ours == bytes {
            return Ok(Refreshed::Current);
        }
        self.put(&ours, Some(&bytes))?;
        Ok(Refreshed::Replaced(of))
    }
}
