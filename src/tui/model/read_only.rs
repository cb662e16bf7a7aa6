//! A console that was started with `--read-only`.

use crate::control::text::outcome::Severity;

use super::Model;

/// Says why `what` is not done.
pub fn read_only(what: &str) -> String {
    format!("{what} needs khelper to be started without --read-only: this console only shows things")
}

impl Model {
    /// Whether the console is read-only. If so, says that `what` is not done.
    pub fn refuses(&mut self, what: &str) -> bool {
        if self.options.read_only {
            self.say(Severity::Quiet, read_only(what));
        }
        self.options.read_only
    }
}
