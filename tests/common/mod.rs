//! Shared parts of the tests on the real machine.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod filter;
pub mod program;

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use khelper::abi::event::EventKind;
use khelper::abi::record::Record;
use khelper::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use khelper::abi::wait::WaitMode;
use khelper::engine::{Engine, Received, Subscription};

/// A call with the environment of a module request.
pub fn info(argv: &[&str]) -> SubprocessInfo {
    SubprocessInfo::setup(Some(argv[0].into()), argv.iter().copied(), HELPER_ENV).unwrap()
}

/// Runs a helper and waits until it has ended.
pub fn run(engine: &Engine, argv: &[&str]) -> Arc<Record> {
    engine.call_usermodehelper(info(argv), WaitMode::PROC)
}

pub fn stdout(record: &Record) -> String {
    String::from_utf8_lossy(record.output.as_ref().map_or(&b""[..], |o| &o.stdout)).into_owned()
}

/// Reads events until `found` returns a value. These tests synchronize on the engine's events.
pub fn until<T>(events: &Subscription, mut found: impl FnMut(&EventKind) -> Option<T>) -> T {
    loop {
        match events.recv() {
            Received::Event(event) => {
                if let Some(t) = found(&event.kind) {
                    return t;
                }
            }
            Received::Missed(n) => panic!("missed {n} events: give the subscription more room"),
            Received::Closed => panic!("the engine ended"),
        }
    }
}

pub fn started(events: &Subscription) -> (u64, i32) {
    until(events, |kind| match kind {
        EventKind::Started { id, pid } => Some((*id, *pid)),
        _ => None,
    })
}

pub fn finished(events: &Subscription) -> Arc<Record> {
    until(events, |kind| match kind {
        EventKind::Finished(record) => Some(record.clone()),
        _ => None,
    })
}

/// A folder for one test, removed at the end.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }
    /// A folder in `parent`.
    pub fn within(parent: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // A test that was killed leaves its folder, and its pid is used again.
        loop {
            let name = format!("khelper-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let dir = parent.join(name);
            match std::fs::create_dir(&dir) {
                Ok(()) => return Self(dir),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists, "{}", dir.display()),
            }
        }
    }
    pub fn path(&self) -> &Path {
        &self.0
    }
    /// Writes an executable file. Returns its path.
    pub fn script(&self, name: &str, text: &str) -> String {
        self.file(name, text, 0o755)
    }
    /// Writes a file that can be executed if the mode says so, and returns its path.
    pub fn file(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.0.join(name);
        program::write_program(&path, text);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Dir {
    /// Makes a FIFO that every user may open. Returns its path.
    pub fn fifo(&self, name: &str) -> String {
        let path = self.0.join(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::empty()).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Dir {
    /// Removes the folder, unless something is mounted in it: removal would empty that too, perhaps the whole machine.
    fn drop(&mut self) {
        if !has_mounts(&self.0) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// Whether this thread's mount namespace has a mount at `dir` or below it; `true` if that cannot be determined.
fn has_mounts(dir: &Path) -> bool {
    // mountinfo shows paths without symbolic links.
    let Ok(dir) = dir.canonicalize() else { return true };
    let Ok(mounts) = std::fs::read("/proc/thread-self/mountinfo") else { return true };
    mounts.is_empty() || mount_points(&mounts).any(|at| at.is_none_or(|at| at.starts_with(&dir)))
}

/// The fifth field of each line (proc_pid_mountinfo(5)); `None` for a line that is too short.
fn mount_points(mountinfo: &[u8]) -> impl Iterator<Item = Option<PathBuf>> {
    let lines = mountinfo.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| line.split(|b| *b == b' ').nth(4).map(unescape))
}

/// Decodes the kernel's escapes: a backslash and three octal digits, for blanks, newlines and backslashes.
fn unescape(field: &[u8]) -> PathBuf {
    let (mut path, mut rest) = (Vec::new(), field);
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\').and_then(|d| std::str::from_utf8(d).ok());
        if let Some(byte) = digits.and_then(|d| u8::from_str_radix(d, 8).ok()) {
            path.push(byte);
            rest = &after[3..];
        } else {
            path.push(*first);
            rest = after;
        }
    }
    OsString::from_vec(path).into()
}

/// Reports why a test could not run. Writes to the handle itself, because the test runner captures `eprintln!`; in one
/// write, because the runner writes its own lines in between.
pub fn skipped(why: &str) {
    let _ = std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes());
}

pub fn am_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The value of `Name:` in the text of /proc/PID/status.
pub fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let prefix = format!("{name}:");
    status
        .lines()
        .find_map(|l| l.strip_prefix(prefix.as_str()))
        .unwrap_or_else(|| panic!("no {name} in:\n{status}"))
        .trim()
}
