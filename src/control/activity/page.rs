//! Requests to the reader of records, and its answer: one page of summaries, and the record under the cursor.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::abi::actor::ChainLink;
use crate::abi::record::Record;

use super::query::Query;

/// The record that the cursor moves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "row")]
pub enum Anchor {
    /// The first that matches.
    First,
    /// The last that matches.
    Last,
    /// A number of rows from the record of one request.
    Near {
        /// The request.
        id: u64,
        /// The index of its row; the cursor starts there if the record no longer matches.
        index: usize,
        /// The number of rows to move from there.
        by: isize,
    },
}

/// A request to the reader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageRequest {
    /// Selects and orders the records.
    pub query: Query,
    /// Leave out requests newer than the newest one of the last answer.
    pub still: bool,
    /// The new position of the cursor.
    pub anchor: Anchor,
    /// The number of rows on each side of the cursor.
    pub around: usize,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordPage {
    /// The number of records that match.
    pub matched: usize,
    /// The number of records that were checked.
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

/// A record without its helper's output: output kept here would escape the memory limit for output (UMH-13).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordSummary {
    /// The request.
    pub id: u64,
    /// Its record, with `output` set to `None`. `None` if the engine has dropped it, since it keeps the newest 10,000.
    pub record: Option<Arc<Record>>,
}

impl RecordSummary {
    /// The summary of a record.
    pub fn of(record: &Arc<Record>) -> Self {
        let record = match record.output {
            None => Arc::clone(record),
            Some(_) => Arc::new(Record { output: None, ..Record::clone(record) }),
        };
        Self { id: record.id, record: Some(record) }
    }
}

/// The record under the cursor, with its chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordDetail {
    /// The record at the time of reading, with its helper's output.
    pub record: Arc<Record>,
    /// The chain of processes that led to the request, nearest first (REQ-12).
    pub chain: Vec<ChainLink>,
    /// Whether the chain was looked up when the record was read, and not when the request was made.
    pub chain_now: bool,
}
