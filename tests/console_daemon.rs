//! The console over a daemon, in a pseudo-terminal: the journeys of `console`, and those that only a daemon makes
//! possible.

#[path = "pty/activity.rs"]
mod activity;
#[path = "common/daemon.rs"]
mod daemon;
#[path = "pty/journeys.rs"]
mod journeys;
#[path = "pty/line_mode.rs"]
mod line_mode;
#[path = "pty/link.rs"]
mod link;
#[path = "pty/older.rs"]
mod older;
#[path = "pty/over_daemon.rs"]
mod over;
#[path = "pty/overview.rs"]
mod overview;
#[path = "pty/plain.rs"]
mod plain;
#[path = "pty/mod.rs"]
#[expect(dead_code, reason = "the tests of the console use the rest")]
mod pty;
#[path = "pty/rules.rs"]
mod rules;
#[path = "pty/steps.rs"]
#[expect(dead_code, reason = "the tests of the console use the rest")]
mod steps;
#[path = "pty/targets.rs"]
mod targets;
