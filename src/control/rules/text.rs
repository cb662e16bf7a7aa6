//! The sentences about rules.

pub use crate::abi::counted::counted;
use crate::abi::escape::{quoted, screen};
use crate::policy::rules::{Remark, Rules};

use super::replay::{Change, Counts};

/// Why a target has no rules, and what to do.
pub const NONE: &str =
    "no rules are in force here; a daemon has some with `khelper serve --rules audit`, or learn, or enforce";

/// A remark of `rules check`, with the place of its rule.
pub fn remark(rules: &Rules, remark: &Remark) -> String {
    let at = |number: &usize| &rules.rules()[*number].at;
    match remark {
        Remark::Never(number, before) => {
            format!("{}: it can never match: the rule at {} comes first", at(number), at(before))
        }
        Remark::Nothing(number, pattern) => {
            format!("{}: `{}` matches no module of this kernel", at(number), screen(pattern.as_bytes()))
        }
        Remark::NoProfile(number) => {
            let name = rules.rules()[*number].profile.as_deref().unwrap_or_default();
            format!("{}: there is no profile `{name}`, or it has a fault: what this rule allows is not run", at(number))
        }
        Remark::Spread(number, own, others) => {
            format!("{}: denies {}, and {} more that need one of them", at(number), counted(*own, "module"), others)
        }
    }
}

/// The first lines of `rules test`.
pub fn counts(counts: &Counts) -> Vec<String> {
    let Counts { now_denied, now_allowed, .. } = counts;
    let (allowed, denied) = counts.then();
    let mut lines = vec![format!("{}: {allowed} allowed, {denied} denied", counted(counts.requests(), "request"))];
    lines.push(match counts.is_same() {
        true => "these rules change nothing".to_owned(),
        false => {
            format!("these rules change {now_denied} from allowed to denied, {now_allowed} from denied to allowed")
        }
    });
    lines
}

/// One change of `rules test`.
pub fn change(change: &Change, times: u64) -> String {
    let to = if change.denies { "allowed -> denied" } else { "denied -> allowed" };
    let who = change.uid.map_or_else(|| "an unknown user".to_owned(), |uid| format!("uid {uid}"));
    let by = change.by.as_deref().unwrap_or("no rule is about it");
    format!("{to}  {times}x  {} by {who}: {by}", quoted(&change.asked))
}
