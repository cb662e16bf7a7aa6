//! What rules ask of a requester beside its user: its program, its user namespace, its unit or container.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

use crate::abi::place::Attribution;

use super::place::initial_namespaces;
use super::stat::start_time;

/// The first user namespace (linux/nsfs.h: `PROC_USER_INIT_INO`).
const FIRST_USER_NAMESPACE: u64 = 0xefff_fffd;

/// What could be read; `None` is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The program that it executes.
    pub exe: Option<Vec<u8>>,
    /// Whether it is in another user namespace than the first one.
    pub in_userns: Option<bool>,
    /// Its unit or container; one that says `no unit` is known to be in none.
    pub place: Option<Attribution>,
}

impl Facts {
    /// Reads them of the process with this pid and start time, now. Nothing is known of a process that has ended, or
    /// whose pid is another process's.
    pub fn of(pid: i32, started: Option<u64>) -> Self {
        let Some(started) = started.filter(|_| pid > 0) else { return Self::default() };
        let path = |name: &str| format!("/proc/{pid}/{name}");
        let facts = Self {
            exe: fs::read_link(path("exe")).ok().map(|exe| exe.into_os_string().into_vec()),
            in_userns: fs::metadata(path("ns/user")).ok().map(|namespace| namespace.ino() != FIRST_USER_NAMESPACE),
            place: fs::read(path("cgroup")).ok().map(|cgroups| Attribution::parse(&cgroups, initial_namespaces().1)),
        };
        // Read last: what was read is that process's if it lives now.
        if start_time(pid) == Some(started) { facts } else { Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_living_process_with_this_start_time_is_known() {
        let me = nix::unistd::getpid().as_raw();
        let started = start_time(me);
        let facts = Facts::of(me, started);
        assert_eq!(facts.exe, fs::read_link("/proc/self/exe").ok().map(|exe| exe.into_os_string().into_vec()));
        let namespace = fs::metadata("/proc/self/ns/user").unwrap().ino();
        assert_eq!(facts.in_userns, Some(namespace != FIRST_USER_NAMESPACE));
        assert!(facts.place.is_some());
        for (pid, started) in [(me, None), (me, started.map(|at| at + 1)), (-1, started), (i32::MAX, started)] {
            assert_eq!(Facts::of(pid, started), Facts::default());
        }
    }
}
