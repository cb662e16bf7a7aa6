//! The profiles that are in force: read from their files, read again as a whole or not at all.

use std::sync::{Arc, PoisonError, RwLock};

use crate::abi::error::Explain;
use crate::abi::profile::Profile;
use crate::engine::ProfileHook;
use crate::policy::profile::Fault;

use super::files::{Folders, Profiles};

/// Profiles in force.
#[derive(Debug)]
pub struct Live {
    folders: Folders,
    standing: RwLock<Arc<Profiles>>,
}

impl Live {
    /// Reads the profiles of these folders. One with a fault is not there, so no helper runs with it. Returns the faults too,
    /// as sentences.
    pub fn load(folders: Folders) -> (Self, Vec<String>) {
        let (standing, faults) = match read(&folders) {
            Ok(all) => {
                let faults = all.faults.iter().map(Fault::whole).collect();
                (all, faults)
            }
            Err(why) => (Profiles::default(), vec![why]),
        };
        (Self { folders, standing: RwLock::new(Arc::new(standing)) }, faults)
    }

    /// The profile of this name.
    pub fn get(&self, name: &str) -> Option<Arc<Profile>> {
        self.profiles().get(name).cloned()
    }

    /// Those that are in force now.
    pub fn profiles(&self) -> Arc<Profiles> {
        self.standing.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What an engine's builder takes, and who answers the shim.
    pub fn hook(self: &Arc<Self>) -> ProfileHook {
        let live = self.clone();
        Arc::new(move |name| live.get(name))
    }

    /// Reads them again. With a fault in one of them all the old ones stay. Returns how many there are now; `None` if they
    /// are the same.
    ///
    /// # Errors
    /// A sentence for each fault; or the one for the file or folder that another user could change, or that cannot be read.
    pub fn reload(&self) -> Result<Option<usize>, Vec<String>> {
        let all = read(&self.folders).map_err(|why| vec![why])?;
        if !all.faults.is_empty() {
            return Err(all.faults.iter().map(Fault::whole).collect());
        }
        let mut standing = self.standing.write().unwrap_or_else(PoisonError::into_inner);
        let count = (standing.all != all.all).then_some(all.all.len());
        *standing = Arc::new(all);
        Ok(count)
    }
}

fn read(folders: &Folders) -> Result<Profiles, String> {
    folders.profiles().map_err(|error| error.whole())
}

/// What the builder of an engine takes that reads the files whenever a helper needs a profile, so that a change is in force
/// at once.
pub fn hook(folders: Folders) -> ProfileHook {
    Arc::new(move |name| folders.profiles().ok()?.get(name).cloned())
}
