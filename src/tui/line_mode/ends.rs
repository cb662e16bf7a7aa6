//! What ends the program, or a part of what goes on: ctrl-c, the end of the input, a line that is not understood.

use crate::tui::dialogs::quit::Quit;
use crate::tui::keymap::Action;

use super::{EXIT_NOT_UNDERSTOOD, LineMode, Patience};

impl LineMode<'_> {
    /// Without an operator at a terminal, what follows a line that was not understood is not done.
    pub(super) fn not_understood(&mut self) {
        if !self.terminal && self.ending.is_none() {
            let words = format!("line {} ends the input: what follows it is not done", self.lines);
            self.say(&words);
            self.ending = Some(EXIT_NOT_UNDERSTOOD);
        }
    }

    pub(super) fn refuse(&mut self, why: &str) {
        self.say(why);
        self.not_understood();
    }

    /// Ctrl-c: stops what goes on, else goes back, else quits.
    pub(super) fn interrupt(&mut self) {
        self.write("\n");
        if std::mem::take(&mut self.following) {
            return;
        }
        let before = self.here();
        if self.model().top::<Quit>().is_some() {
            self.ending = Some(130);
        } else if self.model().dialogs.is_empty() {
            self.press(Action::Quit);
        } else {
            self.press(Action::Dismiss);
        }
        self.settle(Patience::Answer);
        self.after(&before);
    }

    /// The end of the input quits. A question that comes of it can be answered at a terminal alone; a second end is the
    /// answer that nothing is waited for.
    pub(super) fn end_of_input(&mut self) {
        if self.terminal {
            self.write("\n");
        }
        if !self.terminal || std::mem::replace(&mut self.over, true) {
            self.ending = Some(0);
            return;
        }
        self.reader.go_on();
        let before = self.here();
        while !self.model().dialogs.is_empty() {
            self.press(Action::Dismiss);
        }
        self.press(Action::Quit);
        self.settle(Patience::Answer);
        self.after(&before);
    }
}
