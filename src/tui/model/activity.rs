//! The state of the screen Activity: the rows read last, the cursor, and the next question. The records stay in the
//! engine: the screen holds a window of rows and the one record under the cursor.

mod rows;
mod typing;

use std::collections::BTreeSet;

use crate::abi::record::State;
use crate::abi::time::Micros;
use crate::control::activity::outcomes::Outcomes;
use crate::control::activity::page::{Anchor, PageRequest};
use crate::control::activity::query::{Query, Sort};

pub use typing::Typing;

use super::record_row::{Detail, Row, RowPage};
use super::times::Times;
use crate::tui::field::Field;

/// How many requests whose helpers got TERM are remembered.
const TERMS: usize = 64;

/// Everything that an answer depends on: while it stays the same, no new question is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    query: Query,
    seq: u64,
    still: bool,
    shape: (bool, bool),
    apart: Vec<u64>,
    around: usize,
    moves: u64,
    now: Micros,
    older: u64,
}

/// The state of the screen.
#[derive(Clone, Debug)]
pub struct Activity {
    /// Words that rows must contain.
    pub words: Field,
    /// Globs that module names must match.
    pub globs: Field,
    /// Which of the two has the focus.
    pub typing: Option<Typing>,
    /// Which outcomes are shown.
    pub which: Outcomes,
    /// Which time is shown.
    pub times: Times,
    /// No record has these words as they stand: their letters in this order count.
    pub scattered: Option<Vec<String>>,
    /// The order.
    pub sort: Sort,
    /// Reverses the order.
    pub reverse: bool,
    /// Every request has its own row; otherwise equal ones share one.
    pub unfolded: bool,
    /// Requests whose equals are shown one by one, the last one unfolded last.
    pub apart: Vec<u64>,
    /// Each request is shown below the one whose helper asked for it.
    pub tree: bool,
    /// The keys scroll the record beside or below the rows.
    pub reading: bool,
    /// How far which record is scrolled.
    scroll: (u64, usize),
    /// The cursor stays on the first row when rows are added.
    pub follow: bool,
    /// Paused: no new records are shown. Holds the number of requests when the pause began.
    pub paused: Option<u64>,
    /// The page read last.
    pub answer: RowPage,
    /// The row at the top of the screen.
    pub top: usize,
    /// The row under the cursor, and the request in it that was last the cursor's.
    pub at: Option<(usize, u64)>,
    /// Requests whose helpers got TERM from here, the newest last.
    pub had_term: Vec<u64>,
    /// The marked requests.
    pub marked: BTreeSet<u64>,
    /// Pages of older records that were read.
    pub older_pages: u64,
    wish: Option<Anchor>,
    moves: u64,
    asked: Option<Asked>,
    in_flight: bool,
    /// The question of the last answer.
    answered: Option<Query>,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            words: Field::default(),
            globs: Field::default(),
            typing: None,
            which: Outcomes::ALL,
            times: Times::default(),
            scattered: None,
            sort: Sort::Newest,
            reverse: false,
            unfolded: false,
            apart: Vec::new(),
            tree: false,
            reading: false,
            scroll: (0, 0),
            follow: true,
            paused: None,
            answer: RowPage::default(),
            top: 0,
            at: None,
            had_term: Vec::new(),
            marked: BTreeSet::new(),
            older_pages: 0,
            wish: None,
            moves: 0,
            asked: None,
            in_flight: false,
            answered: None,
        }
    }
}

impl Activity {
    /// The field that has the focus.
    pub fn field(&mut self) -> Option<&mut Field> {
        match self.typing? {
            Typing::Words => Some(&mut self.words),
            Typing::Globs => Some(&mut self.globs),
        }
    }

    /// Whether the page read last answers the current question.
    pub fn is_current(&self) -> bool {
        self.answered.as_ref() == Some(&self.query())
    }

    /// Whether an answer is awaited.
    pub fn reads(&self) -> bool {
        self.in_flight
    }

    /// The row under the cursor.
    pub fn row(&self) -> Option<&Row> {
        let (index, id) = self.at?;
        self.answer.rows.get(index.checked_sub(self.answer.first)?).filter(|row| row.has(id))
    }

    /// The record under the cursor, once it has been read.
    pub fn detail(&self) -> Option<&Detail> {
        let (_, id) = self.at?;
        self.answer.detail.as_deref().filter(|detail| detail.record.id == id)
    }

    /// Moves the cursor by `rows`: at once if those rows have been read, else with the next answer.
    pub fn move_by(&mut self, by: isize) {
        self.moves += 1;
        self.follow = false;
        let Some(end) = self.answer.in_rows.checked_sub(1) else { return };
        match &mut self.wish {
            Some(Anchor::Near { by: more, .. }) => return *more = more.saturating_add(by),
            Some(_) => return,
            None => {}
        }
        let Some((index, id)) = self.at else { return };
        let to = index.saturating_add_signed(by).min(end);
        match to.checked_sub(self.answer.first).and_then(|at| self.answer.rows.get(at)) {
            Some(row) => self.at = Some((to, row.id)),
            None => self.wish = Some(Anchor::Near { id, index, by }),
        }
    }

