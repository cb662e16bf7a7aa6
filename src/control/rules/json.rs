//! Rules as JSON: one object a line.

use serde_json::{Value, json};

use crate::abi::escape::json as escaped;
use crate::control::record_json::V;
pub use crate::control::sources::fault;
use crate::policy::rules::{Position, Remark, Rule, Rules};

use super::replay::{Change, Counts};

fn place(at: &Position) -> (String, u32) {
    (at.file.to_string(), at.line)
}

/// A remark of `rules check`.
pub fn remark(rules: &Rules, remark: &Remark) -> Value {
    let (Remark::Never(number, _)
    | Remark::Nothing(number, _)
    | Remark::Spread(number, ..)
    | Remark::NoProfile(number)) = remark;
    let (file, line) = place(&rules.rules()[*number].at);
    let mut all = json!({"v": V, "file": file, "line": line});
    match remark {
        Remark::Never(_, before) => {
            let (file, line) = place(&rules.rules()[*before].at);
            all["never_after"] = json!({"file": file, "line": line});
        }
        Remark::Nothing(_, pattern) => all["matches_nothing"] = json!(pattern),
        Remark::NoProfile(number) => all["no_profile"] = json!(rules.rules()[*number].profile),
        Remark::Spread(_, own, others) => all["denies"] = json!({"modules": own, "dependents": others}),
    }
    all
}

/// What `rules test` counted: what became of the requests then, and how many of them would end otherwise now.
pub fn counts(counts: &Counts) -> Value {
    let (allowed, denied) = counts.then();
    json!({"v": V, "requests": counts.requests(), "allowed": allowed, "denied": denied,
        "now_denied": counts.now_denied, "now_allowed": counts.now_allowed})
}

/// One rule of `rules diff`: `added` to those of the system, or `removed`.
pub fn differs(rule: &Rule, change: &str) -> Value {
    let (file, line) = place(&rule.at);
    json!({"v": V, "change": change, "rule": &*rule.text, "file": file, "line": line})
}

/// One change of `rules test`.
pub fn change(change: &Change, times: u64) -> Value {
    json!({"v": V, "change": if change.denies { "denied" } else { "allowed" }, "times": times,
        "asked": escaped(&change.asked), "uid": change.uid, "rule": change.by})
}
