//! Reads the answers of a connection, and gives them to the callers.

use std::io;

use crate::abi::error::{ControlError, io_words};

use crate::control::completion::CallId;

use super::line::{Answered, Job, Line};
use super::shared::Shared;

/// Why a connection is lost if the daemon closed it.
pub(super) const ENDED: &str = "the daemon closed the connection";

/// An answered command, or a request whose wait is to be stopped and the command that waits for it.
pub(super) type Heard = Result<Answered, (u64, CallId)>;

/// Reads from a line. Returns the answers, and whether the line can be used further: otherwise why not.
pub(super) fn hear(line: &mut Line, shared: &Shared) -> (Vec<Heard>, Result<(), String>) {
    let version = shared.version();
    let read = line.connection.write().and_then(|()| line.connection.read());
    let mut answered = Vec::new();
    loop {
        match line.next_answer(&version) {
            Ok(Some(one)) => answered.push(one),
            Ok(None) => break,
            Err(e) => return (answered, Err(io_words(&e))),
        }
    }
    let outcome = match read {
        Ok(true) => Ok(()),
        Ok(false) => Err(ENDED.to_owned()),
        Err(e) => Err(io_words(&e)),
    };
    (answered, outcome)
}

pub(super) fn finish(answered: impl IntoIterator<Item = Answered>) {
    answered.into_iter().for_each(|(done, reply)| done.finish(reply));
}

/// The answer to a command for which there is no connection.
pub(super) fn refuse(job: Job, error: &io::Error) {
    let why = format!("cannot open a connection to the daemon: {}; the command was not sent", io_words(error));
    job.done.finish(Err(ControlError::Busy(why)));
}

/// The error for a command that was sent and not answered.
pub(super) fn unknown(name: &str, why: &str) -> ControlError {
    ControlError::Unavailable(format!(
        "lost the connection to {name}: {why}; whether the command was performed is unknown"
    ))
}
