//! `--set KEY=VALUE`: by the same door and rules as the console.

use std::ffi::OsString;

use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::control::text::change::remarks;
use crate::control::{Change, Command, Reply};
use crate::verbs::perform::writes;

use super::Caller;
use super::exit::Verdict;
use super::output::{complain, say};

/// Writes what `--set` asks for: all knobs in one hold of the lock or none (SYS-9), the gate after them. Says what was
/// not granted. The error is the exit code, everything else having been said.
pub(super) fn set(caller: &Caller, settings: &[OsString]) -> Result<(), u8> {
    let known = caller.target.info().known;
    match write(caller, settings, known) {
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

fn write(caller: &Caller, settings: &[OsString], known: CapMask) -> Result<Vec<Change>, ControlError> {
    let mut written = Vec::new();
    for write in writes("--set", settings, known)? {
        if let Reply::Written(w) = caller.ask(Command::Write(write))? {
            written.extend(w);
        }
    }
    Ok(written)
}
