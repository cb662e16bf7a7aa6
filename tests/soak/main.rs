//! Launches of a tiny helper in one process: every wait mode, exec failures, hooks that fail and panic, kills, cancels,
//! time-outs, masks rewritten and reset, the gate shut and drained, floods of output, from 1 to 200 callers at once, on
//! two engines, one of each era. In the end the books must agree, and what was taken must have come back.
//!
//! The long run:
//!
//! ```text
//! KHELPER_SOAK=1000000 cargo test --release --test soak -- --nocapture
//! ```
//!
//! `KHELPER_SOAK_SECONDS` runs it for so long at least. `KHELPER_SOAK_SEED` repeats the deeds of another run; the threads fall as they fall.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "../common/mod.rs"]
mod common;
mod dice;
mod heap;
mod machine;
mod mix;
mod watch;

use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use khelper::abi::actor::Origin;
use khelper::abi::depth::Depth;
use khelper::abi::era::Era;
use khelper::abi::record::Outcome::{self, Abandoned, ExecFailed, Exited, Killed, Noop, Refused};
use khelper::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use khelper::abi::wait::WaitMode;
use khelper::engine::{Engine, KnobWrite};

use dice::Dice;
use machine::{Holdings, Programs};
use mix::{Mix, Registry};
use watch::Watch;

/// Launches in an ordinary `cargo test`.
const LAUNCHES: u64 = 20_000;
/// Records that an engine keeps.
const RECORDS: usize = 10_000;
/// Deeds of one round.
const ROUND: u64 = 2_000;
/// Bytes that may be in use at the end and were not before: room that queues have grown to.
const SLACK: usize = 256 * 1024;

/// Areas of memory that may be mapped at the end and were not before: stacks that the C library keeps.
const AREAS: usize = 200;

struct Soak {
    engines: [(Engine, Watch); 2],
    programs: Programs,
    books: Registry,
    /// Threads when nothing is under way: ours, and for each engine its spawner and its watch.
    threads: usize,
    rounds: u64,
}

impl Soak {
    fn new(seed: u64) -> Self {
        let programs = Programs::find();
        let threads = Holdings::now().threads + 4;
        let engines = [Era::V3_4, Era::Current].map(|era| {
            let engine = Engine::builder().start().unwrap();
            let modprobe = KnobWrite::Modprobe(programs.tiny.as_bytes().into());
            engine.write(&[KnobWrite::Era(era), modprobe], Origin::Library).unwrap();
            let watch = Watch::start(&engine, &programs.sleeper, seed);
            (engine, watch)
        });
        Self { engines, programs, books: Registry::default(), threads, rounds: 0 }
    }

    fn launched(&self) -> u64 {
        self.engines.iter().map(|(engine, _)| engine.snapshot().totals.launched).sum()
    }

    /// Some callers at once, and then nobody.
    fn round(&mut self, seed: u64) {
        self.rounds += 1;
        let mut dice = Dice::new(seed.wrapping_add(self.rounds));
        let callers = dice.one_of(&[1, 2, 4, 16, 50, 100, 200]);
        let soak = &*self;
        std::thread::scope(|scope| {
            for _ in 0..callers {
                let mut dice = Dice::new(dice.roll());
                scope.spawn(move || {
                    for _ in 0..ROUND / callers {
                        let (engine, _) = &soak.engines[usize::from(dice.below(2) == 0)];
                        Mix { engine, programs: &soak.programs, books: &soak.books }.act(&mut dice);
                    }
                });
            }
        });
        for (engine, watch) in &self.engines {
            settle(engine);
            let snapshot = engine.snapshot();
            watch.caught_up(snapshot.seq, snapshot.totals.requests);
        }
        self.books.settle();
        machine::no_child();
    }

    /// Fills the stores with records of one kind, retires the idle workers, and tells what is still in use.
    fn rest(&self) -> (Holdings, usize) {
        for (engine, watch) in &self.engines {
            for _ in 0..RECORDS {
                let info = SubprocessInfo::setup(Some(Vec::new()), [""], HELPER_ENV).unwrap();
                assert_eq!(engine.call_usermodehelper(info, WaitMode::PROC).outcome, Outcome::Noop);
            }
            let mask = khelper::abi::mask::MaskExpr::Exactly(khelper::abi::cap::CapMask::EMPTY);
            engine.write(&[KnobWrite::Bset(mask)], Origin::Library).unwrap();
            engine.write(&[KnobWrite::ResetBset, KnobWrite::ResetInheritable], Origin::Library).unwrap();
            let snapshot = engine.snapshot();
            watch.caught_up(snapshot.seq, snapshot.totals.requests);
        }
        // A thread that ends tells nobody who could be asked: look until they have.
        let patience = Instant::now() + Duration::from_secs(20);
        while Holdings::now().threads != self.threads && Instant::now() < patience {
            std::thread::yield_now();
        }
        (Holdings::now(), heap::live())
    }
}

