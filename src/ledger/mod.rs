//! Floor 4: the ledger, records and changes on disk.
//!
//! A ledger is a folder (0700) of segments (0600), files of one JSON object a line ([`mod@line`]). Each process writes
//! segments of its own, so any number of them can use one ledger, and a reader merges all segments by time.
//!
//! An engine gets a ledger when it is built, and its lines stop when the ledger is closed:
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//! use khelper::control::local::Local;
//! use khelper::engine::Engine;
//! use khelper::ledger::writer::{Ledger, Options};
//! use khelper::sys::linux::LinuxHost;
//!
//! let host = Arc::new(LinuxHost::new());
//! let ledger = Ledger::open(Options::new("/var/lib/khelper/ledger", "daemon"), &*host)?;
//! let builder = Engine::builder().host(host).record_sink(ledger.clone()).first_id(ledger.first_id());
//! let engine = builder.start()?;
//! let target = Local::with_run(engine.clone(), ledger.run());
//! // ... and to stop: the engine hands over what is queued, then the ledger is closed.
//! engine.shutdown(Duration::from_secs(5));
//! ledger.close();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The queue between the engine and the ledger is the engine's ([`Builder::record_sink_queue`]): 32 MiB, and one thread
//! that writes. A launch never waits for it. What does not fit into it is counted in `Totals::records_lost`, what could
//! not be written in [`LedgerState::lost`]; a line of the ledger tells of both as soon as one can be written.
//!
//! A line is written at once with write(2), so a process that is killed loses no line that reached its ledger. Lines are
//! flushed to the disk (fdatasync(2)) when a segment ends: a power cut can cost the lines of the segments that were
//! being written, and leaves at most one torn line in each.
//!
//! [`LedgerState::lost`]: crate::abi::sink::LedgerState::lost
//! [`Builder::record_sink_queue`]: crate::engine::Builder::record_sink_queue
#![forbid(unsafe_code)]

mod backwards;
pub mod clocks;
pub mod error;
pub mod folder;
pub mod line;
mod open;
pub mod past;
pub mod reader;
pub mod recorded;
pub mod rotate;
mod segment;
mod series;
mod state;
#[cfg(test)]
mod tests;
pub mod view;
mod watch;
pub mod writer;
