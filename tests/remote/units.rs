//! The systemd unit of a requester, by its cgroup: it is in the record, in the ledger and in what is printed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use khelper::control::ledger_view::{What, Which, WhyRequest};
use khelper::control::{self, Key, Reply};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::daemon::Daemon;
use crate::{Ran, khelper};

/// systemd's hierarchy of cgroups of version 1, where no systemd runs; removed at the end.
struct Hierarchy(tempfile::TempDir);

impl Hierarchy {
    /// `None` where it is systemd's own, or where this user may not mount.
    fn new() -> Option<Self> {
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        if !nix::unistd::geteuid().is_root() || own.lines().any(|line| line.starts_with("0::/") && line != "0::/") {
            return None;
        }
        if own.lines().any(|line| line.contains(":name=systemd:/") && !line.ends_with(":/")) {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("khelper-units-").tempdir().unwrap();
        let options = Some("none,name=systemd");
        mount(Some("none"), folder.path(), Some("cgroup"), MsFlags::empty(), options).ok()?;
        Some(Self(folder))
    }

    fn cgroup(&self, path: &str) -> PathBuf {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Hierarchy {
    fn drop(&mut self) {
        // A cgroup that is in use stays; the hierarchy then stays too, until the machine ends.
        let mut paths: Vec<PathBuf> = vec![];
        fn below(path: &Path, all: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    below(&entry.path(), all);
                    all.push(entry.path());
                }
            }
        }
        below(self.0.path(), &mut paths);
        let mine = std::process::id().to_string();
        paths
            .iter()
            .filter(|path| path.to_string_lossy().contains(&mine))
            .for_each(|path| _ = std::fs::remove_dir(path));
        let _ = umount2(self.0.path(), MntFlags::MNT_DETACH);
    }
}

/// khelper, in this cgroup.
fn inside(cgroup: &Path, daemon: &Daemon, args: &[&str]) -> Ran {
    let enter = format!("echo $$ >{}/cgroup.procs && exec \"$0\" \"$@\"", cgroup.display());
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(enter).arg(env!("CARGO_BIN_EXE_khelper")).args(["--target", &daemon.target()]);
    command.args(args).stdin(Stdio::null()).output().unwrap().into()
}

/// Waits until the ledger has the end of this request.
fn written(daemon: &Daemon, id: u64) {
    loop {
        let Reply::Why(told) = daemon.ask(&control::Command::Why(WhyRequest { which: Which::Id(id), of: None })) else {
            panic!()
        };
        if told.line.is_some_and(|line| matches!(line.what, What::Ended(_))) {
            return;
        }
    }
}

#[test]
fn auth_5_a_requester_has_the_unit_of_its_cgroup_and_a_claim_is_no_unit() {
    let daemon = Daemon::start();
    daemon.set(Key::Modprobe, b"/bin/true");
    let target = daemon.target();
    // Wherever this test runs, a requester belongs where this process does.
    let record = khelper(&target, &["request", "--json", "own"]).exits(0).record();
    let own = control::actor(khelper::abi::actor::Origin::Library).place;
    let (unit, container, claims) = own.as_ref().map(|place| place.named()).unwrap_or_default();
    let requester = &record["requester"];
    assert_eq!((requester["unit"].as_str(), requester["claims"].as_str()), (unit.as_deref(), claims.as_deref()));
    assert_eq!(requester["container"].as_str(), container.as_deref());
    let Some(hierarchy) = Hierarchy::new() else { return };
    let unit = format!("khelper-{}.service", std::process::id());
    let (believed, claimed) =
        (hierarchy.cgroup(&format!("system.slice/{unit}")), hierarchy.cgroup(&format!("user.slice/{unit}")));
    let of =
        |cgroup: &Path| inside(cgroup, &daemon, &["request", "--json", "x"]).exits(0).record()["requester"].clone();
    let requester = of(&believed);
    assert_eq!((&requester["unit"], requester["claims"].is_null()), (&unit.as_str().into(), true), "{requester}");
    let requester = of(&claimed);
    assert_eq!((requester["unit"].is_null(), &requester["claims"]), (true, &unit.as_str().into()), "{requester}");
    let id = inside(&believed, &daemon, &["run", "--json", "--wait", "exec", "--", "/bin/sleep", "1000"])
        .exits(0)
        .record()["id"]
        .clone();
    let ps = khelper(&target, &["ps"]);
    assert!(ps.exits(0).out.contains(&format!(" uid 0, unit {unit}\n")), "{}", ps.out);
    khelper(&target, &["kill", "-s", "KILL", &id.to_string()]).exits(0);
    (1..=4).for_each(|id| written(&daemon, id));
    let log = khelper(&target, &["log", "--unit", &unit]);
    let ids: Vec<&str> = log.exits(0).out.lines().map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(ids, ["#2", "#4"], "{}", log.out);
    assert!(log.out.lines().all(|line| line.ends_with(&format!(" uid 0, unit {unit}"))), "{}", log.out);
    assert_eq!(khelper(&target, &["log", "--unit", "other.service"]).exits(0).out, "");
    let why = khelper(&target, &["why", "#3"]);
    assert!(why.exits(0).out.contains(&format!(", uid 0, claims unit {unit}).\n")), "{}", why.out);
}
