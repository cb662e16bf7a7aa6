//! Events: the log's, those of every watch, and the progress of requests. One subscription to the engine serves all
//! watches; an event is serialized once.

use std::sync::Arc;

use crate::abi::event::{Event, EventKind, EventKinds};
use crate::abi::sorted::{SortedMap, SortedSet};
use crate::control::authorize::{Access, Authorization};
use crate::control::target::{Seq, Target, TargetInfo};
use crate::control::text::event::NEWS;
use crate::control::watch::{Wake, Watch, Watched};
use crate::control::withheld;
use crate::daemon::connection::{Connection, State, Watching};
use crate::daemon::mailbox::{Bell, Mail};
use crate::daemon::outgoing::Message;
use crate::wire::event::{self as message, Subscribe};
use crate::wire::server::{Progress, Way};

use super::Server;

/// The most events that wait for the I/O thread.
const CAPACITY: usize = 4096;
/// The most events that are delivered before connections have their turn.
const BURST: usize = 256;
/// The most events that wait for the log.
const NEWS_CAPACITY: usize = 256;

/// The events that the log gets.
pub(super) fn news(target: &dyn Target, bell: &Bell) -> Watch {
    target.watch(NEWS, None, NEWS_CAPACITY, ringing(bell))
}

/// What the log gets of the kernel: not each helper that fails, since that is nothing of the daemon's.
pub(super) fn kernel_news(target: &dyn Target, bell: &Bell) -> Watch {
    target.watch(EventKinds::LOST.or(EventKinds::SIGNALLED), None, NEWS_CAPACITY, ringing(bell))
}

fn ringing(bell: &Bell) -> Wake {
    let bell = bell.clone();
    Wake::new(move || bell.ring())
}

/// The engine's events, while a connection needs them.
#[derive(Default)]
pub(super) struct Feed {
    watch: Option<Watch>,
    /// The number of the last event that was delivered.
    seq: Seq,
    /// How many events watches have lost because they read too slowly, since the start.
    missed: u64,
    /// The connections that follow a request.
    pub(super) followed: SortedMap<u64, u64>,
    /// The number of connections that watch or follow.
    following: SortedSet<u64>,
}

impl Feed {
    fn open(&mut self, target: &dyn Target, info: &TargetInfo, bell: &Bell) -> Vec<Watched> {
        if self.watch.is_some() {
            return Vec::new();
        }
        // All events before this one count as missed, which gives the number of the last one exactly.
        let watch = target.watch(EventKinds::ALL, Some((info.run, 0)), CAPACITY, ringing(bell));
        let first = watch.next();
        self.watch = Some(watch);
        match first {
            Some(Watched::Missed(before)) => {
                self.seq = before;
                Vec::new()
            }
            other => {
                self.seq = 0;
                other.into_iter().collect()
            }
        }
    }

    /// The connection has its answer or is gone.
    pub(super) fn forget(&mut self, connection: u64) {
        self.following.remove(&connection);
        self.followed.retain(|_, follower| *follower != connection);
    }

    /// Ends the subscription once nothing needs it: an idle daemon is not woken by events.
    pub(super) fn close_unless_needed(&mut self, connections: &SortedMap<u64, Connection>, kernel: bool) {
        let watched = || connections.values().any(|connection| connection.is_watching(kernel));
        if self.watch.is_some() && self.following.is_empty() && !watched() {
            self.watch = None;
        }
    }
}

/// An event, serialized when the first watch needs it.
struct Serialized<'a> {
    event: &'a Arc<Event>,
    full: Option<Arc<[u8]>>,
    withheld: Option<Arc<[u8]>>,
}

impl Serialized<'_> {
    fn get(&mut self, access: Access) -> Arc<[u8]> {
        let event = self.event;
        let bytes = match access {
            Access::Full => self.full.get_or_insert_with(|| message::event(event)),
            Access::Withheld => self.withheld.get_or_insert_with(|| message::event(&withheld::event(event))),
        };
        bytes.clone()
    }
}

impl Server {
    /// Begins a watch of the engine, or of the kernel.
    pub(super) fn begin_watch(&mut self, number: u64, subscribe: &Subscribe, access: Access, of_kernel: bool) {
        let (feed, target, info): (_, &dyn Target, _) = match (&self.kernel, of_kernel) {
            (Some((kernel, info)), true) => (&mut self.kernel_feed, &**kernel, info.clone()),
            _ => (&mut self.feed, &*self.target, self.info.clone()),
        };
        let early = feed.open(target, &info, self.mailbox.bell());
        let last = feed.seq;
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.outgoing.push(Message::Own(message::started(info.run, access == Access::Withheld)));
        let seen = match subscribe.from {
            None => last,
            Some((run, seen)) if run == info.run => seen,
            // Another run: every event of this one is new.
            Some(_) => 0,
        };
        let missed = last.saturating_sub(seen);
        if missed > 0 {
            connection.outgoing.push(Message::Own(message::missed(missed)));
        }
        let kinds = subscribe.kinds;
        connection.state = State::Watching(Watching { kinds, access, after: seen, missed: 0, kernel: of_kernel });
        for item in early {
            self.item(item, of_kernel);
        }
    }

