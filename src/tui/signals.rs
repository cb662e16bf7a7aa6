//! What signals do to the console, and how it stops and goes on.

use std::io;

use nix::sys::signal::Signal;

use crate::sys::probe::ignores;
use crate::sys::signals::stop;

use super::EXIT_HANGUP;
use super::msg::Msg;
use super::run::Console;

impl Console<'_> {
    pub(super) fn hear(&mut self) -> io::Result<()> {
        while let Some(signal) = self.signals.next().map_err(|e| io::Error::from(e.errno))? {
            self.signal(signal);
        }
        Ok(())
    }

    fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::SIGWINCH => self.resized(),
            Signal::SIGTSTP => self.suspend(false),
            // Stopped by force: nobody gave the terminal back, and somebody else has had it.
            Signal::SIGCONT => self.resume(),
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
        if self.painter.repaint((columns, rows)).is_ok() {
            self.take(Msg::Resize { columns, rows });
        }
    }

    /// Gives the terminal back and stops, with the whole job if the operator asked for it here: whoever started us
    /// (`cargo run`) is to stop too, or the shell would wait for it.
    pub(super) fn suspend(&mut self, job: bool) {
        self.tty.leave();
        stop(job);
        let mut meanwhile = Vec::new();
        while let Ok(Some(signal)) = self.signals.next() {
            meanwhile.push(signal);
        }
        self.resume();
        // That we were continued is known.
        meanwhile.into_iter().filter(|s| *s != Signal::SIGCONT).for_each(|signal| self.signal(signal));
    }

    fn resume(&mut self) {
        let size = self.tty.size();
        let entered = self.tty.enter().map_err(|e| io::Error::from(e.errno));
        if entered.and_then(|enter| self.painter.reenter(&enter, size)).is_err() {
            self.ending = Some(EXIT_HANGUP);
            return;
        }
        self.take(Msg::Resize { columns: size.0, rows: size.1 });
    }
}