/// Waits until nothing is under way, and looks at the books of the engine.
fn settle(engine: &Engine) {
    let bell = engine.subscribe(1);
    while engine.snapshot().live_total > 0 {
        let _ = bell.recv();
    }
    let now = engine.snapshot();
    assert_eq!((now.running_helpers, now.live, now.queued, now.gate), (0, 0, 0, Depth::Enabled));
    assert_eq!((now.slots.concurrent, now.slots.waiting, now.draining), (0, 0, false));
    assert_eq!(now.totals.by_outcome.iter().sum::<u64>(), now.totals.requests, "each request ended once");
    assert_eq!(now.totals.of(Outcome::Lost), 0);
    assert_eq!(now.totals.of(Outcome::Exited) + now.totals.of(Outcome::Killed), now.totals.launched);
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

fn say(text: std::fmt::Arguments) {
    let _ = writeln!(std::io::stderr(), "soak: {text}");
}

/// The panics of our own hooks are part of the mix and not shown.
fn quieten() {
    let shown = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&mix::PANIC) {
            shown(info);
        }
    }));
}

#[test]
fn umh_5_req_9_gate_3_umh_8_the_books_agree_after_a_long_mix() {
    let launches = number("KHELPER_SOAK").unwrap_or(LAUNCHES);
    let clock = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    let seed = number("KHELPER_SOAK_SEED").unwrap_or_else(|| u64::try_from(clock % 1_000_000_007).unwrap());
    say(format_args!("{launches} launches, KHELPER_SOAK_SEED={seed}"));
    quieten();
    let began = Instant::now();
    let mut soak = Soak::new(seed);
    // The first part brings every part of the process to its size.
    while soak.launched() < (launches / 4).min(50_000) {
        soak.round(seed);
    }
    let (before, bytes) = soak.rest();
    let memory = machine::memory();
    let mut told = soak.launched();
    let time = Duration::from_secs(number("KHELPER_SOAK_SECONDS").unwrap_or(0));
    while soak.launched() < launches || began.elapsed() < time {
        soak.round(seed);
        if soak.launched() >= told + 50_000 {
            told = soak.launched();
            say(format_args!("{told} launches in {:.0?}, {} KiB resident", began.elapsed(), machine::resident()));
        }
    }
    let (after, more) = soak.rest();
    let memory_after = machine::memory();
    let missed: u64 = soak.engines.iter().map(|(_, watch)| watch.missed()).sum();
    let asked = soak.books.asked.load(std::sync::atomic::Ordering::SeqCst);
    say(format_args!(
        "{} launches of {asked} calls in {} rounds and {:.1?}; {after:?}; {bytes} bytes in use before and {more} after, \
         KiB resident and areas mapped {memory:?} before and {:?} after; {missed} events missed",
        soak.launched(),
        soak.rounds,
        began.elapsed(),
        memory_after,
    ));
    for (engine, _) in &soak.engines {
        let (totals, era) = (engine.snapshot().totals, engine.snapshot().knobs.era.name());
        let outcomes = [Exited, Killed, ExecFailed, Refused, Abandoned, Noop].map(|o| (o.name(), totals.of(o)));
        let limit = (totals.refused_limit, totals.throttled);
        say(format_args!("era {era}: {outcomes:?}, {} abandoned, refused by the limit {limit:?}", totals.abandoned));
    }
    assert_eq!((&before, after.threads), (&after, soak.threads), "file descriptors and threads");
    assert!(more <= bytes + SLACK, "{bytes} bytes in use before, {more} after");
    // What is mapped past the heap, as stacks are. Resident memory is told only: the C library keeps stacks for later.
    assert!(memory_after.1 <= memory.1 + AREAS, "areas mapped: {} before, {} after", memory.1, memory_after.1);
}
