//! Times.

/// Microseconds on the host's clock, from an arbitrary start.
pub type Micros = u64;

/// The time between TERM and KILL to a helper that is to end: 2 s (UMH-14).
pub const TERM_TO_KILL: Micros = 2_000_000;
