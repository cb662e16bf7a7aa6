//! Rules as JSON: one object a line.

use serde_json::{Value, json};

use crate::abi::escape::json as escaped;
use crate::control::record_json::V;
pub use crate::control::sources::fault;
use crate::policy::rules::{Position, Remark, Rules};

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

/// What `rules test` counted.
pub fn counts(counts: &Counts) -> Value {
    json!({"v": V, "requests": counts.requests(), "allowed": counts.allowed, "denied": counts.denied,
        "now_denied": counts.now_denied, "now_allowed": counts.now_allowed})
}

/// One change of `rules test`.
pub fn change(change: &Change, times: u64) -> Value {
    json!({"v": V, "change": if change.denies { "denied" } else { "allowed" }, "times": times,
        "asked": escaped(&change.asked), "uid": change.uid, "rule": change.by})
}
