//! Records that are older than the target's run: read from its ledger a page at a time, as far as the screen needs them,
//! and put behind the rows of the run. Nothing waits for them. A bounded number is held.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::abi::error::ControlError;
use crate::abi::error::Explain;
use crate::abi::record::Record;
use crate::control::activity::outcomes::{Tally, Which};
use crate::control::activity::page::{Anchor, PageRequest, RecordDetail, RecordPage};
use crate::control::activity::query::{Query, Sort};
use crate::control::ledger_view::{LogPage, LogRequest, What};
use crate::control::target::TargetInfo;
use crate::control::{Command, Reply};

use super::model::older::Older;
use super::older_rows::{Groups, OlderRow};

/// The most records that are held, and the most bytes of output that they have.
const HELD: usize = 2_000;
const OUTPUT: usize = 4 << 20;
/// A helper may write its line so long after the request was made: a day, in microseconds.
const LONGEST: i64 = 86_400 * 1_000_000;

/// What is held. Threads that answer commands share it.
#[derive(Clone, Default)]
pub(super) struct OlderFeed(Arc<Mutex<Store>>);

#[derive(Default)]
struct Store {
    /// What the records are for: the query, and the beginning of the run.
    of: (Query, i64),
    /// Counts what the records were for. A page that was read for an earlier one is not added.
    begun: u64,
    /// Newest first.
    records: Vec<Arc<Record>>,
    groups: Groups,
    output: usize,
    tally: Tally,
    next: Option<String>,
    /// A page is being read, for this query or an earlier one.
    reads: bool,
    /// There is nothing older, or it is not read.
    over: bool,
    /// Why it is not read.
    why: Option<String>,
    /// How many records the run had that match, as far as is known.
    of_run: usize,
}

impl OlderFeed {
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The question for the run's own records: where the cursor goes to an older one, those before it.
    pub(super) fn of_run(&self, question: &PageRequest, info: &TargetInfo) -> PageRequest {
        let mut store = self.lock();
        store.prepare(question, info);
        let mut asked = question.clone();
        if let Some(to) = store.wanted(question, store.of_run, &store.rows(question)) {
            // By its index: no request has this id.
            asked.anchor = Anchor::Near { id: u64::MAX, index: to, by: 0 };
        }
        asked
    }

    /// The page with the older records behind it. Returns the next question for the ledger, if the page needs more, and
    /// what [`Self::take`] needs with the answer.
    pub(super) fn complete(
        &self,
        question: &PageRequest,
        page: RecordPage,
    ) -> (RecordPage, Older, Option<(Command, u64)>) {
        let mut store = self.lock();
        store.of_run = rows_of(&page);
        let (page, reaches) = store.join(question, page);
        let full = store.is_full();
        let wants = reaches && !store.over && !store.reads && !full && is_in_order(&question.query);
        let ask = wants.then(|| (store.question(), store.begun));
        store.reads |= wants;
        let older = Older {
            first: store.of_run,
            held: store.records.len(),
            reads: store.reads || !store.over && !full && is_in_order(&question.query) && reaches,
            full: full && !store.over,
            why: store.why.clone(),
        };
        (page, older, ask)
    }

    /// Takes a page of the ledger that was asked for; `begun` came with the question.
    pub(super) fn take(&self, begun: u64, reply: Result<Reply, ControlError>) {
        let mut store = self.lock();
        store.reads = false;
        // The same query may have been left and asked again since: the page could be a later one of it.
        if store.begun != begun {
            return;
        }
        match reply {
            Ok(Reply::Log(page)) => store.add(*page),
            Ok(_) => store.over = true,
            // A target without a ledger is nothing to report.
            Err(error @ (ControlError::Unavailable(_) | ControlError::Unsupported(_))) => {
                (store.over, store.why) = (true, Some(error.to_string()));
            }
            Err(error) => (store.over, store.why) = (true, Some(error.whole())),
        }
    }
}

/// The rows of a page.
const fn rows_of(page: &RecordPage) -> usize {
    if page.in_rows == 0 { page.matched } else { page.in_rows }
}

/// Older records follow where the newest come first.
fn is_in_order(query: &Query) -> bool {
    query.sort == Sort::Newest && !query.reverse
}

/// The query without the order.
fn normal(query: &Query) -> Query {
    Query { sort: Sort::Newest, reverse: false, ..query.clone() }
}

impl Store {
    /// Begins again if the question is another one.
    fn prepare(&mut self, question: &PageRequest, info: &TargetInfo) {
        let began = i64::try_from(info.run.started).unwrap_or(i64::MAX);
        let of = (normal(&question.query), began);
        if of != self.of {
            let over = question.query.since.is_some_and(|since| since >= began);
            *self = Self { of, begun: self.begun + 1, over, reads: self.reads, ..Self::default() };
        }
    }

    fn question(&self) -> Command {
        let (query, began) = &self.of;
        let until = query.until.map_or(*began, |until| until.saturating_add(LONGEST).min(*began));
        Command::Log(Box::new(LogRequest {
            since: query.since,
            until: Some(until),
            query: Some(Box::new(query.clone())),
            newest_first: true,
            from: self.next.clone(),
            ..LogRequest::default()
        }))
    }

    fn add(&mut self, page: LogPage) {
        self.over = page.next.is_none();
        self.next = page.next;
        for line in page.lines {
            let What::Ended(record) = line.what else { continue };
            self.tally.add(Which::of(&record));
            self.output += record.output.as_ref().map_or(0, |output| output.bytes());
            self.groups.add(&record);
            self.records.push(record);
        }
    }

    fn is_full(&self) -> bool {
        self.records.len() >= HELD || self.output >= OUTPUT
    }

    fn place(&self, id: u64) -> Option<usize> {
        self.records.iter().position(|record| record.id == id)
    }

