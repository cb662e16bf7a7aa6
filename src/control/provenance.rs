//! Where the value of each knob comes from (AUTH-5): the default, a line of a configuration file, or an actor.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::abi::actor::Actor;
use crate::abi::knob::Key;
use crate::abi::knob_value::{KnobValue, Source};
use crate::abi::safe_text::SafeText;

/// A knob with its value and where that comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knob {
    /// The knob.
    pub key: Key,
    /// Its value.
    pub value: KnobValue,
    /// Where the value comes from.
    #[serde(rename = "where")]
    pub from: Where,
}

/// Where a knob's value comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Where {
    /// The engine started with it, or it is a counter.
    Default,
    /// A knob of the kernel that another process has changed since boot, or that the kernel was built with.
    Unknown,
    /// A configuration file.
    File {
        /// The line that won.
        source: Source,
        /// Other lines that set the knob and lost, the first one first.
        others: Vec<Source>,
    },
    /// A process.
    Actor {
        /// The process.
        actor: Arc<Actor>,
        /// When, by the wall clock.
        at: SystemTime,
    },
}

/// What the files say about one knob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The knob.
    pub key: Key,
    /// The value.
    pub value: KnobValue,
    /// The line that won.
    pub source: Source,
    /// The lines that lost.
    pub others: Vec<Source>,
    /// Whether a failure is ignored (`-KEY`).
    pub ignore: bool,
}

/// A knob whose value is not what is configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// The knob.
    pub key: Key,
    /// Its value now.
    pub running: KnobValue,
    /// Its value after a restart.
    pub configured: KnobValue,
    /// The line that sets it; `None` for the default.
    pub source: Option<Source>,
}

/// What runs beside what is configured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The knobs that differ.
    pub drift: Vec<Drift>,
    /// Lines that cannot be applied; with one of them a restart uses the last good configuration.
    pub faults: Vec<SafeText>,
}
