//! The sentences about profiles.

use crate::abi::cap::{CAPABILITIES, CapMask};
use crate::abi::escape::screen;
use crate::abi::mask::names;
use crate::abi::profile::{Calls, Place, Profile};
use crate::policy::profile::Remark;

/// A set by its names; `full` if it has every capability that has one.
pub(super) fn mask(set: CapMask) -> String {
    let known: CapMask = (!CapMask::EMPTY).iter().take(CAPABILITIES.len()).collect();
    names(if set.contains(known) { known } else { set }, known)
}

/// A remark of `profile check`, with the file.
pub fn remark(profile: &Profile, remark: &Remark) -> String {
    format!("{}: {remark}", profile.file)
}

/// A line of `profile list`: the name, what it sets, its file.
pub fn listed(profile: &Profile) -> String {
    let parts: Vec<&str> = profile.parts().map(|part| part.name()).collect();
    let parts = if parts.is_empty() { "nothing".to_owned() } else { parts.join(" ") };
    format!("{}: {parts} ({})", profile.name, profile.file)
}

/// What a profile sets, a line each, in the order in which it is applied.
pub fn shown(profile: &Profile) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |key: &str, value: String| lines.push(format!("{key:<15} {value}"));
    add("profile", format!("{} ({})", profile.name, profile.file));
    if let Some(cgroup) = &profile.cgroup {
        add("cgroup", format!("one of its own below {}", screen(cgroup.as_os_str().as_encoded_bytes())));
    }
    if profile.read_only_root {
        add("read_only_root", "every file system is read-only".to_owned());
    }
    for limit in &profile.rlimits {
        let number = |n: u64| if n == u64::MAX { "unlimited".to_owned() } else { n.to_string() };
        let name = crate::policy::profile::limit_name(limit.resource);
        add(&format!("rlimit.{name}"), format!("{}:{}", number(limit.soft), number(limit.hard)));
    }
    if profile.no_new_privs {
        add("no_new_privs", "yes".to_owned());
    }
    if let Some(paths) = &profile.paths {
        for (key, places) in [("read", &paths.read), ("write", &paths.write), ("execute", &paths.execute)] {
            add(key, if places.is_empty() { "nothing".to_owned() } else { list(places) });
        }
    }
    if let Some(ids) = profile.user {
        add("user", format!("{}, group {}", ids.uid, ids.gid));
    }
    if let Some(sets) = profile.sets {
        let all = [
            ("bounding", sets.bounding),
            ("inheritable", sets.inheritable),
            ("permitted", sets.permitted),
            ("ambient", sets.ambient),
        ];
        all.into_iter().for_each(|(key, set)| add(key, mask(set)));
    }
    match &profile.calls {
        Some(Calls::Allowed(calls)) => add("seccomp", format!("{} system calls are allowed", calls.len())),
        Some(Calls::Denied(calls)) => add("seccomp", format!("{} system calls are denied", calls.len())),
        None => {}
    }
    lines
}

fn list(places: &[Place]) -> String {
    let one = |place: &Place| format!("{}{}", if place.may_lack { "-" } else { "" }, screen(place.path.as_bytes()));
    places.iter().map(one).collect::<Vec<_>>().join(" ")
}
