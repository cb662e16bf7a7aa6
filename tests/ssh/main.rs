//! Other machines: the verbs and the console over ssh(1), to an sshd(8) that the test starts.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod console;
#[path = "../common/daemon.rs"]
mod daemon;
mod far;
mod hosts;
#[path = "../common/interrupt.rs"]
mod interrupt;
#[path = "../common/program.rs"]
mod program;
#[path = "../pty/mod.rs"]
#[expect(dead_code, reason = "the tests of the console use the rest")]
mod pty;
#[path = "../common/ran.rs"]
mod ran;
mod sudo;
mod verbs;

use std::process::Command;
use std::time::{Duration, Instant};

use ran::Ran;

fn ran(command: &mut Command, code: i32) -> Ran {
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, Some(code), "{command:?}: {}{}", ran.out, ran.err);
    ran
}

/// What this command says once it says so many lines: a line of the ledger is there soon after its event.
fn logged(lines: usize, command: impl Fn() -> Command) -> String {
    let late = Instant::now() + Duration::from_secs(60);
    loop {
        let out = ran(&mut command(), 0).out;
        if out.lines().count() >= lines {
            return out;
        }
        assert!(Instant::now() < late, "{} lines of {lines}", out.lines().count());
    }
}
