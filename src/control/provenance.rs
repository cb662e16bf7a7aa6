//! Where the value of each knob comes from (AUTH-5): the default, a line of a configuration file, or an actor.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::abi::actor::Actor;
use crate::abi::knob::Key;
use crate::abi::knob_value::{KnobValue, Source};
use crate::abi::snapshot::Snapshot;

use super::config::Config;
use super::dispatch::read;

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

/// Reads these knobs from one snapshot.
pub(super) fn knobs(snapshot: &Snapshot, config: &Config, keys: &[Key]) -> Vec<Knob> {
    let knob = |key: &Key| Knob { key: *key, value: read(snapshot, *key), from: came_from(snapshot, config, *key) };
    keys.iter().map(knob).collect()
}

fn came_from(snapshot: &Snapshot, config: &Config, key: Key) -> Where {
    let change = snapshot.provenance.iter().find(|last| last.change.key == key);
    match change {
        Some(last) if last.change.source.is_none() => Where::Actor { actor: last.actor.clone(), at: last.wall },
        Some(last) => match &last.change.source {
            Some(source) => Where::File { source: source.clone(), others: config.others(key, source) },
            None => Where::Default,
        },
        // A file that asks for the default changes nothing.
        None => config.applied(key).map_or(Where::Default, |(source, others)| Where::File { source, others }),
    }
}
