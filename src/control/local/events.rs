//! A subscription to the engine's events, as a watch.

use std::sync::Arc;

use crate::control::watch::{EventSource, Watched};
use crate::engine::{Received, Subscription};

pub(super) struct Events {
    pub(super) events: Subscription,
    /// Why it was closed, unless the engine ended or this side closed it.
    pub(super) why: Option<Arc<str>>,
}

impl Events {
    pub(super) const fn open(events: Subscription) -> Self {
        Self { events, why: None }
    }

    fn item(&self, received: Received) -> Watched {
        match received {
            Received::Event(event) => Watched::Event(event),
            Received::Missed(missed) => Watched::Missed(missed),
            Received::Closed => Watched::Closed { why: self.why.clone() },
        }
    }
}

impl EventSource for Events {
    fn next(&self) -> Option<Watched> {
        self.events.next().map(|received| self.item(received))
    }
    fn wait(&self) -> Watched {
        self.item(self.events.recv())
    }
    fn close(&self) {
        self.events.close();
    }
}
