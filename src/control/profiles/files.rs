//! The files of profiles: `*.profile` of a few folders, each a profile of its own.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User};

use crate::abi::cap::CapMask;
use crate::abi::error::{ControlError, ParseError};
use crate::abi::escape::screen;
use crate::abi::profile::Profile;
use crate::control::config::files;
use crate::policy::profile::{Fault, Names, parse};
use crate::policy::rules::Source;
use crate::sys::host::Host;
use crate::sys::linux::LinuxHost;
use crate::sys::linux::whole_file::read;

/// Where profiles are; a name that is in several folders is read from the first.
const FOLDERS: [&str; 3] = ["/etc/khelper.d/profiles.d", "/run/khelper.d/profiles.d", "/usr/lib/khelper.d/profiles.d"];
/// The ending of a file's name.
const ENDING: &[u8] = b".profile";
/// The largest file that is read.
const MOST: u64 = 1 << 20;

/// The folders of profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders(Vec<PathBuf>);

impl Default for Folders {
    /// Those of the system.
    fn default() -> Self {
        Self(FOLDERS.iter().map(PathBuf::from).collect())
    }
}

/// Profiles, each read whole or not at all.
#[derive(Clone, Debug, Default)]
pub struct Profiles {
    /// Those without a fault, by their names.
    pub all: Vec<Arc<Profile>>,
    /// The faults of the others.
    pub faults: Vec<Fault>,
}

impl Profiles {
    /// The profile of this name. A profile with a fault is not there, so that nothing runs with a part of it.
    pub fn get(&self, name: &str) -> Option<&Arc<Profile>> {
        self.all.iter().find(|profile| *profile.name == *name)
    }

    /// Reads files.
    pub fn parse(files: &[Source]) -> Self {
        let known = LinuxHost::new().known();
        let mut profiles = Self::default();
        for file in files {
            match one(file, known) {
                Ok(profile) => profiles.all.push(Arc::new(profile)),
                Err(faults) => profiles.faults.extend(faults),
            }
        }
        profiles
    }
}

impl Folders {
    /// One folder in place of those of the system.
    pub fn only(folder: PathBuf) -> Self {
        Self(vec![folder])
    }

    /// Reads every file, in the order of their names. A link to /dev/null masks a file of later folders.
    ///
    /// # Errors
    /// `EPERM` if another user than root and this one could change a file, a folder or a parent of it: nothing is read
    /// then (AUTH-6); else the errno of the call that failed.
    pub fn read(&self) -> Result<Profiles, ControlError> {
        let files = files::read(&self.0, ENDING)?;
        let sources: Vec<Source> = files.into_iter().map(|file| source(&file.path, file.bytes)).collect();
        Ok(Profiles::parse(&sources))
    }
}

/// Reads one file, whatever its owner: to look at a profile that is not in force.
///
/// # Errors
/// The errno of the call that failed; `EINVAL` if it is no regular file, `EFBIG` over 1 MiB.
pub fn from_path(path: &Path) -> Result<Source, ControlError> {
    let failed = |errno: Errno| {
        let error = ParseError::with(errno, errno.desc(), "name a file of a profile");
        ControlError::Value { key: screen(path.as_os_str().as_bytes()), error }
    };
    read(path, MOST).map(|bytes| source(path, bytes)).map_err(failed)
}

fn source(path: &Path, text: Vec<u8>) -> Source {
    Source { path: screen(path.as_os_str().as_bytes()).into(), text }
}

/// One profile, with this machine's users and groups.
fn one(file: &Source, known: CapMask) -> Result<Profile, Vec<Fault>> {
    let number = |name: &str| name.parse::<u32>().ok().filter(|_| name.bytes().all(|b| b.is_ascii_digit()));
    let user = |name: &str| match number(name) {
        Some(uid) => {
            let entry = User::from_uid(Uid::from_raw(uid)).ok().flatten();
            Some((uid, entry.map(|user| user.gid.as_raw())))
        }
        None => User::from_name(name).ok().flatten().map(|user| (user.uid.as_raw(), Some(user.gid.as_raw()))),
    };
    let group = |name: &str| match number(name) {
        Some(gid) => Some(gid),
        None => Group::from_name(name).ok().flatten().map(|group: Group| Gid::as_raw(group.gid)),
    };
    parse(file, known, &Names { user: &user, group: &group })
}
