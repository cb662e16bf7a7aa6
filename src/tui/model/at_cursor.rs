//! The record under the cursor of the screen Activity.

use std::sync::Arc;

use crate::abi::record::Record;
use crate::control::text::outcome::Severity;

use super::Model;
use super::record_row::Row;

impl Model {
    /// The row under the cursor; if there is none, says so in a message.
    pub fn row_at_cursor(&mut self) -> Option<Row> {
        let (row, at) = (self.activity.row().cloned(), self.activity.at);
        if row.is_none() {
            let reads = self.snapshot.totals.requests > 0 && !self.activity.filters();
            self.say(
                Severity::Quiet,
                if reads { "still reading the records: press the key again" } else { "there is no record here" },
            );
        }
        // In a row of equal requests, the one that was chosen.
        match (row, at) {
            (Some(row), Some((_, id))) if row.id != id => {
                self.activity.detail().map(|detail| Row { fold: row.fold, ..Row::of(&detail.record) })
            }
            (row, _) => row,
        }
    }

    /// The record under the cursor; if it has not been read yet, says so in a message.
    pub fn record_at_cursor(&mut self) -> Option<Arc<Record>> {
        let row = self.row_at_cursor()?;
        match self.activity.detail() {
            Some(detail) => {
                let record = detail.record.clone();
                self.activity.follow = false;
                Some(record)
            }
            None => {
                self.say(Severity::Quiet, format!("still reading #{}: press the key again", row.id));
                None
            }
        }
    }
}
