//! The files of profiles: `*.profile` of a few folders, each a profile of its own, and those that khelper has itself.

use std::path::Path;
use std::sync::Arc;

use nix::unistd::{Gid, Group, Uid, User};

use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::profile::Profile;
use crate::control::sources::{self, Kind};
use crate::policy::profile::{Fault, Names, parse};
use crate::policy::rules::Source;
use crate::sys::host::Host;
use crate::sys::linux::LinuxHost;

/// Files of profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileFiles;

impl Kind for ProfileFiles {
    const FOLDERS: [&'static str; 3] =
        ["/etc/khelper.d/profiles.d", "/run/khelper.d/profiles.d", "/usr/lib/khelper.d/profiles.d"];
    const ENDING: &'static str = ".profile";
    const ADVICE: &'static str = "name a file of a profile, or a folder of files *.profile";
}

/// The folders of profiles.
pub type Folders = sources::Folders<ProfileFiles>;

/// The profiles of khelper itself. A file of the same name in a folder comes before one of them, and a link to /dev/null
/// masks it.
const BUILT_IN: [(&str, &str); 3] = [
    ("cores.profile", include_str!("../../../assets/profiles/cores.profile")),
    ("keys.profile", include_str!("../../../assets/profiles/keys.profile")),
    ("modprobe.profile", include_str!("../../../assets/profiles/modprobe.profile")),
];

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
    /// Reads every profile, in the order of their names. A link to /dev/null masks a file of later folders.
    ///
    /// # Errors
    /// As for [`sources::Folders::named`].
    pub fn profiles(&self) -> Result<Profiles, ControlError> {
        let mut files = self.named()?;
        for (name, text) in BUILT_IN {
            let own = || Some(Source { path: format!("built in/{name}").into(), text: text.into() });
            files.entry(name.into()).or_insert_with(own);
        }
        let files: Vec<Source> = files.into_values().flatten().collect();
        Ok(Profiles::parse(&files))
    }

    /// The names of the profiles, for completion: none if a file cannot be read.
    pub fn names(&self) -> Vec<String> {
        let all = self.profiles().map(|profiles| profiles.all).unwrap_or_default();
        all.iter().map(|profile| profile.name.to_string()).collect()
    }
}

/// Reads one file, or every file of a folder, whatever its owner: to look at profiles that are not in force.
///
/// # Errors
/// As for [`sources::from_path`].
pub fn from_path(path: &Path) -> Result<Vec<Source>, ControlError> {
    sources::from_path::<ProfileFiles>(path)
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
