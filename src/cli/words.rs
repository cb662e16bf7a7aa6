//! The line that tells a person how a request ended.

use crate::abi::launch_spec::Enforcement;
use crate::abi::record::Record;
use crate::control::text::outcome::{ended_in_words, took};

pub use crate::control::text::outcome::{chain, title};

/// One line: what, how it ended, the raw status, how long it took.
pub fn line(record: &Record) -> String {
    let mut line = format!("{}: {}", title(record), ended_in_words(record).words);
    if let Some(enforced) = record.enforced.filter(|e| *e == Enforcement::NoNewPrivs) {
        line.push_str(&format!(", enforced by {}", enforced.name()));
    }
    if !record.not_enforced.is_empty() {
        let names: Vec<_> = record.not_enforced.iter().map(|n| n.name()).collect();
        line.push_str(&format!(", not enforced: {}", names.join(" ")));
    }
    if let Some(us) = record.ended_us {
        line.push_str(&format!(", {}", took(us)));
    }
    line
}
