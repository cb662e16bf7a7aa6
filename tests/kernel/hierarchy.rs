//! A private hierarchy of cgroups of version 1 whose release agent is a program of the test: the kernel starts it for
//! each cgroup that becomes empty. No setting of the machine is touched, and all of it is removed at the end.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

pub struct Hierarchy {
    /// The mount point, in this mount namespace.
    mount: tempfile::TempDir,
    /// The agent and its log, in /tmp: the kernel starts it in its own mount namespace, which may be another one.
    folder: tempfile::TempDir,
    mounted: bool,
}

/// What a thread recorded: it emptied the cgroup of this number, and the agent should end so.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub tid: i32,
    pub status: i32,
}

impl Hierarchy {
    /// `Err` says why this cannot be had here.
    pub fn new() -> Result<Self, String> {
        if !nix::unistd::geteuid().is_root() {
            return Err("mounting a hierarchy of cgroups needs root".to_owned());
        }
        let folder = tempfile::Builder::new().prefix("khelper-kernel-").tempdir_in("/tmp").unwrap();
        let mount_point = tempfile::Builder::new().prefix("khelper-cgroups-").tempdir().unwrap();
        let mut all = Self { mount: mount_point, folder, mounted: false };
        let built = Command::new("cc")
            .args(["-O1", "-static", "-o"])
            .arg(all.agent())
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kernel/agent.c"))
            .status();
        assert!(built.is_ok_and(|status| status.success()), "cc could not build the agent");
        fs::write(all.path("log"), "").unwrap();
        all.mount().map_err(|e| format!("this kernel mounts no hierarchy of cgroups of version 1: {e}"))?;
        all.mounted = true;
        fs::write(all.root().join("release_agent"), all.agent().to_str().unwrap()).unwrap();
        fs::write(all.root().join("notify_on_release"), "1").unwrap();
        if all.reaches_the_kernel() { Ok(all) } else { Err("the kernel starts no program of this /tmp".to_owned()) }
    }

    /// Whether the kernel starts the agent. It has ended when this returns.
    fn reaches_the_kernel(&self) -> bool {
        self.start(0, 1, 1, |_| ("e0".to_owned(), 0));
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(30) {
            if let [(pid, _)] = self.noted()[..]
                && !Path::new(&format!("/proc/{pid}")).exists()
            {
                fs::write(self.path("log"), "").unwrap();
                self.sweep();
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    pub fn agent(&self) -> PathBuf {
        self.path("agent")
    }
    pub fn root(&self) -> PathBuf {
        self.mount.path().to_owned()
    }

    pub fn set_agent(&self, path: &Path) {
        fs::write(self.root().join("release_agent"), path.to_str().unwrap()).unwrap();
    }

    /// Starts helpers `from..to` from some threads, at full speed. `end` names the end of each: `e3`, `k9`, `w1`.
    pub fn start(
        &self,
        from: usize,
        to: usize,
        threads: usize,
        end: impl Fn(usize) -> (String, i32) + Sync,
    ) -> HashMap<usize, Asked> {
        let (end, root) = (&end, self.root());
        let root = &root;
        std::thread::scope(|scope| {
            let one = |thread: usize| {
                move || {
                    let tid = nix::unistd::gettid().as_raw();
                    let mut asked = Vec::new();
                    for number in (from..to).skip(thread).step_by(threads) {
                        let (name, status) = end(number);
                        let cgroup = root.join(format!("{number}-{name}"));
                        fs::create_dir(&cgroup).unwrap();
                        fs::write(cgroup.join("tasks"), "0").unwrap();
                        fs::write(root.join("tasks"), "0").unwrap();
                        asked.push((number, Asked { tid, status }));
                    }
                    asked
                }
            };
            let all: Vec<_> = (0..threads).map(|thread| scope.spawn(one(thread))).collect();
            all.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        })
    }

    /// What the agents noted: number of the cgroup by the pid of the agent.
    pub fn noted(&self) -> Vec<(i32, usize)> {
        let text = fs::read_to_string(self.path("log")).unwrap();
        // The last line may be half written: a write that crosses a page shows its first part before.
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let line = |line: &str| {
            let (pid, path) = line.split_once(" /")?;
            Some((pid.parse().ok()?, path.split_once('-')?.0.parse().ok()?))
        };
        whole.lines().map(|text| line(text).unwrap_or_else(|| panic!("{text}"))).collect()
    }

    fn name(&self) -> String {
        format!("name={}", self.folder.path().file_name().unwrap().to_str().unwrap())
    }

    fn mount(&self) -> nix::Result<()> {
        let options = format!("none,{}", self.name());
        mount(Some("none"), &self.root(), Some("cgroup"), MsFlags::empty(), Some(options.as_str()))
    }

    /// Waits until the kernel has no such hierarchy any more. The kernel frees a cgroup some time after its folder was
    /// removed, and a hierarchy that has one as it is unmounted lives on without a mount: it is mounted and unmounted
    /// again. One that is about to go is given time, since a mount in that time makes a new one.
    fn is_gone(&self) -> bool {
        let lives = || fs::read_to_string("/proc/self/cgroup").is_ok_and(|all| all.contains(&self.name()));
        for _ in 0..10 {
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(2) {
                if !lives() {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            if self.mount().is_ok() {
                self.sweep();
                let _ = umount2(&self.root(), MntFlags::empty());
            }
        }
        false
    }

    /// Removes the cgroups of helpers that have ended.
    pub fn sweep(&self) {
        remove_below(&self.root());
    }
}

/// Removes the folders below this one, those within others first. What is in use stays.
fn remove_below(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_below(&entry.path());
            let _ = fs::remove_dir(entry.path());
        }
    }
}

impl Drop for Hierarchy {
    fn drop(&mut self) {
        if self.mounted {
            let _ = fs::write(self.root().join("notify_on_release"), "0");
            self.sweep();
            // A second panic would end the whole process, and hide the first.
            if let Err(e) =
                umount2(&self.root(), MntFlags::empty()).or_else(|_| umount2(&self.root(), MntFlags::MNT_DETACH))
            {
                eprintln!("{} stays mounted: {e}", self.root().display());
            }
            if !self.is_gone() {
                eprintln!("{} stays, without a mount: see /proc/self/cgroup", self.name());
            }
        }
    }
}
