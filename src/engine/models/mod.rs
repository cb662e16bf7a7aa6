//! The engine's synchronization under a model checker, which explores every interleaving of two to four threads. It
//! finds lost wake-ups, deadlocks and wrong memory orderings of the atomics.
//!
//! Bound: executions with at most [`PREEMPTIONS`] preemptions ([`PREEMPTIONS_OF_MANY`] in the larger models). A
//! preemption is a switch away from a thread that could continue; switches at a contended lock, a sleep or the end of a
//! thread are not counted. Each model is explored completely within the bound, and prints the number of executions.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod bus;
mod call;
mod channel;
mod clock;
mod gate;
mod pool;
mod pools;
mod sink;
mod slots;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::sync::thread;

/// The most preemptions in one execution.
const PREEMPTIONS: usize = 4;
/// The most preemptions in one execution of a model with four threads or more.
const PREEMPTIONS_OF_MANY: usize = 3;
/// The most switches in one execution. A model that exceeds this does not end.
const SWITCHES: usize = 5_000;

// One for each thread: loom runs a model's threads as coroutines on the test's thread.
std::thread_local! {
    static SEEN: RefCell<BTreeMap<&'static str, usize>> = const { RefCell::new(BTreeMap::new()) };
}

/// Notes an outcome of this execution; `explore` checks the outcomes at the end.
fn saw(outcome: &'static str) {
    SEEN.with_borrow_mut(|seen| *seen.entry(outcome).or_default() += 1);
}

/// Runs every execution of the model within the bound. Panics if an execution panics or deadlocks, or if the outcomes
/// seen in all executions are not exactly these.
fn explore(name: &str, model: fn(), outcomes: &[&'static str]) {
    explore_to(PREEMPTIONS, name, model, outcomes);
}

/// Like [`explore`], for a model with four threads or more.
fn explore_many(name: &str, model: fn(), outcomes: &[&'static str]) {
    explore_to(PREEMPTIONS_OF_MANY, name, model, outcomes);
}

fn explore_to(preemptions: usize, name: &str, model: fn(), outcomes: &[&'static str]) {
    let executions = Count::default();
    let began = Instant::now();
    let mut checker = loom::model::Builder::new();
    (checker.preemption_bound, checker.max_branches) = (Some(preemptions), SWITCHES);
    (checker.max_permutations, checker.max_duration) = (None, None);
    let counted = executions.clone();
    checker.check(move || {
        counted.up();
        model();
    });
    let (executions, took) = (executions.get(), began.elapsed());
    let seen = SEEN.take();
    // Writes to the handle itself: the test runner captures `eprintln!` of a test that passes.
    let _ = writeln!(
        std::io::stderr(),
        "model {name}: {executions} executions with up to {preemptions} preemptions, explored to the end in {took:.1?}; saw {seen:?}"
    );
    assert!(seen.keys().eq(outcomes), "outcomes seen: {seen:?}");
}

/// Checks that the test of this name fails with this complaint when the fault is planted. The test runs in a separate
/// process, because loom cannot unwind out of a deadlock.
fn finds(fault: super::faults::Fault, module: &str, test: &str, complaint: &str) {
    let test = format!("{}::{test}", module.trim_start_matches("khelper::"));
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([&test, "--exact", "--nocapture"])
        .env(super::faults::VARIABLE, format!("{fault:?}"))
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{fault:?} is not found by {test}");
    let line = said.lines().find(|line| line.contains(complaint));
    let line = line.unwrap_or_else(|| panic!("{test} does not say `{complaint}`:\n{said}"));
    let _ = writeln!(std::io::stderr(), "fault {fault:?}: found by {test}: {line}");
}

fn spawn(f: impl FnOnce() + Send + 'static) -> loom::thread::JoinHandle<()> {
    thread::spawn(f)
}

fn join(threads: impl IntoIterator<Item = loom::thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|t| t.join().unwrap());
}

/// A counter that the model checker does not explore.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
