//! A daemon as a target: the library's two forms of it, the command line, and clients of other programs.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod clients;
mod command_line;
#[path = "../common/daemon.rs"]
mod daemon;
mod history;
mod library;
mod older;
#[path = "../common/ran.rs"]
mod ran;
mod units;

use std::io::Write;
use std::process::{Command, Stdio};

use ran::Ran;

/// Says why a test could not run. To the handle itself: the test runner captures `eprintln!`.
fn skipped(why: &str) {
    let _ = std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes());
}

fn khelper(target: &str, args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
    command.env("XDG_CONFIG_HOME", "/nonexistent").env_remove("XDG_RUNTIME_DIR").stdin(Stdio::null());
    if !target.is_empty() {
        command.args(["--target", target]);
    }
    command.args(args).output().unwrap().into()
}

impl Ran {
    fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self
    }

    fn record(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}{}", self.out, self.err))
    }
}
