//! An upgrade of khelper brings another shim, which takes the place of the installed one.

use crate::abi::error::ControlError;

use super::outcome::Refreshed;
use super::program::{Release, program, release, settings};
use super::{Shim, words};

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
