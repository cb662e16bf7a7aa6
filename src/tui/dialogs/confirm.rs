//! A confirmation that stays open until its write is answered.

use std::fmt::Debug;

use crate::tui::keymap::Context;
use crate::tui::model::{After, Dialog, Model};
use crate::tui::msg::{Effect, Ticket};
use crate::tui::text;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

use super::frame;

/// What is asked, and what is submitted once it is confirmed.
pub trait Question: Debug + 'static {
    /// What the confirmation says, without the line about its keys.
    fn sheet(&self, model: &Model, columns: usize) -> Sheet;

    /// What its keys do: `enter resets, esc goes back`.
    fn keys(&self) -> &'static str;

    /// The write, or the reason why it cannot be made any more.
    fn submit(&self, model: &mut Model) -> Result<Effect, String>;
}

/// The confirmation of a question.
#[derive(Debug)]
pub struct Confirm<Q> {
    /// The question.
    pub question: Q,
    /// The ticket of the write in progress.
    ticket: Option<Ticket>,
    error: Option<String>,
    scroll: usize,
}

impl<Q> Confirm<Q> {
    /// Asks this question.
    pub const fn new(question: Q) -> Self {
        Self { question, ticket: None, error: None, scroll: 0 }
    }
}

impl<Q: Question> Dialog for Confirm<Q> {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Confirm, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = self.question.sheet(model, columns);
        sheet.scroll = self.scroll;
        let keys = if self.ticket.is_some() { "writing" } else { self.question.keys() };
        // On a small screen an error needs the room; the footer shows the keys.
        if self.error.is_none() || model.rows >= frame::TALL {
            sheet.pinned.extend(text::wrap(keys, columns).into_iter().map(|keys| line(keys, model.theme.text)));
        }
        sheet.wrong(self.error.as_ref());
        sheet
    }

    /// Submits the write, one at a time; the dialog stays open until the answer.
    fn accept(&mut self, model: &mut Model) -> After {
        if self.ticket.is_some() {
            return After::STAY;
        }
        match self.question.submit(model) {
            Ok(effect) => {
                (self.ticket, self.error) = (Some(model.last_ticket()), None);
                After::Stay(vec![effect])
            }
            Err(why) => {
                self.error = Some(why);
                After::STAY
            }
        }
    }

    fn scroll(&mut self) -> Option<&mut usize> {
        Some(&mut self.scroll)
    }

    fn awaits(&self, ticket: Ticket) -> bool {
        self.ticket == Some(ticket)
    }

    fn refused(&mut self, why: String) {
        (self.ticket, self.error) = (None, Some(why));
    }
}
