//! Paged access to live and ended records; a large read never holds the registry's lock for long. The reader remembers
//! which records match, never the records themselves: held longer, their output would outlive its budget (UMH-13).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::abi::record::{Outcome, Record};
use crate::abi::snapshot::Live;

use super::history::History;
use super::page::{Anchor, PageRequest, RecordDetail, RecordPage, RecordSummary};
use super::query::{Query, Sort};

/// The most records that are read in one hold of the registry's lock.
const PIECE: usize = 256;
/// The serial number of a request that is not over.
const LIVE: u64 = u64::MAX;

/// What a record is ordered by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(u64),
    Name(Arc<[u8]>),
}

/// A record that matches: 10,000 of them are kept. Its key is its number unless the order is another one.
#[derive(Clone, Debug)]
struct Match {
    id: u64,
    serial: u64,
    key: Option<Box<Key>>,
}

impl Match {
    fn new(sort: Sort, record: &Record, serial: u64) -> Self {
        let key = if sort == Sort::Newest { None } else { Some(Box::new(key(sort, record))) };
        Self { id: record.id, serial, key }
    }
}

/// Which records match a query; brought up to date by each question.
pub struct Reader {
    history: Arc<dyn History>,
    query: Query,
    /// The serial number that ends next.
    next: u64,
    /// The newest request that was seen, and the newest that may be.
    newest: u64,
    limit: u64,
    /// How many of the records that were looked at are still kept.
    kept: usize,
    ended: VecDeque<Match>,
    live: Vec<Match>,
    /// Every request that is not over.
    alive: Vec<u64>,
    /// The order of the rows: places in `ended`, then in `live`.
    order: Vec<u32>,
}

impl Reader {
    /// Over the records of `history`; nothing is read yet.
    pub fn new(history: impl History + 'static) -> Self {
        let history = Arc::new(history);
        let (ended, live, alive, order) = (VecDeque::new(), Vec::new(), Vec::new(), Vec::new());
        let (query, limit) = (Query::default(), u64::MAX);
        Self { history, query, next: 0, newest: 0, limit, kept: 0, ended, live, alive, order }
    }

    /// Reads the records around the cursor, and the one under it.
    pub fn answer(&mut self, question: &PageRequest) -> RecordPage {
        self.look(&question.query, question.still.then_some(self.newest));
        let matched = self.order.len();
        let at = self.place(question.anchor);
        let first = at.unwrap_or_default().saturating_sub(question.around);
        let last = at.map_or(0, |at| at.saturating_add(question.around + 1).min(matched));
        let rows = (first..last).map(|index| self.row(index)).collect();
        let detail = at.and_then(|at| self.detail(self.nth(at)?.id)).map(Box::new);
        let (looked, newest) = (self.kept + self.alive.len(), self.newest);
        RecordPage { matched, looked, newest, first, rows, at, detail }
    }

    /// The id of every record that matches, in order, none of a request newer than `newest`.
    pub fn ids(&mut self, query: &Query, newest: Option<u64>) -> Vec<u64> {
        self.look(query, newest);
        (0..self.order.len()).filter_map(|index| Some(self.nth(index)?.id)).collect()
    }

    /// Catches up with the engine. What is not over is looked at first: what ends meanwhile is then seen twice, and
    /// counted once, rather than never. With a `newest`, newer requests are not for this look; then there is no need to
    /// catch up if the question is the same.
    fn look(&mut self, query: &Query, newest: Option<u64>) {
        let limit = newest.unwrap_or(u64::MAX);
        let same = *query == self.query;
        if same && newest.is_some() && self.next > 0 {
            return;
        }
        if !same || limit != self.limit {
            (self.query, self.limit, self.next) = (query.clone(), limit, 0);
            self.ended.clear();
        }
        self.look_at_live(limit);
        self.look_at_ended(limit);
        self.sort();
    }

    fn look_at_live(&mut self, limit: u64) {
        self.live.clear();
        self.alive.clear();
        let mut after = 0;
        loop {
            let piece = self.history.live_after(after, PIECE);
            let Some((last, _)) = piece.last() else { break };
            after = last.id;
            self.newest = self.newest.max(after.min(limit));
            for (live, draft) in piece.iter().filter(|(live, _)| live.id <= limit) {
                self.alive.push(live.id);
                let record = as_it_stands(live, draft);
                if self.query.fits(&record) {
                    self.live.push(Match::new(self.query.sort, &record, LIVE));
                }
            }
        }
    }

