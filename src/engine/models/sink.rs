//! The queue of a record sink: pushes, the delivering thread, and the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::sink_queue::{Handed, SinkQueue};
use super::clock::ModelClock;
use super::{Count, explore, join, saw, spawn};

/// Room for two of the items, but not for three.
const ROOM: usize = 10;

/// A queue, and the items that its sink received.
#[derive(Clone)]
struct Scene {
    queue: SinkQueue<u64>,
    got: Count,
    /// Items that the sink was told are lost.
    told: Count,
    first: Arc<AtomicBool>,
}

impl Scene {
    fn new() -> Self {
        Self { queue: SinkQueue::new(ROOM), got: Count::default(), told: Count::default(), first: Arc::default() }
    }

    /// The sink's thread.
    fn serve(&self) {
        self.queue.serve(|item| {
            match item {
                Handed::Item(item) => {
                    self.first.fetch_or(item == 1, Ordering::Relaxed);
                    self.got.up();
                }
                Handed::Lost(count) => (0..count).for_each(|_| self.told.up()),
            }
            true
        });
    }

    /// Checks that every item was delivered or is counted as lost.
    fn sums_up(&self, put: u64) {
        let lost = self.queue.lost();
        saw(if lost == 0 { "all had room" } else { "one was lost" });
        assert_eq!(self.got.get() as u64 + lost, put, "got and lost");
        assert_eq!(self.told.get() as u64, lost, "the sink was told");
    }
}

/// Two threads put items in while the sink's thread runs, then the engine ends.
fn puts_and_the_end() {
    let scene = Scene::new();
    let (sink, other) = (scene.clone(), scene.clone());
    let sink = spawn(move || sink.serve());
    let other = spawn(move || {
        other.queue.push(2, 6);
    });
    scene.queue.push(1, 4);
    scene.queue.push(3, 4);
    // No time passes, so this waits without a limit.
    assert!(scene.queue.flush(&ModelClock::default(), 1));
    join([other]);
    scene.queue.close();
    join([sink]);
    scene.sums_up(3);
}

/// The wait for the sink ends when the sink has received the queue, or at the deadline.
fn flushed_or_late() {
    let scene = Scene::new();
    let clock = ModelClock::default();
    let (sink, time) = (scene.clone(), clock.clone());
    let threads = [spawn(move || sink.serve()), spawn(move || time.advance(1))];
    scene.queue.push(1, 4);
    if scene.queue.flush(&clock, 1) {
        saw("flushed");
        assert!(scene.first.load(Ordering::Relaxed), "the sink has received it");
    } else {
        saw("late");
    }
    scene.queue.close();
    join(threads);
    assert_eq!((scene.got.get(), scene.queue.lost()), (1, 0));
}

#[test]
fn model_a_sink_gets_everything_that_had_room() {
    explore("record sink, two put", puts_and_the_end, &["all had room", "one was lost"]);
    explore("record sink, the end", flushed_or_late, &["flushed", "late"]);
}

#[test]
fn model_faults_of_a_sink_are_found() {
    use super::super::faults::Fault;
    super::finds(Fault::LostWakeUp, module_path!(), "model_a_sink_gets_everything_that_had_room", "deadlock");
}
