//! The reader's side of a watch.

use std::sync::Arc;

use crate::control::watch::{EventSource, Watched};

use super::feed::Feed;
use super::shared::{Message, Shared};

/// Reads from a feed, and tells the thread of the connections when it is closed.
pub(super) struct Source {
    pub(super) feed: Arc<Feed>,
    pub(super) shared: Arc<Shared>,
}

impl EventSource for Source {
    fn next(&self) -> Option<Watched> {
        self.feed.next()
    }

    fn wait(&self) -> Watched {
        self.feed.wait()
    }

    fn close(&self) {
        self.feed.end(None);
        self.shared.send(Message::Look);
    }
}
