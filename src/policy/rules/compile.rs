//! Rules as the shim reads them ([`crate::abi::compiled`]): names alone, for every requester. What cannot be said so is said
//! stricter: a deny matches more, an allow less.

use std::collections::BTreeSet;

use crate::abi::compiled::{LONGEST, MARK};
use crate::abi::glob::Glob;
use crate::policy::resolution::{Malformed, Tree};

use super::condition::Requester;
use super::judge::conditions;
use super::rule::{Action, Object, Rule};
use super::ruleset::Rules;

/// The most names that one rule which allows modules is written as.
const NAMES: usize = 256;

/// Compiled rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// The file.
    pub bytes: Vec<u8>,
    /// The number of rules that are stricter there than they are.
    pub stricter: usize,
}

impl Default for Compiled {
    /// Those that allow everything.
    fn default() -> Self {
        Self { bytes: MARK.to_vec(), stricter: 0 }
    }
}

/// One rule, as patterns with their kinds, and whether they say exactly the same.
struct Lines {
    patterns: Vec<(u8, Vec<u8>)>,
    is_same: bool,
}

impl Lines {
    fn all(kinds: &[u8], is_same: bool) -> Self {
        Self { patterns: kinds.iter().map(|kind| (*kind, b"*".to_vec())).collect(), is_same }
    }
}

impl Rules {
    /// Compiles the rules. Without a tree it is not known what names resolve to, which satisfies a deny.
    pub fn compiled(&self, tree: Option<&Tree>) -> Compiled {
        let names = tree.filter(|_| self.needs_resolution()).and_then(|tree| Names::of(tree).ok());
        let mut compiled = Compiled::default();
        for (number, rule) in self.rules.iter().enumerate() {
            // The shim knows no profile, so without a verdict it runs nothing that must be confined.
            let confined;
            let rule = match rule.profile {
                Some(_) => {
                    confined = Rule { action: Action::Deny, ..Rule::clone(rule) };
                    &confined
                }
                None => rule,
            };
            // Nothing is known of the requester.
            let Some(doubtful) = conditions(rule, &Requester::default()) else {
                compiled.stricter += usize::from(rule.action == Action::Allow);
                continue;
            };
            let lines = lines(rule, names.as_ref());
            compiled.stricter += usize::from(doubtful || !lines.is_same || rule.profile.is_some());
            let before = compiled.bytes.len();
            lines.patterns.iter().for_each(|(kind, pattern)| add(&mut compiled.bytes, rule.action, *kind, pattern));
            // There must be room for the two lines that deny everything.
            if compiled.bytes.len() + 8 >= LONGEST {
                compiled.bytes.truncate(before);
                compiled.stricter += self.rules.len() - number - 1;
                if self.rules[number..].iter().any(|rule| rule.action == Action::Deny || rule.profile.is_some()) {
                    b"nh".iter().for_each(|kind| add(&mut compiled.bytes, Action::Deny, *kind, b"*"));
                }
                break;
            }
        }
        compiled
    }
}

/// Adds a line. A pattern that is too long denies more, or allows nothing.
fn add(bytes: &mut Vec<u8>, action: Action, kind: u8, pattern: &[u8]) {
    let mut cut = pattern.to_vec();
    if pattern.len() > 255 {
        if action == Action::Allow {
            return;
        }
        cut.truncate(254);
        cut.push(b'*');
    }
    let length = u8::try_from(cut.len()).unwrap_or(u8::MAX);
    bytes.extend([u8::from(action == Action::Deny), kind, length]);
    bytes.extend(cut);
}

fn lines(rule: &Rule, names: Option<&Names>) -> Lines {
    let is_deny = rule.action == Action::Deny;
    match &rule.object {
        Object::Any => Lines::all(b"nh", true),
        Object::Name(globs) => of_globs(globs, is_deny),
        Object::Helper(paths) => {
            let is_plain = |path: &[u8]| !path.iter().any(|byte| matches!(byte, b'*' | b'?'));
            let is_same = paths.iter().all(|path| is_plain(path) && path.len() < 256);
            let kept = paths.iter().filter(|path| is_deny || is_plain(path));
            Lines { patterns: kept.map(|path| (b'h', path.to_vec())).collect(), is_same }
        }
        Object::Unresolved if is_deny => Lines::all(b"n", false),
        Object::Unresolved => Lines { patterns: Vec::new(), is_same: false },
        Object::Module(globs) => match names {
            Some(names) if is_deny => names.denied(globs),
            Some(names) => names.allowed(globs),
            None if is_deny => Lines::all(b"n", false),
            None => Lines { patterns: Vec::new(), is_same: false },
        },
    }
}

fn of_globs(globs: &[Glob], is_deny: bool) -> Lines {
    let all: Vec<(Vec<u8>, bool)> = globs.iter().map(Glob::widened).collect();
    let is_same = all.iter().all(|(pattern, same)| *same && pattern.len() < 256);
    let kept = all.into_iter().filter(|(_, same)| is_deny || *same);
    Lines { patterns: kept.map(|(pattern, _)| (b'n', pattern)).collect(), is_same }
}

