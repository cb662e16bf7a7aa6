//! What is launched, and what this process has of the machine.

use std::io::Write;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::common::Dir;

/// The programs of the soak: a path and the arguments after it.
pub struct Programs {
    _dir: Dir,
    /// Exits with the code it is given, 0 by default.
    pub tiny: String,
    /// Ends when a signal comes. Whoever kills knows it by its path.
    pub sleeper: String,
    pub sleeps: &'static str,
    /// The same, but left alone until its time is out.
    pub slow: String,
    /// Writes 256 KiB.
    pub flood: Vec<String>,
    /// Whether `tiny` can exit as it is told.
    pub codes: bool,
}

impl Programs {
    /// Built from `helper.c`, or else what every machine has.
    pub fn find() -> Self {
        let dir = Dir::new();
        let source = dir.file("helper.c", include_str!("helper.c"), 0o600);
        let tiny = dir.path().join("helper").to_str().unwrap().to_owned();
        let built = Command::new("cc")
            .args(["-O1", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-o", &tiny, &source])
            .output();
        let built = built.is_ok_and(|output| output.status.success());
        let link = |name: &str, to: &str| {
            let path = dir.path().join(name);
            std::os::unix::fs::symlink(to, &path).unwrap();
            path.to_str().unwrap().to_owned()
        };
        if !built {
            let _ =
                writeln!(std::io::stderr(), "soak: no C compiler that can build the tiny helper; /bin/true instead");
            let flood = ["/bin/dd", "if=/dev/zero", "bs=4096", "count=64", "status=none"].map(str::to_owned).to_vec();
            let (sleeper, slow) = (link("sleeper", "/bin/sleep"), link("slow", "/bin/sleep"));
            return Self { tiny: "/bin/true".into(), sleeper, slow, sleeps: "60", flood, codes: false, _dir: dir };
        }
        let (sleeper, slow) = (link("sleeper", &tiny), link("slow", &tiny));
        Self { flood: vec![tiny.clone(), "f".into()], sleeper, slow, sleeps: "s", codes: true, tiny, _dir: dir }
    }
}

/// What has to come back to what it was.
#[derive(Debug, PartialEq, Eq)]
pub struct Holdings {
    pub fds: usize,
    pub threads: usize,
}

impl Holdings {
    pub fn now() -> Self {
        let entries = |path| std::fs::read_dir(path).unwrap().count();
        Self { fds: entries("/proc/self/fd"), threads: entries("/proc/self/task") }
    }
}

/// No child is left, dead or alive.
pub fn no_child() {
    assert_eq!(waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)), Err(Errno::ECHILD), "a child is left");
}

/// Resident memory, in KiB, and areas of memory: what is mapped past the heap shows in these.
pub fn memory() -> (u64, usize) {
    crate::heap::trim();
    (resident(), std::fs::read_to_string("/proc/self/maps").unwrap().lines().count())
}

/// Resident memory, in KiB.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    crate::common::field(&status, "VmRSS").trim_end_matches(" kB").parse().unwrap()
}
