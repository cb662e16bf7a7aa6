//! What a worker was narrowed to, and which calls it can serve after that: it narrows in place and never widens.

use crate::abi::launch_spec::Enforcement;
use crate::policy::masks;
use crate::sys::host::{CapPlan, Worker};

/// What a worker was narrowed to, and how.
#[derive(Clone, Copy)]
pub(super) struct Narrowed {
    plan: CapPlan,
    enforced: Enforcement,
}

/// What a worker does after a call.
pub(super) enum NextStep {
    /// It waits for another call of this generation.
    Idle(u64),
    /// It ends: it was narrowed for one call alone.
    Retire,
    /// It gives the call to a fresh worker and ends: it was narrowed too far for this one.
    HandOver,
}

impl Narrowed {
    /// Whether a worker that was narrowed so, or not at all, can give a helper the sets of `plan`.
    pub(super) fn serves(narrowed: &Option<Self>, plan: CapPlan) -> bool {
        #[cfg(all(test, khelper_models))]
        if super::faults::planted(super::faults::Fault::StaleGeneration) {
            return true;
        }
        narrowed.is_none_or(|n| masks::reachable(n.plan, plan))
    }

    /// Narrows the worker to `plan`, unless it is so already.
    pub(super) fn narrow(narrowed: &mut Option<Self>, worker: &mut dyn Worker, plan: CapPlan) -> Enforcement {
        let enforced = match narrowed {
            Some(n) if n.plan == plan => n.enforced,
            _ => worker.narrow(&plan),
        };
        *narrowed = Some(Self { plan, enforced });
        enforced
    }

    /// What the worker does after a call with this plan. The plan was made from the masks of `generation`, or `alone`
    /// from masks of the call.
    pub(super) fn next_step(narrowed: &Option<Self>, plan: CapPlan, generation: u64, alone: bool) -> NextStep {
        match narrowed {
            Some(n) if n.plan == plan && !alone => NextStep::Idle(generation),
            _ => NextStep::Retire,
        }
    }
}
