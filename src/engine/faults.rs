//! Faults that tests plant in the engine, to check that a model finds them. Each fault is a few lines in the code that
//! it breaks. They are compiled only into the builds of the models, and do nothing until planted.

use std::cell::RefCell;
use std::sync::LazyLock;

/// The faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The lock is released between the check and the sleep (`sync`).
    LostWakeUp,
    /// The worker runs `cleanup` although the caller owns the end (`call`).
    CleanupTwice,
    /// A cancelled request stays in the queue and gets its slot (`slots`).
    SlotKeptOnCancel,
    /// The gate is checked before the call is counted (`gate`).
    CountAfterGate,
    /// A worker that was narrowed for older masks launches a helper (`narrowing`).
    StaleGeneration,
}

/// The environment variable that names the fault to plant.
pub(super) const VARIABLE: &str = "KHELPER_FAULT";

static PLANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var(VARIABLE).ok());

/// Whether this fault is planted.
pub(super) fn planted(fault: Fault) -> bool {
    PLANTED.as_ref().is_some_and(|name| *name == format!("{fault:?}"))
}

// One for each thread: loom runs a model's threads as coroutines on the test's thread, and tests run in parallel.
thread_local! {
    static CLEANUP: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
}

/// Sets what `CleanupTwice` runs as the second `cleanup`. A hook is an `FnOnce`, so the real one cannot run twice.
pub(super) fn cleanup_is(cleanup: impl Fn() + 'static) {
    CLEANUP.set(Some(Box::new(cleanup)));
}

/// Runs the second `cleanup` if `CleanupTwice` is planted.
pub(super) fn clean_up_again() {
    if planted(Fault::CleanupTwice) {
        CLEANUP.with_borrow(|cleanup| cleanup.as_ref().map(|f| f()));
    }
}
