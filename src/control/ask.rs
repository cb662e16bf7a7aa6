//! Submits a command to a target and waits for the answer.

use crate::abi::actor::Actor;
use crate::abi::error::ControlError;
use crate::sys::channel::channel;

use super::command::{Command, Reply};
use super::completion::{CallId, Completion};
use super::target::Target;

/// Submits a command and blocks until it is answered. Do not call this from a [`Completion`] or on a thread that draws.
pub fn ask(target: &dyn Target, by: &Actor, command: Command) -> Result<Reply, ControlError> {
    let (sender, answer) = channel();
    let done = Completion::new(move |reply| {
        // The receiver waits below.
        let _ = sender.send(reply);
    });
    target.submit(by, CallId::fresh(), command, done);
    answer.recv().unwrap_or_else(|_| Err(ControlError::Unavailable("the target gave no answer".into())))
}
