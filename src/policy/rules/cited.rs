//! Decisions, and the rule that each one cites.

use std::fmt;
use std::sync::Arc;

use crate::abi::escape::{quoted, screen};
use crate::abi::rules_mode::Mode;

use super::rule::{Action, Rule};

/// What in a request made a rule match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// The rule is about everything, or about this helper.
    Any,
    /// The name that was asked for.
    Asked,
    /// A module that the name resolves to.
    Resolves(Vec<u8>),
    /// A module that one of these depends on.
    Depends(Vec<u8>),
    /// No module answers the name.
    Unresolved,
    /// What the name resolves to is not known.
    Unknown,
}

/// A rule that decided, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cited {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Its number, from 0.
    pub number: usize,
    /// Why it matches.
    pub because: Because,
    /// Whether a condition held only because what it is about is not known.
    pub doubtful: bool,
}

impl fmt::Display for Cited {
    /// `/etc/khelper.d/rules.d/10.rules:7 (deny module sctp): asked net-pf-2-proto-132, resolves to sctp`, for
    /// [`Cited::of`]; this is the part before the colon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.rule.at, screen(self.rule.text.as_bytes()))
    }
}

impl Cited {
    /// The rule, and how it came to match what was asked for.
    pub fn of(&self, asked: &[u8]) -> String {
        let how = self.how();
        let comma = if how.is_empty() || how.starts_with(';') { "" } else { ", " };
        // A name of other letters stands in quotes: it may hold words.
        let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"_-.:+()/*".contains(b);
        let asked = if !asked.is_empty() && asked.iter().all(is_plain) { screen(asked) } else { quoted(asked) };
        format!("{self}: asked {asked}{comma}{how}")
    }

    /// The same without a profile: an audit changes nothing of what a helper may do.
    fn unconfined(self) -> Self {
        Self { rule: Arc::new(Rule { profile: None, ..(*self.rule).clone() }), ..self }
    }

    /// How the rule came to match; empty if by the name itself.
    pub fn how(&self) -> String {
        let because = match &self.because {
            Because::Any | Because::Asked => String::new(),
            Because::Resolves(module) => format!("resolves to {}", screen(module)),
            Because::Depends(module) => format!("depends on {}", screen(module)),
            Because::Unresolved => "resolves to no module".to_owned(),
            Because::Unknown => "what it resolves to is not known".to_owned(),
        };
        let doubt = if self.doubtful { "; not everything is known of the requester" } else { "" };
        format!("{because}{doubt}")
    }
}

/// What the rules say, whatever the mode.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No rule matches: it is allowed.
    Default,
    /// This rule decides.
    By(Cited),
}

impl Verdict {
    /// Whether it is denied.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::By(cited) if cited.rule.action == Action::Deny)
    }

    /// The rule that decided.
    pub fn cited(&self) -> Option<&Cited> {
        match self {
            Self::Default => None,
            Self::By(cited) => Some(cited),
        }
    }

    /// What happens to the request in this mode.
    pub fn decide(self, mode: Mode) -> Decision {
        match (self, mode) {
            (_, Mode::Off | Mode::Learn) | (Self::Default, _) => Decision::Allow(None),
            (Self::By(cited), Mode::Audit) if cited.rule.profile.is_some() => Decision::Allow(Some(cited.unconfined())),
            (Self::By(cited), _) if cited.rule.action == Action::Allow => Decision::Allow(Some(cited)),
            (Self::By(cited), Mode::Audit) => Decision::WouldDeny(cited),
            (Self::By(cited), Mode::Enforce) => Decision::Deny(cited),
        }
    }
}

/// What a process wants of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// A module of this name.
    Module(&'a [u8]),
    /// A helper of this path.
    Helper(&'a [u8]),
}

impl<'a> Wanted<'a> {
    /// The name or the path.
    pub const fn name(self) -> &'a [u8] {
        match self {
            Self::Module(name) | Self::Helper(name) => name,
        }
    }
}

/// What happens to a request.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes on; by this rule, or because none is about it.
    Allow(Option<Cited>),
    /// It ends with `EPERM`.
    Deny(Cited),
    /// It goes on, and would be denied if the rules were enforced.
    WouldDeny(Cited),
}
