//! The thread that serves every connection of a remote target.

mod calls;
mod link;

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::wire::event::Subscribe;

use super::address::Address;
use super::answers::{finish, hear};
use super::connection::Connection;
use super::feed::Feed;
use super::line::{Job, Line, stopped};
use super::shared::{Message, Shared};

/// The time until the first attempt to connect again. Each later one takes twice as long.
const RETRY: Duration = Duration::from_millis(50);

/// The longest time between two attempts: at a socket of this machine, and over ssh(1), which logs in each time.
const LATEST: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(30)];

/// How long a new connection may go unanswered; ssh(1) may have to log in first.
const ANSWERS: Duration = Duration::from_secs(30);

/// A watch, and its connection while there is one.
struct Follow {
    feed: Arc<Feed>,
    subscribe: Subscribe,
    connection: Option<Connection>,
    /// The daemon has said that it is active.
    active: bool,
    /// It was created while the connection was lost.
    resumes: bool,
    /// Not to be subscribed before this time, because the daemon refused the last watch.
    after: Option<Instant>,
}

/// How a lost connection is restored.
struct Retry {
    at: Instant,
    wait: Duration,
    /// Why the connection was lost.
    why: String,
    /// The new connection, until the daemon has described itself.
    greeting: Option<Connection>,
}

impl Retry {
    fn new(why: &str, now: Instant) -> Self {
        Self { at: now + RETRY, wait: RETRY, why: why.to_owned(), greeting: None }
    }

    /// An attempt has failed. Over ssh the returned words say when it is tried again.
    fn later(&mut self, far: bool, now: Instant) -> Option<String> {
        self.wait = (self.wait * 2).min(LATEST[usize::from(far)]);
        (self.greeting, self.at) = (None, now + self.wait);
        let seconds = self.wait.as_secs();
        (far && seconds > 0).then(|| format!("{}; tries again after {seconds} s", self.why))
    }

    /// When to act: to connect, or to give up a connection that has not been answered.
    fn due(&self) -> Instant {
        if self.greeting.is_some() { self.at + ANSWERS } else { self.at }
    }
}

pub(super) struct Worker {
    shared: Arc<Shared>,
    address: Address,
    /// The connections for quick commands and for reads.
    quick: Option<Line>,
    reads: Option<Line>,
    own: Vec<Line>,
    waiting: VecDeque<Job>,
    /// Commands that wait until every watch is active.
    held: VecDeque<Job>,
    follows: Vec<Follow>,
    /// Set while the connection is lost.
    retry: Option<Retry>,
    refused: Option<Instant>,
}

