//! What is well-formed in rules and may not mean what its author intended.

use std::collections::BTreeMap;

use crate::abi::glob::Glob;
use crate::policy::resolution::{Malformed, Tree};

use super::rule::{Action, Object, Rule};
use super::ruleset::Rules;

/// The most rules that each later one is compared with.
const COMPARED: usize = 2_000;

/// A remark about a rule, by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// An earlier rule, by its number, matches all that this one could.
    Never(usize, usize),
    /// A pattern that matches no module here.
    Nothing(usize, String),
    /// A deny of modules: how many match, and how many others need one of them.
    Spread(usize, usize, usize),
    /// It names a profile that does not exist.
    NoProfile(usize),
}

/// The modules of a tree, and those that each one depends on.
type Modules = BTreeMap<Vec<u8>, Vec<Vec<u8>>>;

impl Rules {
    /// Looks at every rule. Without a tree of modules nothing is said about modules.
    ///
    /// # Errors
    /// [`Malformed`] if an index of the tree is damaged.
    pub fn remarks(&self, tree: Option<&Tree>) -> Result<Vec<Remark>, Malformed> {
        let modules = tree.map(modules).transpose()?;
        let mut remarks = Vec::new();
        for (number, rule) in self.rules.iter().enumerate() {
            let before = &self.rules[..number.min(COMPARED)];
            let earlier = before.iter().position(|before| covers(before, rule));
            remarks.extend(earlier.map(|before| Remark::Never(number, before)));
            if let (Object::Module(globs), Some(modules)) = (&rule.object, &modules) {
                let none = |glob: &&Glob| !modules.keys().any(|module| glob.matches(module));
                remarks.extend(globs.iter().filter(none).map(|glob| Remark::Nothing(number, glob.text().to_owned())));
                if rule.action == Action::Deny {
                    remarks.push(spread(number, globs, modules));
                }
            }
        }
        Ok(remarks)
    }

    /// The rules that name a profile that does not exist: what they allow is not run.
    pub fn without_profile(&self, exists: &dyn Fn(&str) -> bool) -> Vec<Remark> {
        let lacks = |rule: &Rule| rule.profile.as_deref().is_some_and(|name| !exists(name));
        let all = self.rules.iter().enumerate().filter(|(_, rule)| lacks(rule));
        all.map(|(number, _)| Remark::NoProfile(number)).collect()
    }
}

fn modules(tree: &Tree) -> Result<Modules, Malformed> {
    let mut names = Vec::new();
    for index in [&tree.dep, &tree.builtin].into_iter().flatten() {
        index.each(&mut |name, _| names.push(name.to_vec()))?;
    }
    let mut all = Modules::new();
    for name in names {
        let needed = tree.dependencies(&name)?;
        all.insert(name, needed);
    }
    Ok(all)
}

fn spread(number: usize, globs: &[Glob], modules: &Modules) -> Remark {
    let matches = |module: &Vec<u8>| globs.iter().any(|glob| glob.matches(module));
    let own = modules.keys().filter(|module| matches(module)).count();
    let others = modules.iter().filter(|(module, needed)| !matches(module) && needed.iter().any(matches)).count();
    Remark::Spread(number, own, others)
}

/// Whether the earlier rule decides whatever the later one could. Not every such pair is found.
fn covers(before: &Rule, later: &Rule) -> bool {
    if !before.conditions.iter().all(|condition| later.conditions.contains(condition)) {
        return false;
    }
    // A condition that is not known satisfies only a deny.
    if before.action != later.action && !before.conditions.is_empty() {
        return false;
    }
    let all = |before: &[Glob], later: &[Glob]| {
        later.iter().all(|glob| {
            before.iter().any(|own| {
                own.text() == "*" || own.text() == glob.text() || glob.literal().is_some_and(|name| own.matches(&name))
            })
        })
    };
    match (&before.object, &later.object) {
        (Object::Any, _) | (Object::Unresolved, Object::Unresolved) => true,
        (Object::Name(own), Object::Name(globs)) => all(own, globs),
        (Object::Name(own), Object::Module(_) | Object::Unresolved) => own.iter().any(|glob| glob.text() == "*"),
        (Object::Module(own), Object::Module(globs)) => {
            before.action == Action::Deny && later.action == Action::Deny && all(own, globs)
        }
        (Object::Helper(own), Object::Helper(paths)) => paths.iter().all(|path| own.contains(path)),
        _ => false,
    }
}
