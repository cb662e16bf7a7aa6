//! Faults that a test plants in the engine, to see that a model finds them. Each stands as a few lines at its place,
//! compiled into the engine's own tests alone, and does nothing until it is planted.

use std::cell::RefCell;
use std::sync::LazyLock;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The lock is released between the check and the sleep (`sync`).
    LostWakeUp,
    /// The worker runs `cleanup` although the caller owns the end (`call`).
    CleanupTwice,
    /// A cancelled request stays in the queue and gets its slot (`slots`).
    SlotKeptOnCancel,
    /// The gate is looked at before the call is counted (`gate`).
    CountAfterGate,
    /// A worker that was narrowed for past masks launches as it is (`narrowing`).
    StaleGeneration,
}

/// Names the fault to plant, in the environment of a test's process.
pub(super) const VARIABLE: &str = "KHELPER_FAULT";

static PLANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var(VARIABLE).ok());

/// Whether this fault is in the engine.
pub(super) fn planted(fault: Fault) -> bool {
    PLANTED.as_ref().is_some_and(|name| *name == format!("{fault:?}"))
}

// Of a thread: loom runs the threads of a model as coroutines of the test's own, and tests run beside each other.
thread_local! {
    static CLEANUP: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
}

/// What the `cleanup` of the call in the model does. A hook is an `FnOnce` and cannot run twice, whoever owns it: the
/// fault has to be told what to do the second time.
pub(super) fn cleanup_is(cleanup: impl Fn() + 'static) {
    CLEANUP.set(Some(Box::new(cleanup)));
}

/// The second time, if that fault is planted.
pub(super) fn clean_up_again() {
    if planted(Fault::CleanupTwice) {
        CLEANUP.with_borrow(|cleanup| cleanup.as_ref().map(|f| f()));
    }
}
