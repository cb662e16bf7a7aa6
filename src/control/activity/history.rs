//! Where records are read from.

use std::sync::Arc;

use crate::abi::actor::ChainLink;
use crate::abi::record::Record;
use crate::abi::snapshot::Live;
use crate::engine::Engine;

/// Records, live and ended. [`super::reader::Reader`] pages through one; an engine keeps its newest 10,000 (UMH-13), and a
/// ledger on disk can answer for older ones.
pub trait History: Send + Sync {
    /// One record as it stands; `None` if there is none or it was dropped.
    fn record(&self, id: u64) -> Option<Arc<Record>>;

    /// At most `most` ended records from serial number `from` on, oldest first, and the serial number of the first of
    /// them: larger than `from` where older ones were dropped. Records are numbered from 0 in the order in which they
    /// ended.
    fn ended_from(&self, from: u64, most: usize) -> (u64, Vec<Arc<Record>>);

    /// At most `most` requests that have not ended, with ids after `id`, oldest first; each with its record as it was
    /// requested.
    fn live_after(&self, id: u64, most: usize) -> Vec<(Live, Arc<Record>)>;

    /// The chain of requesters above a process, nearest first (REQ-12).
    fn chain(&self, pid: i32) -> Vec<ChainLink>;
}

impl History for Engine {
    fn record(&self, id: u64) -> Option<Arc<Record>> {
        Engine::record(self, id)
    }

    fn ended_from(&self, from: u64, most: usize) -> (u64, Vec<Arc<Record>>) {
        Engine::ended_from(self, from, most)
    }

    fn live_after(&self, id: u64, most: usize) -> Vec<(Live, Arc<Record>)> {
        Engine::live_after(self, id, most)
    }

    fn chain(&self, pid: i32) -> Vec<ChainLink> {
        Engine::chain(self, pid)
    }
}
