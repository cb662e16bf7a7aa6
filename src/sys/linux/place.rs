//! Which systemd unit or container a process belongs to, by its cgroup.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, OnceLock};

use crate::abi::place::{Attribution, Place};

/// The unit or container in the content of a cgroup file (cgroups(7)); `None` if it names none.
pub fn place(cgroups: &[u8]) -> Option<Arc<Attribution>> {
    // No process leaves its cgroup namespace unless it asks to (unshare(2)), and this program does not.
    static INITIAL: OnceLock<bool> = OnceLock::new();
    let of = Attribution::parse(cgroups, *INITIAL.get_or_init(|| initial_namespaces().1));
    (of.place != Place::None).then(|| Arc::new(of))
}

/// Whether this process is in the initial pid and cgroup namespaces (linux/nsfs.h: `PROC_PID_INIT_INO`,
/// `PROC_CGROUP_INIT_INO`).
pub fn initial_namespaces() -> (bool, bool) {
    let is = |name: &str, inode: u64| {
        fs::metadata(format!("/proc/self/ns/{name}")).is_ok_and(|namespace| namespace.ino() == inode)
    };
    (is("pid", 0xefff_fffc), is("cgroup", 0xefff_fffb))
}
