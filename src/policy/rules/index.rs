//! Finds the rules that may match a name without trying all of them: literals by a hash, globs by the letters that they
//! begin or end with. What is left is tried one after the other, in the order of the rules.

use std::collections::HashMap;
use std::sync::Arc;

use crate::abi::glob::{Glob, fold};

use super::rule::{Action, Object, Rule};

/// The most letters of a glob's beginning or end that are looked up.
const LETTERS: usize = 8;
/// The kinds of keys.
const LITERAL: u8 = 0;
const BEGINS: u8 = 1;
const ENDS: u8 = 2;

/// In which rules a text is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Rules about names.
    Name,
    /// Rules that deny modules: one module is enough.
    Deny,
    /// Rules that allow modules: by the first module, then every other one is looked at.
    First,
}

/// The number of a rule, and the glob that must match; a literal has matched already.
type Entry = (usize, Option<Glob>);

#[derive(Debug, Default)]
struct Table {
    /// By the kind of key and its letters; the entries in the order of the rules.
    keys: HashMap<Box<[u8]>, Vec<Entry>>,
    /// For each kind the numbers of letters that keys have, as bits.
    lengths: [u16; 3],
    /// Globs that begin and end with a wildcard.
    rest: Vec<Entry>,
}

impl Table {
    fn add(&mut self, number: usize, glob: &Glob) {
        let (start, end) = (glob.start(), glob.end());
        if let Some(whole) = glob.literal() {
            self.keys.entry(key(LITERAL, &whole)).or_default().push((number, None));
            return;
        }
        let entry = (number, Some(glob.clone()));
        let (kind, letters) = match (&start[..], &end[..]) {
            ([], []) => return self.rest.push(entry),
            (start, end) if start.len().min(LETTERS) >= end.len().min(LETTERS) => {
                (BEGINS, &start[..start.len().min(LETTERS)])
            }
            (_, end) => (ENDS, &end[end.len() - end.len().min(LETTERS)..]),
        };
        self.lengths[usize::from(kind)] |= 1 << letters.len();
        self.keys.entry(key(kind, letters)).or_default().push(entry);
    }

    /// Calls `each` with the entries that may match, each list in the order of the rules until it returns false.
    fn each(&self, text: &[u8], each: &mut dyn FnMut(usize, Option<&Glob>) -> bool) {
        let mut try_all = |entries: &[Entry]| _ = entries.iter().all(|(number, glob)| each(*number, glob.as_ref()));
        if !self.keys.is_empty() {
            let mut look = |letters: &mut [u8], kind| {
                letters[0] = kind;
                if let Some(entries) = self.keys.get(&*letters) {
                    try_all(entries);
                }
            };
            let mut buffer = Vec::with_capacity(text.len() + 1);
            buffer.push(LITERAL);
            buffer.extend(text.iter().copied().map(fold));
            look(&mut buffer, LITERAL);
            for length in 1..=LETTERS.min(text.len()) {
                if self.lengths[usize::from(BEGINS)] & 1 << length != 0 {
                    look(&mut buffer[..=length], BEGINS);
                }
            }
            for length in 1..=LETTERS.min(text.len()) {
                if self.lengths[usize::from(ENDS)] & 1 << length != 0 {
                    // The letter before is overwritten by the kind: longer ends come later, so it is put back.
                    let at = buffer.len() - length - 1;
                    let kept = buffer[at];
                    look(&mut buffer[at..], ENDS);
                    buffer[at] = kept;
                }
            }
        }
        try_all(&self.rest);
    }
}

fn key(kind: u8, letters: &[u8]) -> Box<[u8]> {
    [&[kind], letters].concat().into()
}

/// The tables of all rules.
#[derive(Debug, Default)]
pub(super) struct Index {
    names: Table,
    deny: Table,
    first: Table,
    helpers: HashMap<Box<[u8]>, Vec<usize>>,
    others: Vec<usize>,
    denied_modules: Vec<usize>,
}

impl Index {
    pub fn of(rules: &[Arc<Rule>]) -> Self {
        let mut all = Self::default();
        for (number, rule) in rules.iter().enumerate() {
            match &rule.object {
                Object::Any | Object::Unresolved => all.others.push(number),
                Object::Helper(paths) => {
                    paths.iter().for_each(|path| all.helpers.entry(path.clone()).or_default().push(number));
                }
                Object::Name(globs) => globs.iter().for_each(|glob| all.names.add(number, glob)),
                Object::Module(globs) if rule.action == Action::Deny => {
                    all.denied_modules.push(number);
                    globs.iter().for_each(|glob| all.deny.add(number, glob));
                }
                Object::Module(globs) => globs.iter().for_each(|glob| all.first.add(number, glob)),
            }
        }
        all
    }

    /// Calls `each` with the rules of this role that may match the text, list by list, each in order until it returns
    /// false. A glob that is given must match.
    pub fn each(&self, text: &[u8], role: Role, each: &mut dyn FnMut(usize, Option<&Glob>) -> bool) {
        let table = match role {
            Role::Name => &self.names,
            Role::Deny => &self.deny,
            Role::First => &self.first,
        };
        table.each(text, each);
    }

    /// The rules about a program.
    pub fn helpers(&self, path: &[u8]) -> impl Iterator<Item = usize> + '_ {
        self.helpers.get(path).into_iter().flatten().copied()
    }

    /// The rules about everything, and about names that no module answers.
    pub fn others(&self) -> &[usize] {
        &self.others
    }

    /// The rules that deny modules.
    pub fn denied_modules(&self) -> &[usize] {
        &self.denied_modules
    }
}
