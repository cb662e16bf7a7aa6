//! A queue from one or more threads to one. It is used as `std::sync::mpsc`, whose three forms are all compiled for every
//! type that is sent; this is one form.
//!
//! A thread that is about to sleep counts itself under the lock, and only then is it woken: a thread that changes the
//! state afterwards sees it, and one that changed it before has nobody to wake.

use std::collections::VecDeque;
use std::fmt;
pub use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

// As in `engine::sync`; `engine::models::channel` explores the interleavings.
#[cfg(all(test, khelper_models))]
use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(all(test, khelper_models)))]
use std::sync::{Condvar, Mutex, MutexGuard};

/// The end that sends. The queue ends when the last one is dropped.
pub struct Sender<T>(Arc<Queue<T>>);

/// The end that receives.
pub struct Receiver<T>(Arc<Queue<T>>);

struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    emptied: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    /// The most items that wait.
    most: usize,
    senders: usize,
    /// The receiver is still there.
    open: bool,
    /// How many threads sleep in `filled`, and in `emptied`: others are not woken.
    receiving: usize,
    sending: usize,
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver")
    }
}

/// A queue for any number of items.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}

/// A queue for this many items, at least one.
pub fn bounded<T>(most: usize) -> (Sender<T>, Receiver<T>) {
    let most = most.max(1);
    let state = State { items: VecDeque::new(), most, senders: 1, open: true, receiving: 0, sending: 0 };
    let queue = Arc::new(Queue { state: Mutex::new(state), filled: Condvar::new(), emptied: Condvar::new() });
    (Sender(queue.clone()), Receiver(queue))
}

impl<T> Queue<T> {
    /// No code of a user runs under the lock, so a panic leaves the state consistent.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn is_full(&self) -> bool {
        self.open && self.items.len() >= self.most
    }
}

impl<T> Sender<T> {
    /// Adds an item; waits while the queue is full.
    ///
    /// # Errors
    /// The receiver was dropped; the item comes back.
    pub fn send(&self, item: T) -> Result<(), SendError<T>> {
        let mut state = self.0.lock();
        while state.is_full() {
            state.sending += 1;
            state = self.0.emptied.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sending -= 1;
        }
        self.add(state, item).map_err(SendError)
    }

    /// Adds an item, if it can be done at once.
    ///
    /// # Errors
    /// The queue is full, or the receiver was dropped; the item comes back.
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        let state = self.0.lock();
        if state.is_full() {
            return Err(TrySendError::Full(item));
        }
        self.add(state, item).map_err(TrySendError::Disconnected)
    }

    fn add(&self, mut state: MutexGuard<'_, State<T>>, item: T) -> Result<(), T> {
        if !state.open {
            return Err(item);
        }
        state.items.push_back(item);
        let wakes = state.receiving > 0;
        drop(state);
        if wakes {
            self.0.filled.notify_one();
        }
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.senders -= 1;
        let wakes = state.senders == 0 && state.receiving > 0;
        drop(state);
        if wakes {
            self.0.filled.notify_one();
        }
    }
}

impl<T> Receiver<T> {
    /// The next item; waits for it.
    ///
    /// # Errors
    /// The queue is empty and every sender was dropped.
    pub fn recv(&self) -> Result<T, RecvError> {
        self.wait(None).map_err(|_| RecvError)
    }

    /// The next item, if it comes within this time.
    ///
    /// # Errors
    /// It did not, or the queue is empty and every sender was dropped.
    pub fn recv_timeout(&self, time: Duration) -> Result<T, RecvTimeoutError> {
        // A time that cannot be reached is as good as none.
        self.wait(Instant::now().checked_add(time))
    }

    /// The next item, if there is one.
    ///
    /// # Errors
    /// There is none, or there will be none.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.take(self.0.lock()) {
            Ok(item) => Ok(item),
            Err(state) if state.senders == 0 => Err(TryRecvError::Disconnected),
            Err(_) => Err(TryRecvError::Empty),
        }
    }

    /// Every item, until the last sender is dropped.
    pub fn iter(&self) -> impl Iterator<Item = T> {
        std::iter::from_fn(|| self.recv().ok())
    }

    fn wait(&self, until: Option<Instant>) -> Result<T, RecvTimeoutError> {
        let mut state = self.0.lock();
        loop {
            state = match self.take(state) {
                Ok(item) => return Ok(item),
                Err(state) => state,
            };
            if state.senders == 0 {
                return Err(RecvTimeoutError::Disconnected);
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(RecvTimeoutError::Timeout);
            }
            state.receiving += 1;
            state = match left {
                None => self.0.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => self.0.filled.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
            state.receiving -= 1;
        }
    }

    /// Takes the first item out, or returns the lock.
    fn take<'a>(&self, mut state: MutexGuard<'a, State<T>>) -> Result<T, MutexGuard<'a, State<T>>> {
        let Some(item) = state.items.pop_front() else { return Err(state) };
        let wakes = state.sending > 0;
        drop(state);
        if wakes {
            self.0.emptied.notify_one();
        }
        Ok(item)
    }
}

impl<T> Drop for Receiver<T> {
    /// What was not received is dropped here: it may hold the sender of an answer that somebody waits for.
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.open = false;
        let left = std::mem::take(&mut state.items);
        drop(state);
        self.0.emptied.notify_all();
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn items_come_in_order_until_the_last_sender_is_gone() {
        let (sender, receiver) = channel();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        let another = sender.clone();
        sender.send(1).unwrap();
        another.send(2).unwrap();
        drop(sender);
        assert_eq!((receiver.recv(), receiver.recv_timeout(LONG)), (Ok(1), Ok(2)));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        another.send(3).unwrap();
        drop(another);
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [3]);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(receiver.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_full_queue_refuses_or_waits() {
        let (sender, receiver) = bounded(2);
        sender.send(1).unwrap();
        sender.try_send(2).unwrap();
        assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)));
        thread::scope(|scope| {
            let waits = scope.spawn(|| (3..100).try_for_each(|n| sender.send(n)));
            assert_eq!((1..100).map(|_| receiver.recv().unwrap()).collect::<Vec<_>>(), (1..100).collect::<Vec<_>>());
            assert!(waits.join().unwrap().is_ok());
        });
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        thread::scope(|scope| {
            let waits = scope.spawn(|| sender.send(3));
            drop(receiver);
            assert_eq!(waits.join().unwrap(), Err(SendError(3)));
        });
        assert_eq!(sender.try_send(4), Err(TrySendError::Disconnected(4)));
    }

    #[test]
    fn what_is_not_received_is_dropped_with_the_receiver() {
        let (sender, receiver) = channel::<Sender<()>>();
        let (answer, answered) = channel();
        sender.send(answer).unwrap();
        drop(receiver);
        assert_eq!(answered.recv(), Err(RecvError), "nobody will answer");
        assert!(sender.send(channel().0).is_err());
    }

    #[test]
    fn a_receiver_is_woken_by_an_item_and_by_the_end() {
        let (sender, receiver) = channel();
        thread::scope(|scope| {
            let all = scope.spawn(move || (receiver.recv_timeout(LONG), receiver.iter().sum::<u64>()));
            for n in 1..=1000 {
                let sender = sender.clone();
                sender.send(n).unwrap();
            }
            drop(sender);
            assert_eq!(all.join().unwrap(), (Ok(1), 500_499));
        });
    }
}
