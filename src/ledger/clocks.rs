//! The clocks of a ledger, which a test can replace.

use std::time::SystemTime;

use crate::sys::process;

use super::line::{Wall, micros};

/// The clocks of a ledger.
pub trait Clocks: Send + Sync {
    /// The wall clock, in microseconds since the epoch.
    fn wall(&self) -> Wall;
    /// CLOCK_MONOTONIC, in microseconds.
    fn monotonic(&self) -> u64;
}

/// The clocks of this machine.
#[derive(Debug)]
pub struct MachineClocks;

impl Clocks for MachineClocks {
    fn wall(&self) -> Wall {
        micros(SystemTime::now())
    }
    fn monotonic(&self) -> u64 {
        process::monotonic()
    }
}
