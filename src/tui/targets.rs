//! The targets of a console: the one that it was started for, and others that are opened when they are first shown.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use crate::control::target::Target;

/// Opens a target. The error says why that fails, escaped. It is called on a thread of its own, because a watch of the
/// kernel or a connection takes time.
pub type Open = Arc<dyn Fn() -> Result<Arc<dyn Target>, String> + Send + Sync>;

/// A target that is opened when it is first shown.
pub struct Other {
    /// Its name among the targets: `engine`, `kernel`, `web1 kernel`.
    pub name: Cow<'static, str>,
    /// Opens it.
    pub open: Open,
}

/// All targets of a console.
pub struct Targets {
    /// The one that it is started for.
    pub first: Arc<dyn Target>,
    /// The others, in the order in which they are shown after it.
    pub others: Vec<Other>,
    opened: Mutex<Vec<Arc<dyn Target>>>,
}

impl Targets {
    /// A console for this target and these others.
    pub fn new(first: Arc<dyn Target>, others: Vec<Other>) -> Self {
        Self { first, others, opened: Mutex::default() }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// Remembers a target that was opened.
    pub(super) fn opened(&self, target: Arc<dyn Target>) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).push(target);
    }

    /// The engine of this process, if one of the targets is one; otherwise the first target.
    pub(super) fn owned(&self) -> Arc<dyn Target> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::once(&self.first)
            .chain(&*opened)
            .find(|target| target.info().is_owned())
            .unwrap_or(&self.first)
            .clone()
    }
}
