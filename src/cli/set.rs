//! `--set KEY=VALUE`: the same command and the same rules as in the console.

use std::ffi::OsString;

use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::control::text::change::remarks;
use crate::control::{Change, Command, Reply};
use crate::verbs::perform::writes;

use super::Caller;
use super::exit::Verdict;
use super::output::{complain, say};

/// Writes the knobs of `--set`: all of them under one lock, or none (SYS-9); then the gate. Reports capabilities that
/// were not granted. The error is the exit code; the cause is already on stderr.
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
