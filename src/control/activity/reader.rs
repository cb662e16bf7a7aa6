//! Paged access to live and ended records; a large read never holds the registry's lock for long. The reader remembers
//! which records match, never the records themselves: held longer, their output would outlive its budget (UMH-13).

use std::collections::VecDeque;
use std::hash::RandomState;
use std::sync::Arc;

use crate::abi::record::Record;

use super::current::{current_record, detail};
use super::folds::Rows;
use super::history::History;
use super::matched::Match;
use super::order::{Arranged, Shape, arrange};
use super::outcomes::{Tally, Which};
use super::page::{Anchor, Apart, Branch, Fold, Moment, PageRequest, RecordPage, RecordSummary};
use super::query::Query;

/// The most records that are read in one hold of the registry's lock.
const PIECE: usize = 256;
/// The most rows that are shown one by one although others are folded.
pub const APART: usize = 64;
/// The serial number of a request that has not ended.
const LIVE: u64 = u64::MAX;

/// The records that match a query; each request brings it up to date.
pub struct Reader {
    history: Arc<dyn History>,
    query: Query,
    /// The serial number of the next record to read.
    next: u64,
    /// The newest request that was read, and the newest one to include.
    newest: u64,
    limit: u64,
    /// The number of checked records that the engine still keeps.
    kept: usize,
    ended: VecDeque<Match>,
    live: Vec<Match>,
    /// Every request that has not ended.
    alive: Vec<u64>,
    /// The order of the records: indices into `ended` followed by `live`.
    order: Vec<u32>,
    /// The rows, and in a tree the place of each.
    rows: Rows,
    branches: Vec<Branch>,
    shape: Shape,
    /// The requests whose equals have a row each, with what they are equal in; that is known once the request was seen,
    /// and stays as it was then: a request that ends meanwhile is equal to others.
    apart: Vec<(u64, Option<u64>)>,
    /// Of keys that nobody outside knows: a requester cannot make two different requests look equal.
    hasher: RandomState,
    /// The classes of all records that were read and are kept, the oldest first; `None` if the rest of the query leaves
    /// one out. Their sum is `tally`.
    classes: VecDeque<Option<Which>>,
    tally: Tally,
    /// The same for requests that have not ended.
    tally_live: Tally,
    /// A record has all the words as they stand.
    exact: bool,
}

impl Reader {
    /// A reader of the records of `history`; it reads nothing yet.
    pub fn new(history: impl History + 'static) -> Self {
        Self {
            history: Arc::new(history),
            query: Query::default(),
            next: 0,
            newest: 0,
            limit: u64::MAX,
            kept: 0,
            ended: VecDeque::new(),
            live: Vec::new(),
            alive: Vec::new(),
            order: Vec::new(),
            rows: Rows::default(),
            branches: Vec::new(),
            shape: Shape::default(),
            apart: Vec::new(),
            hasher: RandomState::new(),
            classes: VecDeque::new(),
            tally: Tally::default(),
            tally_live: Tally::default(),
            exact: false,
        }
    }

    /// Reads the records around the cursor, and the one under it.
    pub fn answer(&mut self, question: &PageRequest) -> RecordPage {
        self.answer_from(question, Some(self.newest))
    }

    /// [`Self::answer`] for a caller whose last answer had `newest` as the newest request, if it had one.
    pub fn answer_from(&mut self, question: &PageRequest, newest: Option<u64>) -> RecordPage {
        let shape = Shape::of(question);
        let most = if shape.folded && !shape.tree { APART } else { 0 };
        let apart = &question.apart[..question.apart.len().min(most)];
        self.catch_up(&question.query, newest.filter(|_| question.still), shape, apart);
        let (matched, in_rows) = (self.order.len(), self.rows.len());
        let (at, id) = self.place(question.anchor).unzip();
        let first = at.unwrap_or_default().saturating_sub(question.around);
        let last = at.map_or(0, |at| at.saturating_add(question.around).saturating_add(1).min(in_rows));
        let rows = (first..last).map(|index| self.row(index)).collect();
        let detail = id.and_then(|id| detail(&*self.history, id)).map(Box::new);
        let (looked, newest) = (self.kept + self.alive.len(), self.newest);
        let (tally, exact) = (self.tally.and(&self.tally_live), self.exact);
        RecordPage { matched, in_rows, looked, newest, first, rows, at, detail, tally, exact }
    }

