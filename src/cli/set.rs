//! `--set KEY=VALUE`: by the same door and rules as the console.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::control::text::change::remarks;
use crate::control::{Change, Command, Key, KnobValue, Reply};
use crate::verbs::options::assignment;

use super::Caller;
use super::exit::Verdict;
use super::output::{complain, say};

/// Writes what `--set` asks for: all knobs in one hold of the lock or none (SYS-9), the gate after them. Says what was
/// not granted. The error is the exit code, everything else having been said.
pub(super) fn set(caller: &Caller, settings: &[OsString]) -> Result<(), u8> {
    let known = caller.target.info().known;
    let written = split_all(settings, known).and_then(|writes| write(caller, writes));
    match written {
        Ok(written) => {
            written.iter().flat_map(|w| remarks(w, known)).for_each(|line| say(&line));
            Ok(())
        }
        Err(error) => {
            complain(&error);
            Err(Verdict::of_error(&error).code())
        }
    }
}

type Write = (Key, KnobValue);

fn split_all(settings: &[OsString], known: CapMask) -> Result<Vec<Write>, ControlError> {
    let parse = |(key, text): (Key, Vec<u8>)| key.parse_value(&text, known).map(|value| (key, value));
    settings.iter().map(|s| assignment("--set", s.as_bytes()).and_then(parse)).collect()
}

fn write(caller: &Caller, writes: Vec<Write>) -> Result<Vec<Change>, ControlError> {
    // The gate stands alone, since its drain may block.
    let (gates, knobs): (Vec<_>, Vec<_>) = writes.into_iter().partition(|(key, _)| *key == Key::Gate);
    let mut written = Vec::new();
    for batch in std::iter::once(knobs).chain(gates.into_iter().map(|gate| vec![gate])).filter(|b| !b.is_empty()) {
        if let Reply::Written(w) = caller.ask(Command::Write(batch))? {
            written.extend(w);
        }
    }
    Ok(written)
}
