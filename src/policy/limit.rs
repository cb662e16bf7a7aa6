//! The limit on module requests in progress (REQ-3 to REQ-5). Pure state; `engine::kmod` does the waiting.

use std::collections::VecDeque;

use crate::abi::era::Era;

/// The kernel's MAX_KMOD_CONCURRENT, both eras.
pub const MAX_KMOD_CONCURRENT: u32 = 50;
/// How long a request waits for a slot in the current era: 5 s, in microseconds.
pub const MAX_KMOD_ALL_BUSY_TIMEOUT: u64 = 5_000_000;
/// The most runaway messages of one engine (3.4).
const LOOP_MESSAGES: u32 = 5;
/// The most throttle messages in one window of [`MAX_KMOD_ALL_BUSY_TIMEOUT`] (current).
const THROTTLE_BURST: u32 = 10;

/// The limit before `khelper.max_concurrent` lowers it (REQ-3).
pub fn ceiling(era: Era, threads_max: Option<u32>) -> u32 {
    match (era, threads_max) {
        (Era::V3_4, Some(threads)) => MAX_KMOD_CONCURRENT.min(threads / 2),
        _ => MAX_KMOD_CONCURRENT,
    }
}

/// The result of an admission in era 3.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Admission {
    /// The request has a slot.
    Admitted,
    /// The limit is reached, and the request is refused.
    Refused {
        /// Whether to log it, as one of the five runaway messages.
        log: bool,
    },
}

/// Whether a throttle message is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Throttle {
    /// Log it.
    pub log: bool,
    /// How many messages were suppressed in the window that has just closed.
    pub suppressed: u64,
}

/// The requests that hold a slot, and those that wait for one.
#[derive(Debug, Default)]
pub struct Limit {
    holders: Vec<u64>,
    queue: VecDeque<u64>,
    peak: u32,
    loop_messages: u32,
    window: Option<(u64, u32)>,
    suppressed_now: u64,
    suppressed: u64,
}

impl Limit {
    /// `khelper.concurrent`.
    pub fn concurrent(&self) -> u32 {
        count(self.holders.len())
    }
    /// Requests that wait for a slot.
    pub fn waiting(&self) -> u32 {
        count(self.queue.len())
    }
    /// The most requests in progress at once.
    pub fn peak(&self) -> u32 {
        self.peak
    }
    /// Runaway messages logged.
    pub fn loop_messages(&self) -> u32 {
        self.loop_messages
    }
    /// Throttle messages suppressed in all.
    pub fn suppressed(&self) -> u64 {
        self.suppressed
    }
    /// The requests that hold a slot, oldest first.
    pub fn holders(&self) -> &[u64] {
        &self.holders
    }
    /// Whether `id` holds a slot.
    pub fn holds(&self, id: u64) -> bool {
        self.holders.contains(&id)
    }
    /// Resets the count of runaway messages to 0 (AUTH-3).
    pub fn reset_loop_messages(&mut self) {
        self.loop_messages = 0;
    }

    /// Era 3.4: counts the request, then compares; above the limit it is uncounted again (REQ-4).
    pub fn admit(&mut self, id: u64, max: u32) -> Admission {
        self.holders.push(id);
        if self.concurrent() <= max {
            self.peak = self.peak.max(self.concurrent());
            return Admission::Admitted;
        }
        self.holders.pop();
        let log = self.loop_messages < LOOP_MESSAGES;
        if log {
            self.loop_messages += 1;
        }
        Admission::Refused { log }
    }

    /// Era current: adds the request to the queue; `grant` gives slots in order of arrival (REQ-5).
    pub fn arrive(&mut self, id: u64, max: u32) {
        self.queue.push_back(id);
        let _ = self.grant(max);
    }
    /// Gives free slots to waiting requests, in order of arrival. Returns whether any request got one.
    pub fn grant(&mut self, max: u32) -> bool {
        let before = self.holders.len();
        while self.concurrent() < max
            && let Some(id) = self.queue.pop_front()
        {
            self.holders.push(id);
        }
        self.peak = self.peak.max(self.concurrent());
        self.holders.len() > before
    }
    /// Removes the request from the queue.
    pub fn give_up(&mut self, id: u64) {
        self.queue.retain(|waiting| *waiting != id);
    }
    /// Releases the request's slot and gives it to the next waiting request. Returns whether any request got one.
    pub fn release(&mut self, id: u64, max: u32) -> bool {
        self.holders.retain(|holder| *holder != id);
        self.grant(max)
    }

    /// A request's wait for a slot timed out. At most 10 such messages are logged in 5 s; the others are counted
    /// (REQ-5).
    pub fn throttled(&mut self, now: u64) -> Throttle {
        let mut told = 0;
        let (start, used) = match self.window {
            Some((start, used)) if now < start + MAX_KMOD_ALL_BUSY_TIMEOUT => (start, used),
            _ => {
                told = std::mem::take(&mut self.suppressed_now);
                (now, 0)
            }
        };
        let log = used < THROTTLE_BURST;
        if !log {
            self.suppressed_now += 1;
            self.suppressed += 1;
        }
        self.window = Some((start, used + u32::from(log)));
        Throttle { log, suppressed: told }
    }
    /// Takes the count of suppressed messages that no log line has reported yet, at the engine's end.
    pub fn take_suppressed(&mut self) -> u64 {
        std::mem::take(&mut self.suppressed_now)
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn req_3_ceilings() {
        assert_eq!(ceiling(Era::V3_4, Some(192_729)), 50);
        assert_eq!(ceiling(Era::V3_4, Some(40)), 20);
        assert_eq!(ceiling(Era::V3_4, None), 50);
        assert_eq!(ceiling(Era::Current, Some(40)), 50);
    }

    #[test]
    fn req_4_runaway_is_refused_and_logged_five_times() {
        let mut limit = Limit::default();
        for id in 0..50 {
            assert_eq!(limit.admit(id, 50), Admission::Admitted);
        }
        let logged = (50..110).filter(|id| limit.admit(*id, 50) == Admission::Refused { log: true }).count();
        assert_eq!((logged, limit.concurrent(), limit.loop_messages(), limit.peak()), (5, 50, 5, 50));
        limit.reset_loop_messages();
        assert_eq!(limit.admit(111, 50), Admission::Refused { log: true });
    }

    #[test]
    fn req_5_slots_go_in_order_of_arrival() {
        let mut limit = Limit::default();
        (1..=4).for_each(|id| limit.arrive(id, 2));
        assert_eq!((limit.holders(), limit.waiting()), (&[1, 2][..], 2));
        limit.give_up(3);
        assert!(limit.release(1, 2));
        assert_eq!(limit.holders(), &[2, 4]);
        limit.arrive(5, 2);
        limit.arrive(6, 2);
        assert!(limit.grant(4), "raised: waiters get slots");
        assert_eq!(limit.holders(), &[2, 4, 5, 6]);
    }

    #[test]
    fn req_5_ten_messages_in_five_seconds() {
        let mut limit = Limit::default();
        let logged = (0..30).filter(|_| limit.throttled(7).log).count();
        assert_eq!((logged, limit.suppressed()), (10, 20));
        assert_eq!(limit.throttled(7 + MAX_KMOD_ALL_BUSY_TIMEOUT), Throttle { log: true, suppressed: 20 });
        assert_eq!(limit.take_suppressed(), 0);
    }
}
