//! The queue between threads (`sys::channel`): no item and no wake-up is lost, whichever end goes first.

use super::{explore, explore_many, join, saw, spawn};
use crate::sys::channel::{Sender, TryRecvError, TrySendError, bounded, channel};

/// Sends two items; waits for room.
fn send_two(sender: Sender<(char, u8)>, name: char) -> super::super::sync::thread::JoinHandle<()> {
    spawn(move || (1..=2).for_each(|n| assert!(sender.send((name, n)).is_ok(), "the receiver is there")))
}

fn two_senders_and_no_room() {
    let (sender, receiver) = bounded(1);
    let threads = [send_two(sender.clone(), 'a'), send_two(sender, 'b')];
    let all: Vec<(char, u8)> = receiver.iter().collect();
    let of = |name| all.iter().filter(|item| item.0 == name).map(|item| item.1).collect::<Vec<_>>();
    assert_eq!((of('a'), of('b')), (vec![1, 2], vec![1, 2]), "each sender's items in its order, every one once");
    saw(if all[0].0 == 'a' { "the first began" } else { "the second began" });
    join(threads);
}

#[test]
fn model_two_senders_wait_for_room() {
    explore_many("two senders, room for one item", two_senders_and_no_room, &["the first began", "the second began"]);
}

fn the_receiver_goes() {
    let (sender, receiver) = bounded(1);
    let threads = [spawn(move || {
        let sent = (1..=2).map(|n| sender.send(n)).filter(Result::is_ok).count();
        saw(["nothing was sent", "one was sent", "both were sent"][sent]);
    })];
    if receiver.try_recv().is_ok() {
        saw("one was received");
    }
    drop(receiver);
    join(threads);
}

#[test]
fn model_a_sender_that_waits_for_room_is_woken_by_the_end() {
    let outcomes = ["both were sent", "nothing was sent", "one was received", "one was sent"];
    explore("the receiver goes", the_receiver_goes, &outcomes);
}

fn senders_go() {
    let (sender, receiver) = channel();
    let another = sender.clone();
    let threads = [spawn(move || drop(sender)), spawn(move || assert!(another.send(()).is_ok()))];
    match receiver.try_recv() {
        Ok(()) => saw("it was there"),
        Err(TryRecvError::Empty) => {
            saw("it was waited for");
            assert!(receiver.recv().is_ok());
        }
        Err(TryRecvError::Disconnected) => unreachable!("an item is left"),
    }
    assert!(receiver.recv().is_err(), "the last sender ends the wait");
    join(threads);
}

#[test]
fn model_a_receiver_is_woken_by_an_item_and_by_the_last_sender() {
    explore("senders go", senders_go, &["it was there", "it was waited for"]);
}

fn one_waits_and_one_does_not() {
    let (sender, receiver) = bounded(1);
    let waits = sender.clone();
    let threads = [spawn(move || assert!(waits.send(1).is_ok()))];
    let tried = match sender.try_send(2) {
        Ok(()) => 1,
        Err(TrySendError::Full(_)) => {
            saw("full");
            0
        }
        Err(TrySendError::Disconnected(_)) => unreachable!("the receiver is there"),
    };
    drop(sender);
    assert_eq!(receiver.iter().count(), 1 + tried);
    join(threads);
    saw("all that was sent came");
}

#[test]
fn model_one_sender_waits_and_one_does_not() {
    explore("one waits, one does not", one_waits_and_one_does_not, &["all that was sent came", "full"]);
}
