//! The real binary on this machine: what it prints, where, and how it exits. Run as root and as an ordinary user.
//! Nothing here writes a knob of this machine: every knob is one of the engine that a command starts.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod answers;
mod confine;
mod exit;
mod hostile;
mod inheritable;
mod interrupt;
#[path = "../common/interrupt.rs"]
mod interrupt_setting;
mod knobs;
mod ledger;
mod limit;
mod parallel;
mod phrases;
mod probe;
mod profile;
#[path = "../common/program.rs"]
mod program;
mod rules;
mod second_interrupt;
mod settings;
mod streams;
mod terminate;
mod timed_out;

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use program::write_program;
use serde_json::Value;

/// khelper with nothing on stdin.
fn khelper() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
    // The settings of whoever runs the tests are none of theirs.
    command.stdin(Stdio::null()).env("XDG_CONFIG_HOME", "/nonexistent");
    interrupt_setting::hears_ctrl_c(&mut command);
    command
}

/// Runs it with these arguments to its end.
fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    Ran::of(khelper().args(args).output().unwrap())
}

/// How it went.
struct Ran {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Every line of stdout as JSON.
    fn records(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.text().lines().map(parse).collect()
    }

    /// The one record.
    fn record(&self) -> Value {
        let mut records = self.records();
        assert_eq!(records.len(), 1, "{}{}", self.text(), self.stderr);
        records.remove(0)
    }

    #[track_caller]
    fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", String::from_utf8_lossy(&self.stdout), self.stderr);
        self
    }
}

/// A folder that every user can enter, with helpers in it.
struct Helpers(tempfile::TempDir);

impl Helpers {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file with this mode and text.
    fn file(&self, name: &str, mode: u32, text: &str) -> PathBuf {
        let path = self.path(name);
        write_program(&path, text);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path
    }

    fn script(&self, name: &str, body: &str) -> PathBuf {
        self.file(name, 0o755, &format!("#!/bin/sh\n{body}\n"))
    }

    /// Somewhere to wait.
    fn barrier(&self) -> Barrier {
        let path = self.path("barrier");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
        let held = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        Barrier { path, held }
    }
}

/// A named pipe that helpers wait at. It is held open for reading and writing, so that opening it never blocks and
/// nothing is lost between a release and the wait that it is for.
struct Barrier {
    path: PathBuf,
    held: std::fs::File,
}

impl Barrier {
    /// The line of a script that waits: `read` takes one line, byte by byte.
    fn wait(&self) -> String {
        format!("read line < {}", self.path.display())
    }

    /// Lets so many go, now or when they come.
    fn release(&mut self, helpers: usize) {
        self.held.write_all("\n".repeat(helpers).as_bytes()).unwrap();
    }
}

/// `--set kernel.modprobe=PATH`.
fn modprobe(path: &std::path::Path) -> [String; 2] {
    ["--set".into(), format!("kernel.modprobe={}", path.display())]
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// What could not be tested is said where the test harness does not swallow it.
fn skipped(why: &str) {
    std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
}
