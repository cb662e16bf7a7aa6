//! What was seen of one side of a scenario: named fields, as text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Linux itself.
    Kernel,
    /// The engine.
    Engine,
}

/// What was seen of one side.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seen {
    pub side: Side,
    /// The fields that are compared.
    pub fields: BTreeMap<String, String>,
    /// What the caller would have passed on to a child by fork(2), of the same fields. Nothing where that is not known.
    pub caller: BTreeMap<String, String>,
}

/// One line over the serial port.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// The machine is up.
    Booted {
        /// `uname -r`.
        release: String,
    },
    /// One side of a scenario.
    Seen { scenario: String, seen: Seen },
    /// A scenario came to nothing.
    Failed { scenario: String, why: String },
    /// Round trips in nanoseconds, interleaved.
    Cost { kernel: Vec<u64>, engine: Vec<u64> },
    /// The last line.
    Done,
}
