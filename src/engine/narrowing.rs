//! The capability sets that a worker was narrowed to, and the calls that it can still serve. A worker never widens
//! its sets.

use crate::abi::launch_spec::Enforcement;
use crate::policy::masks;
use crate::sys::host::{CapPlan, Worker};

/// The sets that a worker was narrowed to, and how they are enforced.
#[derive(Clone, Copy)]
pub(super) struct Narrowed {
    plan: CapPlan,
    enforced: Enforcement,
}

/// What a worker does after a call.
pub(super) enum NextStep {
    /// The worker waits for another call of this generation.
    Idle(u64),
    /// The worker ends: it was narrowed for a single call.
    Retire,
    /// The worker hands the call to a fresh worker and ends: its sets are too narrow for this call.
    HandOver,
}

impl Narrowed {
    /// Whether a worker that was narrowed to `narrowed` (`None`: not at all) can give a helper the sets of `plan`.
    pub(super) fn serves(narrowed: &Option<Self>, plan: CapPlan) -> bool {
        #[cfg(all(test, khelper_models))]
        if super::faults::planted(super::faults::Fault::StaleGeneration) {
            return true;
        }
        narrowed.is_none_or(|n| masks::reachable(n.plan, plan))
    }

    /// Narrows the worker to `plan`, unless it already is.
    pub(super) fn narrow(narrowed: &mut Option<Self>, worker: &mut dyn Worker, plan: CapPlan) -> Enforcement {
        let enforced = match narrowed {
            Some(n) if n.plan == plan => n.enforced,
            _ => worker.narrow(&plan),
        };
        *narrowed = Some(Self { plan, enforced });
        enforced
    }

    /// What the worker does after a call with this plan. The plan was made from the masks of `generation`, and if
    /// `alone`, also from the call's own masks.
    pub(super) fn next_step(narrowed: &Option<Self>, plan: CapPlan, generation: u64, alone: bool) -> NextStep {
        match narrowed {
            Some(n) if n.plan == plan && !alone => NextStep::Idle(generation),
            _ => NextStep::Retire,
        }
    }
}
