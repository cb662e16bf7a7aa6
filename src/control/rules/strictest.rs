//! What holds where it is not known which of several processes has asked.

use std::sync::Arc;

use crate::policy::rules::{Decision, Mode, Verdict};

/// What holds over everybody who may have asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strictest {
    /// The decision.
    pub decision: Decision,
    /// Whether their helpers would have different profiles.
    pub is_torn: bool,
}

impl Strictest {
    /// The strictest of these verdicts: the first one that denies; if none does, the first one with a profile.
    pub(super) fn of(verdicts: impl Iterator<Item = Verdict>, mode: Mode) -> Self {
        let rank = |verdict: &Verdict| (verdict.is_denied(), profile(verdict).is_some());
        let (mut worst, mut is_torn) = (Verdict::Default, false);
        for next in verdicts {
            is_torn |= matches!((profile(&worst), profile(&next)), (Some(one), Some(other)) if one != other);
            if worst == Verdict::Default || rank(&next) > rank(&worst) {
                worst = next;
            }
            if worst.is_denied() {
                break;
            }
        }
        Self { decision: worst.decide(mode), is_torn }
    }
}

fn profile(verdict: &Verdict) -> Option<&Arc<str>> {
    verdict.cited().and_then(|cited| cited.rule.profile.as_ref())
}
