//! The thread that serves every connection of a remote target.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::abi::error::{ControlError, io_words};
use crate::control::command::Command;
use crate::control::completion::{CallId, Completion};
use crate::control::text::target::{not_sent, object};
use crate::wire::client;
use crate::wire::event::{Item, Subscribe};

use super::address::Address;
use super::connection::Connection;
use super::feed::Feed;
use super::line::{Answered, Cancelled, Job, Lane, Line, stopped};
use super::shared::{Message, Shared};

/// The most connections for commands that wait; further ones wait here.
const MOST: usize = 128;
/// The most idle connections that are kept.
const IDLE: usize = 4;
/// The time until the first attempt to connect again, and until the later ones at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// A watch, and its connection while there is one.
struct Follow {
    feed: Arc<Feed>,
    subscribe: Subscribe,
    connection: Option<Connection>,
    /// It was created while the connection was lost.
    resumes: bool,
    /// Not to be subscribed before this time, because the daemon refused the last watch.
    after: Option<Instant>,
}

/// How a lost connection is restored.
struct Retry {
    at: Instant,
    wait: Duration,
    /// The new connection, until the daemon has described itself.
    greeting: Option<Connection>,
}

pub(super) struct Worker {
    shared: Arc<Shared>,
    address: Address,
    /// The connections for quick commands and for reads.
    quick: Option<Line>,
    reads: Option<Line>,
    own: Vec<Line>,
    waiting: VecDeque<Job>,
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
        let retry = self.retry.as_ref().filter(|retry| retry.greeting.is_none()).map(|retry| retry.at);
        let follows = self.follows.iter().filter_map(|follow| follow.after);
        follows.chain(retry).min()
    }

    fn timers(&mut self) {
        let now = Instant::now();
        if self.retry.as_ref().is_some_and(|retry| retry.greeting.is_none() && retry.at <= now) {
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
                self.follows.push(Follow { feed, subscribe, connection: None, resumes, after });
                if self.retry.is_none() && after.is_none() {
                    self.follow(self.follows.len() - 1);
                }
            }
            Message::Look => self.follows.retain(|follow| !follow.feed.has_ended()),
            // Handled by the caller.
            Message::Stop => {}
        }
    }

    fn submit(&mut self, job: Job) {
        if self.retry.is_some() {
            let info = self.shared.info();
            return job.done.finish(Err(not_sent(&info, info.lost().unwrap_or("it is being restored"))));
        }
        let sent = match Lane::of(&job.command) {
            Lane::Quick => self.quick.as_mut().map_or(Ok(()), |line| line.submit(job)),
            Lane::Reads => match self.reads.is_none().then(|| Connection::open(&self.address)) {
                Some(Err(e)) => return refuse(job, &e),
                Some(Ok(connection)) => self.reads.insert(Line::new(connection)).submit(job),
                None => self.reads.as_mut().map_or(Ok(()), |line| line.submit(job)),
            },
            Lane::Own => {
                self.waiting.push_back(job);
                return self.start_waiting();
            }
        };
        if let Err(e) = sent {
            self.lose(&io_words(&e));
        }
    }

    /// Sends waiting commands, each over a connection of its own.
    fn start_waiting(&mut self) {
        while let Some(job) = self.waiting.pop_front() {
            let at = match self.own.iter().position(Line::is_idle) {
                Some(at) => at,
                None if self.own.len() >= MOST => return self.waiting.push_front(job),
                None => match Connection::open(&self.address) {
                    Ok(connection) => {
                        self.own.push(Line::new(connection));
                        self.own.len() - 1
                    }
                    Err(e) => {
                        refuse(job, &e);
                        continue;
                    }
                },
            };
            if let Err(e) = self.own[at].submit(job) {
                self.break_own(at, &io_words(&e));
            }
        }
    }

    fn cancel(&mut self, id: CallId) {
        if let Some(at) = self.waiting.iter().position(|job| job.id == id) {
            if let Some(job) = self.waiting.remove(at) {
                job.done.finish(Err(stopped()));
            }
            return;
        }
        for line in &mut self.own {
            match line.cancel(id) {
                Cancelled::Elsewhere => {}
                Cancelled::Nothing => return,
                Cancelled::Abandon(request) => return self.abandon(request, id),
            }
        }
    }

    /// Asks the daemon to stop the wait of a request, which then answers the command.
    fn abandon(&mut self, request: u64, id: CallId) {
        let shared = Arc::downgrade(&self.shared);
        let done = Completion::new(move |reply| {
            if let (Err(_), Some(shared)) = (reply, shared.upgrade()) {
                shared.send(Message::GiveUp(id));
            }
        });
        self.submit(Job { id: CallId::fresh(), command: Command::Abandon(request), done });
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

    fn serve_own(&mut self, at: usize) {
        let Some(line) = self.own.get_mut(at) else { return };
        let (answered, outcome) = hear(line, &self.shared);
        let (mut done, mut abandon) = (Vec::new(), Vec::new());
        for one in answered {
            match one {
                Ok(answered) => done.push(answered),
                Err(request) => abandon.push(request),
            }
        }
        let idle = line.is_idle();
        match outcome {
            Err(why) => self.break_own(at, &why),
            Ok(()) if idle && self.own.iter().filter(|line| line.is_idle()).count() > IDLE => {
                self.own.swap_remove(at);
            }
            Ok(()) => {}
        }
        for request in abandon {
            // The command is answered when the daemon has stopped its wait.
            let done = Completion::new(|_| ());
            self.submit(Job { id: CallId::fresh(), command: Command::Abandon(request), done });
        }
        self.start_waiting();
        finish(done);
    }

    /// Drops a connection that failed; its command is answered with an error.
    fn break_own(&mut self, at: usize, why: &str) {
        let error = unknown(&object(&self.shared.info()), why);
        self.own.swap_remove(at).into_pending().for_each(|done| done.finish(Err(error.clone())));
    }

    /// Subscribes a watch.
    fn follow(&mut self, at: usize) {
        let follow = &mut self.follows[at];
        let opened = Connection::open(&self.address).and_then(|mut connection| {
            connection.send(&client::watch(&follow.subscribe))?;
            Ok(connection)
        });
        match opened {
            Ok(connection) => follow.connection = Some(connection),
            Err(e) => self.lose(&io_words(&e)),
        }
    }

    fn serve_follow(&mut self, at: usize) {
        let version = self.shared.version();
        let Some(follow) = self.follows.get_mut(at) else { return };
        let Some(connection) = &mut follow.connection else { return };
        let feed = follow.feed.clone();
        let read = connection.write().and_then(|()| connection.read());
        loop {
            let message = match connection.next_message() {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(e) => return self.lose(&io_words(&e)),
            };
            match client::watched(message, &version) {
                Ok(Item::Started(_)) if std::mem::take(&mut follow.resumes) => feed.poke(),
                Ok(Item::Started(_)) => {}
                Ok(Item::Event(event)) => feed.event(event),
                Ok(Item::Missed(count)) => feed.missed(count),
                Ok(Item::Ended) => return self.lose("the daemon has ended"),
                Err(error) => {
                    self.refused = Some(Instant::now());
                    self.follows.swap_remove(at);
                    return feed.end(Some(error.to_string().into()));
                }
            }
        }
        match read {
            Ok(true) => {}
            Ok(false) => self.lose(ENDED),
            Err(e) => self.lose(&io_words(&e)),
        }
    }

    /// The connection is lost: everything unanswered gets an error, every watch ends, and a new connection is tried.
    fn lose(&mut self, why: &str) {
        if self.retry.is_some() {
            return;
        }
        let now = Instant::now();
        self.retry = Some(Retry { at: now + RETRY.0, wait: RETRY.0, greeting: None });
        self.shared.lost(why);
        let info = self.shared.info();
        let error = unknown(&object(&info), why);
        let lines = self.quick.take().into_iter().chain(self.reads.take()).chain(std::mem::take(&mut self.own));
        let unanswered: Vec<Completion> = lines.flat_map(Line::into_pending).collect();
        let (ended, kept) =
            std::mem::take(&mut self.follows).into_iter().partition(|follow| follow.connection.is_some());
        self.follows = kept;
        self.follows.iter_mut().for_each(|follow| (follow.resumes, follow.after) = (true, None));
        let ended: Vec<Follow> = ended;
        unanswered.into_iter().for_each(|done| done.finish(Err(error.clone())));
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_iter().for_each(|job| job.done.finish(Err(not_sent(&info, why))));
        ended.iter().for_each(|follow| follow.feed.end(Some(why.into())));
    }

    /// Tries to connect again.
    fn greet(&mut self, now: Instant) {
        let opened = Connection::open(&self.address).and_then(|mut connection| {
            connection.send(&client::info())?;
            Ok(connection)
        });
        let Some(retry) = &mut self.retry else { return };
        retry.wait = (retry.wait * 2).min(RETRY.1);
        match opened {
            Ok(connection) => retry.greeting = Some(connection),
            Err(_) => retry.at = now + retry.wait,
        }
    }

    /// Reads what the daemon says of itself. Then the connection is back.
    fn greeted(&mut self) {
        let Some(retry) = &mut self.retry else { return };
        let Some(connection) = &mut retry.greeting else { return };
        let read = connection.write().and_then(|()| connection.read());
        let described = match connection.next_message() {
            Ok(Some(message)) => client::described(message).ok(),
            Ok(None) if read.as_ref().is_ok_and(|more| *more) => return,
            _ => None,
        };
        let Some(info) = described else {
            (retry.greeting, retry.at) = (None, Instant::now() + retry.wait);
            return;
        };
        self.shared.found(self.address.info(&info), info.version);
        self.quick = self.retry.take().and_then(|retry| retry.greeting).map(Line::new);
        for at in (0..self.follows.len()).rev() {
            if self.retry.is_none() && self.follows[at].connection.is_none() {
                self.follow(at);
            }
        }
    }
}