/// What a ready descriptor belongs to.
#[derive(Clone, Copy)]
enum Ready {
    Inbox,
    Greeting,
    Quick,
    Reads,
    Own(usize),
    Follow(usize),
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, address: Address, main: Connection) -> Self {
        Self {
            shared,
            address,
            quick: Some(Line::new(main)),
            reads: None,
            own: Vec::new(),
            waiting: VecDeque::new(),
            held: VecDeque::new(),
            follows: Vec::new(),
            retry: None,
            refused: None,
        }
    }

    /// Runs until the target is dropped. Then every command is answered with an error, and every watch ends.
    pub(super) fn run(mut self) {
        loop {
            for ready in self.wait() {
                self.serve(ready);
            }
            for message in self.shared.take() {
                if matches!(message, Message::Stop) {
                    self.follows.iter().for_each(|follow| follow.feed.end(None));
                    return;
                }
                self.act(message);
            }
            self.timers();
        }
    }

    /// Blocks until something is ready, or until a timer is due. The ready ones in descending order, so that one can be
    /// removed without another index becoming wrong.
    fn wait(&self) -> Vec<Ready> {
        let greeting = self.retry.as_ref().and_then(|retry| retry.greeting.as_ref());
        let lines = [(Ready::Quick, &self.quick), (Ready::Reads, &self.reads)];
        let lines = lines.into_iter().filter_map(|(ready, line)| Some((ready, &line.as_ref()?.connection)));
        let own = self.own.iter().enumerate().map(|(at, line)| (Ready::Own(at), &line.connection));
        let follows = self.follows.iter().enumerate();
        let follows = follows.filter_map(|(at, follow)| Some((Ready::Follow(at), follow.connection.as_ref()?)));
        let greeting = greeting.map(|connection| (Ready::Greeting, connection));
        let (mut of, mut fds) =
            (vec![Ready::Inbox], vec![PollFd::from_borrowed_fd(self.shared.as_fd(), PollFlags::IN)]);
        for (ready, connection) in greeting.into_iter().chain(lines).chain(own).chain(follows) {
            of.push(ready);
            let flags = if connection.is_behind() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            fds.push(PollFd::from_borrowed_fd(connection.as_fd(), flags));
        }
        let timeout = self.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
        if poll(&mut fds, timeout.as_ref()).is_err() {
            // A signal: look again.
            return Vec::new();
        }
        let ready = of.into_iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty()).map(|(ready, _)| ready);
        let mut ready: Vec<Ready> = ready.collect();
        ready.reverse();
        ready
    }

    fn deadline(&self) -> Option<Instant> {
        let retry = self.retry.as_ref().map(Retry::due);
        let follows = self.follows.iter().filter_map(|follow| follow.after);
        follows.chain(retry).min()
    }

    fn timers(&mut self) {
        let now = Instant::now();
        if self.retry.as_ref().is_some_and(|retry| retry.due() <= now) {
            self.greet(now);
        }
        if self.retry.is_none() {
            for at in (0..self.follows.len()).rev() {
                // A watch that cannot be subscribed means that the connection is lost.
                if self.retry.is_none() && self.follows[at].after.is_some_and(|after| after <= now) {
                    self.follows[at].after = None;
                    self.follow(at);
                }
            }
        }
    }

    fn act(&mut self, message: Message) {
        match message {
            Message::Submit(job) => self.submit(*job),
            Message::Cancel(id) => self.cancel(id),
            Message::GiveUp(id) => {
                if let Some(at) = self.own.iter().position(|line| line.has(id)) {
                    self.own.swap_remove(at).into_pending().for_each(|done| done.finish(Err(stopped())));
                }
            }
            Message::Watch(feed, subscribe) => {
                let (resumes, after) = (self.retry.is_some(), self.refused.map(|at| at + Duration::from_secs(1)));
                self.follows.push(Follow { feed, subscribe, connection: None, active: false, resumes, after });
                if self.retry.is_none() && after.is_none() {
                    self.follow(self.follows.len() - 1);
                }
            }
            Message::Look => {
                self.follows.retain(|follow| !follow.feed.has_ended());
                self.resume();
            }
            // Handled by the caller.
            Message::Stop => {}
        }
    }

    fn serve(&mut self, ready: Ready) {
        match ready {
            Ready::Inbox => {}
            Ready::Greeting => self.greeted(),
            Ready::Quick | Ready::Reads => {
                let line = if matches!(ready, Ready::Quick) { &mut self.quick } else { &mut self.reads };
                let Some(line) = line else { return };
                let (answered, outcome) = hear(line, &self.shared);
                finish(answered.into_iter().filter_map(Result::ok));
                if let Err(why) = outcome {
                    self.lose(&why);
                }
            }
            Ready::Own(at) => self.serve_own(at),
            Ready::Follow(at) => self.serve_follow(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_become_rarer_and_over_ssh_the_state_says_when_the_next_one_is() {
        let now = Instant::now();
        let after = |far| {
            let mut retry = Retry::new("ssh has ended", now);
            assert_eq!(retry.due() - now, RETRY);
            let mut waits = Vec::new();
            for _ in 0..12 {
                let words = retry.later(far, now);
                waits.push((u64::try_from((retry.due() - now).as_millis()).unwrap(), words));
            }
            waits
        };
        let [near, far] = [after(false), after(true)];
        let all = |waits: &[(u64, Option<String>)]| waits.iter().map(|(wait, _)| *wait).collect::<Vec<_>>();
        assert_eq!(all(&near), [100, 200, 400, 800, 1600, 2000, 2000, 2000, 2000, 2000, 2000, 2000]);
        assert_eq!(all(&far), [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000]);
        assert!(near.iter().chain(&far[..4]).all(|(_, words)| words.is_none()));
        assert_eq!(far[4].1.as_deref(), Some("ssh has ended; tries again after 1 s"));
        assert_eq!(far[11].1.as_deref(), Some("ssh has ended; tries again after 30 s"));
    }
}
