//! The rules in force, what each has decided, and what they denied lately: an answer for an operator.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::abi::actor::Actor;
use crate::abi::safe_text::SafeText;
use crate::control::activity::query::micros;
use crate::policy::rules::{Mode, Requester};

/// The rules of a target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RulesView {
    /// What they do to requests.
    pub mode: Mode,
    /// Since when decisions are counted, in microseconds since 1970: the rules were read then.
    pub since: i64,
    /// Requests that were judged; of these, those that no rule matched.
    pub judged: u64,
    /// No rule matched them: they were allowed.
    pub unmatched: u64,
    /// How many were denied.
    pub denied: u64,
    /// How many would have been denied if the rules were enforced.
    pub would_deny: u64,
    /// The rules in their order, at most [`Self::MOST`].
    pub rules: Vec<RuleUse>,
    /// How many rules follow these.
    pub more: u64,
    /// What was denied or would have been, the newest first; equal ones are one entry.
    pub lately: Vec<Denied>,
}

impl RulesView {
    /// The most rules of one answer.
    pub const MOST: usize = 2_000;
}

/// One rule, and what it has decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleUse {
    /// Its file, or the knob that stands for it.
    pub file: SafeText,
    /// Its line, from 1; 0 for a knob.
    pub line: u32,
    /// The rule without its comment.
    pub text: SafeText,
    /// Whether it denies.
    pub denies: bool,
    /// The earlier rule, by its place in the list from 0, because of which it can never match.
    pub never_after: Option<usize>,
    /// How many requests it decided.
    pub times: u64,
    /// The last of them.
    pub last: Option<Asking>,
}

/// Who asked, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asking {
    /// In microseconds since 1970.
    pub at: i64,
    /// The process. 0: it is not known.
    pub pid: i32,
    /// Its user. `None`: it is not known.
    pub uid: Option<u32>,
    /// Its command name.
    pub comm: SafeText,
    /// Its unit or container; empty if it has none or it is not known.
    pub place: SafeText,
}

impl Asking {
    /// This process, now.
    pub fn by(actor: &Actor) -> Self {
        let place = actor.place.as_ref().map(|place| place.to_string()).unwrap_or_default();
        Self {
            at: micros(SystemTime::now()),
            pid: actor.pid,
            uid: actor.is_known().then_some(actor.uid),
            comm: SafeText::escape(actor.comm.as_bytes()),
            place: place.into(),
        }
    }

    /// One of these, now; of several, it is not known which.
    pub fn one_of(candidates: &[Requester<'_>]) -> Self {
        let one = if let [one] = candidates { *one } else { Requester::default() };
        let place = one.place.map(|place| place.to_string()).unwrap_or_default().into();
        Self { at: micros(SystemTime::now()), pid: 0, uid: one.uid, comm: SafeText::default(), place }
    }
}

/// Requests that a rule denied or would have denied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Denied {
    /// The rule, by its place in the order of all rules, from 0.
    pub rule: usize,
    /// Whether they were really denied. Otherwise the mode was audit, and they went on.
    pub enforced: bool,
    /// The module or the program that was asked for.
    pub asked: SafeText,
    /// How the rule came to match: `resolves to sctp`. Empty: by the name itself.
    pub because: SafeText,
    /// How many.
    pub times: u64,
    /// The last requester, and when.
    pub last: Asking,
}
