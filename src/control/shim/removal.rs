//! The shim is taken away: what still has our value is put back, and the rest is named.

use crate::abi::error::ControlError;
use crate::abi::knob::Key;
use crate::abi::knob_value::KnobValue;

use super::outcome::Removed;
use super::{Command, FILE, Release, Shim, ask, program, words};

impl Shim {
    /// Puts the knob and the line for the next start back, if they still name the shim, and then removes the file.
    ///
    /// # Errors
    /// `ENOENT` if the knob names a shim whose file is lost, or that this khelper cannot read: what it replaced is not
    /// known. `EBUSY` if a file of sysctl.d(5) would name the shim at the next start. Else as for the knob and the files;
    /// the shim stays as long as something names it.
    pub fn uninstall(&self) -> Result<Removed, ControlError> {
        let own = Self::own();
        let (file, before) = (self.file()?, self.modprobe()?);
        let of: Option<Release> = file.as_deref().and_then(program::release);
        let installed = file.as_deref().and_then(program::settings);
        let mut removed = Removed::default();
        if before == own {
            let Some(settings) = &installed else { return Err(words::lost(&own, of)) };
            // Forced: the program that it replaced may be gone by now, which is a warning.
            removed.restored = self.write(Self::to(settings.modprobe.clone(), true, false))?;
        } else if installed.is_some() {
            removed.foreign = Some(before);
        }
        let ours = KnobValue::Path(own.into());
        if self.knobs.kept(Key::Modprobe).as_ref() == Some(&ours) {
            match installed.as_ref().filter(|settings| settings.kept) {
                Some(settings) => self.keep_again(settings.modprobe.clone())?,
                None => drop(ask(&self.kernel, &self.actor, Command::Unpersist(vec![Key::Modprobe]))?),
            }
            removed.no_longer_kept = true;
        }
        if let Some(line) = self.knobs.set_at_boot(Key::Modprobe, &ours) {
            return Err(words::named_at_boot(&line));
        }
        match (installed, file) {
            (Some(_), _) => {
                self.remove()?;
                removed.file = true;
            }
            (None, file) => removed.other_file = file.is_some(),
        }
        Ok(removed)
    }

    /// Keeps the path that was kept before the shim.
    fn keep_again(&self, modprobe: Vec<u8>) -> Result<(), ControlError> {
        // The kernel has this value already, or another that is not ours to change.
        self.knobs.keep_alone(Key::Modprobe, &KnobValue::Path(modprobe.into()))
    }

    pub(super) fn remove(&self) -> Result<(), ControlError> {
        let folder = self.folder();
        std::fs::remove_file(folder.join(FILE)).map_err(|e| words::stays(&folder.join(FILE), &e))?;
        // Another file of an administrator's may be in it.
        let _ = std::fs::remove_dir(&folder);
        Ok(())
    }
}
