//! `khelper diff`: what a restart would change.

use crate::control::knob_json::Differs;
use crate::control::text::provenance::drift;
use crate::control::{Command, Reply};

use super::exit::Verdict;
use super::output::say;
use super::request::{Asker, fail};

impl Asker {
    /// Prints the knobs that differ. Exit code 1 if there is one, or a line that cannot be applied.
    pub(super) fn diff(&self, json: bool) -> Verdict {
        let comparison = match self.caller.ask(Command::Diff) {
            Ok(Reply::Diff(comparison)) => comparison,
            // The reply to `Diff` is always a comparison.
            Ok(_) => return Verdict::Own(0),
            Err(error) => return fail(&error),
        };
        let info = self.caller.target.info();
        for one in &comparison.drift {
            if json {
                self.json(&Differs::of(info.short_name(), one));
            } else {
                self.answers.line(&drift(one, info.known));
            }
        }
        comparison.faults.iter().for_each(|fault| say(fault));
        Verdict::Own(u8::from(!comparison.drift.is_empty() || !comparison.faults.is_empty()))
    }
}
