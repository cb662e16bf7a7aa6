//! The message line. What the operator has not read yet is never replaced by something less urgent: it waits.

use std::collections::VecDeque;

use crate::abi::escape::screen_again;
use crate::control::text::outcome::Severity;

use super::Model;

/// What a message is about: a later one about the same replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The progress of a batch.
    Batch(u64),
    /// The connection to the target: what was said of it is no longer true.
    Connection,
}

/// The last message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its severity.
    pub mood: Severity,
    /// The text, escaped.
    pub text: String,
    /// How many dialogs were open when the message came.
    pub depth: usize,
    /// What it is about.
    pub about: Option<About>,
    /// It has been on the screen.
    pub drawn: bool,
    /// A key was pressed after that.
    pub seen: bool,
}

impl Status {
    /// Whether it stays until it is dismissed: trouble that is not the end of a request.
    pub fn stays(&self) -> bool {
        !matches!(self.about, Some(About::Batch(_))) && matches!(self.mood, Severity::Warned | Severity::Bad)
    }
}

/// Messages that wait; the oldest goes first.
const WAITING: usize = 16;

/// The order of urgency. A note about a key gives way to everything.
const fn urgency(mood: Severity) -> u8 {
    match mood {
        Severity::Quiet => 0,
        Severity::Good => 1,
        Severity::Warned => 2,
        Severity::Bad => 3,
    }
}

impl Model {
    /// Shows a message.
    pub fn say(&mut self, mood: Severity, text: impl Into<String>) {
        self.tell(None, mood, text);
    }

    /// Shows a message about a batch, which replaces the last one about it.
    pub fn say_of_batch(&mut self, batch: u64, mood: Severity, text: impl Into<String>) {
        self.tell(Some(About::Batch(batch)), mood, text);
    }

    /// Shows a message about the connection, which replaces the last one about it.
    pub fn say_of_connection(&mut self, mood: Severity, text: impl Into<String>) {
        self.tell(Some(About::Connection), mood, text);
    }

    /// Whether a message about the connection is shown or waits.
    pub fn talks_of_connection(&self) -> bool {
        self.status.iter().chain(&self.waiting_messages).any(|one| one.about == Some(About::Connection))
    }

    fn tell(&mut self, about: Option<About>, mood: Severity, text: impl Into<String>) {
        let text = screen_again(&text.into());
        let new = Status { mood, text, depth: self.dialogs.len(), about, drawn: false, seen: false };
        let same = |old: &Status| about.is_some() && old.about == about;
        self.waiting_messages.retain(|old| !same(old));
        match self.status.take() {
            Some(old) if !old.seen && !same(&old) && old.mood != Severity::Quiet && old.text != new.text => {
                let later = if urgency(new.mood) > urgency(old.mood) {
                    self.status = Some(new);
                    self.waiting_messages.push_front(old);
                    return self.forget_messages();
                } else {
                    new
                };
                self.status = Some(old);
                self.waiting_messages.push_back(later);
                self.forget_messages();
            }
            Some(old) if old.seen && !same(&old) && old.stays() && old.text != new.text => {
                self.status = Some(new);
                self.waiting_messages.push_back(old);
                self.forget_messages();
            }
            _ => self.status = Some(new),
        }
    }

    fn forget_messages(&mut self) {
        while self.waiting_messages.len() > WAITING {
            let note = self.waiting_messages.iter().position(|old| urgency(old.mood) < 2).unwrap_or(0);
            self.waiting_messages.remove(note);
        }
    }

    /// A key was pressed: what was on the screen has been read.
    pub fn message_was_read(&mut self) {
        if let Some(status) = self.status.as_mut().filter(|status| status.drawn) {
            status.seen = true;
        }
    }

    /// An answer that has been read disappears, and the next message that waits is shown. Trouble stays until it is
    /// dismissed: answers that have not been read are shown before it comes back.
    pub fn next_message(&mut self) {
        match self.status.take() {
            Some(status) if !status.seen => self.status = Some(status),
            Some(warning) if warning.stays() => {
                let unread = self.waiting_messages.iter().position(|old| !old.seen);
                match unread.and_then(|at| self.waiting_messages.remove(at)) {
                    Some(next) => {
                        self.waiting_messages.push_back(warning);
                        self.status = Some(next);
                    }
                    None => self.status = Some(warning),
                }
            }
            _ => self.status = self.waiting_messages.pop_front(),
        }
    }

    /// The message as it is shown: with the number of those that wait behind it.
    pub fn message(&self) -> Option<(Severity, String)> {
        let status = self.status.as_ref()?;
        let waiting = match self.waiting_messages.len() {
            0 => String::new(),
            n => format!("(+{n}) "),
        };
        Some((status.mood, format!("{waiting}{}", status.text)))
    }
}