    /// The index of the row of a request among the older rows.
    fn row_of(&self, id: u64, rows: &[OlderRow<'_>]) -> Option<usize> {
        let place = self.place(id)?;
        rows.iter().position(|row| row.has(place))
    }

    /// The rows of what is held, if the question asks for some.
    fn rows(&self, question: &PageRequest) -> Vec<OlderRow<'_>> {
        if is_in_order(&question.query) { self.groups.rows(question, &self.records) } else { Vec::new() }
    }

    /// The index that the cursor moves to, if it is or was an older one.
    fn wanted(&self, question: &PageRequest, of_run: usize, rows: &[OlderRow<'_>]) -> Option<usize> {
        let end = of_run + rows.len().checked_sub(1)?;
        match question.anchor {
            Anchor::First => (of_run == 0).then_some(0),
            Anchor::Last => Some(end),
            Anchor::Near { id, index, by } => match self.row_of(id, rows) {
                Some(at) => Some((of_run + at).saturating_add_signed(by).min(end)),
                None => Some(index.saturating_add_signed(by)).filter(|to| *to >= of_run).map(|to| to.min(end)),
            },
        }
    }

    /// Puts the older records behind the page. Returns whether it reaches the last one that is held.
    fn join(&self, question: &PageRequest, mut page: RecordPage) -> (RecordPage, bool) {
        let rows = self.rows(question);
        let held = if rows.is_empty() { 0 } else { self.records.len() };
        let of_run = rows_of(&page);
        let total = of_run + rows.len();
        if let Some(to) = self.wanted(question, of_run, &rows).filter(|to| *to >= of_run) {
            page.at = Some(to);
            page.detail = rows.get(to - of_run).map(|row| {
                // The record where the cursor was, if it stays in its row.
                let was = match question.anchor {
                    Anchor::Near { id, .. } => self.place(id).filter(|place| row.has(*place)),
                    _ => None,
                };
                let record = &self.records[was.unwrap_or(row.newest)];
                let chain = record.chain.to_vec();
                Box::new(RecordDetail { record: record.clone(), chain, chain_now: false })
            });
        }
        let at = page.at.unwrap_or_default();
        let end = at.saturating_add(question.around).saturating_add(1);
        if page.rows.is_empty() {
            page.first = of_run;
        }
        if page.first + page.rows.len() == of_run {
            let from = page.at.map_or(0, |at| at.saturating_sub(question.around)).saturating_sub(of_run);
            if from > 0 {
                (page.rows, page.first) = (Vec::new(), of_run + from);
            }
            let to = end.saturating_sub(of_run).min(rows.len());
            page.rows.extend(rows.iter().take(to).skip(from).map(|row| row.summary(&self.records)));
        }
        page.in_rows = total;
        page.matched += held;
        page.looked += held;
        if held > 0 {
            page.tally = page.tally.and(&self.tally);
        }
        (page, end >= total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::CapMask;
    use crate::control::ledger_view::Recorded;
    use crate::control::target::{LinkState, RunId, TargetKind};
    use crate::tui::testing::fixtures;

    fn info() -> TargetInfo {
        TargetInfo {
            kind: TargetKind::Daemon,
            name: String::new(),
            version: String::new(),
            pid: 1,
            uid: 0,
            run: RunId { started: 9_000_000, pid: 1 },
            link: LinkState::Up,
            known: CapMask::EMPTY,
        }
    }

    fn question(word: &str) -> PageRequest {
        PageRequest {
            query: Query { words: vec![word.to_owned()], ..Query::default() },
            still: false,
            folded: false,
            tree: false,
            apart: Vec::new(),
            anchor: Anchor::First,
            around: 50,
        }
    }

    fn page(ids: std::ops::Range<u64>, next: Option<&str>) -> Result<Reply, ControlError> {
        let line = |id| Recorded {
            at: 1,
            n: id,
            run: RunId { started: 3, pid: 4 },
            target: "daemon".into(),
            known: CapMask::EMPTY,
            what: What::Ended(Arc::new(fixtures::record(id, b"x", 0))),
        };
        let lines = ids.rev().map(line).collect();
        Ok(Reply::Log(Box::new(LogPage { lines, next: next.map(str::to_owned), ..LogPage::default() })))
    }

    /// A question, and what is asked of the ledger for it: where the page begins, and what comes with it.
    fn ask(feed: &OlderFeed, word: &str) -> (usize, Option<(Option<String>, u64)>) {
        feed.of_run(&question(word), &info());
        let (_, older, ask) = feed.complete(&question(word), RecordPage::default());
        let from = |command| match command {
            Command::Log(log) => log.from,
            other => panic!("{other:?}"),
        };
        (older.held, ask.map(|(command, begun)| (from(command), begun)))
    }

    #[test]
    fn a_late_page_of_a_query_that_was_left_and_asked_again_loses_no_record() {
        let feed = OlderFeed::default();
        let (_, first) = ask(&feed, "a");
        let (from, begun) = first.unwrap();
        assert_eq!(from, None);
        feed.take(begun, page(10..20, Some("p2")));
        let (held, second) = ask(&feed, "a");
        let (from, begun) = second.unwrap();
        assert_eq!((held, from.as_deref()), (10, Some("p2")));
        // Another query and back, while the second page is being read: nothing else is asked meanwhile.
        assert_eq!(ask(&feed, "b"), (0, None));
        assert_eq!(ask(&feed, "a"), (0, None));
        feed.take(begun, page(0..10, None));
        let (held, again) = ask(&feed, "a");
        let (from, begun) = again.expect("it begins again with the first page");
        assert_eq!((held, from), (0, None));
        feed.take(begun, page(10..20, None));
        assert_eq!(ask(&feed, "a"), (10, None));
    }
}
