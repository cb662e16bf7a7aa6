//! Events of a target, through a bounded queue.

use std::sync::Arc;

use crate::abi::event::Event;

/// What a watch yields.
#[derive(Clone, Debug)]
pub enum Watched {
    /// The next event.
    Event(Arc<Event>),
    /// This many events were lost here; the events that follow came later. A fresh `Status` covers them.
    Missed(u64),
    /// Nothing more will come.
    Closed {
        /// Why: the connection was lost, and another watch goes on when it is back. `None`: the target has ended, or this
        /// side closed the watch.
        why: Option<Arc<str>>,
    },
}

/// What a watch calls when there is something to read after there was nothing.
pub struct Wake(Option<Box<dyn Fn() + Send + Sync>>);

impl Wake {
    /// Calls this, on a thread of the target's. It must be short.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(wake)))
    }

    /// Calls nothing: the reader blocks in [`Watch::wait`].
    pub const fn none() -> Self {
        Self(None)
    }

    /// What to call, if anything.
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
    /// Ends it: [`Watched::Closed`] comes after what is queued.
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
    /// Over the target's queue.
    pub fn new(source: impl EventSource + 'static) -> Self {
        Self(Arc::new(Closing(Box::new(source))))
    }

    /// The next item, or `None` if there is none now. After `None` the next item calls the watch's [`Wake`].
    pub fn next(&self) -> Option<Watched> {
        self.0.0.next()
    }

    /// Blocks for the next item.
    pub fn wait(&self) -> Watched {
        self.0.0.wait()
    }

    /// Ends it: [`Watched::Closed`] comes after what is queued.
    pub fn close(&self) {
        self.0.0.close();
    }
}