/// The messages that wait.
pub type Waiting = VecDeque<Status>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::fixtures;
    use crate::tui::testing::render::{keys, screen};

    fn shown(model: &Model) -> String {
        model.message().map(|(_, text)| text).unwrap_or_default()
    }

    #[test]
    fn an_answer_that_was_not_read_waits_and_is_counted() {
        let mut model = fixtures::model(fixtures::snapshot(), 80, 24);
        model.say(Severity::Good, "one");
        model.say(Severity::Good, "two");
        model.say(Severity::Quiet, "three");
        assert_eq!(shown(&model), "(+2) one");
        assert!(screen(&model).contains("(+2) one"));
        // The next key shows the next one, and so does esc.
        keys(&mut model, "x");
        assert_eq!(shown(&model), "(+1) two");
        keys(&mut model, "⎋");
        assert_eq!(shown(&model), "three");
        // What has been read disappears with the next key, and not before.
        assert_eq!(shown(&model), "three");
        keys(&mut model, "x");
        assert_eq!(model.message(), None);
        model.say(Severity::Good, "four");
        assert_eq!(shown(&model), "four");
    }

    /// Also one that was read: what comes meanwhile is shown first, and then it comes back.
    #[test]
    fn a_warning_stays_until_it_is_dismissed() {
        let mut model = fixtures::model(fixtures::snapshot(), 80, 24);
        model.say(Severity::Warned, "look");
        keys(&mut model, "xx");
        assert_eq!(shown(&model), "look");
        model.say(Severity::Good, "done");
        model.say_of_batch(7, Severity::Bad, "#3 failed");
        assert_eq!(shown(&model), "(+2) #3 failed");
        keys(&mut model, "x");
        assert_eq!(shown(&model), "(+1) done");
        keys(&mut model, "xxx");
        assert_eq!(shown(&model), "look");
        keys(&mut model, "⎋");
        assert_eq!(model.message(), None);
    }

    #[test]
    fn what_is_no_longer_true_of_the_connection_is_replaced() {
        let mut model = fixtures::model(fixtures::snapshot(), 80, 24);
        model.say_of_connection(Severity::Bad, "lost");
        model.say(Severity::Good, "done");
        model.say(Severity::Warned, "look");
        assert_eq!(shown(&model), "(+2) lost");
        model.say_of_connection(Severity::Good, "back");
        assert_eq!(shown(&model), "(+2) back");
        keys(&mut model, "x");
        // Also while it waits behind another one.
        model.say_of_connection(Severity::Bad, "lost again");
        model.say_of_connection(Severity::Good, "back again");
        let all: Vec<&str> = model.status.iter().chain(&model.waiting_messages).map(|one| &*one.text).collect();
        assert_eq!(all.iter().filter(|text| text.contains("lost") || text.contains("back")).count(), 1, "{all:?}");
    }

    #[test]
    fn what_is_worse_is_shown_first() {
        let mut model = fixtures::model(fixtures::snapshot(), 80, 24);
        model.say(Severity::Good, "done");
        model.say(Severity::Bad, "failed");
        model.say(Severity::Warned, "look");
        assert_eq!(shown(&model), "(+2) failed");
        keys(&mut model, "⎋");
        assert_eq!(shown(&model), "(+1) done");
        keys(&mut model, "⎋");
        assert_eq!(shown(&model), "look");
    }

    #[test]
    fn a_note_and_the_progress_of_a_batch_are_replaced() {
        let mut model = fixtures::model(fixtures::snapshot(), 80, 24);
        model.say(Severity::Quiet, "asked");
        model.say_of_batch(3, Severity::Good, "1 of 2");
        model.say_of_batch(3, Severity::Good, "2 of 2");
        assert_eq!(shown(&model), "2 of 2");
        model.say(Severity::Good, "other");
        model.say_of_batch(4, Severity::Good, "1 of 9");
        model.say_of_batch(4, Severity::Good, "2 of 9");
        assert_eq!((shown(&model).as_str(), model.waiting_messages.len()), ("(+2) 2 of 2", 2));
        assert_eq!(model.waiting_messages[1].text, "2 of 9");
    }

    /// A key that came before the message was drawn has not read it.
    #[test]
    fn a_message_is_read_only_after_it_was_drawn() {
        let mut model = fixtures::model(fixtures::snapshot(), 80, 24);
        model.say(Severity::Good, "one");
        model.message_was_read();
        model.say(Severity::Good, "two");
        assert_eq!(shown(&model), "(+1) one");
        for n in 0..40 {
            model.say(Severity::Bad, format!("failure {n}"));
        }
        assert_eq!(model.waiting_messages.len(), WAITING);
        assert_eq!(shown(&model), "(+16) failure 0");
    }
}
