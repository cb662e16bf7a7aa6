//! Events of a target, through a bounded queue.

use std::sync::Arc;

use crate::abi::event::Event;

/// An item of a watch.
#[derive(Clone, Debug)]
pub enum Watched {
    /// The next event.
    Event(Arc<Event>),
    /// This many events were lost at this point. Read the state again (`Status`), since it includes their effects.
    Missed(u64),
    /// The watch has ended.
    Closed {
        /// Why the connection was lost; a new watch works once it is back. `None` if the target has ended, or this side
        /// closed the watch.
        why: Option<Arc<str>>,
    },
}

/// The function that a watch calls when its empty queue gets an item.
pub struct Wake(Option<Box<dyn Fn() + Send + Sync>>);

impl Wake {
    /// Calls `wake` on a thread of the target. It must be short.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(wake)))
    }

    /// Calls nothing, for a reader that blocks in [`Watch::wait`].
    pub const fn none() -> Self {
        Self(None)
    }

    /// The function, if there is one.
    pub fn into_fn(self) -> Option<Box<dyn Fn() + Send + Sync>> {
        self.0
    }
}

/// The target's side of a [`Watch`].
pub trait EventSource: Send + Sync {
    /// The next item, without blocking.
    fn next(&self) -> Option<Watched>;
    /// Blocks for the next item.
    fn wait(&self) -> Watched;
    /// Closes the watch: [`Watched::Closed`] follows the items that are queued.
    fn close(&self);
}

/// A subscription to events; a cheap handle, so that another thread can close it. It is closed when the last handle is
/// dropped.
#[derive(Clone)]
pub struct Watch(Arc<Closing>);

struct Closing(Box<dyn EventSource>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Watch {
    /// A watch that reads from a target's queue.
    pub fn new(source: impl EventSource + 'static) -> Self {
        Self(Arc::new(Closing(Box::new(source))))
    }

    /// The next item, or `None` if the queue is empty. After `None` the next item calls the watch's [`Wake`].
    pub fn next(&self) -> Option<Watched> {
        self.0.0.next()
    }

    /// Blocks for the next item.
    pub fn wait(&self) -> Watched {
        self.0.0.wait()
    }

    /// Closes the watch: [`Watched::Closed`] follows the items that are queued.
    pub fn close(&self) {
        self.0.0.close();
    }
}
