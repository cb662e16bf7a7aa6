//! Compares what runs with what is configured: what a restart would change.

use crate::abi::cap::CapMask;
use crate::abi::depth::Depth;
use crate::abi::era::Era;
use crate::abi::error::ControlError;
use crate::abi::glob::Globs;
use crate::abi::knob::Key;
use crate::abi::knob_value::KnobValue;
use crate::abi::rules_mode::ModeFor;
use crate::abi::snapshot::Snapshot;
use crate::control::knobs::read;
use crate::control::provenance::{Comparison, Drift};

use super::{Config, Remark};

/// Reads the files and compares them with the engine's state.
pub(in crate::control) fn diff(snapshot: &Snapshot, config: &Config) -> Result<Comparison, ControlError> {
    let set = config.load(snapshot.known)?;
    let drift = Key::ALL.into_iter().filter(|key| key.writable()).filter_map(|key| {
        let setting = set.settings.iter().find(|setting| setting.key == key);
        let asked = setting.map_or_else(|| default(key, snapshot.known), |s| configured(&s.value, snapshot.known));
        let running = running(snapshot, key);
        (running != asked).then(|| Drift { key, running, configured: asked, source: setting.map(|s| s.source.clone()) })
    });
    let faults = set.faults.iter().map(|fault: &Remark| fault.to_string().into());
    Ok(Comparison { drift: drift.collect(), faults: faults.collect() })
}

/// The knob's value as it was set.
pub(super) fn running(snapshot: &Snapshot, key: Key) -> KnobValue {
    match key {
        // It reads as the limit in force, which can be lower.
        Key::MaxConcurrent => snapshot.knobs.max_concurrent.into(),
        key => read(snapshot, key),
    }
}

/// The value that a new engine has after this write: a change of a mask starts from the full mask.
pub(super) fn configured(value: &KnobValue, known: CapMask) -> KnobValue {
    match value {
        KnobValue::Mask(mask) => (mask.resolve(known, known) & known).into(),
        other => other.clone(),
    }
}

/// The value of a new engine (SYS-8).
pub(super) fn default(key: Key, known: CapMask) -> KnobValue {
    match key {
        Key::Modprobe => KnobValue::Path(b"/sbin/modprobe"[..].into()),
        Key::Bset | Key::Inheritable => known.into(),
        Key::Allow | Key::Deny => KnobValue::Globs(Globs::default()),
        Key::Era => KnobValue::Era(Era::V3_4),
        Key::Gate => Depth::Enabled.into(),
        Key::MaxConcurrent => 50u32.into(),
        Key::Concurrent
        | Key::Live
        | Key::LoopMessages
        | Key::Queued
        | Key::Refused
        | Key::RunningHelpers
        | Key::ModulesDisabled => 0u32.into(),
        // It is not configured.
        Key::RulesMode => ModeFor::default().into(),
    }
}
