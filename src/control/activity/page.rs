//! Requests to the reader of records, and its answer: one page of summaries, and the record under the cursor.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::abi::actor::ChainLink;
use crate::abi::record::Record;

pub use super::fold::{Fold, IdRange, Moment};
use super::outcomes::Tally;
use super::query::Query;

/// The record that the cursor moves to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "row")]
pub enum Anchor {
    /// The first that matches.
    First,
    /// The last that matches.
    Last,
    /// A number of rows from the row of one request.
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
    /// Show equal records in one row ([`super::alike`]).
    #[serde(default)]
    pub folded: bool,
    /// Show each request below the one whose helper asked for it.
    #[serde(default)]
    pub tree: bool,
    /// Requests whose equals are shown one by one although equal records share a row; not in a tree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apart: Vec<u64>,
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
    /// The number of rows in which they are; 0 in the answer of a daemon that is older than this field and has one row for
    /// each.
    #[serde(default)]
    pub in_rows: usize,
    /// The number of records that were checked.
    pub looked: usize,
    /// The newest request that was seen.
    pub newest: u64,
    /// The index of the first of `rows` among all rows.
    pub first: usize,
    /// The rows around the cursor.
    pub rows: Vec<RecordSummary>,
    /// The index of the cursor among all rows; `None` if there are none.
    pub at: Option<usize>,
    /// The record under the cursor.
    pub detail: Option<Box<RecordDetail>>,
    /// How many records of each class match the rest of the query.
    #[serde(default)]
    pub tally: Tally,
    /// Of a query for letters in their order: a record has all the words as they stand.
    #[serde(default)]
    pub exact: bool,
}

/// A row: a record without its helper's output: output kept here would escape the memory limit for output (UMH-13).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordSummary {
    /// The request.
    pub id: u64,
    /// Its record, with `output` set to `None`. `None` if the engine has dropped it, since it keeps the newest 10,000.
    pub record: Option<Arc<Record>>,
    /// All records of the row; `None` if it is the only one.
    #[serde(default)]
    pub fold: Option<Box<Fold>>,
    /// Its place in the tree, if one was asked for.
    #[serde(default)]
    pub branch: Option<Branch>,
    /// Its place among equal records that are shown one by one although others share a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<Apart>,
}

/// The place of a record among equal ones that are shown one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apart {
    /// The request for which the question asked for this.
    pub by: u64,
    /// The place, from 0.
    pub at: u64,
    /// How many they are.
    pub of: u64,
}

/// The place of a request in the tree of who asked whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// How many requests are above it; 0: no helper asked for it.
    pub depth: u32,
    /// One of those above it is for the same name.
    pub is_loop: bool,
    /// The request whose helper asked for it does not match the query, but one above that does.
    pub skips: bool,
}

impl RecordSummary {
    /// The summary of a record.
    pub fn of(record: &Arc<Record>) -> Self {
        let record = match record.output {
            None => Arc::clone(record),
            Some(_) => Arc::new(Record { output: None, ..Record::clone(record) }),
        };
        Self { id: record.id, record: Some(record), fold: None, branch: None, apart: None }
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
