//! Who reads the events of an engine, kills its sleepers, and counts the ends.

use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use khelper::abi::event::EventKind;
use khelper::abi::record::State;
use khelper::engine::{Engine, Received, Subscription};

use crate::dice::Dice;

#[derive(Default)]
struct Seen {
    /// The number of the last event read or missed.
    seq: u64,
    missed: u64,
    /// Ends told, and the sum of their numbers.
    ends: u64,
    sum: u64,
    /// A sleeper that could not be killed.
    wrong: Option<String>,
}

/// A thread that reads events until the engine ends.
pub struct Watch {
    seen: Arc<(Mutex<Seen>, Condvar)>,
    thread: Option<JoinHandle<()>>,
    events: Subscription,
}

impl Watch {
    pub fn start(engine: &Engine, sleeper: &str, seed: u64) -> Self {
        let seen: Arc<(Mutex<Seen>, Condvar)> = Arc::default();
        let events = engine.subscribe(65_536);
        let (engine, sleeper, reads, notes) = (engine.clone(), sleeper.to_owned(), events.clone(), seen.clone());
        let thread = std::thread::spawn(move || read(&engine, &reads, &notes, sleeper.as_bytes(), Dice::new(seed)));
        Self { seen, thread: Some(thread), events }
    }

    /// Waits until every event up to this one has been read. Each request has been told to end once.
    pub fn caught_up(&self, seq: u64, requests: u64) {
        let (seen, changed) = &*self.seen;
        let mut seen = seen.lock().unwrap();
        while seen.seq < seq {
            seen = changed.wait(seen).unwrap();
        }
        assert_eq!(seen.wrong, None);
        if seen.missed == 0 {
            assert_eq!((seen.ends, seen.sum), (requests, (1..=requests).sum()), "ends told, and the sum of their ids");
        }
    }

    /// Events that came too fast.
    pub fn missed(&self) -> u64 {
        self.seen.0.lock().unwrap().missed
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.events.close();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn read(engine: &Engine, events: &Subscription, notes: &(Mutex<Seen>, Condvar), sleeper: &[u8], mut dice: Dice) {
    loop {
        let received = events.recv();
        let mut wrong = None;
        match &received {
            Received::Closed => return,
            Received::Missed(_) => kill_all(engine, sleeper),
            Received::Event(event) => {
                if let EventKind::Started { id, .. } = event.kind
                    && engine.record(id).is_some_and(|r| r.state == State::Running && &*r.path == sleeper)
                {
                    wrong = end(engine, id, &mut dice).err();
                }
            }
        }
        let mut seen = notes.0.lock().unwrap();
        seen.wrong = seen.wrong.take().or(wrong);
        match received {
            Received::Missed(missed) => {
                seen.seq += missed;
                seen.missed += missed;
            }
            Received::Event(event) => {
                seen.seq = event.seq;
                if let EventKind::Finished(record) = &event.kind {
                    seen.ends += 1;
                    seen.sum += record.id;
                }
            }
            Received::Closed => return,
        }
        drop(seen);
        notes.1.notify_all();
    }
}

/// A sleeper lives until it is ended here. Its caller, if it has one, is sent away first or waits for the end.
fn end(engine: &Engine, id: u64, dice: &mut Dice) -> Result<(), String> {
    if dice.below(3) == 0 {
        // Nobody waits for a call without wait, and a caller may have been cancelled already.
        let _ = engine.abandon(id);
    }
    engine.kill(id, dice.one_of(&[libc::SIGKILL, libc::SIGTERM])).map_err(|error| error.to_string())
}

/// Events were missed: the snapshot tells of the sleepers.
fn kill_all(engine: &Engine, sleeper: &[u8]) {
    for live in engine.snapshot().running.iter().filter(|live| &*live.title == sleeper && live.pid.is_some()) {
        let _ = engine.kill(live.id, libc::SIGKILL);
    }
}
