//! The stack of open dialogs, the last one on top.

use std::any::Any;

use crate::tui::msg::{Effect, Ticket};

use super::{Dialog, Model};

impl dyn Dialog {
    /// The dialog, if it is of this kind.
    pub fn get<T: Dialog>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }

    /// The same, mutable.
    pub fn get_mut<T: Dialog>(&mut self) -> Option<&mut T> {
        (self as &mut dyn Any).downcast_mut()
    }
}

/// What happens to a dialog after one of its keys.
#[derive(Debug)]
pub enum After {
    /// It stays open.
    Stay(Vec<Effect>),
    /// It is closed.
    Close(Vec<Effect>),
}

impl After {
    /// The dialog stays open, and there is no effect.
    pub const STAY: Self = Self::Stay(Vec::new());
    /// The dialog is closed, and there is no effect.
    pub const CLOSE: Self = Self::Close(Vec::new());
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

    /// Takes the dialog on top off the stack, calls `f` with it, and puts it back on top.
    pub fn with_top<R>(&mut self, f: impl FnOnce(&mut dyn Dialog, &mut Self) -> R) -> Option<R> {
        let mut dialog = self.dialogs.pop()?;
        let result = f(&mut *dialog, self);
        self.dialogs.push(dialog);
        Some(result)
    }

    /// Takes the dialog on top off the stack and lets it act. A dialog that it opens is placed above it.
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

    /// Takes the first dialog of this kind for which `which` returns `true` off the stack, and calls `f` with it.
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

    /// The index on the stack of the dialog that waits for the reply to this ticket.
    pub fn waiting(&self, ticket: Ticket) -> Option<usize> {
        self.dialogs.iter().position(|dialog| dialog.awaits(ticket))
    }

    /// Whether the last message answers a key of the dialog on top and is shown below it.
    pub fn is_answered(&self) -> bool {
        self.dialogs.last().is_some_and(|dialog| dialog.answers_below())
            && self.status.as_ref().is_some_and(|status| status.depth == self.dialogs.len())
    }
}
