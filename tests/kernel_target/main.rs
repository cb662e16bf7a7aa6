//! This machine's kernel as a target, over the command line and behind a daemon. A private hierarchy of cgroups makes the
//! kernel start helpers for processes of different users, units and names.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/served.rs"]
mod daemon;
#[path = "../kernel/hierarchy.rs"]
#[allow(dead_code, reason = "tests/kernel uses the rest")]
mod hierarchy;

#[cfg(feature = "console")]
#[path = "../pty/mod.rs"]
#[expect(dead_code, reason = "the tests of the console use the rest")]
mod pty;

#[cfg(feature = "console")]
#[path = "../pty/picture.rs"]
mod picture;
#[cfg(feature = "console")]
#[path = "../pty/svg.rs"]
mod svg;

mod asker;
#[cfg(feature = "console")]
mod console;
mod many;
#[cfg(feature = "console")]
mod pictures;
mod restart;
mod tree;
mod verbs;
mod why;

use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::Dir;
use daemon::Daemon;
use hierarchy::Hierarchy;

/// One at a time: a watch sees the helpers of all tests.
static ALONE: Mutex<()> = Mutex::new(());

/// A hierarchy, and a daemon that watches the kernel.
struct Fixture {
    _alone: MutexGuard<'static, ()>,
    pub hierarchy: Hierarchy,
    pub daemon: Daemon,
    pub dir: Dir,
}

impl Fixture {
    /// `None` if there can be none here; stderr says why.
    pub fn new() -> Option<Self> {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let hierarchy = match Hierarchy::new() {
            Ok(hierarchy) => hierarchy,
            Err(why) => {
                common::skipped(&why);
                return None;
            }
        };
        let dir = Dir::new();
        let daemon = Daemon::of(&dir, daemon::command(&dir).arg("--watch-kernel"));
        Some(Self { _alone: alone, hierarchy, daemon, dir })
    }

    /// The daemon's watch, as `--target` names it.
    pub fn target(&self) -> String {
        format!("unix:{}/kernel", self.daemon.socket.display())
    }

    /// Runs khelper over the daemon's watch.
    pub fn over(&self, args: &[&str]) -> Output {
        khelper(&[&["--target", &self.target()], args].concat())
    }

    /// Runs a verb that reads the daemon's ledger.
    pub fn ledger(&self, args: &[&str]) -> Output {
        let ledger = self.dir.path().join("ledger");
        khelper(&[args, &["--ledger", ledger.to_str().unwrap()]].concat())
    }

    /// Runs a verb that reads the ledger until its output is as `found` wants it: a line is there soon after its event.
    pub fn until(&self, args: &[&str], found: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let output = text(&self.ledger(args));
            if found(&output) {
                return output;
            }
            assert!(began.elapsed() < Duration::from_secs(120), "{args:?} has said only: {output}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Fixture {
    /// Ends the agents that a failed test has left.
    fn drop(&mut self) {
        let target = self.target();
        let run =
            |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_khelper")).args(["--target", &target]).args(args).output();
        let Ok(output) = run(&["ps", "--json"]) else { return };
        let rows = String::from_utf8_lossy(&output.stdout).into_owned();
        let rows = rows.lines().filter_map(|row| serde_json::from_str::<serde_json::Value>(row).ok());
        let agent = self.hierarchy.agent();
        for row in rows.filter(|row| row["path"].as_str() == agent.to_str()) {
            let _ = run(&["kill", "-s", "KILL", &row["id"].to_string()]);
        }
    }
}

fn khelper(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_khelper")).args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
