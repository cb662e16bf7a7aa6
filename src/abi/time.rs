//! Times.

/// Microseconds on the host's clock, from an arbitrary start.
pub type Micros = u64;
