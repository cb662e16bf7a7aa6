//! Gives the terminal back at the end of the console, and at a panic.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::terminal::{Tty, stderr_is_writable};

/// The number of panics of other threads that are kept for the end; more add nothing.
const PANICS_KEPT: usize = 16;

/// Owns the terminal for the drawing thread. The terminal is restored on drop, and before a panic that ends the
/// console is printed: one of that thread, or of any thread where panics abort.
#[derive(Debug)]
pub struct Guard {
    tty: Arc<Tty>,
    panics: Arc<Mutex<Vec<String>>>,
}

impl Guard {
    /// Guards `tty`; called by the drawing thread. The panic hook stays installed for the life of the process; it only
    /// calls the previous hook while the console does not have the terminal. Where panics abort, `last` is called before
    /// the process ends.
    pub fn new(tty: Arc<Tty>, last: impl Fn() + Send + Sync + 'static) -> Self {
        let panics = Arc::new(Mutex::new(Vec::new()));
        let (shared, kept, drawing) = (tty.clone(), panics.clone(), thread::current().id());
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // Where a panic ends the process (`panic = "abort"`), that of any thread does, and nothing runs after this.
            let draws = thread::current().id() == drawing;
            if cfg!(panic = "abort") || draws {
                if draws {
                    shared.leave()
                } else {
                    shared.leave_for_ever()
                }
                if cfg!(panic = "abort") {
                    last();
                }
                if !stderr_is_writable() {
                    // The next hook would block.
                    if cfg!(panic = "abort") {
                        std::process::exit(101);
                    }
                    return;
                }
            } else if shared.is_ours() {
                // A panic of another thread, caught there (a hook's, UMH-6): the console continues, and its page stays
                // intact.
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() < PANICS_KEPT {
                    kept.push(info.to_string());
                }
                return;
            }
            next(info);
        }));
        Self { tty, panics }
    }

    /// The messages of other threads' panics while the console had the terminal.
    pub fn panics(&self) -> Vec<String> {
        std::mem::take(&mut *self.panics.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.tty.leave();
    }
}
