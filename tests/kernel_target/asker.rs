//! A process that empties a cgroup, so that the kernel starts the release agent for it, and then lives on.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Read};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::hierarchy::Hierarchy;

const ROLE: &str = "KHELPER_TEST_ASKER";

/// Where and as whom it asks.
pub struct Asker {
    child: Child,
    /// Kept open, so that its last words have a reader.
    _output: Lines<BufReader<ChildStdout>>,
    unified: Option<PathBuf>,
}

impl Asker {
    /// `unified` is the path of its cgroup of version 2, which is made; `agent` the last part of the agent's argument,
    /// which says how the agent ends.
    pub fn start(hierarchy: &Hierarchy, uid: u32, unified: Option<&str>, comm: &[u8], agent: &str) -> Self {
        // A folder of the user's own, which releases nothing itself.
        let own = hierarchy.root().join(format!("user-{agent}"));
        fs::create_dir(&own).unwrap();
        fs::write(own.join("notify_on_release"), "0").unwrap();
        for path in [own.clone(), own.join("tasks"), own.join("cgroup.procs")] {
            chown(path, Some(uid), Some(uid)).unwrap();
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "asker::asker_process", "--nocapture", "--quiet"]).uid(uid).gid(uid);
        command.env(ROLE, own.join(agent)).env("KHELPER_TEST_COMM", crate::asker::hex(comm));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let pid = child.id().to_string();
        fs::write(own.join("cgroup.procs"), &pid).unwrap();
        let unified = unified.map(|path| root_of_unified().unwrap().join(path));
        if let Some(path) = &unified {
            fs::create_dir_all(path).unwrap();
            fs::write(path.join("cgroup.procs"), &pid).unwrap();
        }
        // It asks when it reads a line.
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"go\n").unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.is_ok_and(|line| line.contains("asked"))), "the process has failed");
        Self { child, _output: lines, unified }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let root = root_of_unified();
        let mut path = self.unified.as_deref();
        // Only folders that are empty, and so were made here, can be removed.
        while let Some(here) = path.filter(|here| Some(*here) != root.as_deref()) {
            if fs::remove_dir(here).is_err() {
                break;
            }
            path = here.parent();
        }
    }
}

/// The mount of the cgroups of version 2.
pub fn root_of_unified() -> Option<PathBuf> {
    // Another test may have mounted something at a path that is no UTF-8.
    let mounts = fs::read("/proc/self/mounts").unwrap();
    let mounts = String::from_utf8_lossy(&mounts);
    let mut all = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    all.find(|parts| parts[2] == "cgroup2").map(|parts| PathBuf::from(parts[1]))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Not a test of its own: the process above.
#[test]
fn asker_process() {
    let Some(cgroup) = std::env::var_os(ROLE) else { return };
    let hex = std::env::var("KHELPER_TEST_COMM").unwrap();
    let comm: Vec<u8> = (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..][..2], 16).unwrap()).collect();
    fs::write("/proc/thread-self/comm", comm).unwrap();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let (cgroup, own) = (Path::new(&cgroup), Path::new(&cgroup).parent().unwrap());
    fs::create_dir(cgroup).unwrap();
    fs::write(cgroup.join("notify_on_release"), "1").unwrap();
    fs::write(cgroup.join("tasks"), "0").unwrap();
    fs::write(own.join("tasks"), "0").unwrap();
    println!("\nasked");
    // It lives until its caller has read everything about it.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