    /// Sends the progress of the request that this command makes.
    pub(super) fn follow(&mut self, number: u64, authorization: Authorization) -> Authorization {
        let early = self.feed.open(&*self.target, &self.info, self.mailbox.bell());
        for item in early {
            self.item(item, false);
        }
        self.feed.following.add(number);
        let mailbox = self.mailbox.clone();
        authorization.with_began(Arc::new(move |request| mailbox.send(Mail::Began { connection: number, request })))
    }

    /// Delivers what other threads have reported.
    pub(super) fn deliver(&mut self) {
        // The answers that are here now, then the events: those of their requests are among them.
        self.take_mail();
        let ready = std::mem::take(&mut self.answers);
        let take = |watch: Option<Watch>| -> Vec<Watched> {
            watch.iter().flat_map(|watch| std::iter::from_fn(|| watch.next())).take(BURST).collect()
        };
        let items = take(self.feed.watch.clone());
        let of_kernel = take(self.kernel_feed.watch.clone());
        let more = items.len() == BURST;
        let any_more = more || of_kernel.len() == BURST;
        // Then the numbers of requests: each is in the inbox before the first event of its request exists. An answer that
        // has come meanwhile waits for the next turn: the last events of its request may not be among these.
        self.take_mail();
        let any_more = any_more || !self.answers.is_empty();
        for item in items {
            self.item(item, false);
        }
        for item in of_kernel {
            self.item(item, true);
        }
        // One write for all events that a watch gets now.
        for number in std::mem::take(&mut self.touched) {
            self.settle(number);
        }
        let mut held = Vec::new();
        for mail in ready {
            match mail {
                // Events of its request may still wait.
                Mail::Answer { connection, .. } if more && self.feed.following.contains(&connection) => held.push(mail),
                Mail::Answer { connection, call, bytes } => self.answered(connection, call, bytes),
                _ => {}
            }
        }
        self.answers.splice(..0, held);
        self.feed.close_unless_needed(&self.connections, false);
        self.kernel_feed.close_unless_needed(&self.connections, true);
        while let Some(item) = self.news.next() {
            match item {
                Watched::Event(event) => self.journal.event(&event),
                Watched::Missed(count) => {
                    self.journal.line(
                        crate::abi::event::Level::Warning,
                        &format!("{} missed by this log", crate::abi::counted::counted(count, "event")),
                    );
                }
                Watched::Closed { .. } => break,
            }
        }
        while let Some(Watched::Event(event)) = self.kernel_news.as_ref().and_then(Watch::next) {
            self.journal.event(&event);
        }
        if any_more {
            self.mailbox.bell().ring_again();
        }
    }

    fn feed_of(&mut self, kernel: bool) -> &mut Feed {
        if kernel { &mut self.kernel_feed } else { &mut self.feed }
    }

    fn item(&mut self, item: Watched, kernel: bool) {
        match item {
            Watched::Event(event) => {
                self.feed_of(kernel).seq = event.seq;
                if !kernel {
                    self.progress(&event);
                }
                self.broadcast(&event, kernel);
            }
            Watched::Missed(count) => {
                self.feed_of(kernel).seq += count;
                let mut missed = 0;
                self.each_watch(kernel, |connection| {
                    if let State::Watching(watching) = &mut connection.state {
                        watching.missed += count;
                        missed += count;
                    }
                });
                self.feed_of(kernel).missed += missed;
            }
            Watched::Closed { .. } => self.each_watch(kernel, |connection| {
                connection.outgoing.push(Message::Own(message::ended()));
                connection.closing = true;
            }),
        }
    }

    fn broadcast(&mut self, event: &Arc<Event>, kernel: bool) {
        let mut serialized = Serialized { event, full: None, withheld: None };
        let mut missed = 0;
        self.each_watch(kernel, |connection| {
            let State::Watching(watching) = &mut connection.state else { return };
            if event.seq <= watching.after || !watching.kinds.has(&event.kind) {
                return;
            }
            if watching.missed > 0 {
                watching.missed += 1;
                missed += 1;
                return;
            }
            let bytes = serialized.get(watching.access);
            if !connection.outgoing.has_room(bytes.len()) {
                // An error is noticed when the connection is settled.
                let _ = connection.outgoing.write(&connection.socket);
            }
            if connection.outgoing.has_room(bytes.len()) {
                connection.outgoing.push(Message::Shared(bytes));
            } else {
                watching.missed = 1;
                missed += 1;
            }
        });
        self.feed_of(kernel).missed += missed;
    }

    /// The watches of this daemon, and the events that they have lost: the engine sees only the daemon's subscription.
    pub(super) fn watches(&self) -> (u32, u64) {
        let watching = |connection: &&Connection| connection.is_watching(false);
        let count = self.connections.values().filter(watching).count();
        (u32::try_from(count).unwrap_or(u32::MAX), self.feed.missed)
    }

    fn each_watch(&mut self, kernel: bool, mut act: impl FnMut(&mut Connection)) {
        for (number, connection) in self.connections.iter_mut() {
            if connection.is_watching(kernel) && !connection.closing {
                act(connection);
                self.touched.insert(*number);
            }
        }
    }

    fn progress(&mut self, event: &Event) {
        let (id, progress, pid) = match &event.kind {
            EventKind::Queued { id } => (*id, Progress::Queued, None),
            EventKind::Started { id, pid } => (*id, Progress::Started, Some(*pid)),
            _ => return,
        };
        let Some(number) = self.feed.followed.get(&id).copied() else { return };
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.outgoing.push(Message::Own(Way::progress(progress, id, pid)));
            self.settle(number);
        }
    }
}
