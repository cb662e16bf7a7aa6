//! What a worker was cut down to, and which calls it can serve after that: it narrows in place and never widens.

use crate::abi::launch_spec::Enforcement;
use crate::policy::masks;
use crate::sys::host::{CapPlan, Worker};

/// What a worker was cut down to.
#[derive(Clone, Copy)]
pub(super) struct Narrowed {
    plan: CapPlan,
    enforced: Enforcement,
}

/// What becomes of the worker.
pub(super) enum NextStep {
    /// It can serve calls of this generation.
    Idle(u64),
    /// It was cut for one call alone.
    Retire,
    /// It was cut too far for this call: a fresh one takes it.
    HandOver,
}

impl Narrowed {
    /// Whether a worker that was cut so can give a helper these sets.
    pub(super) fn serves(cut: &Option<Self>, plan: CapPlan) -> bool {
        #[cfg(all(test, khelper_models))]
        if super::faults::planted(super::faults::Fault::StaleGeneration) {
            return true;
        }
        cut.is_none_or(|c| masks::reachable(c.plan, plan))
    }

    /// Cuts the worker down, unless it is.
    pub(super) fn narrow(cut: &mut Option<Self>, worker: &mut dyn Worker, plan: CapPlan) -> Enforcement {
        let enforced = match cut {
            Some(c) if c.plan == plan => c.enforced,
            _ => worker.narrow(&plan),
        };
        *cut = Some(Self { plan, enforced });
        enforced
    }

    /// What becomes of the worker after a call with this plan, made from the masks of `generation` or `alone` from
    /// masks of its own.
    pub(super) fn fate(cut: &Option<Self>, plan: CapPlan, generation: u64, alone: bool) -> NextStep {
        match cut {
            Some(c) if c.plan == plan && !alone => NextStep::Idle(generation),
            _ => NextStep::Retire,
        }
    }
}
