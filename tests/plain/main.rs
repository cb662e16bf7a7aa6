//! The policy beside plain models of its rules: both are driven by the same hundreds of random commands, and every
//! answer is compared. The models keep the whole history and look it through each time: slow, and with nothing to go
//! wrong in.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod end;
mod gate;
mod globs;
mod knobs;
mod limit;

use proptest::test_runner::Config;

/// So many commands in one run, at most.
const STEPS: usize = 300;

fn config(cases: u32) -> Config {
    // Nothing is written into the source tree, which may be read-only.
    Config { cases, failure_persistence: None, ..Config::default() }
}
