//! Records as the screen Activity shows them: one row each, and the one under the cursor in full. All bytes from
//! outside are escaped here.

use std::sync::Arc;

use crate::abi::actor::ChainLink;
use crate::abi::escape::screen;
use crate::abi::kernel_helper::{Fact, Unknown};
use crate::abi::place::Place;
use crate::abi::record::{Record, State};
use crate::abi::time::Micros;
use crate::control::activity::alike;
use crate::control::activity::outcomes::Tally;
use crate::control::activity::page::{Apart, Branch, Fold, RecordDetail, RecordPage, RecordSummary};
use crate::control::text::outcome::{self, OutcomeText, Severity, title};
use crate::sys::local_time::Local;

use super::ending::short_ending;
use super::older::Older;

/// How many bytes of a stream a page shows.
const SHOWN: usize = 8 * 1024;

/// One row of the screen; every text in it is escaped.
#[derive(Clone, Debug)]
pub struct Row {
    /// The number of the request.
    pub id: u64,
    /// When the request was made: `12:03:44.017`.
    pub time: String,
    /// The day of that, `2026-11-25`.
    pub day: String,
    /// The module, or the path.
    pub title: String,
    /// `khelper 4121 u0`.
    pub who: String,
    /// Its unit or container; empty if it has none.
    pub unit: String,
    /// The state.
    pub state: State,
    /// The state or outcome in words.
    pub ending: OutcomeText,
    /// When the request was made, on the engine's clock.
    pub at: Micros,
    /// How long it took, once it has ended.
    pub took: Option<u64>,
    /// The pid of its helper.
    pub pid: Option<i32>,
    /// CPU time in microseconds.
    pub cpu_us: u64,
    /// The most memory, in KiB.
    pub rss_kib: u64,
    /// All requests of the row, if it stands for equal ones.
    pub fold: Option<Box<Fold>>,
    /// When the oldest of its requests was made, with the date, if it stands for equal ones.
    pub oldest: String,
    /// Its place in the tree, if one is shown.
    pub branch: Option<Branch>,
    /// Its place among equal ones that are shown one by one although others share a row.
    pub apart: Option<Apart>,
    /// The end of `ending` is an errno, which is never cut.
    pub has_errno: bool,
}

impl Row {
    /// How many requests it stands for.
    pub fn times(&self) -> u64 {
        self.fold.as_deref().map_or(1, Fold::times)
    }

    /// Whether it stands for this request.
    pub fn has(&self, id: u64) -> bool {
        self.id == id || self.fold.as_deref().is_some_and(|fold| fold.contains(id))
    }

    /// When the oldest of its requests was made, on the engine's clock.
    pub fn since(&self) -> Micros {
        self.fold.as_deref().and_then(|fold| fold.since).map_or(self.at, |since| since.at)
    }

    /// The state, or how it ended, in at most `columns` cells.
    pub fn short_ending(&self, columns: usize) -> String {
        short_ending(&self.ending.words, self.has_errno, columns)
    }

    /// The numbers of all its requests.
    pub fn ids(&self) -> Vec<u64> {
        self.fold.as_deref().map_or_else(|| vec![self.id], |fold| fold.each().collect())
    }
}

/// The end of what a helper wrote to a stream: escaped lines, and how many bytes come before them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The lines.
    pub lines: Vec<String>,
    /// The number of stored bytes before them.
    pub before: usize,
}

/// The record under the cursor.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The record, as it was when read.
    pub record: Arc<Record>,
    /// When the request was made, with the date.
    pub asked: String,
    /// The state or outcome in words.
    pub ending: OutcomeText,
    /// The chain of requesters, the nearest first (REQ-12).
    pub chain: Vec<ChainLink>,
    /// The chain was looked up when the record was read, not when the request was made.
    pub chain_now: bool,
    /// Its output: stdout, stderr.
    pub output: [Tail; 2],
}

/// A page of rows; the fields are those of [`RecordPage`].
#[derive(Clone, Debug, Default)]
pub struct RowPage {
    /// The number of records that match.
    pub matched: usize,
    /// The number of rows in which they are.
    pub in_rows: usize,
    /// The number of records that were searched.
    pub looked: usize,
    /// The number of the newest request that was seen.
    pub newest: u64,
    /// The index of the first of `rows` among all rows.
    pub first: usize,
    /// The rows around the cursor.
    pub rows: Vec<Row>,
    /// The index of the cursor; `None` if there are no rows.
    pub at: Option<usize>,
    /// The record under the cursor.
    pub detail: Option<Box<Detail>>,
    /// How many records of each class match the other filters.
    pub tally: Tally,
    /// Of a query for letters in their order: a record has all the words as they stand.
    pub exact: bool,
    /// The records behind those of the target's run.
    pub older: Older,
    /// Why reading failed, if it did.
    pub trouble: Option<String>,
}

