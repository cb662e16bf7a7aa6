//! What the tests on the real machine share.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod filter;

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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

/// Runs it to its end.
pub fn run(engine: &Engine, argv: &[&str]) -> Arc<Record> {
    engine.call_usermodehelper(info(argv), WaitMode::PROC)
}

pub fn stdout(record: &Record) -> String {
    String::from_utf8_lossy(record.output.as_ref().map_or(&b""[..], |o| &o.stdout)).into_owned()
}

/// Reads events until `found` gives something. The engine's own events are the clock of these tests.
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
    /// One below `parent`.
    pub fn within(parent: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("khelper-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = parent.join(name);
        std::fs::create_dir(&dir).unwrap();
        Self(dir)
    }
    pub fn path(&self) -> &Path {
        &self.0
    }
    /// An executable text; the path as a string.
    pub fn script(&self, name: &str, text: &str) -> String {
        self.file(name, text, 0o755)
    }
    /// Written by a process of its own: a file that this one had open for writing could be busy (ETXTBSY) in a child
    /// that another test starts meanwhile.
    pub fn file(&self, name: &str, text: &str, mode: u32) -> String {
        let path = self.0.join(name);
        let mut tee = Command::new("/usr/bin/tee");
        let mut tee = tee.arg(&path).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        tee.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(tee.wait().unwrap().success());
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Dir {
    /// A FIFO that every user may open; its path as a string.
    pub fn fifo(&self, name: &str) -> String {
        let path = self.0.join(name);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::empty()).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Dir {
    /// Removes the folder, unless something is mounted within: that would be emptied too, and it may be the whole machine.
    fn drop(&mut self) {
        if !has_mounts(&self.0) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// Whether a mount of this thread's namespace lies at `dir` or below; `true` if that cannot be known.
fn has_mounts(dir: &Path) -> bool {
    // The kernel names each mount without symbolic links on the way.
    let Ok(dir) = dir.canonicalize() else { return true };
    let Ok(mounts) = std::fs::read("/proc/thread-self/mountinfo") else { return true };
    mounts.is_empty() || mount_points(&mounts).any(|at| at.is_none_or(|at| at.starts_with(&dir)))
}

/// The fifth field of each line (proc_pid_mountinfo(5)); `None` for a line without one.
fn mount_points(mountinfo: &[u8]) -> impl Iterator<Item = Option<PathBuf>> {
    let lines = mountinfo.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| line.split(|b| *b == b' ').nth(4).map(unescape))
}

/// Blanks, newlines and backslashes are written as three octal digits behind a backslash.
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

/// Says why a test could not run: to the handle itself, for the test runner swallows `eprintln!`.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
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
