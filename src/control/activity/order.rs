//! The order of the records that match, and the rows that they make.

use std::collections::VecDeque;

use super::folds::Rows;
use super::history::History;
use super::matched::Match;
use super::page::{Branch, PageRequest};
use super::query::{Query, Sort};
use super::tree::{Node, Tree, tree};

/// How the records are laid out in rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Equal records share a row.
    pub(super) folded: bool,
    /// Each request is below the one whose helper asked for it.
    pub(super) tree: bool,
}

impl Shape {
    pub(super) fn of(question: &PageRequest) -> Self {
        Self { folded: question.folded, tree: question.tree }
    }
}

/// The records in their order, and their rows.
#[derive(Default)]
pub(super) struct Arranged {
    /// Indices into the ended records followed by the live ones.
    pub(super) order: Vec<u32>,
    pub(super) rows: Rows,
    /// In a tree the place of each row.
    pub(super) branches: Vec<Branch>,
}

/// Sorts the records and makes their rows. `order` is the last order: its memory is used again.
pub(super) fn arrange(
    (ended, live): (&VecDeque<Match>, &[Match]),
    query: &Query,
    shape: Shape,
    apart: impl Fn(u64) -> bool,
    mut order: Vec<u32>,
    history: &dyn History,
) -> Arranged {
    let all = u32::try_from(ended.len() + live.len()).unwrap_or(u32::MAX);
    order.clear();
    // Start with the newest first: most queries keep nearly this order, which makes the sort fast.
    order.extend((0..all).rev());
    let of = |at: &u32| match ended.get(*at as usize) {
        Some(found) => found,
        None => &live[*at as usize - ended.len()],
    };
    let falls = query.sort.falls() != query.reverse;
    let by_id = query.sort == Sort::Newest && query.reverse;
    order.sort_by(|a, b| {
        let (a, b) = (of(a), of(b));
        let by_key = if falls { b.key.cmp(&a.key) } else { a.key.cmp(&b.key) };
        by_key.then_with(|| if by_id { a.id.cmp(&b.id) } else { b.id.cmp(&a.id) })
    });
    let mut branches = Vec::new();
    let rows = match shape {
        Shape { tree: true, folded } => {
            let node = |at: u32| {
                let Match { id, alike, name, back, .. } = *of(&at);
                Node { id, alike, name, asked_by: if back == 0 { 0 } else { id - u64::from(back) } }
            };
            let above = |id| history.record(id)?.asked_by;
            let arranged = tree(&order, node, above, folded);
            let starts;
            Tree { order, starts, branches } = arranged;
            Rows::at(starts, order.len())
        }
        Shape { folded: true, .. } => Rows::folded(&mut order, |at| of(&at).alike, apart),
        Shape { .. } => Rows::single(order.len()),
    };
    Arranged { order, rows, branches }
}
