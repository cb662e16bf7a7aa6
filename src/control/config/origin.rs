//! Where the values of an engine's knobs come from (AUTH-5).

use crate::abi::knob::Key;
use crate::abi::snapshot::Snapshot;
use crate::control::knobs::read;
use crate::control::provenance::{Knob, Where};

use super::Config;

/// Reads these knobs from one snapshot.
pub(in crate::control) fn knobs(snapshot: &Snapshot, config: &Config, keys: &[Key]) -> Vec<Knob> {
    let knob = |key: &Key| Knob { key: *key, value: read(snapshot, *key), from: came_from(snapshot, config, *key) };
    keys.iter().map(knob).collect()
}

fn came_from(snapshot: &Snapshot, config: &Config, key: Key) -> Where {
    let last = snapshot.provenance.iter().find(|last| last.change.key == key);
    match last.map(|last| (last, &last.change.source)) {
        Some((last, None)) => Where::Actor { actor: last.actor.clone(), at: last.wall },
        Some((_, Some(source))) => Where::File { source: source.clone(), others: config.others(key, source) },
        // A file that asks for the gate's default changes nothing.
        None => config.applied(key).map_or(Where::Default, |(source, others)| Where::File { source, others }),
    }
}
