//! `khelper get`, as sysctl(8).

use std::os::unix::ffi::OsStrExt;

use crate::abi::error::ControlError;
use crate::control::{Command, Key, Reply};
use crate::verbs::options::key;

use super::Caller;
use super::args::Get;
use super::exit::Verdict;
use super::output::{Answers, complain};

/// Prints `key = value`. An unknown key is told and the others are still read.
pub(super) fn get(caller: &Caller, get: &Get, answers: &Answers) -> Verdict {
    let all = Key::ALL.iter().filter(|_| get.all).map(|k| Ok(*k));
    let mut verdict = Verdict::Own(0);
    for key in all.chain(get.keys.iter().map(|k| key(k.as_bytes()))) {
        let value = key.and_then(|key| read(caller, key).map(|value| (key, value)));
        match value {
            Ok((_, value)) if get.values => answers.line(&value),
            Ok((key, value)) => answers.line(&format!("{} = {value}", key.name())),
            Err(ControlError::UnknownKey(_)) if get.ignore => {}
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
        // Reading a knob is answered with its value and nothing else.
        _ => Ok(String::new()),
    }
}
