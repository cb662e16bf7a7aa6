//! The watch of a kernel on kernels of the tests' own, whose knobs may be written: user-mode Linux, which boots in under
//! a second, also for an ordinary user; and with `--vm` Debian's kernels in virtual machines. `cargo test --test uml`
//! runs it; `-- --help` shows the arguments.
//!
//! One executable plays every part: on the host it starts the machines; in a machine it is pid 1, which runs one test
//! and says over a serial line what came of it, and the watching process.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure may end it")]

#[path = "../common/archive.rs"]
mod archive;
mod guest;
mod host;
#[path = "../kernel/watcher.rs"]
#[expect(dead_code, reason = "tests/kernel uses the rest")]
mod watcher;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os().next().is_some_and(|name| name == guest::knobs::NOTES) {
        guest::knobs::note();
        return ExitCode::SUCCESS;
    }
    if std::process::id() == 1 {
        return guest::init::main();
    }
    if std::env::var_os(watcher::PROCESS).is_some() {
        watcher::process();
        return ExitCode::SUCCESS;
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some(guest::why::ASKER) => guest::why::asker(&args[1], &args[2]),
        Some(guest::names::USER) => guest::names::user(),
        Some(guest::coredump::SERVES) => guest::coredump::serves(),
        Some(guest::flows::USES) => guest::flows::uses(&args[1]),
        Some(guest::enforced::ASKS) => guest::enforced::asks(&args[1..]),
        Some(guest::enforced::KILLS) => guest::enforced::kills(&args[1], &args[2]),
        Some(guest::rights::PID_NAMESPACE) => guest::rights::in_pid_namespace(&args[1], &args[2..]),
        _ => host::main(args),
    }
}
