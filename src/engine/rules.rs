//! Asks the rules about a request.

use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;

use crate::abi::error::{EngineError, Stage};
use crate::abi::log::{Level, LogKind};
use crate::abi::record::Record;
use crate::policy::rules::{Decision, Wanted};

use super::inner::Inner;

impl Inner {
    /// The error cites the rule that denies the request. What would be denied is a line of the log.
    pub(super) fn judge_by_rules(&self, wanted: Wanted<'_>, record: &Record) -> Result<(), EngineError> {
        let Some(rules) = &self.rules else { return Ok(()) };
        // Hooks run without any lock.
        let Ok(decision) = catch_unwind(AssertUnwindSafe(|| rules(wanted, &record.actor))) else {
            let (why, advice) = ("the rules could not be asked", "check the host program: what asks them panicked");
            return Err(EngineError::new(Stage::Hook, Errno::ECANCELED, why, advice));
        };
        match decision {
            Decision::Allow(cited) => {
                if let Some(cited) = cited.filter(|cited| cited.rule.log) {
                    self.log_rule(Level::Info, record.id, "allowed by", &cited.of(wanted.name()));
                }
                Ok(())
            }
            Decision::WouldDeny(cited) => {
                self.log_rule(Level::Warning, record.id, "would be denied by", &cited.of(wanted.name()));
                Ok(())
            }
            Decision::Deny(cited) => {
                let why = format!("denied by {}", cited.of(wanted.name()));
                if cited.rule.log {
                    self.log_rule(Level::Warning, record.id, "denied by", &cited.of(wanted.name()));
                }
                Err(EngineError::new(Stage::Hook, Errno::EPERM, why, "change the rule if this may be asked for"))
            }
        }
    }

    fn log_rule(&self, level: Level, id: u64, what: &str, by: &str) {
        self.log(LogKind::Note { level, text: format!("#{id} {what} {by}").into() });
    }
}
