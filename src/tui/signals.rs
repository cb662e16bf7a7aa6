//! Signal handling, and how the console stops and continues.

use std::io;

use nix::sys::signal::Signal;

use crate::sys::orphans;
use crate::sys::probe::ignores;
use crate::sys::signals::{pending, stop};

use super::EXIT_HANGUP;
use super::msg::Msg;
use super::run::Console;

/// The signals that end the console, unless they are ignored.
const ENDING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

impl Console<'_> {
    pub(super) fn read_signals(&mut self) -> io::Result<()> {
        // Once the console ends, no further signal is handled: a SIGCONT would take the terminal again.
        while self.ending.is_none()
            && let Some(signal) = self.signals.next().map_err(|e| io::Error::from(e.errno))?
        {
            self.signal(signal);
        }
        Ok(())
    }

    fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::SIGWINCH => self.resized(),
            Signal::SIGTSTP => self.suspend(false),
            // After SIGSTOP nothing restored the terminal, and another process has used it since.
            Signal::SIGCONT => self.resume(true),
            // Handled where orphans are reparented to this process (`app`).
            Signal::SIGCHLD => orphans::reap(),
            // A blocked signal is delivered even if it is ignored, as SIGHUP is under nohup.
            _ if ignores(signal) => {}
            _ => {
                self.take(Msg::Signal(signal));
                self.ending = Some(128 + signal as u8);
            }
        }
    }

    /// The screen has another size, or must be repainted.
    pub(super) fn resized(&mut self) {
        let (columns, rows) = self.tty.size();
        self.painter.repaint((columns, rows));
        self.take(Msg::Resize { columns, rows });
    }

    /// Restores the terminal and stops. If the operator asked for it here, the whole job stops: the parent process
    /// (`cargo run`) must stop too, or the shell would wait for it.
    pub(super) fn suspend(&mut self, job: bool) {
        self.tty.leave();
        stop(job, is_to_end);
        self.resume(false);
    }

    /// Takes the terminal again when this process is in the foreground. Continued in the background, it stops again, as
    /// every background process that reads from a terminal does. Signals that end the console are handled before that,
    /// and need no terminal.
    fn resume(&mut self, mut continued: bool) {
        let mut again = false;
        loop {
            while let Ok(Some(signal)) = self.signals.next() {
                match signal {
                    Signal::SIGCONT => continued = true,
                    Signal::SIGTSTP => again = true,
                    // The size is read in any case.
                    Signal::SIGWINCH => {}
                    _ => self.signal(signal),
                }
            }
            if self.ending.is_some() {
                return;
            }
            // Do not stop: no process could continue this one.
            if !continued || self.tty.is_foreground() {
                break;
            }
            continued = false;
            stop(false, || is_to_end() || self.tty.is_foreground());
        }
        let size = self.tty.size();
        let Ok(enter) = self.tty.enter() else {
            self.ending = Some(EXIT_HANGUP);
            return;
        };
        self.painter.reenter(&enter, size);
        self.take(Msg::Resize { columns: size.0, rows: size.1 });
        if again {
            self.suspend(false);
        }
    }
}

/// Whether a signal that ends the console is pending.
pub(super) fn is_to_end() -> bool {
    let pending = pending();
    ENDING.into_iter().any(|signal| pending.contains(signal) && !ignores(signal))
}
