//! REQ-3 to REQ-5, REQ-9.

use khelper::policy::limit::{Admission, Limit, Throttle};
use proptest::prelude::*;

use super::{STEPS, config};

/// 5 s, in microseconds.
const WINDOW: u64 = 5_000_000;

#[derive(Clone, Copy, Debug)]
enum Command {
    /// 3.4, with this limit.
    Admit(u32),
    /// current, with this limit.
    Arrive(u32),
    Grant(u32),
    /// The waiter at this place gives up.
    GiveUp(usize),
    /// The holder at this place ends, with this limit.
    Release(usize, u32),
    /// A wait in vain, so long after the last command.
    Throttled(u64),
    TakeSuppressed,
    ResetMessages,
}
use Command::*;

fn command() -> impl Strategy<Value = Command> {
    let max = || 1..8u32;
    prop_oneof![
        6 => max().prop_map(Admit),
        6 => max().prop_map(Arrive),
        2 => max().prop_map(Grant),
        2 => (0..6usize).prop_map(GiveUp),
        6 => (0..8usize, max()).prop_map(|(at, max)| Release(at, max)),
        8 => prop_oneof![8 => 0..1000u64, 1 => Just(WINDOW), 1 => 0..2 * WINDOW].prop_map(Throttled),
        1 => Just(TakeSuppressed),
        1 => Just(ResetMessages),
    ]
}

#[derive(Clone, Copy, PartialEq)]
enum Life {
    Waits,
    Holds { since: usize },
    Gone,
}

/// Every request there ever was, in order of arrival, and when every message was due.
#[derive(Default)]
struct Plain {
    requests: Vec<Life>,
    moves: usize,
    peak: usize,
    loops: u32,
    /// When, in which window, whether it was logged, whether its suppression has been told.
    messages: Vec<(u64, u64, bool, bool)>,
}

impl Plain {
    fn new_one(&mut self) -> u64 {
        self.requests.push(Life::Waits);
        self.requests.len() as u64 - 1
    }
    fn hold(&mut self, at: usize) {
        self.moves += 1;
        self.requests[at] = Life::Holds { since: self.moves };
    }
    /// In the order in which they came to hold.
    fn holders(&self) -> Vec<u64> {
        let mut holders: Vec<_> = (0u64..)
            .zip(&self.requests)
            .filter_map(|(id, life)| if let Life::Holds { since } = life { Some((*since, id)) } else { None })
            .collect();
        holders.sort_unstable();
        holders.into_iter().map(|(_, id)| id).collect()
    }
    fn waiters(&self) -> Vec<u64> {
        (0u64..).zip(&self.requests).filter(|(_, life)| **life == Life::Waits).map(|(id, _)| id).collect()
    }
    /// The first to arrive is the first to get a slot.
    fn grant(&mut self, max: u32) -> bool {
        let mut granted = false;
        while self.holders().len() < max as usize {
            let Some(first) = self.requests.iter().position(|life| *life == Life::Waits) else { break };
            self.hold(first);
            granted = true;
        }
        self.peak = self.peak.max(self.holders().len());
        granted
    }
    fn throttled(&mut self, now: u64) -> Throttle {
        let open = self.messages.last().map(|(_, window, ..)| *window).filter(|window| now < window + WINDOW);
        let suppressed = if open.is_none() { self.tell() } else { 0 };
        let window = open.unwrap_or(now);
        let logged = self.messages.iter().filter(|(_, w, logged, _)| *w == window && *logged).count();
        let log = open.is_none() || logged < 10;
        self.messages.push((now, window, log, log));
        Throttle { log, suppressed }
    }
    fn tell(&mut self) -> u64 {
        let untold = self.messages.iter_mut().filter(|(.., told)| !told);
        untold.map(|message| message.3 = true).count() as u64
    }
    fn suppressed(&self) -> u64 {
        self.messages.iter().filter(|(_, _, logged, _)| !logged).count() as u64
    }
}

fn step(limit: &mut Limit, plain: &mut Plain, now: &mut u64, command: Command) {
    match command {
        Admit(max) => {
            let id = plain.new_one();
            let admitted = plain.holders().len() < max as usize;
            if admitted {
                plain.hold(id as usize);
                plain.peak = plain.peak.max(plain.holders().len());
            } else {
                plain.requests[id as usize] = Life::Gone;
            }
            let log = !admitted && plain.loops < 5;
            plain.loops += u32::from(log);
            let answer = if admitted { Admission::Admitted } else { Admission::Refused { log } };
            assert_eq!(limit.admit(id, max), answer);
        }
        Arrive(max) => {
            let id = plain.new_one();
            plain.grant(max);
            limit.arrive(id, max);
            assert_eq!(limit.holds(id), plain.requests[id as usize] != Life::Waits);
        }
        Grant(max) => assert_eq!(limit.grant(max), plain.grant(max)),
        GiveUp(at) => {
            if let Some(id) = plain.waiters().get(at).copied() {
                plain.requests[id as usize] = Life::Gone;
                limit.give_up(id);
            }
        }
        Release(at, max) => {
            if let Some(id) = plain.holders().get(at).copied() {
                plain.requests[id as usize] = Life::Gone;
                // Whether somebody has got a slot: the holders are as many as before, or more.
                assert_eq!(limit.release(id, max), plain.grant(max));
            }
        }
        Throttled(after) => {
            *now += after;
            assert_eq!(limit.throttled(*now), plain.throttled(*now));
        }
        TakeSuppressed => assert_eq!(limit.take_suppressed(), plain.tell()),
        ResetMessages => {
            limit.reset_loop_messages();
            plain.loops = 0;
        }
    }
}

proptest! {
    #![proptest_config(config(96))]
    #[test]
    fn req_3_to_req_5_and_req_9_as_a_plain_model_has_it(commands in prop::collection::vec(command(), 1..STEPS)) {
        let (mut limit, mut plain, mut now) = (Limit::default(), Plain::default(), 0);
        for command in commands {
            step(&mut limit, &mut plain, &mut now, command);
            let holders = plain.holders();
            prop_assert_eq!(limit.concurrent() as usize, holders.len());
            prop_assert_eq!(limit.holders(), &holders[..]);
            prop_assert_eq!(limit.waiting() as usize, plain.waiters().len());
            prop_assert_eq!((limit.peak() as usize, limit.loop_messages()), (plain.peak, plain.loops));
            prop_assert_eq!(limit.suppressed(), plain.suppressed());
        }
    }
}
