//! A console that was started with `--read-only`.

use crate::control::text::outcome::Severity;

use super::Model;

/// The message that explains why `what` is refused.
pub fn read_only(what: &str) -> String {
    format!("{what} is refused: this console is read-only; start khelper without --read-only")
}

impl Model {
    /// Whether the console is read-only. If so, a message says that `what` is refused.
    pub fn refuses(&mut self, what: &str) -> bool {
        if self.options.read_only {
            self.say(Severity::Quiet, read_only(what));
        }
        self.options.read_only
    }
}
