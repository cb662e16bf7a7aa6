//! Rows of more than one request: marks, unfolding and the tree; rows of older records; and how far the record is
//! scrolled.

use super::Activity;
use crate::control::activity::page::Anchor;
use crate::control::activity::reader::APART;
use crate::tui::model::record_row::Row;

impl Activity {
    /// Marks every request of the row under the cursor, or takes the marks away if all have one, and moves on. Returns
    /// how many requests the row has.
    pub fn mark(&mut self) -> u64 {
        let Some(row) = self.row() else { return 0 };
        let (times, ids, marked) = (row.times(), row.ids(), self.marks(row) == row.times());
        for id in ids {
            if marked {
                self.marked.remove(&id);
            } else {
                self.marked.insert(id);
            }
        }
        self.move_by(1);
        times
    }

    /// How many requests of a row are marked.
    pub fn marks(&self, row: &Row) -> u64 {
        match row.fold.as_deref() {
            _ if self.marked.is_empty() => 0,
            Some(fold) => self.marked.iter().filter(|id| fold.contains(**id)).count() as u64,
            None => u64::from(self.marked.contains(&row.id)),
        }
    }

    /// Shows equal requests in one row from now on, or each in its own. The cursor stays with its request.
    pub fn fold(&mut self) {
        self.unfolded ^= true;
        self.apart.clear();
        self.stay();
    }

    /// Shows the requests of the row under the cursor one by one from now on. Returns how many they are; `None` if it is
    /// one already, or in the tree, which is folded as a whole.
    pub fn unfold_row(&mut self) -> Option<u64> {
        let (id, times) = self.row().map(|row| (row.id, row.times())).filter(|(_, times)| *times > 1 && !self.tree)?;
        if self.apart.len() == APART {
            self.apart.remove(0);
        }
        self.apart.push(id);
        self.stay();
        Some(times)
    }

    /// Lets the row under the cursor and its equals share a row again. Returns how many they are; `None` if they do.
    pub fn fold_row(&mut self) -> Option<u64> {
        let apart = self.row()?.apart?;
        self.apart.retain(|id| *id != apart.by);
        self.stay();
        Some(apart.of)
    }

    /// The cursor stays with its request in the next answer, which has other rows; keys that move it count from there.
    fn stay(&mut self) {
        self.moves += 1;
        let near = self.at.map(|(index, id)| Anchor::Near { id, index, by: 0 });
        self.wish = self.wish.or(near);
    }

    /// Shows the tree of who asked whom from now on, or a list. The cursor stays with its request.
    pub fn turn_tree(&mut self) {
        self.tree ^= true;
        self.stay();
    }

    /// How far the record under the cursor is scrolled.
    pub fn scrolled(&self) -> usize {
        self.at.filter(|(_, id)| *id == self.scroll.0).map_or(0, |_| self.scroll.1)
    }

    /// Scrolls the record under the cursor, at most to `most`.
    pub fn scroll_by(&mut self, by: isize, most: usize) {
        let Some((_, id)) = self.at else { return };
        self.scroll = (id, self.scrolled().saturating_add_signed(by).min(most));
    }
}

impl Activity {
    /// Whether the record under the cursor is older than the target's run.
    pub fn is_older(&self) -> bool {
        self.answer.older.held > 0 && self.at.is_some_and(|(index, _)| index >= self.answer.older.first)
    }

    /// What the head of the list says about older records.
    pub fn older_words(&self) -> Option<String> {
        let older = &self.answer.older;
        let words = match (older.reads, older.full, older.held) {
            (true, ..) => "reading older ones".to_owned(),
            (_, true, held) => {
                format!("{held} from the ledger; older ones are not held: choose a time or other filters")
            }
            (_, _, 0) if !self.times.is_all() => format!("none older: {}", older.why.as_ref()?),
            (_, _, 0) => return None,
            _ if self.is_older() => "from the ledger, older than this session".to_owned(),
            (_, _, held) => format!("{held} from the ledger"),
        };
        Some(words)
    }
}
