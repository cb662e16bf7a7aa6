//! The engine's synchronizers under a model checker: every interleaving of two to four threads, lost wake-ups,
//! deadlocks and the memory order of the atomics included.
//!
//! Bound: executions with at most [`PREEMPTIONS`] preemptions, [`OF_MANY`] in the larger models, a preemption being a
//! switch away from a thread that could go on; switches at a lock that is taken, a sleep or a thread's end are free.
//! Within the bound each model is explored to its end, and says how many executions that took.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod bus;
mod call;
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

/// Preemptions in one execution, at most.
const PREEMPTIONS: usize = 4;
/// The same for models of four threads or more.
const OF_MANY: usize = 3;
/// Switches in one execution, at most: a model that has more never ends.
const SWITCHES: usize = 5_000;

// Of a thread: loom runs the threads of a model as coroutines of the test's own.
std::thread_local! {
    static SEEN: RefCell<BTreeMap<&'static str, usize>> = const { RefCell::new(BTreeMap::new()) };
}

/// An outcome of this execution that `explore` has to have seen.
fn saw(outcome: &'static str) {
    SEEN.with_borrow_mut(|seen| *seen.entry(outcome).or_default() += 1);
}

/// Runs every execution of the model within the bound, and sees each of these outcomes in one of them; panics if an
/// execution does, or cannot go on.
fn explore(name: &str, model: fn(), outcomes: &[&'static str]) {
    explore_to(PREEMPTIONS, name, model, outcomes);
}

/// The same for a model of four threads or more.
fn explore_many(name: &str, model: fn(), outcomes: &[&'static str]) {
    explore_to(OF_MANY, name, model, outcomes);
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
    // To the handle itself: the test runner swallows `eprintln!` of a test that passes.
    let _ = writeln!(
        std::io::stderr(),
        "model {name}: {executions} executions with up to {preemptions} preemptions, explored to the end in {took:.1?}; saw {seen:?}"
    );
    assert!(seen.keys().eq(outcomes), "outcomes seen: {seen:?}");
}

/// The test of this name finds the fault, and says so with this complaint. A process of its own: loom cannot unwind
/// out of a deadlock.
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

/// A count that is no part of what is explored.
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