/// Every name that stands for modules.
struct Names {
    /// Modules, and those that each one depends on.
    modules: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    /// Aliases, which may be patterns, and the module of each.
    aliases: Vec<(Vec<u8>, Vec<u8>)>,
    /// Names without wildcards, and every module that each resolves to.
    plain: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
}

impl Names {
    fn of(tree: &Tree) -> Result<Self, Malformed> {
        let (mut named, mut aliases) = (BTreeSet::new(), tree.config.aliases.clone());
        for index in [&tree.dep, &tree.builtin].into_iter().flatten() {
            index.each(&mut |name, _| _ = named.insert(name.to_vec()))?;
        }
        for index in [&tree.alias, &tree.builtin_alias, &tree.symbols].into_iter().flatten() {
            index.each(&mut |alias, (_, module)| aliases.push((alias.to_vec(), module.to_vec())))?;
        }
        // A name with a command in place of a module is the module of that name.
        for (of, _) in tree.config.install.iter().chain(&tree.config.remove) {
            let modules = tree.reach(of)?.modules;
            aliases.extend(modules.into_iter().map(|module| (of.clone(), module)));
        }
        named.extend(aliases.iter().map(|(_, module)| module.clone()));
        let mut modules = Vec::with_capacity(named.len());
        for name in &named {
            modules.push((name.clone(), tree.dependencies(name)?));
        }
        let mut plain = Vec::new();
        let all: BTreeSet<&Vec<u8>> =
            named.iter().chain(aliases.iter().map(|(alias, _)| alias)).filter(|name| is_plain(name)).collect();
        for name in all {
            plain.push((name.clone(), tree.reach(name)?.modules));
        }
        Ok(Self { modules, aliases, plain })
    }

    /// The names that reach one of these modules.
    fn denied(&self, globs: &[Glob]) -> Lines {
        let is_named = |module: &[u8]| globs.iter().any(|glob| glob.matches(module));
        let denied: BTreeSet<&[u8]> = self
            .modules
            .iter()
            .filter(|(module, needs)| is_named(module) || needs.iter().any(|need| is_named(need)))
            .map(|(module, _)| &**module)
            .collect();
        let own = of_globs(globs, true);
        let (mut is_same, mut patterns) = (own.is_same, BTreeSet::new());
        let mut add = |name: &[u8]| {
            let (pattern, same) = wide(name);
            is_same &= same;
            patterns.insert((b'n', pattern));
        };
        // What a name without wildcards resolves to is known. What the rule's own patterns match is said already.
        let is_denied = |module: &Vec<u8>| is_named(module) || denied.contains(&**module);
        let plain = self.plain.iter().filter(|(name, modules)| !is_named(name) && modules.iter().any(is_denied));
        plain.for_each(|(name, _)| add(name));
        // A name that a pattern matches may resolve to something else, if another line comes first.
        let others = self.aliases.iter().filter(|(alias, module)| !is_plain(alias) && denied.contains(&**module));
        let others = others.map(|(alias, _)| &**alias).chain(denied.iter().copied().filter(|module| !is_plain(module)));
        let mut has_others = false;
        for alias in others {
            has_others = true;
            add(alias);
        }
        patterns.extend(own.patterns);
        Lines { patterns: patterns.into_iter().collect(), is_same: is_same && !has_others }
    }

    /// The names of which every module is one of these.
    fn allowed(&self, globs: &[Glob]) -> Lines {
        let is_named = |module: &Vec<u8>| globs.iter().any(|glob| glob.matches(module));
        let is_allowed = |modules: &[Vec<u8>]| !modules.is_empty() && modules.iter().all(is_named);
        let names = self.plain.iter().filter(|(_, modules)| is_allowed(modules)).map(|(name, _)| (b'n', name.clone()));
        // Aliases that are patterns are left out.
        Lines { patterns: names.take(NAMES).collect(), is_same: false }
    }
}

/// Whether a name has no character that means something in a pattern.
fn is_plain(name: &[u8]) -> bool {
    !name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\'))
}

/// An alias as a pattern that matches what it matches and more, and whether it is the same. Aliases of devices, which user
/// space asks for, are many: each kind of them is one pattern.
fn wide(alias: &[u8]) -> (Vec<u8>, bool) {
    let end = match alias.iter().position(|byte| *byte == b':') {
        Some(colon) => colon + 1,
        None => alias.iter().position(|byte| matches!(byte, b'[' | b'\\')).unwrap_or(alias.len()),
    };
    let mut pattern = alias[..end].to_vec();
    if let Some(special) = pattern.iter().position(|byte| matches!(byte, b'[' | b'\\')) {
        pattern.truncate(special);
    }
    let is_same = pattern.len() == alias.len();
    if !is_same {
        pattern.push(b'*');
    }
    (pattern, is_same)
}
