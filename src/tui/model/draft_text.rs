//! Describes what a draft would change.

use crate::abi::cap::CapMask;

use super::Model;
use super::masks::{KNOBS, live, short};
use crate::control::text::mask::brief;

/// Describes what a draft would change.
pub fn changes(model: &Model, draft: [CapMask; 2]) -> String {
    let words = |knob| {
        let live = live(&model.snapshot, knob);
        let draft = draft[knob as usize];
        (live != draft).then(|| format!("{} live -> draft: {}", short(knob), brief(live, draft)))
    };
    let all: Vec<String> = KNOBS.into_iter().filter_map(words).collect();
    if all.is_empty() { "the draft is the same as live".to_owned() } else { all.join("; ") }
}
