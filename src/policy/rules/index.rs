//! Finds the rules that may match a name without trying all of them: a pattern is tried only on names that have the
//! letters that it needs.

use std::collections::HashMap;
use std::sync::Arc;

use crate::abi::glob::Glob;

use super::pieces::Table;
use super::rule::{Action, Object, Rule};

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
        let (mut names, mut deny, mut first) = (Vec::new(), Vec::new(), Vec::new());
        for (number, rule) in rules.iter().enumerate() {
            match &rule.object {
                Object::Any | Object::Unresolved => all.others.push(number),
                Object::Helper(paths) => {
                    paths.iter().for_each(|path| all.helpers.entry(path.clone()).or_default().push(number));
                }
                Object::Name(globs) => names.extend(globs.iter().map(|glob| (number, glob))),
                Object::Module(globs) if rule.action == Action::Deny => {
                    all.denied_modules.push(number);
                    deny.extend(globs.iter().map(|glob| (number, glob)));
                }
                Object::Module(globs) => first.extend(globs.iter().map(|glob| (number, glob))),
            }
        }
        (all.names, all.deny, all.first) = (Table::of(&names), Table::of(&deny), Table::of(&first));
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
