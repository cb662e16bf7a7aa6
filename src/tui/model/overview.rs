//! The screen Overview: what its rows stand for, equal ends folded, and the row under the cursor.

use std::cell::RefCell;
use std::sync::Arc;

use ratatui::layout::Rect;

use crate::abi::record::{Record, State};
use crate::abi::snapshot::Live;
use crate::abi::sort::sort_by_key;
use crate::control::activity::alike::Alike;
use crate::control::text::outcome::{OutcomeText, Severity, ended_in_words};

use super::Model;

/// What a row stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A warning, counted from 0.
    Warning(usize),
    /// A knob.
    Knob(KnobRow),
    /// A request that has not ended; of a fold, the oldest.
    Running(u64),
    /// A request that has ended; of a fold, the newest.
    Ended(u64),
}

/// The rows of the knobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the knob of that name")]
pub enum KnobRow {
    Modprobe,
    Bset,
    Inheritable,
    Gate,
    Limit,
    Allow,
    Deny,
}

impl KnobRow {
    /// All of them, in the order of the screen.
    pub const ALL: [Self; 7] =
        [Self::Modprobe, Self::Bset, Self::Inheritable, Self::Gate, Self::Limit, Self::Allow, Self::Deny];
}

/// The state of the screen.
#[derive(Debug, Default)]
pub struct Overview {
    /// The row under the cursor, as it was chosen; `None` until the cursor is moved.
    pub at: Option<Item>,
    /// Equal rows are shown one by one.
    pub unfolded: bool,
    /// Where the frame that was drawn last has its rows, until a message changes the model.
    pub drawn: RefCell<Option<Places>>,
}

/// Where the rows of the screen are.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The row under the cursor.
    pub at: Option<Item>,
    /// Every item in the order of the screen, also those without room, each with the number of its column. Warnings
    /// stand above all columns and have none.
    pub order: Vec<(Option<usize>, Item)>,
    /// The items that are shown, each with its first row.
    pub items: Vec<(Item, Rect)>,
}

/// Requests of one name that stand alike.
#[derive(Debug)]
pub struct RunFold<'a> {
    /// The oldest of them.
    pub oldest: &'a Live,
    /// The newest of them.
    pub newest: &'a Live,
    /// How many they are.
    pub times: usize,
}

/// Requests of one name that ended alike.
#[derive(Debug)]
pub struct EndFold<'a> {
    /// The newest of them.
    pub newest: &'a Arc<Record>,
    /// How it ended.
    pub ending: OutcomeText,
    /// How many they are.
    pub times: usize,
}

/// The unfinished requests, the oldest first.
pub fn running(model: &Model) -> Vec<RunFold<'_>> {
    let mut folds: Vec<RunFold<'_>> = Vec::new();
    let alike = |one: &Live, other: &Live| Alike::of_live(one) == Alike::of_live(other);
    for live in &model.snapshot.running {
        let known = folds.iter_mut().find(|fold| !model.overview.unfolded && alike(fold.oldest, live));
        match known {
            Some(fold) => (fold.newest, fold.times) = (live, fold.times + 1),
            None => folds.push(RunFold { oldest: live, newest: live, times: 1 }),
        }
    }
    folds
}

/// The requests that ended last: failures first, then what needs attention, the newest first among equals.
pub fn ended(model: &Model) -> Vec<EndFold<'_>> {
    let mut folds: Vec<(Alike<'_>, EndFold<'_>)> = Vec::new();
    for newest in &model.snapshot.last {
        let alike = Alike::of(newest);
        match folds.iter_mut().find(|(other, _)| *other == alike).filter(|_| !model.overview.unfolded) {
            Some((_, fold)) => fold.times += 1,
            None => folds.push((alike, EndFold { newest, ending: ended_in_words(newest), times: 1 })),
        }
    }
    let mut folds: Vec<EndFold<'_>> = folds.into_iter().map(|(_, fold)| fold).collect();
    sort_by_key(&mut folds, |fold| match fold.ending.mood {
        Severity::Bad => 0,
        Severity::Warned => 1,
        Severity::Quiet | Severity::Good => 2,
    });
    folds
}

/// The state of an unfinished request: a sign and words.
pub fn standing(live: &Live) -> (char, String) {
    let (sign, state) = match (live.state, live.pid) {
        (State::Waiting, _) => ('◷', "waits for a slot".to_owned()),
        (State::Queued, _) => ('▹', "queued".to_owned()),
        (State::Running, Some(pid)) => ('▸', format!("pid {pid}")),
        (State::Running, None) => ('▸', "runs".to_owned()),
        (State::Ended, _) => ('▪', "ending".to_owned()),
    };
    (sign, if live.abandoned { format!("{state}, ↷ caller gone") } else { state })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::error::Stage;
    use crate::tui::testing::fixtures;
    use nix::errno::Errno;

    #[test]
    fn equal_ends_are_one_row_and_a_failure_is_never_below_a_success() {
        let mut s = fixtures::snapshot();
        let refused = |id| fixtures::refused(id, b"dummy", Stage::Limit, Errno::ENOMEM, "why");
        let records = [
            fixtures::record(9, b"ext4", 0),
            fixtures::record(8, b"dummy", 0),
            refused(7),
            fixtures::record(6, b"zfs", 256),
            refused(5),
            fixtures::record(4, b"ext4", 0),
            fixtures::record(3, b"zfs", 512),
        ];
        s.last = records.map(Arc::new).into();
        let mut model = fixtures::model(s, 80, 24);
        let rows = |model: &Model| -> Vec<(u64, usize)> {
            ended(model).iter().map(|fold| (fold.newest.id, fold.times)).collect()
        };
        assert_eq!(rows(&model), [(6, 1), (3, 1), (7, 2), (9, 2), (8, 1)]);
        model.overview.unfolded = true;
        assert_eq!(rows(&model), [(6, 1), (3, 1), (7, 1), (5, 1), (9, 1), (8, 1), (4, 1)]);
    }

    #[test]
    fn running_requests_of_one_name_and_state_are_one_row() {
        let mut s = fixtures::busy(5);
        s.running[1].title = b"other"[..].into();
        s.running[2].abandoned = true;
        let model = fixtures::model(s, 80, 24);
        let rows: Vec<_> = running(&model).iter().map(|f| (f.oldest.id, f.newest.id, f.times)).collect();
        assert_eq!(rows, [(1, 5, 3), (2, 2, 1), (3, 3, 1)]);
    }
}
