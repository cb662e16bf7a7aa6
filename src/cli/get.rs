//! `khelper get`: prints knobs in the form of sysctl(8).

use crate::abi::error::ControlError;
use crate::control::{Command, Key, Reply};
use crate::verbs::perform::Knobs;

use super::Caller;
use super::exit::Verdict;
use super::output::{Answers, complain};

/// Prints each knob. An unknown key is reported and the others are still read.
pub(super) fn get(caller: &Caller, knobs: Knobs, answers: &Answers) -> Verdict {
    let mut verdict = Verdict::Own(0);
    for line in knobs.lines(|key| read(caller, key)) {
        match line {
            Ok(line) => answers.line(&line),
            Err(error) => {
                complain(&error);
                verdict = verdict.and(Verdict::of_error(&error));
            }
        }
    }
    verdict
}

fn read(caller: &Caller, key: Key) -> Result<String, ControlError> {
    match caller.ask(Command::Get(key))? {
        Reply::Value(value) => Ok(value.text()),
        // The reply to `Get` is always a value.
        _ => Ok(String::new()),
    }
}
