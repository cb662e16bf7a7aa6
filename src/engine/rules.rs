//! Asks the rules about a request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::error::{EngineError, Stage};
use crate::abi::escape::screen;
use crate::abi::log::{Level, LogKind};
use crate::abi::profile::Profile;
use crate::abi::record::{ALLOWED, DENIED, Record, WOULD_DENY};
use crate::policy::rules::{Cited, Decision, Wanted};

use super::handle::Engine;
use super::inner::Inner;

impl Inner {
    /// The record cites the rule that decided, the error the one that denies. What would be denied is a line of the log.
    pub(super) fn judge_by_rules(
        &self,
        wanted: Wanted<'_>,
        record: &mut Record,
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
                let by = cited.of(wanted.name());
                record.said = Some(format!("{ALLOWED}{by}").into());
                if cited.rule.log {
                    self.log_rule(Level::Info, record.id, ALLOWED, &by);
                }
                cited.rule.profile.as_ref().map(|name| self.ruled_profile(name, &cited)).transpose()
            }
            Decision::WouldDeny(cited) => {
                let by = cited.of(wanted.name());
                self.log_rule(Level::Warning, record.id, WOULD_DENY, &by);
                record.said = Some(format!("{WOULD_DENY}{by}").into());
                Ok(None)
            }
            Decision::Deny(cited) => {
                let why = format!("{DENIED}{}", cited.of(wanted.name()));
                if cited.rule.log {
                    self.log_rule(Level::Warning, record.id, DENIED, &cited.of(wanted.name()));
                }
                Err(EngineError::new(Stage::Hook, Errno::EPERM, why, "change the rule if this may be asked for"))
            }
        }
    }

    /// The profile that a rule names. Without it nothing runs: a helper would have more powers than the rule gives it.
    fn ruled_profile(&self, name: &str, cited: &Cited) -> Result<Arc<Profile>, EngineError> {
        self.profile(name).ok_or_else(|| {
            let why =
                format!("{cited} names the profile `{}`, which does not exist or has a fault", screen(name.as_bytes()));
            EngineError::new(Stage::Enforce, Errno::EPERM, why, "nothing was started: see `khelper profile check`")
        })
    }

    /// The profile of this name; a panic of what looks it up is none.
    pub(super) fn profile(&self, name: &str) -> Option<Arc<Profile>> {
        let found = catch_unwind(AssertUnwindSafe(|| self.profiles.as_ref().and_then(|profiles| profiles(name))));
        found.ok().flatten()
    }

    fn log_rule(&self, level: Level, id: u64, what: &str, by: &str) {
        self.log(LogKind::Note { level, text: format!("#{id} {what}{by}").into() });
    }
}

impl Engine {
    /// The profile of this name, as [`super::Builder::profiles`] looks it up.
    pub fn profile(&self, name: &str) -> Option<Arc<Profile>> {
        self.inner.profile(name)
    }
}

/// The profile of the rule, or the one that a request or a call names. That cannot replace the rule's, which may give less.
pub(super) fn confined_by(
    by_rule: Option<Arc<Profile>>,
    own: Option<&Arc<Profile>>,
) -> Result<Option<Arc<Profile>>, EngineError> {
    match (by_rule, own) {
        (Some(ruled), Some(own)) if ruled != *own => {
            let why = format!("the profile {} was asked for, and the rule names the profile {}", own.name, ruled.name);
            let advice = "nothing was started: ask without a profile, or change the rule";
            Err(EngineError::new(Stage::Enforce, Errno::EPERM, why, advice))
        }
        (by_rule, own) => Ok(by_rule.or_else(|| own.cloned())),
    }
}
