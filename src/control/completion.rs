//! How a command is answered: exactly once, whatever happens to it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::abi::error::ControlError;

use super::command::Reply;

/// Identifies one submitted command until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(u64);

impl CallId {
    /// An id that this process has not used yet.
    pub fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Receives the answer to a command. A completion that is dropped without an answer reports an error, so that nothing
/// waits for it forever.
pub struct Completion(Option<Done>);

/// The function of a completion.
type Done = Box<dyn FnOnce(Result<Reply, ControlError>) + Send>;

impl Completion {
    /// Calls `done` with the answer.
    pub fn new(done: impl FnOnce(Result<Reply, ControlError>) + Send + 'static) -> Self {
        Self(Some(Box::new(done)))
    }

    /// Answers.
    pub fn finish(mut self, reply: Result<Reply, ControlError>) {
        if let Some(done) = self.0.take() {
            done(reply);
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done(Err(ControlError::Unavailable(
                "the target gave no answer: whether the command was performed is unknown".into(),
            )));
        }
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Completion" } else { "Completion (done)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_completion_is_called_exactly_once_even_if_dropped() {
        let (sender, answers) = channel();
        let new = || {
            let sender = sender.clone();
            Completion::new(move |reply| sender.send(reply).unwrap())
        };
        new().finish(Ok(Reply::Done));
        assert!(matches!(answers.try_recv(), Ok(Ok(Reply::Done))));
        assert!(answers.try_recv().is_err(), "answered twice");
        drop(new());
        assert!(matches!(answers.try_recv(), Ok(Err(ControlError::Unavailable(_)))));
        assert!(answers.try_recv().is_err(), "answered twice");
        let panicked = std::thread::spawn({
            let done = new();
            move || {
                let _done = done;
                panic!("before it has answered");
            }
        });
        assert!(panicked.join().is_err());
        assert!(matches!(answers.try_recv(), Ok(Err(ControlError::Unavailable(_)))));
    }
}
