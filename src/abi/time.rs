//! Times.

/// Microseconds on the host's clock, from an arbitrary start.
pub type Micros = u64;

/// The time between SIGTERM and SIGKILL when a helper is ended: 2 s (UMH-14).
pub const TERM_TO_KILL: Micros = 2_000_000;
