//! What the screen Activity asks of the reader of records, and what it is answered.

use std::sync::Arc;

use crate::abi::actor::ChainLink;
use crate::abi::record::{Record, State};
use crate::abi::time::Micros;
use crate::control::text::outcome::OutcomeText;

use super::query::Query;

/// One request, as a row shows it; everything in it is escaped.
#[derive(Clone, Debug)]
pub struct Row {
    /// The request.
    pub id: u64,
    /// When it was asked: `12:03:44.017`.
    pub time: String,
    /// The module, or the path.
    pub title: String,
    /// The wait mode.
    pub wait: &'static str,
    /// `khelper (4121)`.
    pub who: String,
    /// How far it has come.
    pub state: State,
    /// How it stands, or ended.
    pub ending: OutcomeText,
    /// When it was asked, on the engine's clock.
    pub at: Micros,
    /// How long it took, once it is over.
    pub took: Option<u64>,
    /// Its helper.
    pub pid: Option<i32>,
}

/// The end of what a stream said: escaped lines, and how many bytes come before them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The lines.
    pub lines: Vec<String>,
    /// Bytes before them that are kept but not shown.
    pub before: usize,
}

/// The record under the cursor, with what had to be looked up for it.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The record, as it stood when it was read.
    pub record: Arc<Record>,
    /// When it was asked, date and all.
    pub asked: String,
    /// How it stands, or ended.
    pub ending: OutcomeText,
    /// Who asked whom, nearest first (REQ-12).
    pub chain: Vec<ChainLink>,
    /// The chain was looked up when this was read, not when it was asked.
    pub chain_now: bool,
    /// What it wrote: stdout, stderr.
    pub output: [Tail; 2],
}

/// Where the cursor is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// On the first row.
    First,
    /// On the last row.
    Last,
    /// So many rows from the one of that request, or from where it was.
    Near {
        /// The request.
        id: u64,
        /// Where its row was.
        index: usize,
        /// Rows from there.
        by: isize,
    },
}

/// What the reader is asked for.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// Which records.
    pub query: Query,
    /// Nothing that was asked for since the last answer is to be shown.
    pub still: bool,
    /// Where the cursor is to be.
    pub target: Target,
    /// Rows on each side of it.
    pub around: usize,
}

/// What the reader answers.
#[derive(Clone, Debug, Default)]
pub struct RecordPage {
    /// How many rows there are.
    pub matched: usize,
    /// Out of so many records.
    pub looked: usize,
    /// The newest request that was seen.
    pub newest: u64,
    /// Where the first row given here stands.
    pub first: usize,
    /// The rows around the cursor.
    pub rows: Vec<Row>,
    /// Where the cursor is; `None`: there are no rows.
    pub at: Option<usize>,
    /// The record under it.
    pub detail: Option<Box<Detail>>,
    /// Nothing could be read: why.
    pub trouble: Option<String>,
}
