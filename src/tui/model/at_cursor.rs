//! The record under the cursor of the screen Activity.

use std::sync::Arc;

use crate::abi::record::Record;
use crate::control::text::outcome::Severity;

use super::Model;
use super::record_row::Row;

impl Model {
    /// The row under the cursor, or words that there is none.
    pub fn row_at_cursor(&mut self) -> Option<Row> {
        let row = self.activity.row().cloned();
        if row.is_none() {
            let reads = self.snapshot.totals.requests > 0 && !self.activity.filters();
            self.say(
                Severity::Quiet,
                if reads { "the records are being read: press the key again" } else { "there is no record here" },
            );
        }
        row
    }

    /// The record under the cursor, whole; or words that it is not there yet.
    pub fn record_at_cursor(&mut self) -> Option<Arc<Record>> {
        let row = self.row_at_cursor()?;
        match self.activity.detail() {
            Some(detail) => {
                let record = detail.record.clone();
                self.activity.follow = false;
                Some(record)
            }
            None => {
                self.say(Severity::Quiet, format!("#{} is being read: press the key again", row.id));
                None
            }
        }
    }
}
