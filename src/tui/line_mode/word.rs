//! Does what the words of the line mode say.

use crate::tui::keymap::Action;
use crate::tui::model::Tab;

use super::page::page;
use super::typed::Word;
use super::{LineMode, Patience, help};

impl LineMode<'_> {
    /// Does what a word says. Returns whether there is something to say after it.
    pub(super) fn word(&mut self, word: Word, rest: &str) -> bool {
        match word {
            Word::Help => self.say_all(&help::lines(self.model())),
            Word::Again => {
                if self.model().dialogs.is_empty() {
                    self.say_target();
                    self.say_screen();
                } else {
                    self.say_dialog();
                }
            }
            Word::More | Word::Less => {
                self.press(if word == Word::More { Action::PageDown } else { Action::PageUp });
                self.settle(Patience::Answer);
                if self.model().dialogs.is_empty() {
                    self.say_screen();
                }
            }
            Word::Details => {
                self.settle(Patience::Answer);
                let details = page(self.model()).details;
                match details.is_empty() {
                    true => self.say("there are no details here; `open` opens the chosen row"),
                    false => self.say_all(&details),
                }
            }
            Word::Open | Word::Choose if !self.model().dialogs.is_empty() => {
                self.refuse("a dialog is open: `esc` goes back");
            }
            Word::Open => {
                if rest.is_empty() || self.go_to(rest) {
                    self.open_row();
                    return true;
                }
            }
            Word::Choose => return self.go_to(rest),
            Word::Filter => return self.filter(rest),
            Word::Palette => {
                self.press(Action::Palette);
                self.fill(rest.as_bytes());
                return true;
            }
            Word::Field => return self.field(rest),
            Word::Set => {
                self.fill(rest.as_bytes());
                return true;
            }
            Word::Wait => {
                self.settle(Patience::All);
                return true;
            }
            Word::Follow => {
                self.following = true;
                self.say("lines of the log follow; the next line ends that");
                self.say_log();
            }
        }
        false
    }

    /// Opens the row under the cursor.
    pub(super) fn open_row(&mut self) {
        let opened = match self.model().tab {
            Tab::Overview | Tab::Rules => self.press(Action::Open),
            Tab::Activity => self.press(Action::Detail),
            Tab::Masks => self.press(Action::Forms),
            Tab::Log => false,
        };
        if !opened {
            self.say("this row has nothing more to say");
        }
    }

    /// Sets the filter of the screen; without words, shows all rows again.
    pub(super) fn filter(&mut self, words: &str) -> bool {
        if !self.model().dialogs.is_empty() || !self.press(Action::Filter) {
            self.refuse("this place has no filter");
            return false;
        }
        let before = self.model().link.info.short_name().to_owned();
        self.fill(words.as_bytes());
        self.press(if words.is_empty() { Action::EndFilter } else { Action::KeepFilter });
        self.settle(Patience::Answer);
        // A target in the filter is turned to.
        if self.model().link.info.short_name() != before {
            self.say_target();
        }
        self.say_screen();
        self.say_news();
        false
    }

    /// Gives the focus to a field of the dialog on top, counted from 1.
    pub(super) fn field(&mut self, number: &str) -> bool {
        let fields = self.model().fields();
        let model = &mut self.sessions.now_mut().model;
        let at = model.with_top(|dialog, model| dialog.focus(model).map(|(at, _)| *at)).flatten();
        match (number.parse::<usize>(), at) {
            (Ok(number), Some(at)) if (1..=fields).contains(&number) => {
                for _ in 0..(number + fields - 1 - at) % fields {
                    self.press(Action::Next);
                }
                true
            }
            _ => {
                self.refuse("there is no such field here");
                false
            }
        }
    }
}
