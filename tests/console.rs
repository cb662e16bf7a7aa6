//! The whole console in a pseudo-terminal.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure may end it")]

#[path = "pty/idle.rs"]
mod idle;
#[path = "pty/journeys.rs"]
mod journeys;
#[path = "pty/mod.rs"]
#[expect(dead_code, reason = "the panic's own test uses the rest")]
mod pty;
#[path = "pty/ways_out.rs"]
mod ways_out;