    /// The id of every record that matches, in order, without requests newer than `newest`.
    pub fn ids(&mut self, query: &Query, newest: Option<u64>) -> Vec<u64> {
        self.catch_up(query, newest, Shape::default(), &[]);
        (0..self.order.len()).filter_map(|index| Some(self.nth(index)?.id)).collect()
    }

    /// Catches up with the engine. Live requests are read first: a request that ends meanwhile is then read twice and
    /// counted once, and never missed. With a `newest`, newer requests are left out, so an unchanged query needs no new
    /// read. Nothing is sorted or folded again while the records stay the same.
    fn catch_up(&mut self, query: &Query, newest: Option<u64>, shape: Shape, apart: &[u64]) {
        let limit = newest.unwrap_or(u64::MAX);
        let same = *query == self.query;
        // Nothing newer than the limit is there if nothing newer was read.
        let same_limit = limit == self.limit || self.limit == u64::MAX && limit == self.newest;
        let as_before = same && shape == self.shape && self.apart.iter().map(|(id, _)| id).eq(apart);
        if as_before && newest.is_some() && same_limit && self.next > 0 {
            return;
        }
        if !same || limit != self.limit {
            (self.query, self.limit, self.next, self.newest) = (query.clone(), limit, 0, 0);
            self.ended.clear();
            self.classes.clear();
            (self.tally, self.exact) = (Tally::default(), false);
        }
        self.shape = shape;
        let known = |id: &u64| (*id, self.apart.iter().find(|(other, _)| other == id).and_then(|(_, alike)| *alike));
        self.apart = apart.iter().map(known).collect();
        let (live, next, ended) = (std::mem::take(&mut self.live), self.next, self.ended.len());
        let classes = self.read_live(limit);
        self.read_ended(limit, &classes);
        if !as_before || next == 0 || next != self.next || ended != self.ended.len() || live != self.live {
            self.sort();
        }
    }

    /// The class of a record that matches the rest of the query.
    fn class(&mut self, record: &Record) -> Option<Which> {
        let class = self.query.fits_but_for_outcome(record).then(|| Which::of(record))?;
        if self.query.scattered && !self.exact && self.query.which.fits(class) {
            self.exact = self.query.has_words(record, false);
        }
        Some(class)
    }

    /// Reads the requests that have not ended. Returns the class of each that matches the rest of the query.
    fn read_live(&mut self, limit: u64) -> Vec<(u64, Option<Which>)> {
        let mut classes = Vec::new();
        self.live.clear();
        self.alive.clear();
        let mut after = 0;
        loop {
            let piece = self.history.live_after(after, PIECE);
            let Some((last, _)) = piece.last() else { return classes };
            after = last.id;
            self.newest = self.newest.max(after.min(limit));
            for (live, draft) in piece.iter().filter(|(live, _)| live.id <= limit) {
                self.alive.push(live.id);
                let record = current_record(live, draft);
                let class = self.class(&record);
                if class.is_some_and(|class| self.query.which.fits(class)) {
                    self.live.push(Match::new(self.query.sort, &record, LIVE, &self.hasher));
                }
                classes.push((live.id, class));
            }
        }
    }

    fn read_ended(&mut self, limit: u64, live: &[(u64, Option<Which>)]) {
        let mut ended_now = Vec::new();
        loop {
            let (first, piece) = self.history.ended_from(self.next, PIECE);
            // Records that were dropped since the last read.
            let dropped = usize::try_from(first - self.next).unwrap_or(usize::MAX);
            self.next = first;
            if piece.is_empty() && dropped == 0 {
                break;
            }
            for record in &piece {
                self.next += 1;
                self.kept += 1;
                let class = if record.id > limit { None } else { self.class(record) };
                self.classes.push_back(class);
                if record.id > limit {
                    continue;
                }
                self.newest = self.newest.max(record.id);
                ended_now.push(record.id);
                let Some(class) = class else { continue };
                self.tally.add(class);
                if self.query.which.fits(class) {
                    self.ended.push_back(Match::new(self.query.sort, record, self.next - 1, &self.hasher));
                }
            }
        }
        // The oldest record that the engine still has.
        let (first, _) = self.history.ended_from(0, 1);
        self.kept = usize::try_from(self.next.saturating_sub(first)).unwrap_or(0);
        while self.ended.front().is_some_and(|m| m.serial < first) {
            self.ended.pop_front();
        }
        while self.classes.len() > self.kept {
            self.drop_oldest();
        }
        ended_now.sort_unstable();
        let twice = |id: &u64| ended_now.binary_search(id).is_ok();
        self.live.retain(|m| !twice(&m.id));
        self.alive.retain(|id| !twice(id));
        self.tally_live = Tally::default();
        let live = live.iter().filter(|(id, _)| !twice(id)).filter_map(|(_, class)| *class);
        live.for_each(|class| self.tally_live.add(class));
    }

