//! Reads and writes the knobs of an engine.

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::depth::Depth;
use crate::abi::error::{ControlError, ParseError};
use crate::abi::knob::Key;
use crate::abi::knob_value::{Change, KnobValue, Source};
use crate::abi::path::parse_modprobe;
use crate::abi::snapshot::Snapshot;
use crate::engine::{Engine, KnobWrite};

use super::provenance::Setting;

/// The error for a knob that an engine does not have (`EOPNOTSUPP`).
pub(super) fn engines(keys: impl IntoIterator<Item = Key>) -> Result<(), ControlError> {
    let Some(key) = keys.into_iter().find(|key| !key.is_engines()) else { return Ok(()) };
    let why = "an engine does not have this knob; this machine's kernel has it";
    let error =
        ParseError::with(Errno::EOPNOTSUPP, why, format!("use `--target kernel`: `khelper -t kernel get {key}`"));
    Err(value_error(key, error))
}

/// The error for a write of the kernel's knobs that is given to an engine (`EOPNOTSUPP`).
pub(super) fn kernels() -> ControlError {
    let why = "an engine never writes the knobs of this machine's kernel";
    let error = ParseError::with(Errno::EOPNOTSUPP, why, "use `--target kernel`");
    ControlError::Value { key: "set".into(), error }
}

/// Reads a knob's value from a snapshot. 0 for a knob that an engine does not have.
pub fn read(s: &Snapshot, key: Key) -> KnobValue {
    match key {
        Key::Modprobe => KnobValue::Path(s.knobs.modprobe.clone()),
        Key::Bset => s.knobs.bset.into(),
        Key::Inheritable => s.knobs.inheritable.into(),
        Key::Allow => KnobValue::Globs(s.knobs.allow.clone()),
        Key::Concurrent => s.slots.concurrent.into(),
        Key::Deny => KnobValue::Globs(s.knobs.deny.clone()),
        Key::Era => KnobValue::Era(s.knobs.era),
        Key::Gate => s.gate.into(),
        Key::Live => s.live.into(),
        Key::LoopMessages => s.slots.loop_messages.into(),
        Key::MaxConcurrent => s.slots.limit.into(),
        Key::Queued => s.queued.into(),
        Key::Refused => s.totals.refused().into(),
        Key::RunningHelpers => s.running_helpers.into(),
        Key::RulesMode => s.rules.map(|rules| rules.mode).unwrap_or_default().into(),
        Key::ModulesDisabled => 0u32.into(),
    }
}

/// Writes knobs, all or none; or the gate.
pub(super) fn write(
    engine: &Engine,
    writes: Vec<(Key, KnobValue)>,
    actor: &Actor,
) -> Result<Vec<Change>, ControlError> {
    write_from(engine, writes, &[], actor)
}

/// [`write`] for lines of the configuration files.
pub(super) fn configure(engine: &Engine, settings: Vec<Setting>, actor: &Actor) -> Result<Vec<Change>, ControlError> {
    let (writes, sources): (Vec<_>, Vec<_>) =
        settings.into_iter().map(|setting| ((setting.key, setting.value), setting.source)).unzip();
    write_from(engine, writes, &sources, actor)
}

fn write_from(
    engine: &Engine,
    writes: Vec<(Key, KnobValue)>,
    sources: &[Source],
    actor: &Actor,
) -> Result<Vec<Change>, ControlError> {
    if let [(Key::Gate, KnobValue::Depth(depth))] = writes[..] {
        let change = write_gate(engine, depth, actor)?;
        sources.iter().for_each(|source| engine.gate_came_from(source.clone()));
        return Ok(vec![change]);
    }
    let writes = writes.into_iter().map(|(key, value)| knob_write(key, value)).collect::<Result<Vec<_>, _>>()?;
    let mut changes = engine.write_from(&writes, sources, actor).map_err(|(key, error)| value_error(key, error))?;
    for change in &mut changes {
        if let KnobValue::Path(path) = &change.after {
            change.warnings = engine.path_warnings(path);
        }
    }
    Ok(changes)
}

/// Writes knobs, all or none (SYS-9).
pub(super) fn commit(engine: &Engine, writes: &[KnobWrite], actor: &Actor) -> Result<Vec<Change>, ControlError> {
    engine.write_as(writes, actor).map_err(|(key, error)| value_error(key, error))
}

/// Writes the gate: enabled opens it; freezing and disabled shut and drain it (SYS-1).
fn write_gate(engine: &Engine, depth: Depth, actor: &Actor) -> Result<Change, ControlError> {
    let before = engine.snapshot().gate;
    match depth {
        Depth::Enabled => engine.enable_as(actor)?,
        _ => engine.disable_as(depth, actor)?,
    }
    Ok(Change::new(Key::Gate, before, engine.snapshot().gate))
}

/// Converts a write to the engine's type. `EINVAL` if the value's kind does not fit the knob, or if the gate is written
/// together with other knobs; `EACCES` if the knob is read-only.
fn knob_write(key: Key, value: KnobValue) -> Result<KnobWrite, ControlError> {
    Ok(match (key, value) {
        (Key::Modprobe, KnobValue::Path(path)) => {
            // It may come from another process that has not checked it (SYS-6).
            KnobWrite::Modprobe(parse_modprobe(&path).map_err(|error| value_error(key, error))?)
        }
        (Key::Bset, KnobValue::Mask(mask)) => KnobWrite::Bset(mask),
        (Key::Inheritable, KnobValue::Mask(mask)) => KnobWrite::Inheritable(mask),
        (Key::Allow, KnobValue::Globs(globs)) => KnobWrite::Allow(globs),
        (Key::Deny, KnobValue::Globs(globs)) => KnobWrite::Deny(globs),
        (Key::Era, KnobValue::Era(era)) => KnobWrite::Era(era),
        (Key::MaxConcurrent, KnobValue::Number(number)) => {
            let wrong = |_| key.is_not(number.to_string().as_bytes(), "a number from 1 to 50");
            KnobWrite::MaxConcurrent(u32::try_from(number).map_err(wrong)?)
        }
        (Key::Gate, KnobValue::Depth(_)) => {
            let why = "the gate cannot be changed together with other knobs: its drain may block";
            return Err(value_error(key, ParseError::invalid(why, "write khelper.gate with a separate command")));
        }
        (Key::Concurrent | Key::Live | Key::LoopMessages | Key::Queued | Key::Refused | Key::RunningHelpers, _) => {
            return Err(ControlError::ReadOnly(key.name().to_owned()));
        }
        (Key::RulesMode | Key::ModulesDisabled, _) => {
            return Err(engines([key]).err().unwrap_or_else(|| ControlError::ReadOnly(key.name().to_owned())));
        }
        (_, value) => return Err(key.is_not(value.text().as_bytes(), "a value of this knob's kind")),
    })
}

pub(super) fn value_error(key: Key, error: ParseError) -> ControlError {
    ControlError::Value { key: key.name().to_owned(), error }
}
