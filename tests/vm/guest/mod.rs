//! The guest's side.

pub mod ask;
pub mod attributes;
pub mod caller;
pub mod cost;
pub mod engine;
pub mod fields;
pub mod helper;
pub mod init;
pub mod kmsg;
pub mod knobs;
pub mod place;
pub mod runner;
pub mod talk;
pub mod trace;

/// First argument of the process that makes the kernel ask.
pub const ASK: &str = "khelper-vm-ask";
/// First argument of the process that runs the engine.
pub const ENGINE: &str = "khelper-vm-engine";
/// First argument of the process that measures both.
pub const COST: &str = "khelper-vm-cost";

/// In the machine, and nowhere else.
pub const HERE: &str = "/vm/here";
/// The executable of everything but pid 1: the engine refuses to run below its own executable (REQ-12), and pid 1 is
/// above all.
pub const OTHER: &str = "/vm/engine";
/// The command line.
pub const KHELPER: &str = "/vm/khelper";
/// The scenarios.
pub const SCENARIOS: &str = "/vm/scenarios";

/// CLOCK_MONOTONIC in nanoseconds, as the trace has it.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time lives on this stack.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    u64::try_from(time.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap()
}
