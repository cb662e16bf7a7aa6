//! What signals do to the console, and how it stops and goes on.

use std::io;

use nix::sys::signal::Signal;

use crate::sys::orphans;
use crate::sys::probe::ignores;
use crate::sys::signals::{pending, stop};

use super::EXIT_HANGUP;
use super::msg::Msg;
use super::run::Console;

/// What ends the console, unless it is ignored.
const ENDING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

impl Console<'_> {
    pub(super) fn read_signals(&mut self) -> io::Result<()> {
        // Not one more once it ends: a SIGCONT would take the terminal again.
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
            // Stopped by force: nobody gave the terminal back, and somebody else has had it.
            Signal::SIGCONT => self.resume(true),
            // Taken where orphans are given to this process (`app`).
            Signal::SIGCHLD => orphans::reap(),
            // Blocked signals come also when they are ignored, as SIGHUP is under nohup.
            _ if ignores(signal) => {}
            _ => {
                self.take(Msg::Signal(signal));
                self.ending = Some(128 + signal as u8);
            }
        }
    }

    /// The screen has another size, or is to be painted anew.
    pub(super) fn resized(&mut self) {
        let (columns, rows) = self.tty.size();
        self.painter.repaint((columns, rows));
        self.take(Msg::Resize { columns, rows });
    }

    /// Gives the terminal back and stops, with the whole job if the operator asked for it here: whoever started us
    /// (`cargo run`) is to stop too, or the shell would wait for it.
    pub(super) fn suspend(&mut self, job: bool) {
        self.tty.leave();
        stop(job, is_to_end);
        self.resume(false);
    }

    /// Takes the terminal again, when it is our turn: continued in the background we stop once more, as whoever reads
    /// from a terminal there does. What ends us is heard before that, and needs no terminal.
    fn resume(&mut self, mut continued: bool) {
        let mut again = false;
        loop {
            while let Ok(Some(signal)) = self.signals.next() {
                match signal {
                    Signal::SIGCONT => continued = true,
                    Signal::SIGTSTP => again = true,
                    // The size is looked at in any case.
                    Signal::SIGWINCH => {}
                    _ => self.signal(signal),
                }
            }
            if self.ending.is_some() {
                return;
            }
            // Never stopped: there is nobody who could continue us.
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

/// Whether a signal waits that will end the console.
fn is_to_end() -> bool {
    let pending = pending();
    ENDING.into_iter().any(|signal| pending.contains(signal) && !ignores(signal))
}
