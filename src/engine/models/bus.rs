//! The queue of events with a slow subscriber.

use std::sync::Arc;

use super::super::bus::{Bus, Received, Subscription};
use super::super::sync::Monitor;
use super::{explore, join, saw, spawn};
use crate::abi::event::{EventKind, EventKinds};
use crate::abi::log::LogKind;

const ALL: EventKinds = EventKinds::ALL;

/// The bus lives under the lock of the registry.
type Registry = Arc<Monitor<Bus>>;

fn scene(capacity: usize) -> (Registry, Subscription) {
    let registry = Monitor::new(Bus::default());
    let events = registry.lock().subscribe(capacity, ALL);
    (registry, events)
}

fn emit(registry: &Registry, times: usize) {
    for _ in 0..times {
        registry.lock().emit(0, EventKind::Log(LogKind::Suppressed { count: 1 }));
    }
}

/// Reads until the subscription is closed: each event is delivered once and in order, or counted as missed before the
/// next event. Returns the number of events.
fn read(events: &Subscription) -> u64 {
    let mut last = 0;
    loop {
        match events.recv() {
            Received::Event(event) => {
                saw("received");
                assert_eq!(event.seq, last + 1);
                last += 1;
            }
            Received::Missed(missed) => {
                saw("missed");
                last += missed;
            }
            Received::Closed => return last,
        }
    }
}

fn slow_subscriber() {
    let (registry, events) = scene(1);
    let publisher = registry.clone();
    let threads = [spawn(move || {
        emit(&publisher, 3);
        publisher.lock().close();
    })];
    assert_eq!(read(&events), 3, "every event was delivered or counted as missed");
    join(threads);
}

fn two_publishers_two_subscribers() {
    let (registry, slow) = scene(1);
    let quick = registry.lock().subscribe(10, ALL);
    let (a, b) = (registry.clone(), registry.clone());
    let publishers = [spawn(move || emit(&a, 1)), spawn(move || emit(&b, 1))];
    let reader = spawn(move || assert_eq!(read(&slow), 2));
    join(publishers);
    registry.lock().close();
    assert_eq!(read(&quick), 2);
    join([reader]);
}

/// One thread reads while another closes the subscription and the engine emits events.
fn closed_by_another() {
    let (registry, events) = scene(1);
    let (publisher, closer) = (registry.clone(), events.clone());
    let threads = [spawn(move || emit(&publisher, 2)), spawn(move || closer.close())];
    assert!(read(&events) <= 2);
    join(threads);
    assert!(matches!(events.recv(), Received::Closed));
    emit(&registry, 1);
    assert_eq!(registry.lock().seq(), 3);
}

/// A dropped subscription is removed while others still receive events.
fn dropped() {
    let (registry, gone) = scene(1);
    let stays = registry.lock().subscribe(4, ALL);
    let publisher = registry.clone();
    let threads = [
        spawn(move || {
            emit(&publisher, 2);
            publisher.lock().close();
        }),
        spawn(move || drop(gone)),
    ];
    assert_eq!(read(&stays), 2);
    join(threads);
}

#[test]
fn model_events_reach_a_slow_subscriber_or_are_counted() {
    explore("events, a slow subscriber", slow_subscriber, &["missed", "received"]);
    explore("events, two publishers and two subscribers", two_publishers_two_subscribers, &["missed", "received"]);
    explore("events, closed by another thread", closed_by_another, &["missed", "received"]);
    explore("events, a subscriber dropped", dropped, &["received"]);
}

#[test]
fn model_faults_of_the_events_are_found() {
    use super::super::faults::Fault;
    let test = "model_events_reach_a_slow_subscriber_or_are_counted";
    super::finds(Fault::LostWakeUp, module_path!(), test, "deadlock");
}