    fn look_at_ended(&mut self, limit: u64) {
        let mut seen_twice = Vec::new();
        loop {
            let (first, piece) = self.history.ended_from(self.next, PIECE);
            // Records that were let go since.
            let gone = usize::try_from(first - self.next).unwrap_or(usize::MAX);
            self.next = first;
            if piece.is_empty() && gone == 0 {
                break;
            }
            for record in &piece {
                self.next += 1;
                self.kept += 1;
                if record.id > limit {
                    continue;
                }
                self.newest = self.newest.max(record.id);
                seen_twice.push(record.id);
                if self.query.fits(record) {
                    self.ended.push_back(Match::new(self.query.sort, record, self.next - 1));
                }
            }
        }
        // The first that the engine still has.
        let (first, _) = self.history.ended_from(0, 1);
        self.kept = usize::try_from(self.next.saturating_sub(first)).unwrap_or(0);
        while self.ended.front().is_some_and(|m| m.serial < first) {
            self.ended.pop_front();
        }
        seen_twice.sort_unstable();
        let twice = |id: &u64| seen_twice.binary_search(id).is_ok();
        self.live.retain(|m| !twice(&m.id));
        self.alive.retain(|id| !twice(id));
    }

    fn sort(&mut self) {
        let all = u32::try_from(self.ended.len() + self.live.len()).unwrap_or(u32::MAX);
        self.order.clear();
        // Newest first to begin with: that is how most of it stays.
        self.order.extend((0..all).rev());
        let (ended, live) = (&self.ended, &self.live);
        let of = |at: &u32| match ended.get(*at as usize) {
            Some(found) => found,
            None => &live[*at as usize - ended.len()],
        };
        let falls = self.query.sort.falls() != self.query.reverse;
        let by_id = self.query.sort == Sort::Newest && self.query.reverse;
        self.order.sort_by(|a, b| {
            let (a, b) = (of(a), of(b));
            let by_key = if falls { b.key.cmp(&a.key) } else { a.key.cmp(&b.key) };
            by_key.then_with(|| if by_id { a.id.cmp(&b.id) } else { b.id.cmp(&a.id) })
        });
    }

    fn nth(&self, index: usize) -> Option<&Match> {
        let at = *self.order.get(index)? as usize;
        self.ended.get(at).or_else(|| self.live.get(at - self.ended.len()))
    }

    /// The index that the cursor moves to; `None` if no record matches.
    fn place(&self, anchor: Anchor) -> Option<usize> {
        let end = self.order.len().checked_sub(1)?;
        Some(match anchor {
            Anchor::First => 0,
            Anchor::Last => end,
            Anchor::Near { id, index, by } => {
                let here = (0..=end).find(|at| self.nth(*at).is_some_and(|m| m.id == id));
                here.unwrap_or(index.min(end)).saturating_add_signed(by).min(end)
            }
        })
    }

    fn row(&self, index: usize) -> RecordSummary {
        let Some(found) = self.nth(index) else { return RecordSummary { id: 0, record: None } };
        match self.record(found) {
            Some(record) => RecordSummary::of(&record),
            None => RecordSummary { id: found.id, record: None },
        }
    }

    /// Reads a record again.
    fn record(&self, found: &Match) -> Option<Arc<Record>> {
        if found.serial == LIVE {
            return self.history.record(found.id);
        }
        let (serial, mut records) = self.history.ended_from(found.serial, 1);
        if serial == found.serial { records.pop() } else { None }
    }

    fn detail(&self, id: u64) -> Option<RecordDetail> {
        let record = self.history.record(id)?;
        let chain_now = record.chain.is_empty();
        let chain = if chain_now { self.history.chain(record.actor.pid) } else { record.chain.to_vec() };
        Some(RecordDetail { record, chain, chain_now })
    }
}

/// The record of a request that is not over, without what its helper wrote.
fn as_it_stands(live: &Live, draft: &Record) -> Record {
    Record { state: live.state, pid: live.pid, abandoned: live.abandoned, outcome: Outcome::Running, ..draft.clone() }
}

fn key(sort: Sort, r: &Record) -> Key {
    match sort {
        Sort::Newest => Key::Number(r.id),
        // What is not over has taken longer than what is; of them the oldest.
        Sort::Took => Key::Number(r.took_us().unwrap_or(u64::MAX - r.at.min(u64::MAX / 2))),
        Sort::Cpu => Key::Number(r.cpu_us),
        Sort::Memory => Key::Number(r.max_rss_kib),
        Sort::Name => Key::Name(r.module.clone().unwrap_or_else(|| r.path.clone())),
        Sort::Outcome => Key::Number(r.outcome as u64),
    }
}
