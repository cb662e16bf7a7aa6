//! Patterns by the letters that they need. All letters together are a tree, and a name is walked through it once, letter
//! by letter, whatever the number of patterns (Aho and Corasick, 1975). A name and the pieces of patterns are taken with
//! marks for their ends, so that a whole name, its beginning and its end are pieces like any other.

use std::collections::{BTreeMap, HashMap};

use crate::abi::glob::{BEGIN, END, Glob, fold};

/// The number of a rule, and the glob that must match, if its piece alone does not say so.
type Entry = (usize, Option<Glob>);

/// A letter of a piece has this many values.
const LETTERS: usize = END as usize + 1;

/// A place in the tree: the letters that lead to it.
#[derive(Clone, Debug, Default)]
struct Node {
    /// The places that one more letter leads to: their number, counted from 0, and the one behind the last. They stand
    /// together.
    next: (u32, u32),
    /// The place of the longest end of these letters that is a place too.
    shorter: u32,
    /// The nearest place on that way at which a piece ends, this one included; 0 if there is none.
    ends: u32,
    /// What needs the piece that ends here, in the order of the rules.
    entries: Box<[Entry]>,
}

/// Patterns of one role.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// By the number of letters; the first one has none.
    nodes: Vec<Node>,
    /// The last letter of each place.
    letters: Vec<u16>,
    /// The places that the first letters lead to; 0 where no piece begins so.
    first: Vec<u32>,
    /// Globs that need no letter.
    rest: Vec<Entry>,
}

impl Table {
    /// The globs of rules, by the numbers of the rules and in their order. Of several pieces a glob is filed under the
    /// one that the fewest globs have, then the longest.
    pub fn of(globs: &[(usize, &Glob)]) -> Self {
        let all: Vec<_> = globs.iter().map(|(_, glob)| glob.pieces()).collect();
        let mut shared: HashMap<&[u16], usize> = HashMap::new();
        all.iter().flat_map(|(pieces, _)| pieces).for_each(|piece| *shared.entry(piece).or_default() += 1);
        let mut table = Self::default();
        let mut filed: BTreeMap<&[u16], Vec<Entry>> = BTreeMap::new();
        for ((number, glob), (pieces, is_enough)) in globs.iter().zip(&all) {
            let entry = (*number, (!is_enough).then(|| (*glob).clone()));
            let worth = |piece: &&[u16]| (shared.get(*piece).copied(), usize::MAX - piece.len());
            match pieces.iter().map(|piece| &**piece).min_by_key(worth) {
                Some(piece) => filed.entry(piece).or_default().push(entry),
                None => table.rest.push(entry),
            }
        }
        table.grow(filed.into_iter().collect());
        table
    }

    /// Makes the tree of sorted pieces, level by level.
    fn grow(&mut self, mut pieces: Vec<(&[u16], Vec<Entry>)>) {
        if pieces.is_empty() {
            return;
        }
        (self.nodes, self.letters, self.first) = (vec![Node::default()], vec![0], vec![0; LETTERS]);
        // For each place, how many letters lead to it and which pieces begin with them.
        let mut places = vec![(0, 0..pieces.len())];
        let mut at = 0;
        while at < places.len() {
            let (depth, mut range) = places[at].clone();
            if pieces[range.start].0.len() == depth {
                self.nodes[at].entries = std::mem::take(&mut pieces[range.start].1).into();
                range.start += 1;
            }
            // The shorter place is of a level that is complete.
            let shorter = self.nodes[at].shorter as usize;
            self.nodes[at].ends = if self.nodes[at].entries.is_empty() { self.nodes[shorter].ends } else { at as u32 };
            let from = self.nodes.len();
            while let Some((piece, _)) = pieces[range.clone()].first() {
                let letter = piece[depth];
                let same = pieces[range.clone()].partition_point(|(piece, _)| piece[depth] <= letter);
                let shorter = if depth == 0 { 0 } else { self.step(self.nodes[at].shorter, letter) };
                if depth == 0 {
                    self.first[usize::from(letter)] = self.nodes.len() as u32;
                }
                self.nodes.push(Node { shorter, ..Node::default() });
                self.letters.push(letter);
                places.push((depth + 1, range.start..range.start + same));
                range.start += same;
            }
            self.nodes[at].next = (from as u32, self.nodes.len() as u32);
            at += 1;
        }
    }

    /// The place of the longest end of the letters of `at` and one more letter.
    fn step(&self, mut at: u32, letter: u16) -> u32 {
        while at != 0 {
            let node = &self.nodes[at as usize];
            let next = &self.letters[node.next.0 as usize..node.next.1 as usize];
            if let Some(found) = next.iter().position(|own| *own == letter) {
                return node.next.0 + found as u32;
            }
            at = node.shorter;
        }
        self.first[usize::from(letter)]
    }

    /// Calls `each` with the entries that may match, each list in the order of the rules until it returns false.
    pub fn each(&self, text: &[u8], each: &mut dyn FnMut(usize, Option<&Glob>) -> bool) {
        let mut try_all = |entries: &[Entry]| _ = entries.iter().all(|(number, glob)| each(*number, glob.as_ref()));
        if !self.nodes.is_empty() {
            let mut at = 0;
            for letter in [BEGIN].into_iter().chain(text.iter().map(|byte| fold(*byte).into())).chain([END]) {
                at = self.step(at, letter);
                let mut piece = self.nodes[at as usize].ends;
                while piece != 0 {
                    let node = &self.nodes[piece as usize];
                    try_all(&node.entries);
                    piece = self.nodes[node.shorter as usize].ends;
                }
            }
        }
        try_all(&self.rest);
    }
}
