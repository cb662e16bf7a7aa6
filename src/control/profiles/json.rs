//! Profiles as JSON: one object a line.

use serde_json::{Value, json};

use crate::abi::profile::{Calls, Part, Place, Profile};
use crate::control::record_json::V;
pub use crate::control::sources::fault;
use crate::policy::profile::{Remark, beyond_shim, remarks};

/// A remark of `profile check`.
pub fn remark(profile: &Profile, remark: &Remark) -> Value {
    json!({"v": V, "profile": &*profile.name, "file": &*profile.file, "remark": remark.to_string()})
}

/// A profile: what it sets, and what of it the shim cannot apply.
pub fn profile(profile: &Profile) -> Value {
    let part_names = |parts: &[Part]| parts.iter().map(|part| part.name()).collect::<Vec<_>>();
    let mask = super::text::mask;
    let places = |places: &[Place]| places.iter().map(|p| p.path.to_string_lossy().into_owned()).collect::<Vec<_>>();
    let (calls, allowed) = match &profile.calls {
        Some(Calls::Allowed(calls)) => (Some(calls.len()), true),
        Some(Calls::Denied(calls)) => (Some(calls.len()), false),
        None => (None, false),
    };
    json!({"v": V, "profile": &*profile.name, "file": &*profile.file,
        "sets": part_names(&profile.parts().collect::<Vec<_>>()), "not_by_shim": part_names(&beyond_shim(profile)),
        "uid": profile.user.map(|ids| ids.uid), "gid": profile.user.map(|ids| ids.gid),
        "bounding": profile.sets.map(|sets| mask(sets.bounding)),
        "inheritable": profile.sets.map(|sets| mask(sets.inheritable)),
        "permitted": profile.sets.map(|sets| mask(sets.permitted)),
        "ambient": profile.sets.map(|sets| mask(sets.ambient)), "no_new_privs": profile.no_new_privs,
        "read": profile.paths.as_ref().map(|paths| places(&paths.read)),
        "write": profile.paths.as_ref().map(|paths| places(&paths.write)),
        "execute": profile.paths.as_ref().map(|paths| places(&paths.execute)),
        "allowed_calls": calls.filter(|_| allowed), "denied_calls": calls.filter(|_| !allowed),
        "rlimits": profile.rlimits.len(), "cgroup": profile.cgroup, "read_only_root": profile.read_only_root,
        "remarks": remarks(profile).iter().map(ToString::to_string).collect::<Vec<_>>()})
}
