//! What the shim is told of a profile.

use crate::abi::profile::{Part, Profile};
use crate::abi::verdict::{ALLOW, Answer, IDS, LANDLOCK, NO_NEW_PRIVS, READ_ONLY_ROOT, SECCOMP, SETS};

use super::words::limit_name;

/// The least number of files that the shim needs open to take a ruleset: its standard files, the socket, the ruleset.
const FILES: u64 = 6;

/// The answer that makes the shim apply a profile. With [`LANDLOCK`] the ruleset has to go with it, with [`SECCOMP`] the
/// filter. Limits and the cgroup are set by who answers.
pub fn answer(profile: &Profile) -> Answer {
    let (ids, sets) = (profile.user, profile.sets);
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    let bits =
        |of: fn(&crate::abi::profile::Sets) -> crate::abi::cap::CapMask| sets.as_ref().map_or(0, |s| of(s).bits());
    Answer {
        flags: ALLOW
            | flag(profile.no_new_privs, NO_NEW_PRIVS)
            | flag(ids.is_some(), IDS)
            | flag(sets.is_some(), SETS)
            | flag(profile.paths.is_some(), LANDLOCK)
            | flag(profile.read_only_root, READ_ONLY_ROOT)
            | flag(profile.calls.is_some(), SECCOMP),
        uid: ids.map_or(0, |ids| ids.uid),
        gid: ids.map_or(0, |ids| ids.gid),
        bounding: bits(|s| s.bounding),
        inheritable: bits(|s| s.inheritable),
        permitted: bits(|s| s.permitted),
        ambient: bits(|s| s.ambient),
    }
}

/// What of a profile the shim cannot apply. A helper of the kernel with such a profile must not run: it would have more
/// powers than its profile gives it.
pub fn beyond_shim(profile: &Profile) -> Vec<Part> {
    let nofile = profile.rlimits.iter().find(|limit| limit_name(limit.resource) == "nofile");
    let too_few = profile.paths.is_some() && nofile.is_some_and(|limit| limit.soft < FILES);
    profile.parts().filter(|part| *part == Part::Rlimits && too_few).collect()
}
