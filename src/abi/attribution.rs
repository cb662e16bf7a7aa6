//! Which systemd unit or container a thread belongs to, from its /proc/TID/cgroup. Only a path that the system manager
//! or a container runtime made by itself is believed: an ordinary user can make a cgroup of any name below the own ones.

use super::place::{Attribution, Place};

/// The digits of a container's id.
const ID: usize = 64;
/// What the kernel appends to the path of a cgroup that was removed.
const REMOVED: &[u8] = b" (deleted)";

impl Attribution {
    /// Reads the content of a cgroup file (cgroups(7)). `is_initial`: the reader is in the initial cgroup namespace;
    /// elsewhere paths are relative to an unknown cgroup, so nothing is believed.
    pub fn parse(cgroups: &[u8], is_initial: bool) -> Self {
        let path = path_of(cgroups);
        let path = path.strip_suffix(REMOVED).unwrap_or(path);
        let parts: Vec<&[u8]> = path.split(|b| *b == b'/').filter(|part| !part.is_empty()).collect();
        let is_trusted = is_initial && !parts.contains(&b"..".as_slice());
        if let Some((place, is_believed)) = container(&parts) {
            return Self { place, is_believed: is_trusted && is_believed };
        }
        let Some(last) = parts.iter().rposition(|part| is_unit(part)) else {
            return Self { place: Place::None, is_believed: is_trusted };
        };
        let above = &parts[..last];
        // Everything below a service or scope is in the hands of that unit, and everything below a user's slice of that
        // user; so the unit must be the last part, and have only slices of the system above it.
        let is_believed = last + 1 == parts.len()
            && (above.first() == Some(&b"system.slice".as_slice())
                || (above.is_empty() && parts[last] == b"init.scope"))
            && above.iter().all(|part| part.ends_with(b".slice") && !part.starts_with(b"user-"));
        Self { place: Place::Unit(parts[last].into()), is_believed: is_trusted && is_believed }
    }
}

/// The path in the unified hierarchy or, where that is not used, in systemd's own. No other hierarchy says anything
/// about units. The kernel refuses a cgroup with a newline in its name.
fn path_of(cgroups: &[u8]) -> &[u8] {
    let find = |prefix: &[u8]| cgroups.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(prefix));
    let systemd = || {
        cgroups.split(|b| *b == b'\n').find_map(|line| {
            let at = line.iter().position(|b| *b == b':')?;
            line[at..].strip_prefix(b":name=systemd:")
        })
    };
    match find(b"0::") {
        Some(path) if path != b"/" => path,
        unified => systemd().or(unified).unwrap_or_default(),
    }
}

fn is_unit(part: &[u8]) -> bool {
    let kinds: [&[u8]; 6] = [b".service", b".scope", b".socket", b".mount", b".swap", b".timer"];
    kinds.iter().any(|kind| part.len() > kind.len() && part.ends_with(kind))
}

