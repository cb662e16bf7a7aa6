//! The connection as a whole: watches, its loss and its return.

use std::time::Instant;

use crate::abi::error::io_words;
use crate::control::completion::Completion;
use crate::control::text::target::{not_sent, object};
use crate::remote::answers::{ENDED, unknown};
use crate::remote::connection::Connection;
use crate::remote::line::Line;
use crate::wire::client;
use crate::wire::event::Item;

use super::{Follow, Retry, Worker};

impl Worker {
    /// Subscribes a watch.
    pub(super) fn follow(&mut self, at: usize) {
        let follow = &mut self.follows[at];
        let opened = Connection::open(&self.address).and_then(|mut connection| {
            connection.send(&client::watch(&follow.subscribe, connection.kernel))?;
            Ok(connection)
        });
        match opened {
            Ok(connection) => follow.connection = Some(connection),
            Err(e) => self.lose(&io_words(&e)),
        }
    }

    pub(super) fn serve_follow(&mut self, at: usize) {
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
                Ok(Item::Started(_)) => {
                    follow.active = true;
                    if std::mem::take(&mut follow.resumes) {
                        feed.poke();
                    }
                }
                Ok(Item::Event(event)) => feed.event(event),
                Ok(Item::Missed(count)) => feed.missed(count),
                Ok(Item::Ended) => return self.lose("the daemon has ended"),
                Err(error) => {
                    self.refused = Some(Instant::now());
                    self.follows.swap_remove(at);
                    feed.end(Some(error.to_string().into()));
                    return self.resume();
                }
            }
        }
        match read {
            Ok(true) => self.resume(),
            Ok(false) => self.lose(ENDED),
            Err(e) => self.lose(&io_words(&e)),
        }
    }

    /// The connection is lost: everything unanswered gets an error, every watch ends, and a new connection is tried.
    pub(super) fn lose(&mut self, why: &str) {
        if self.retry.is_some() {
            return;
        }
        self.retry = Some(Retry::new(why, Instant::now()));
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
        let waiting = std::mem::take(&mut self.held).into_iter().chain(std::mem::take(&mut self.waiting));
        waiting.for_each(|job| job.done.finish(Err(not_sent(&info, why))));
        ended.iter().for_each(|follow| follow.feed.end(Some(why.into())));
    }

    /// Tries to connect again.
    pub(super) fn greet(&mut self, now: Instant) {
        let opened = Connection::open(&self.address).and_then(|mut connection| {
            connection.send(&client::info(connection.kernel))?;
            Ok(connection)
        });
        let Some(retry) = &mut self.retry else { return };
        match opened {
            Ok(connection) => (retry.greeting, retry.at) = (Some(connection), now),
            Err(_) => self.later(now),
        }
    }

    /// The attempt has failed.
    fn later(&mut self, now: Instant) {
        let far = self.address.is_far();
        if let Some(words) = self.retry.as_mut().and_then(|retry| retry.later(far, now)) {
            self.shared.lost(&words);
            // The watches that wait for the connection: their readers show when it is tried again.
            self.follows.iter().for_each(|follow| follow.feed.poke());
        }
    }

    /// Reads what the daemon says of itself. Then the connection is back.
    pub(super) fn greeted(&mut self) {
        let Some(retry) = &mut self.retry else { return };
        let Some(connection) = &mut retry.greeting else { return };
        let read = connection.write().and_then(|()| connection.read());
        let described = match connection.next_message() {
            Ok(Some(message)) => client::described(message).ok(),
            Ok(None) if read.as_ref().is_ok_and(|more| *more) => return,
            _ => None,
        };
        let Some(info) = described else {
            return self.later(Instant::now());
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
