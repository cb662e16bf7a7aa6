//! The shim is taken away: what still has our value is put back, and the rest is named.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::abi::error::ControlError;
use crate::abi::knob::Key;
use crate::abi::knob_value::KnobValue;

use super::outcome::Removed;
use super::program::Settings;
use super::there::There;
use super::{Command, FILE, Folder, Shim, ask, words};

impl Shim {
    /// Puts the knob and the line for the next start back, if they still name the shim, and then removes the file. What it
    /// did is in `removed`, also where it fails.
    ///
    /// # Errors
    /// `ENOENT` if the knob names a shim whose file is lost, or that this khelper cannot read or trust: what it replaced is
    /// not known. `EBUSY` if a file of sysctl.d(5) would name the shim at the next start. Else as for the knob and the
    /// files; the shim stays as long as something names it.
    pub fn uninstall(&self, removed: &mut Removed) -> Result<(), ControlError> {
        let own = Self::own();
        let (there, before) = (self.there()?, self.modprobe()?);
        let replaced = match &there {
            There::Shim(settings, _) => Some(settings),
            There::Nothing | There::Other(_) => None,
        };
        match (before == own, &there) {
            // Forced: the program that it replaced may be gone by now, which is a warning.
            (true, There::Shim(settings, _)) => {
                removed.restored = self.write(Self::to(settings.modprobe.clone(), true, false))?;
            }
            (true, There::Nothing) => return Err(words::lost(&own, "no shim is there")),
            (true, There::Other(what)) => return Err(words::lost(&own, what)),
            (false, There::Shim(settings, _)) if settings.modprobe == before => removed.as_before = Some(before),
            (false, There::Shim(..)) => removed.foreign = Some(before),
            (false, There::Nothing | There::Other(_)) => {}
        }
        self.unkeep(&own, replaced, removed)?;
        if let Some(line) = self.knobs.set_at_boot(Key::Modprobe, &KnobValue::Path(own.into())) {
            return Err(words::named_at_boot(&line));
        }
        match there {
            There::Shim(..) => {
                self.remove()?;
                removed.file = true;
            }
            There::Nothing => {}
            There::Other(what) => removed.other_file = Some(what),
        }
        removed.beside = self.tidy();
        Ok(())
    }

    /// The line of our own file for the next start.
    fn unkeep(&self, own: &[u8], replaced: Option<&Settings>, removed: &mut Removed) -> Result<(), ControlError> {
        match self.knobs.kept(Key::Modprobe) {
            Some(KnobValue::Path(path)) if *path == *own => {
                match replaced.filter(|settings| settings.kept) {
                    // The kernel has this value already, or another that is not ours to change.
                    Some(settings) => {
                        let before = KnobValue::Path(settings.modprobe.clone().into());
                        self.knobs.keep_alone(Key::Modprobe, &before)?;
                    }
                    None => drop(ask(&self.kernel, &self.actor, Command::Unpersist(vec![Key::Modprobe]))?),
                }
                removed.no_longer_kept = true;
            }
            Some(KnobValue::Path(path)) if replaced.is_some_and(|settings| *settings.modprobe != *path) => {
                removed.kept_by_another = Some(path.to_vec());
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn remove(&self) -> Result<(), ControlError> {
        let file = self.folder().join(FILE);
        std::fs::remove_file(&file).map_err(|e| words::stays(&file, &e))?;
        self.tidy();
        Ok(())
    }

    /// Removes what an installation that was killed has left, and the folder. Returns the other files, for which it stays.
    fn tidy(&self) -> Vec<OsString> {
        // Nothing is removed from a folder that another user could exchange.
        let Ok(Some(folder)) = Folder::open(&self.folder()) else { return Vec::new() };
        let names = || {
            folder
                .names()
                .unwrap_or_default()
                .into_iter()
                .filter(|name| ![".", "..", FILE].map(OsStr::new).contains(&&**name))
        };
        for name in names().filter(|name| is_half(name)) {
            // What stays is named.
            let _ = std::fs::remove_file(folder.path_of(&name));
        }
        match std::fs::remove_dir(self.folder()) {
            Ok(()) => Vec::new(),
            Err(_) => names().collect(),
        }
    }
}

/// Whether a name is that of a shim that has not been written to its end, see `Folder::replace_program`.
fn is_half(name: &OsStr) -> bool {
    let rest = name.as_bytes().strip_prefix(format!(".{FILE}.").as_bytes());
    rest.is_some_and(|rest| rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-'))
}
