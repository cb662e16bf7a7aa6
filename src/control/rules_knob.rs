//! `khelper.rules.mode`: a knob of the rules that an engine asks, and not of the engine.

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::error::{ControlError, ParseError};
use crate::abi::knob::Key;
use crate::abi::knob_value::{Change, KnobValue};
use crate::abi::snapshot::Snapshot;
use crate::engine::Engine;

use super::knobs::{engines, value_error};
use super::rules::Live;
use super::rules::text::NONE;

/// The state of an engine, to read these knobs from. `rules` are those that the engine asks.
///
/// # Errors
/// `EOPNOTSUPP` for a knob that it does not have.
pub(super) fn snapshot_of(engine: &Engine, rules: Option<&Live>, keys: &[Key]) -> Result<Snapshot, ControlError> {
    let is_mode = |key: &Key| *key == Key::RulesMode;
    engines(keys.iter().copied().filter(|key| !is_mode(key)))?;
    let state = match (keys.iter().any(is_mode), rules) {
        (true, None) => return Err(no_rules()),
        (true, Some(rules)) => Some(rules.state()),
        (false, _) => None,
    };
    Ok(Snapshot { rules: state, ..engine.snapshot() })
}

fn no_rules() -> ControlError {
    let advice = "use a daemon: `khelper serve --rules audit`; see `khelper help rules`";
    value_error(Key::RulesMode, ParseError::with(Errno::EOPNOTSUPP, NONE, advice))
}

/// Whether the mode of the rules is among these writes.
pub(super) fn has_mode(writes: &[(Key, KnobValue)]) -> bool {
    writes.iter().any(|(key, _)| *key == Key::RulesMode)
}

/// The error for keeping the mode of the rules in the configuration.
pub(super) fn kept_already() -> ControlError {
    let why = "the mode of the rules is not kept in the configuration: it stays over restarts anyway";
    value_error(Key::RulesMode, ParseError::invalid(why, "leave out --persist"))
}

/// Writes the mode of the rules; its lock is not that of the engine's knobs.
pub(super) fn order(
    rules: Option<&Live>,
    writes: Vec<(Key, KnobValue)>,
    actor: &Actor,
) -> Result<Vec<Change>, ControlError> {
    let rules = rules.ok_or_else(no_rules)?;
    match writes[..] {
        [(Key::RulesMode, KnobValue::Rules(mode))] => rules.order(mode, actor).map(|change| vec![change]),
        [(Key::RulesMode, ref value)] => Err(Key::RulesMode.is_not(value.text().as_bytes(), "a mode of the rules")),
        _ => {
            let why = "the mode of the rules cannot be changed together with other knobs";
            let advice = "write khelper.rules.mode with a separate command";
            Err(value_error(Key::RulesMode, ParseError::invalid(why, advice)))
        }
    }
}