const ENDED: &str = "the daemon closed the connection";

/// Reads from a line. Returns the answers, and whether the line can be used further: otherwise why not.
fn hear(line: &mut Line, shared: &Shared) -> (Vec<Result<Answered, u64>>, Result<(), String>) {
    let version = shared.version();
    let read = line.connection.write().and_then(|()| line.connection.read());
    let mut answered = Vec::new();
    loop {
        match line.next_answer(&version) {
            Ok(Some(one)) => answered.push(one),
            Ok(None) => break,
            Err(e) => return (answered, Err(io_words(&e))),
        }
    }
    let outcome = match read {
        Ok(true) => Ok(()),
        Ok(false) => Err(ENDED.to_owned()),
        Err(e) => Err(io_words(&e)),
    };
    (answered, outcome)
}

fn finish(answered: impl IntoIterator<Item = Answered>) {
    answered.into_iter().for_each(|(done, reply)| done.finish(reply));
}

/// The answer to a command for which there is no connection.
fn refuse(job: Job, error: &io::Error) {
    let why = format!("cannot open a connection to the daemon: {}; the command was not sent", io_words(error));
    job.done.finish(Err(ControlError::Busy(why)));
}

/// The error for a command that was sent and not answered.
fn unknown(name: &str, why: &str) -> ControlError {
    ControlError::Unavailable(format!(
        "lost the connection to {name}: {why}; whether the command was performed is unknown"
    ))
}
