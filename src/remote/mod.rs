//! Floor 5: a target that is a daemon behind a Unix socket.
//!
//! [`Remote`] is for programs that do several things at a time: one thread serves every connection. Commands that the
//! daemon answers at once go over one connection, in order; reads of records over another one; a command that waits for
//! a helper has a connection of its own, and so has each watch. A watch sees the effects of every command that was
//! submitted after it. [`Direct`] is for a command line that gives one command
//! and waits for the answer: it needs no thread.
#![forbid(unsafe_code)]

mod address;
mod answers;
mod connection;
mod direct;
mod feed;
mod line;
mod shared;
mod source;
mod worker;

use std::sync::Arc;
use std::thread;

pub use address::Address;
pub use direct::Direct;

use crate::abi::actor::Actor;
use crate::abi::error::ControlError;
use crate::abi::error::io_words;
use crate::abi::event::EventKinds;
use crate::control::command::Command;
use crate::control::completion::{CallId, Completion};
use crate::control::target::{RunId, Seq, Target, TargetInfo};
use crate::control::text::target::not_sent;
use crate::control::watch::{Wake, Watch};
use crate::wire::event::Subscribe;

use feed::Feed;
use line::Job;
use shared::{Message, Shared};
use source::Source;

/// A daemon as a target. The connection is restored when it is lost.
pub struct Remote {
    shared: Arc<Shared>,
}

impl Remote {
    /// Connects, and waits until the daemon has described itself.
    pub fn connect(address: &Address) -> Result<Arc<dyn Target>, ControlError> {
        let (main, info) = direct::open(address)?;
        let shared = Arc::new(Shared::new(address.info(&info), info.version)?);
        let worker = worker::Worker::new(shared.clone(), address.clone(), main);
        let started = thread::Builder::new().name("remote".into()).spawn(move || worker.run());
        match started {
            Ok(_) => Ok(Arc::new(Self { shared })),
            Err(e) => {
                Err(ControlError::Busy(format!("cannot start a thread for the daemon's connections: {}", io_words(&e))))
            }
        }
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.shared.send(Message::Stop);
    }
}

impl Target for Remote {
    fn info(&self) -> TargetInfo {
        self.shared.info()
    }

    /// The daemon takes the actor from the socket, and not from the caller.
    fn submit(&self, _by: &Actor, id: CallId, command: Command, done: Completion) {
        let info = self.shared.info();
        if let Some(why) = info.lost() {
            return done.finish(Err(not_sent(&info, why)));
        }
        self.shared.send(Message::Submit(Box::new(Job { id, command, done })));
    }

    fn cancel(&self, id: CallId) {
        self.shared.send(Message::Cancel(id));
    }

    fn watch(&self, kinds: EventKinds, from: Option<(RunId, Seq)>, capacity: usize, wake: Wake) -> Watch {
        let feed = Arc::new(Feed::new(capacity, wake));
        self.shared.send(Message::Watch(feed.clone(), Subscribe { kinds, from }));
        Watch::new(Source { feed, shared: self.shared.clone() })
    }
}
