//! Asks the rules about a request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::error::{EngineError, Stage};
use crate::abi::escape::screen;
use crate::abi::log::{Level, LogKind};
use crate::abi::profile::Profile;
use crate::abi::record::Record;
use crate::policy::rules::{Cited, Decision, Wanted};

use super::inner::Inner;

impl Inner {
    /// The error cites the rule that denies the request. What would be denied is a line of the log.
    pub(super) fn judge_by_rules(
        &self,
        wanted: Wanted<'_>,
        record: &Record,
    ) -> Result<Option<Arc<Profile>>, EngineError> {
        let Some(rules) = &self.rules else { return Ok(None) };
        // Hooks run without any lock.
        let Ok(decision) = catch_unwind(AssertUnwindSafe(|| rules(wanted, &record.actor))) else {
            let (why, advice) = ("the rules could not be asked", "check the host program: what asks them panicked");
            return Err(EngineError::new(Stage::Hook, Errno::ECANCELED, why, advice));
        };
        match decision {
            Decision::Allow(cited) => {
                let Some(cited) = cited else { return Ok(None) };
                if cited.rule.log {
                    self.log_rule(Level::Info, record.id, "allowed by", &cited.of(wanted.name()));
                }
                cited.rule.profile.as_ref().map(|name| self.profile(name, &cited)).transpose()
            }
            Decision::WouldDeny(cited) => {
                self.log_rule(Level::Warning, record.id, "would be denied by", &cited.of(wanted.name()));
                Ok(None)
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

    /// The profile that a rule names. Without it nothing runs: a helper would have more powers than the rule gives it.
    fn profile(&self, name: &str, cited: &Cited) -> Result<Arc<Profile>, EngineError> {
        let found = catch_unwind(AssertUnwindSafe(|| self.profiles.as_ref().and_then(|profiles| profiles(name))));
        found.ok().flatten().ok_or_else(|| {
            let why =
                format!("{cited} names the profile `{}`, which does not exist or has a fault", screen(name.as_bytes()));
            EngineError::new(Stage::Enforce, Errno::EPERM, why, "nothing was started: see `khelper profile check`")
        })
    }

    fn log_rule(&self, level: Level, id: u64, what: &str, by: &str) {
        self.log(LogKind::Note { level, text: format!("#{id} {what} {by}").into() });
    }
}
