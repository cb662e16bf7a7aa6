//! One rule.

use std::fmt;
use std::sync::Arc;

use crate::abi::escape::screen;
use crate::abi::glob::Glob;

use super::condition::Condition;

/// The file and the line of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file, or the knob that stands for it.
    pub file: Arc<str>,
    /// The line, counted from 1; 0 for a knob.
    pub line: u32,
}

impl fmt::Display for Position {
    /// `/etc/khelper.d/rules.d/10-server.rules:7`; a knob alone is its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&screen(self.file.as_bytes())),
            line => write!(f, "{}:{line}", screen(self.file.as_bytes())),
        }
    }
}

/// What a rule does with what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The request goes on.
    Allow,
    /// The request ends with `EPERM`.
    Deny,
}

/// What a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Object {
    /// Every request for a module and every call of a helper.
    Any,
    /// Requests for modules whose name no module answers.
    Unresolved,
    /// Requests for modules, by what the name resolves to.
    Module(Vec<Glob>),
    /// Requests for modules, by the name alone.
    Name(Vec<Glob>),
    /// Calls of one of these programs.
    Helper(Vec<Box<[u8]>>),
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where it is written.
    pub at: Position,
    /// The line without its comment and without surplus blanks.
    pub text: Arc<str>,
    /// What it does.
    pub action: Action,
    /// What it is about.
    pub object: Object,
    /// The profile that a helper gets.
    pub profile: Option<Arc<str>>,
    /// Whether what it decides is logged.
    pub log: bool,
    pub(super) conditions: Vec<Condition>,
}

impl Rule {
    /// Whether the rule is about everything, for every requester.
    pub fn is_bare(&self) -> bool {
        self.object == Object::Any && self.conditions.is_empty()
    }
}
