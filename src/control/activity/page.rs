//! What is asked of the reader of records, and its answer: one page of summaries, and the record under the cursor.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::abi::actor::ChainLink;
use crate::abi::record::Record;

use super::query::Query;

/// Which record the cursor moves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// The first that matches.
    First,
    /// The last that matches.
    Last,
    /// A number of rows from the record of one request.
    Near {
        /// The request.
        id: u64,
        /// Where its row was; the cursor starts there if the record does not match any more.
        index: usize,
        /// Rows from there.
        by: isize,
    },
}

/// A question to the reader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageRequest {
    /// Which records, and in what order.
    pub query: Query,
    /// Leave out requests that are newer than those of the last answer.
    pub still: bool,
    /// Where the cursor moves to.
    pub anchor: Anchor,
    /// The number of rows on each side of the cursor.
    pub around: usize,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordPage {
    /// The number of records that match.
    pub matched: usize,
    /// The number of records that were looked at.
    pub looked: usize,
    /// The newest request that was seen.
    pub newest: u64,
    /// The index of the first of `rows` among the records that match.
    pub first: usize,
    /// The records around the cursor.
    pub rows: Vec<RecordSummary>,
    /// The index of the cursor among the records that match; `None` if none does.
    pub at: Option<usize>,
    /// The record under the cursor.
    pub detail: Option<Box<RecordDetail>>,
}

/// A record without what its helper wrote: output that is held here would outlive its budget (UMH-13).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordSummary {
    /// The request.
    pub id: u64,
    /// Its record, `output` being `None`. There is none if the engine has dropped it to keep the newest 10,000.
    pub record: Option<Arc<Record>>,
}

impl RecordSummary {
    /// Of a record.
    pub fn of(record: &Arc<Record>) -> Self {
        let record = match record.output {
            None => Arc::clone(record),
            Some(_) => Arc::new(Record { output: None, ..Record::clone(record) }),
        };
        Self { id: record.id, record: Some(record) }
    }
}

/// The record under the cursor, with what had to be looked up for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordDetail {
    /// The record when it was read, with what its helper wrote.
    pub record: Arc<Record>,
    /// Who asked whom, nearest first (REQ-12).
    pub chain: Vec<ChainLink>,
    /// The chain was looked up when the record was read, not when the request was made.
    pub chain_now: bool,
}
