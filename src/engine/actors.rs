//! Actors (AUTH-5): this process, once for each origin, and the last other actor. Thousands of records share them.

use std::sync::Arc;

use crate::abi::actor::{Actor, Origin};

use super::sync::{Mutex, lock};

/// The actors of an engine.
pub(super) struct Actors {
    library: Arc<Actor>,
    command_line: Arc<Actor>,
    console: Arc<Actor>,
    outside: Arc<Actor>,
    /// The last other actor, which is nearly always the next one too.
    other: Mutex<Option<Arc<Actor>>>,
}

impl Actors {
    /// `me` is this process, read once when the engine starts.
    pub(super) fn new(me: &Actor) -> Self {
        let by = |origin| Arc::new(me.by(origin));
        // An outside process that is not described gets no capabilities, because nothing is known about it.
        let outside = Actor { effective: crate::abi::cap::CapMask::EMPTY, ..me.by(Origin::Outside) };
        Self {
            library: by(Origin::Library),
            command_line: by(Origin::CommandLine),
            console: by(Origin::Console),
            outside: Arc::new(outside),
            other: Mutex::default(),
        }
    }

    /// This process as an actor of `origin`. For [`Origin::Outside`] the actor has no capabilities.
    pub(super) fn me(&self, origin: Origin) -> &Arc<Actor> {
        match origin {
            Origin::Library => &self.library,
            Origin::CommandLine => &self.command_line,
            Origin::Console => &self.console,
            Origin::Outside => &self.outside,
        }
    }

    /// Returns the given actor, or this process by default, as the copy that equal actors share.
    pub(super) fn of(&self, actor: Option<&Arc<Actor>>) -> Arc<Actor> {
        match actor {
            None => self.library.clone(),
            Some(given) if Arc::ptr_eq(given, self.me(given.origin)) => given.clone(),
            Some(given) => self.share(given),
        }
    }

    /// Returns `actor`, as the copy that equal actors share.
    pub(super) fn share(&self, actor: &Actor) -> Arc<Actor> {
        let mine = self.me(actor.origin);
        if **mine == *actor {
            return mine.clone();
        }
        let mut other = lock(&self.other);
        match &*other {
            Some(last) if **last == *actor => last.clone(),
            _ => other.insert(Arc::new(actor.clone())).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_5_equal_actors_share_one_copy_and_others_do_not() {
        let me = Actor { start_time: Some(5), ..Actor::new(Origin::Library, 1, 2, 3, b"me") };
        let actors = Actors::new(&me);
        for origin in [Origin::Library, Origin::CommandLine, Origin::Console, Origin::Outside] {
            assert_eq!((actors.me(origin).origin, actors.me(origin).pid), (origin, 1));
        }
        assert!(Arc::ptr_eq(&actors.of(None), actors.me(Origin::Library)));
        assert!(Arc::ptr_eq(&actors.share(&me.by(Origin::Console)), actors.me(Origin::Console)));
        let stranger = Actor::new(Origin::Outside, 9, 2, 3, b"me");
        let first = actors.of(Some(&Arc::new(stranger.clone())));
        assert_eq!(*first, stranger);
        assert!(Arc::ptr_eq(&actors.share(&stranger), &first));
        // The same pid with another start time is another process.
        let later = Actor { start_time: Some(6), ..stranger };
        assert_eq!(*actors.share(&later), later);
    }
}
