//! Batches of requests, and the messages about them.

use crate::control::batch::Batch;
use crate::control::tally::Tally;
use crate::control::text::outcome::Severity;
use crate::tui::msg::Effect;

use super::Model;
use super::pending::Pending;

impl Model {
    /// Submits the requests of a batch under this title.
    pub fn open_series(&mut self, title: String, batch: Batch) -> Effect {
        let tally = self.open_batch(title, u32::try_from(batch.total).unwrap_or(u32::MAX));
        let ticket = self.next_ticket();
        self.pending.insert(ticket, Pending::Series(tally));
        Effect::Series { ticket, batch }
    }

    /// Registers a batch and announces it in a message. Returns the number of the batch.
    pub fn open_batch(&mut self, title: String, asked: u32) -> u64 {
        let batch = self.last_ticket() + 1;
        let tally = Tally::new(title, asked);
        self.say_of_batch(batch, Severity::Quiet, tally.submitted());
        self.batches.insert(batch, tally);
        batch
    }
}