/// The container of a path, and whether the path begins as its runtime makes it.
fn container(parts: &[&[u8]]) -> Option<(Place, bool)> {
    parts.iter().enumerate().find_map(|(at, part)| {
        let above = &parts[..at];
        let below = |slice: &[u8]| above.len() == 1 && above[0] == slice;
        let pods = above.first().is_some_and(|first| *first == b"kubepods.slice")
            && above.iter().all(|p| p.ends_with(b".slice"));
        let scope = |prefix: &[u8]| part.strip_prefix(prefix)?.strip_suffix(b".scope");
        let (runtime, id, is_believed) = if let Some(id) = scope(b"cri-containerd-") {
            ("cri-containerd", id, pods)
        } else if let Some(id) = scope(b"crio-") {
            ("crio", id, pods)
        } else if let Some(id) = scope(b"docker-") {
            ("docker", id, below(b"system.slice") || pods)
        } else if let Some(id) = scope(b"libpod-") {
            ("libpod", id, below(b"machine.slice"))
        } else if let Some(id) = scope(b"machine-") {
            return Some((Place::Container { runtime: "machine".into(), id: id.into() }, below(b"machine.slice")));
        } else if let Some(id) = part.strip_prefix(b"lxc.payload.".as_slice()) {
            return Some((Place::Container { runtime: "lxc".into(), id: id.into() }, at == 0));
        } else if above.last() == Some(&b"docker".as_slice()) {
            ("docker", *part, at == 1)
        } else if above.first() == Some(&b"kubepods".as_slice())
            && above.last().is_some_and(|pod| pod.starts_with(b"pod"))
        {
            ("kubepods", *part, matches!(at, 2 | 3))
        } else {
            return None;
        };
        let is_id = id.len() == ID && id.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_id.then(|| (Place::Container { runtime: runtime.into(), id: id.into() }, is_believed))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(path: &str) -> String {
        Attribution::parse(format!("4:memory:/x.service\n0::{path}\n").as_bytes(), true).to_string()
    }

    #[test]
    fn only_a_path_of_the_system_manager_is_believed() {
        for (path, words) in [
            ("/system.slice/cron.service", "unit cron.service"),
            ("/system.slice/system-getty.slice/getty@tty1.service", "unit getty@tty1.service"),
            ("/system.slice/cron.service (deleted)", "unit cron.service"),
            ("/init.scope", "unit init.scope"),
            ("/", "no unit"),
            ("/system.slice", "no unit"),
            ("/cron.service", "claims unit cron.service"),
            ("/system.slice/a/cron.service", "claims unit cron.service"),
            ("/system.slice/docker.service/cron.service", "claims unit cron.service"),
            ("/system.slice/cron.service/below", "claims unit cron.service"),
            ("/user.slice/user-1000.slice/session-3.scope", "claims unit session-3.scope"),
            ("/user.slice/user-1000.slice/user@1000.service/system.slice/cron.service", "claims unit cron.service"),
            ("/../system.slice/cron.service", "claims unit cron.service"),
            ("/system.slice/\u{1b}[2J.service", "unit \\x1b[2J.service"),
        ] {
            assert_eq!(said(path), words, "{path}");
        }
        let elsewhere = Attribution::parse(b"0::/system.slice/cron.service\n", false);
        assert_eq!(elsewhere.to_string(), "claims unit cron.service");
        let hybrid = Attribution::parse(b"9:name=systemd:/system.slice/a.service\n0::/\n", true);
        assert_eq!(hybrid.to_string(), "unit a.service");
        let other = Attribution::parse(b"9:name=mine:/system.slice/a.service\n0::/\n", true);
        assert_eq!(other.to_string(), "no unit");
    }

    #[test]
    fn a_container_is_believed_by_the_path_of_its_runtime() {
        let id = "0123456789abcdef".repeat(4);
        let pod = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice";
        for (path, words) in [
            (format!("{pod}/cri-containerd-{id}.scope"), format!("container cri-containerd {id}")),
            (
                format!("{pod}/cri-containerd-{id}.scope/system.slice/cron.service"),
                format!("container cri-containerd {id}"),
            ),
            (format!("{pod}/crio-{id}.scope"), format!("container crio {id}")),
            (format!("/kubepods/burstable/pod1/{id}"), format!("container kubepods {id}")),
            (format!("/docker/{id}"), format!("container docker {id}")),
            (format!("/system.slice/docker-{id}.scope"), format!("container docker {id}")),
            (format!("/machine.slice/libpod-{id}.scope"), format!("container libpod {id}")),
            ("/machine.slice/machine-web.scope".to_owned(), "container machine web".to_owned()),
            ("/lxc.payload.web/init.scope".to_owned(), "container lxc web".to_owned()),
            (format!("/user.slice/user-7.slice/libpod-{id}.scope"), format!("claims container libpod {id}")),
            (format!("/user.slice/kubepods.slice/crio-{id}.scope"), format!("claims container crio {id}")),
            (format!("/x/docker/{id}"), format!("claims container docker {id}")),
            (format!("/system.slice/docker-{}.scope", &id[1..]), format!("unit docker-{}.scope", &id[1..])),
        ] {
            assert_eq!(said(&path), words, "{path}");
        }
    }

    proptest! {
        #[test]
        fn nothing_below_a_users_slice_is_ever_believed(tail in "[a-z./-]{0,30}(/[a-z.-]{1,10}\\.(service|scope|slice)){0,3}", bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let text = format!("0::/user.slice/user-1000.slice/{tail}\n");
            let of = Attribution::parse(text.as_bytes(), true);
            prop_assert!(of.place == Place::None || !of.is_believed, "{of}");
            prop_assert!(!Attribution::parse(&bytes, true).to_string().chars().any(char::is_control));
        }
    }
}