    /// Moves the cursor to the first or to the last row.
    pub fn jump(&mut self, to: Anchor) {
        self.moves += 1;
        self.follow = false;
        self.wish = Some(to);
    }

    /// Moves the cursor to the record of one request. Filters that could hide it are cleared.
    pub fn go_to(&mut self, id: u64) {
        self.unfilter_all();
        (self.typing, self.paused) = (None, None);
        let index = self.at.map_or(0, |(index, _)| index);
        self.jump(Anchor::Near { id, index, by: 0 });
        self.at = Some((index, id));
    }

    /// Makes the cursor stay on the first row from now on.
    pub fn follow(&mut self) {
        self.jump(Anchor::First);
        (self.follow, self.paused) = (true, None);
    }

    /// Starts again at the first row, because the query has changed.
    pub fn changed(&mut self) {
        if self.follow {
            self.moves += 1;
        } else {
            self.jump(Anchor::First);
        }
    }

    /// The next question, if anything has changed since the last one and that one was answered. `seq` is the engine's;
    /// `tick` changes while the row under the cursor changes with time.
    pub fn ask(&mut self, seq: u64, rows: usize, now: Micros) -> Option<PageRequest> {
        let query = self.query();
        let still = self.paused.is_some();
        let seq = if still { 0 } else { seq };
        let moving = !still && self.row().is_some_and(|row| row.state != State::Ended);
        let asked = Asked {
            query: query.clone(),
            seq,
            still,
            shape: (!self.unfolded, self.tree),
            apart: self.apart.clone(),
            around: (2 * rows).next_multiple_of(16).max(16),
            moves: self.moves,
            now: if moving { now } else { 0 },
            older: self.older_pages,
        };
        if self.in_flight || self.asked.as_ref() == Some(&asked) {
            return None;
        }
        let anchor = match (self.follow, self.wish, self.at) {
            (true, ..) => Anchor::First,
            (_, Some(wish), _) => wish,
            (_, None, Some((index, id))) => Anchor::Near { id, index, by: 0 },
            _ => Anchor::First,
        };
        let (folded, tree) = asked.shape;
        let apart = asked.apart.clone();
        let question = PageRequest { query, still, folded, tree, apart, anchor, around: asked.around };
        self.asked = Some(asked);
        self.in_flight = true;
        Some(question)
    }

    /// Whether the question must be asked again: no record has the words as they stand, so that their letters count; or one
    /// has them now.
    fn spells_otherwise(&mut self, answer: &RowPage) -> bool {
        let Some(asked) = &self.asked else { return false };
        let words = &asked.query.words;
        let again = match asked.query.scattered {
            false if answer.matched == 0 && !answer.older.reads && !words.is_empty() => Some(words.clone()),
            true if answer.exact => None,
            _ => return false,
        };
        (self.scattered, self.asked) = (again, None);
        true
    }

    /// Stores an answer. A cursor that was moved since stays where it was moved to.
    pub fn take(&mut self, answer: RowPage) {
        self.in_flight = false;
        if answer.trouble.is_some() {
            self.answer.trouble = answer.trouble;
            return;
        }
        if self.spells_otherwise(&answer) {
            return;
        }
        self.answered = self.asked.as_ref().map(|asked| asked.query.clone());
        let offset = self.at.map_or(0, |(index, _)| index.saturating_sub(self.top));
        let row = |index: usize| answer.rows.get(index.checked_sub(answer.first)?);
        let read = answer.detail.as_deref().map(|detail| detail.record.id);
        let here = |row: &Row| read.filter(|id| row.has(*id)).unwrap_or(row.id);
        let asked = answer.at.and_then(|index| Some((index, here(row(index)?))));
        let since = self.asked.as_ref().is_some_and(|asked| asked.moves != self.moves);
        let moved = self.at.filter(|_| since && !self.follow).and_then(|(_, id)| {
            let here = answer.rows.iter().position(|row| row.has(id))?;
            Some((answer.first + here, id))
        });
        self.at = moved.or(asked);
        if !since {
            self.wish = None;
        }
        if let Some((index, _)) = self.at {
            self.top = if self.follow { 0 } else { index.saturating_sub(offset) };
        }
        self.answer = answer;
    }

    /// Remembers that TERM was sent to the helper of this request.
    pub fn remember_term(&mut self, id: u64) {
        if self.had_term.len() == TERMS {
            self.had_term.remove(0);
        }
        self.had_term.push(id);
    }

    /// Scrolls so that the cursor is visible among the rows shown.
    pub fn keep_in_sight(&mut self, rows: usize) {
        let Some((index, _)) = self.at else { return };
        let rows = rows.max(1);
        let most = self.answer.in_rows.saturating_sub(rows);
        self.top = self.top.clamp((index + 1).saturating_sub(rows), index).min(most);
    }
}

#[cfg(test)]
mod tests;
