//! Floor 5: a target that is a daemon behind a Unix socket, of this machine or of another one.
//!
//! [`Remote`] is for programs that do several things at a time: one thread serves every connection. Commands that the
//! daemon answers at once go over one connection, in order; reads of records over another one; a command that waits for
//! a helper has a connection of its own, and so has each watch. A watch sees the effects of every command that was
//! submitted after it. [`Direct`] is for a command line that gives one command
//! and waits for the answer: it needs no thread. To another machine, each connection is an ssh(1) of its own: a child
//! of the thread that uses it, which ends with that thread.
#![forbid(unsafe_code)]

mod address;
mod answers;
mod connection;
mod direct;
mod feed;
mod line;
mod shared;
mod source;
mod ssh;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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
use crate::sys::channel::{Receiver, Sender, bounded};
use crate::sys::thread::spawn;
use crate::wire::event::Subscribe;

use connection::Connection;
use feed::Feed;
use line::Job;
use shared::{Message, Shared};
use source::Source;

/// A daemon as a target. The connection is restored when it is lost.
pub struct Remote {
    shared: Arc<Shared>,
    /// Closed when the thread of the connections has ended.
    ended: Mutex<Receiver<()>>,
    /// The daemon is on another machine.
    is_far: bool,
}

/// The name of the thread of the connections.
const THREAD: &str = "remote";
/// How long the end of a target may wait for the ends of its ssh processes.
const PATIENCE: Duration = Duration::from_secs(3);

impl Remote {
    /// Connects, and waits until the daemon has described itself.
    pub fn connect(address: &Address) -> Result<Arc<dyn Target>, ControlError> {
        let (is_far, address, (told, answer)) = (address.is_far(), address.clone(), bounded(1));
        let (ends, ended) = bounded(1);
        // Without a daemon here there is no need of a thread. An ssh process ends with the thread that has started it.
        let near = if is_far { None } else { Some(opened(&address)?) };
        let work = move || {
            let _ends: Sender<()> = ends;
            let opened = near.map_or_else(|| opened(&address), Ok);
            let shared = opened.as_ref().map(|(_, shared)| shared.clone()).map_err(Clone::clone);
            // The caller waits for it.
            let _ = told.send(shared);
            if let Ok((main, shared)) = opened {
                worker::Worker::new(shared, address, main).run();
            }
        };
        let busy = |why: &str| ControlError::Busy(format!("cannot start a thread for the daemon's connections: {why}"));
        spawn(THREAD, work).map_err(|e| busy(&io_words(&e)))?;
        let shared = answer.recv().unwrap_or_else(|_| Err(busy("it has ended")))?;
        Ok(Arc::new(Self { shared, ended: Mutex::new(ended), is_far }))
    }
}

fn opened(address: &Address) -> Result<(Connection, Arc<Shared>), ControlError> {
    let (main, info) = direct::open(address)?;
    Ok((main, Arc::new(Shared::new(address.info(&info), info.version)?)))
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.shared.send(Message::Stop);
        // The thread itself may drop the target.
        if self.is_far && std::thread::current().name() != Some(THREAD) {
            let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
            // It has sent nothing, and never will: this returns when it has ended.
            let _ = ended.recv_timeout(PATIENCE);
        }
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