    /// Forgets the class of the oldest record, which the engine has dropped.
    fn drop_oldest(&mut self) {
        if let Some(class) = self.classes.pop_front().flatten() {
            self.tally.take(class);
        }
    }

    fn sort(&mut self) {
        for (id, alike) in self.apart.iter_mut().filter(|(_, alike)| alike.is_none()) {
            *alike = self.ended.iter().chain(&self.live).find(|found| found.id == *id).map(|found| found.alike);
        }
        let order = std::mem::take(&mut self.order);
        let apart = |key: u64| self.apart.iter().any(|(_, alike)| *alike == Some(key));
        let arranged = arrange((&self.ended, &self.live), &self.query, self.shape, apart, order, &*self.history);
        Arranged { order: self.order, rows: self.rows, branches: self.branches } = arranged;
    }

    /// The record at this place in the order.
    fn nth(&self, at: usize) -> Option<&Match> {
        let at = *self.order.get(at)? as usize;
        self.ended.get(at).or_else(|| self.live.get(at - self.ended.len()))
    }

    /// The index of the row that the cursor moves to, and its record: the one where the cursor was if it stays in its
    /// row, else the first. `None` if no record matches.
    fn place(&self, anchor: Anchor) -> Option<(usize, u64)> {
        let end = self.rows.len().checked_sub(1)?;
        let (to, stays) = match anchor {
            Anchor::First => (0, None),
            Anchor::Last => (end, None),
            Anchor::Near { id, index, by } => {
                let at = (0..self.order.len()).find(|at| self.nth(*at).is_some_and(|m| m.id == id));
                let from = at.map_or(index.min(end), |at| self.rows.row_of(at));
                let to = from.saturating_add_signed(by).min(end);
                (to, at.filter(|_| to == from).map(|_| id))
            }
        };
        Some((to, stays.or_else(|| Some(self.nth(self.rows.records(to).start)?.id))?))
    }

    fn row(&self, index: usize) -> RecordSummary {
        let all = self.rows.records(index);
        let Some(found) = self.nth(all.start) else {
            return RecordSummary { id: 0, record: None, fold: None, branch: None, apart: None };
        };
        let mut row = match self.record(found) {
            Some(record) => RecordSummary::of(&record),
            None => RecordSummary { id: found.id, record: None, fold: None, branch: None, apart: None },
        };
        row.apart = self.place_apart(found, all.start);
        row.branch = self.branches.get(index).copied();
        if all.len() > 1 {
            let equal = || all.clone().filter_map(|at| self.nth(at));
            let oldest = equal().min_by_key(|found| found.id).and_then(|found| self.record(found));
            let since = oldest.map(|record| Moment { wall: record.wall, at: record.at });
            row.fold = Some(Box::new(Fold::of(equal().map(|found| found.id).collect(), since)));
        }
        row
    }

    /// The place of the record at `at` in the order, if it is shown apart from its equals, which stand around it.
    fn place_apart(&self, found: &Match, at: usize) -> Option<Apart> {
        let (by, _) = self.apart.iter().find(|(_, alike)| *alike == Some(found.alike))?;
        let is_equal = |at: &usize| self.nth(*at).is_some_and(|other| other.alike == found.alike);
        let before = (0..at).rev().take_while(is_equal).count();
        let after = (at + 1..self.order.len()).take_while(is_equal).count();
        Some(Apart { by: *by, at: before as u64, of: (before + 1 + after) as u64 })
    }

    /// Reads a record again.
    fn record(&self, found: &Match) -> Option<Arc<Record>> {
        if found.serial == LIVE {
            return self.history.record(found.id);
        }
        let (serial, mut records) = self.history.ended_from(found.serial, 1);
        if serial == found.serial { records.pop() } else { None }
    }
}