impl From<RecordPage> for RowPage {
    fn from(page: RecordPage) -> Self {
        let RecordPage { matched, in_rows, looked, newest, first, rows, at, detail, tally, exact } = page;
        let in_rows = if in_rows == 0 { matched } else { in_rows };
        let rows = rows.iter().map(Row::from).collect();
        let detail = detail.map(|detail| Box::new(Detail::from(*detail)));
        let (older, trouble) = (Older::default(), None);
        Self { matched, in_rows, looked, newest, first, rows, at, detail, tally, exact, older, trouble }
    }
}

impl From<&RecordSummary> for Row {
    fn from(summary: &RecordSummary) -> Self {
        let row = summary.record.as_deref().map_or_else(|| dropped(summary.id), Row::of);
        let since = summary.fold.as_deref().and_then(|fold| fold.since).and_then(|since| Local::of(since.wall));
        let oldest = since.map(|since| since.to_string()).unwrap_or_default();
        Row { fold: summary.fold.clone(), oldest, branch: summary.branch, apart: summary.apart, ..row }
    }
}

impl From<RecordDetail> for Detail {
    fn from(RecordDetail { record, chain, chain_now }: RecordDetail) -> Self {
        let asked = Local::of(record.wall).map_or_else(|| "?".to_owned(), |t| t.to_string());
        let output = match &record.output {
            Some(output) => [tail(&output.stdout), tail(&output.stderr)],
            None => Default::default(),
        };
        Self { ending: outcome::standing(&record), record, asked, chain, chain_now, output }
    }
}

impl Row {
    /// The row of one record.
    pub fn of(r: &Record) -> Self {
        let local = Local::of(r.wall);
        Row {
            id: r.id,
            time: local.map_or_else(|| "?".to_owned(), |t| t.time()),
            day: local.map(|t| t.date()).unwrap_or_default(),
            title: title(r),
            who: match (r.actor.is_known(), r.actor.pid) {
                (true, pid) => format!("{} {pid} u{}", r.actor.comm, r.actor.uid),
                (false, 0) => "not known".to_owned(),
                (false, tid) => format!("thread {tid}"),
            },
            unit: unit(r),
            state: r.state,
            ending: outcome::standing(r),
            at: r.at,
            took: if r.state == State::Ended { r.took_us() } else { None },
            pid: r.pid,
            cpu_us: r.cpu_us,
            rss_kib: r.max_rss_kib,
            fold: None,
            oldest: String::new(),
            branch: None,
            apart: None,
            has_errno: r.errno.is_some(),
        }
    }
}

/// The unit or container of the requester: `cron.service`, `docker 51f0aa8e90`; empty if it has none, and `gone` if it
/// was gone before that could be read.
fn unit(r: &Record) -> String {
    let Some(of) = alike::asker(r).1 else {
        let unknown = r.kernel.as_deref().and_then(|kernel| kernel.why_unknown(Fact::Unit));
        return if unknown == Some(Unknown::Gone) { "gone".to_owned() } else { String::new() };
    };
    let claims = if of.is_believed { "" } else { "claims " };
    match &of.place {
        Place::None => String::new(),
        Place::Unit(name) => format!("{claims}{}", screen(name)),
        Place::Container { runtime, id } => {
            let runtime = runtime.split('-').next().unwrap_or_default();
            format!("{claims}{} {}", screen(runtime.as_bytes()), screen(&id[..id.len().min(10)]))
        }
    }
}

/// A record that the engine dropped while its row was shown.
fn dropped(id: u64) -> Row {
    Row {
        id,
        time: String::new(),
        day: String::new(),
        title: "(dropped to keep the newest 10,000)".to_owned(),
        who: String::new(),
        unit: String::new(),
        state: State::Ended,
        ending: OutcomeText { symbol: '…', words: "dropped".to_owned(), mood: Severity::Quiet },
        at: 0,
        took: None,
        pid: None,
        cpu_us: 0,
        rss_kib: 0,
        fold: None,
        oldest: String::new(),
        branch: None,
        apart: None,
        has_errno: false,
    }
}

/// The end of a stream, split into lines at newlines.
fn tail(bytes: &[u8]) -> Tail {
    let before = bytes.len().saturating_sub(SHOWN);
    let shown = &bytes[before..];
    let shown = shown.strip_suffix(b"\n").unwrap_or(shown);
    if shown.is_empty() {
        return Tail::default();
    }
    Tail { lines: shown.split(|b| *b == b'\n').map(screen).collect(), before }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_into_escaped_lines() {
        let of = |bytes: &[u8]| tail(bytes);
        assert_eq!(of(b""), Tail::default());
        assert_eq!(of(b"one\ntwo\x1b[2J\n"), Tail { lines: vec!["one".into(), "two\\x1b[2J".into()], before: 0 });
        let long = of(&[b'x'; SHOWN + 5]);
        assert_eq!((long.before, long.lines[0].len()), (5, SHOWN));
    }
}
