//! Held against a real kernel: the same scenario, once by Linux itself and once by the engine, in the same virtual
//! machine. The fields of `compared.rs` are compared, and nothing else: a difference in one of them that
//! `assets/deviations.toml` does not declare fails. `cargo test --test vm` runs it; `-- --help` shows the arguments.
//!
//! One executable plays every part: by itself it is the host side; in the machine it is pid 1, the process that asks,
//! the one that runs the engine, and the helper that tells how it was born.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure may end it")]

#[path = "../common/archive.rs"]
mod archive;
#[expect(dead_code, reason = "the page made from it uses the rest: tests/deviations.rs")]
mod compared;
#[expect(dead_code, reason = "the page made from it uses the rest: tests/deviations.rs")]
mod deviation;
mod guest;
mod host;
mod observation;
mod scenario;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let first = args.get(1).and_then(|a| a.to_str()).unwrap_or_default();
    if std::process::id() == 1 {
        return guest::init::main();
    }
    match first {
        guest::ASK => guest::ask::main(),
        guest::ENGINE => guest::engine::main(),
        guest::COST => guest::cost::main(),
        _ if std::path::Path::new(guest::HERE).exists() => guest::helper::main(),
        _ => host::main(&args[1..]),
    }
}
