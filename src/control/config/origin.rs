//! Where the values of an engine's knobs come from (AUTH-5).

use crate::abi::knob::Key;
use crate::abi::snapshot::Snapshot;
use crate::control::knobs::read;
use crate::control::provenance::{Knob, Where};

use super::Config;

/// Reads these knobs from one snapshot.
pub(in crate::control) fn knobs(snapshot: &Snapshot, config: &Config, keys: &[Key]) -> Vec<Knob> {
    let from = |key: Key| match (came_from(snapshot, key), config.applied(key)) {
        (Where::File { source, .. }, Some((won, others))) if won == source => Where::File { source, others },
        // A file that asks for the gate's default changes nothing.
        (Where::Default, Some((source, others))) => Where::File { source, others },
        (from, _) => from,
    };
    keys.iter().map(|key| Knob { key: *key, value: read(snapshot, *key), from: from(*key) }).collect()
}

/// Where a knob's value comes from, without the lines that lost.
pub fn came_from(snapshot: &Snapshot, key: Key) -> Where {
    let last = snapshot.provenance.iter().find(|last| last.change.key == key);
    match last.map(|last| (last, &last.change.source)) {
        None => Where::Default,
        Some((_, Some(source))) => Where::File { source: source.clone(), others: Vec::new() },
        Some((last, None)) => Where::Actor { actor: last.actor.clone(), at: last.wall },
    }
}
