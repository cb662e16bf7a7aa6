//! `cargo bench --bench engine` measures the engine itself: a change of the masks, an event with 0, 1 and 10
//! subscribers, a snapshot with 10,000 records. The measurements alternate, and the bench prints medians and quartiles.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

use std::time::Instant;

use khelper::abi::actor::Origin;
use khelper::abi::cap::{CapMask, Capability};
use khelper::abi::mask::MaskExpr;
use khelper::engine::{Engine, KnobWrite, Received, Subscription};

const ROUNDS: usize = 41;
const EACH: usize = 500;

/// The mean time of `act` over `EACH` runs, in nanoseconds.
fn time(mut act: impl FnMut()) -> f64 {
    let from = Instant::now();
    (0..EACH).for_each(|_| act());
    from.elapsed().as_nanos() as f64 / EACH as f64
}

fn narrow_and_reset(engine: &Engine) {
    let bset = MaskExpr::Exactly(CapMask::only(Capability::SYS_MODULE));
    engine.write(&[KnobWrite::ResetBset, KnobWrite::Bset(bset)], Origin::Library).unwrap();
}

/// Writes a knob, which emits one event: the cheapest that an operator can cause.
fn write_a_knob(engine: &Engine) {
    engine.write(&[KnobWrite::MaxConcurrent(50)], Origin::Library).unwrap();
}

/// Reads all events on another thread, as a console does.
fn reader(subscription: Subscription) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut read = 0;
        loop {
            match subscription.recv() {
                Received::Event(_) => read += 1,
                Received::Missed(n) => read += n,
                Received::Closed => return read,
            }
        }
    })
}

fn main() {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    println!("{cores} cores, Linux {}", kernel.trim());
    let quiet = Engine::start().unwrap();
    let listened = Engine::start().unwrap();
    let crowded = Engine::start().unwrap();
    let readers: Vec<_> = std::iter::once(reader(listened.subscribe(1024)))
        .chain((0..10).map(|_| reader(crowded.subscribe(1024))))
        .collect();
    let full = Engine::start().unwrap();
    // A name that is too long is refused, which makes a record without a process.
    (0..10_000).for_each(|_| drop(full.request_module([b'x'; 56], true)));

    let groups: [(&str, &dyn Fn()); 6] = [
        ("a mask reset and narrowed, no subscriber", &|| narrow_and_reset(&quiet)),
        ("a knob written, no subscriber", &|| write_a_knob(&quiet)),
        ("a knob written, 1 subscriber", &|| write_a_knob(&listened)),
        ("a knob written, 10 subscribers", &|| write_a_knob(&crowded)),
        ("a snapshot, no records", &|| drop(quiet.snapshot())),
        ("a snapshot, 10,000 records", &|| drop(full.snapshot())),
    ];
    let mut times = vec![Vec::new(); groups.len()];
    for round in 0..=ROUNDS {
        for (all, (_, act)) in times.iter_mut().zip(&groups) {
            let ns = time(act);
            if round > 0 {
                all.push(ns);
            }
        }
    }
    for ((name, _), all) in groups.iter().zip(&mut times) {
        all.sort_by(f64::total_cmp);
        let [low, median, high] = [1, 2, 3].map(|q| all[(all.len() - 1) * q / 4] / 1000.0);
        println!("{name:<44} {median:>8.2} us  ({low:.2} to {high:.2})");
    }
    drop((quiet, listened, crowded));
    readers.into_iter().for_each(|r| drop(r.join()));
}
