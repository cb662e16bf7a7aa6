//! The dialogs that stand in front of the screen, the last one on top.

use std::any::Any;

use crate::tui::msg::{Effect, Ticket};

use super::{After, Dialog, Model};

impl dyn Dialog {
    /// The dialog, if it is of this kind.
    pub fn get<T: Dialog>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }

    /// The same, to be changed.
    pub fn get_mut<T: Dialog>(&mut self) -> Option<&mut T> {
        (self as &mut dyn Any).downcast_mut()
    }
}

impl Model {
    /// Puts a dialog on top.
    pub fn open(&mut self, dialog: impl Dialog) {
        self.dialogs.push(Box::new(dialog));
    }

    /// The dialog on top, if it is of this kind.
    pub fn top<T: Dialog>(&self) -> Option<&T> {
        self.dialogs.last()?.get()
    }

    /// Hands the dialog on top to `f`, off the stack for so long; then it is on top again.
    pub fn with_top<R>(&mut self, f: impl FnOnce(&mut dyn Dialog, &mut Self) -> R) -> Option<R> {
        let mut dialog = self.dialogs.pop()?;
        let result = f(&mut *dialog, self);
        self.dialogs.push(dialog);
        Some(result)
    }

    /// Lets the dialog on top act, off the stack for so long. What it opens stands above it.
    pub fn act_on_top(&mut self, act: impl FnOnce(&mut dyn Dialog, &mut Self) -> After) -> Vec<Effect> {
        let Some(mut dialog) = self.dialogs.pop() else { return Vec::new() };
        let at = self.dialogs.len();
        match act(&mut *dialog, self) {
            After::Stay(effects) => {
                self.dialogs.insert(at, dialog);
                effects
            }
            After::Close(effects) => effects,
        }
    }

    /// Hands the first dialog of this kind for which `which` holds to `f`, off the stack for so long.
    pub fn with_dialog<T: Dialog, R>(
        &mut self,
        which: impl Fn(&T) -> bool,
        f: impl FnOnce(&mut T, &mut Self) -> R,
    ) -> Option<R> {
        let at = self.dialogs.iter().position(|dialog| dialog.get().is_some_and(&which))?;
        let mut dialog = self.dialogs.remove(at);
        let result = dialog.get_mut().map(|dialog| f(dialog, self));
        self.dialogs.insert(at, dialog);
        result
    }

    /// Where on the stack the dialog is that waits for the reply to this ticket.
    pub fn waiting(&self, ticket: Ticket) -> Option<usize> {
        self.dialogs.iter().position(|dialog| dialog.awaits(ticket))
    }

    /// Whether the last message answers a key of the dialog on top and stands below it.
    pub fn is_answered(&self) -> bool {
        self.dialogs.last().is_some_and(|dialog| dialog.answers_below())
            && self.status.as_ref().is_some_and(|status| status.depth == self.dialogs.len())
    }
}
