//! Requests that are made together, and what is said of them.

use crate::control::tally::Tally;
use crate::control::text::outcome::Severity;
use crate::tui::msg::{Effect, Series};

use super::Model;
use super::pending::Pending;

impl Model {
    /// Makes the requests in turn until `total` are made, never more than `parallel` at the same time.
    pub fn open_series(&mut self, title: String, names: Vec<Vec<u8>>, wait: bool, total: u32, parallel: u32) -> Effect {
        let batch = self.open_batch(title, total);
        let ticket = self.next_ticket();
        self.pending.insert(ticket, Pending::Series(batch));
        Effect::Series(Series { ticket, names, wait, total, parallel })
    }

    /// Remembers requests that are made together, and says so. Returns the number of the batch.
    pub fn open_batch(&mut self, title: String, asked: u32) -> u64 {
        let batch = self.last_ticket() + 1;
        let tally = Tally::new(title, asked);
        self.say(Severity::Quiet, tally.submitted());
        self.batches.insert(batch, tally);
        batch
    }
}
