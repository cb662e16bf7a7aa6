//! What a profile does not do, although its reader may think so.

use std::fmt;

use crate::abi::cap::{CapMask, Capability};
use crate::abi::profile::{Part, Profile};

use super::answer::beyond_shim;

/// Capabilities with which a helper leaves every confinement, by their bits: SYS_CHROOT, SYS_PTRACE, SYS_ADMIN.
const WAYS_OUT: [u8; 3] = [18, 19, 21];
/// DAC_READ_SEARCH, and DAC_OVERRIDE, which includes it.
const READ_ALL: [u8; 2] = [1, 2];

/// Something that the author of a profile should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// It has no user, no paths and no read-only root: a helper of uid 0 stays root.
    StaysRoot,
    /// It keeps capabilities with which a helper of uid 0 leaves the confinement.
    WaysOut(CapMask),
    /// The shim cannot apply this part: helpers of this machine's kernel with this profile do not run.
    BeyondShim(Part),
    /// modprobe would read no file that only root may read, and go on without it.
    UnreadConfiguration,
    /// `install` lines of modprobe.d that do more than load modules run with these powers too.
    InstallLines,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StaysRoot => f.write_str(
                "confines nothing that root owns: no user, no paths and no read-only root, so a helper of uid 0 can \
                 rewrite root's files and with them become all-powerful again, whatever capabilities it lacks",
            ),
            Self::WaysOut(caps) => {
                let names: Vec<String> = caps.iter().map(Capability::name).collect();
                write!(f, "keeps {}: with one of them a helper can leave what confines it", names.join(" "))
            }
            Self::BeyondShim(part) => write!(
                f,
                "{} cannot be applied by the shim, which needs 6 open files for a profile with paths: helpers of this \
                 machine's kernel with this profile do not run",
                part.name()
            ),
            Self::UnreadConfiguration => f.write_str(
                "another user without cap_dac_read_search: a helper does not see files that only root may read; modprobe \
                 passes over such files of modprobe.d, without a message",
            ),
            Self::InstallLines => f.write_str(
                "loads modules: `install` lines of modprobe.d run as this user and with these powers, and one that does \
                 more than load fails",
            ),
        }
    }
}

/// What there is to say about a profile.
pub fn remarks(profile: &Profile) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let other_user = profile.user.is_some_and(|ids| ids.uid != 0);
    if !other_user && profile.paths.is_none() && !profile.read_only_root {
        remarks.push(Remark::StaysRoot);
    }
    let of = |bits: &[u8]| -> CapMask { bits.iter().filter_map(|bit| Capability::from_bit(*bit)).collect() };
    // Another user has the ambient set; root has what the bounding set keeps.
    let kept = match profile.sets {
        Some(sets) if other_user => sets.ambient,
        None if other_user => CapMask::EMPTY,
        Some(sets) => sets.bounding,
        None => !CapMask::EMPTY,
    };
    let ways_out = kept & of(&WAYS_OUT);
    if !ways_out.is_empty() {
        remarks.push(Remark::WaysOut(ways_out));
    }
    if other_user && (kept & of(&READ_ALL)).is_empty() {
        remarks.push(Remark::UnreadConfiguration);
    }
    if kept.has(Capability::SYS_MODULE) && profile.parts().next().is_some() {
        remarks.push(Remark::InstallLines);
    }
    remarks.extend(beyond_shim(profile).into_iter().map(Remark::BeyondShim));
    remarks
}
