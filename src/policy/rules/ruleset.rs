//! The rules of all files, in their order.

use std::sync::Arc;

use super::error::{Fault, What};
use super::index::Index;
use super::parse::{self, Line, Lists};
use super::rule::{Action, Object, Position, Rule};
use crate::abi::glob::Globs;

/// The longest file and line, in bytes, and the most rules.
const FILE: usize = 1 << 20;
const LINE: usize = 1 << 16;
const RULES: usize = 100_000;

/// A file of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its path, as faults and decisions name it.
    pub path: Arc<str>,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// Rules, ready to decide.
#[derive(Debug, Default)]
pub struct Rules {
    pub(super) rules: Vec<Arc<Rule>>,
    pub(super) index: Index,
}

impl Rules {
    /// Reads files in this order.
    ///
    /// # Errors
    /// Every fault of every file; with one of them nothing is decided by these files.
    pub fn parse(files: &[Source]) -> Result<Self, Vec<Fault>> {
        let (rules, faults) = read(files);
        if faults.is_empty() { Ok(Self::of(rules)) } else { Err(faults) }
    }

    /// The rules that `khelper.deny` and `khelper.allow` stand for: what is denied first; if anything is allowed, the
    /// rest is denied. They look at the name alone.
    pub fn of_lists(allow: &Globs, deny: &Globs) -> Self {
        let mut rules = Vec::new();
        let mut add = |knob: &str, action, object, text: String| {
            let at = Position { file: knob.into(), line: 0 };
            let (text, profile, conditions) = (text.into(), None, Vec::new());
            rules.push(Arc::new(Rule { at, text, action, object, profile, log: false, conditions }));
        };
        for glob in deny.each() {
            let text = format!("deny name {}", glob.text());
            add("khelper.deny", Action::Deny, Object::Name(vec![glob]), text);
        }
        if !allow.is_empty() {
            let text = format!("allow name {}", allow.text());
            add("khelper.allow", Action::Allow, Object::Name(allow.each().collect()), text);
            let all = Globs::parse(b"*").unwrap_or_default().each().collect();
            add("khelper.allow", Action::Deny, Object::Name(all), "what nothing in it matches".to_owned());
        }
        Self::of(rules)
    }

    fn of(rules: Vec<Arc<Rule>>) -> Self {
        let index = Index::of(&rules);
        Self { rules, index }
    }

    /// The rules in their order.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// Whether a rule looks at who asks.
    pub fn asks_who(&self) -> bool {
        self.rules.iter().any(|rule| !rule.conditions.is_empty())
    }

    /// Whether a rule looks at what a name resolves to.
    pub fn needs_resolution(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.object, Object::Module(_) | Object::Unresolved))
    }
}

fn read(files: &[Source]) -> (Vec<Arc<Rule>>, Vec<Fault>) {
    let (mut rules, mut faults, mut lists): (Vec<Arc<Rule>>, Vec<Fault>, Lists) = Default::default();
    let mut bare: Option<Position> = None;
    for file in files {
        let position = |line| Position { file: file.path.clone(), line };
        if file.text.len() > FILE {
            faults.push(Fault { at: position(1), column: 1, what: What::TooLong });
            continue;
        }
        for (number, bytes) in (1..).zip(file.text.split(|b| *b == b'\n')) {
            let at = position(number);
            match one(bytes, &lists) {
                Ok(Line::Empty) => {}
                Ok(Line::Let(name, globs)) => lists.push((name, at, globs)),
                Ok(Line::Rule(parsed)) => {
                    if let Some(before) = &bare {
                        faults.push(Fault { at, column: 1, what: What::AfterAll(before.clone()) });
                        continue;
                    }
                    if rules.len() >= RULES {
                        faults.push(Fault { at, column: 1, what: What::TooMany });
                        return (rules, faults);
                    }
                    let parse::Parsed { text, action, object, conditions, profile, log } = parsed;
                    let rule = Rule { at, text, action, object, profile, log, conditions };
                    bare = rule.is_bare().then(|| rule.at.clone());
                    rules.push(Arc::new(rule));
                }
                Err((column, what)) => faults.push(Fault { at, column, what }),
            }
        }
    }
    (rules, faults)
}

fn one(bytes: &[u8], lists: &Lists) -> Result<Line, parse::Wrong> {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    if bytes.len() > LINE {
        return Err((1, What::TooLong));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| (u32::try_from(error.valid_up_to() + 1).unwrap_or(u32::MAX), What::NotText))?;
    parse::line(text, lists)
}
