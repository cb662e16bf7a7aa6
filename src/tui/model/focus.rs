//! Where keys and pasted text are delivered.

use crate::tui::keymap::Context;

use super::tab::Tab;
use super::{Model, TextField};
use crate::tui::field::Field;

impl Model {
    /// The contexts that apply now, the nearest first.
    pub fn chain(&self) -> &'static [Context] {
        use Context::{Activity, Anywhere, Filter, Log, Masks, Overview, Rules, Screens, Text};
        if let Some(dialog) = self.dialogs.last() {
            return dialog.contexts(self);
        }
        let types = match self.tab {
            Tab::Overview | Tab::Rules => false,
            Tab::Masks => self.masks.filtering,
            Tab::Activity => self.activity.typing.is_some(),
            Tab::Log => self.log.typing,
        };
        match self.tab {
            _ if types => &[Text, Filter, Anywhere],
            Tab::Overview => &[Overview, Screens, Anywhere],
            Tab::Masks => &[Masks, Screens, Anywhere],
            Tab::Activity => &[Activity, Screens, Anywhere],
            Tab::Log => &[Log, Screens, Anywhere],
            Tab::Rules => &[Rules, Screens, Anywhere],
        }
    }

    /// How many fields the dialog on top has.
    pub fn fields(&self) -> usize {
        self.dialogs.last().map_or(0, |dialog| dialog.fields(self))
    }

    /// Calls `f` with the text field that has the focus. Returns `None` if none has.
    pub fn with_field<R>(&mut self, f: impl FnOnce(TextField<'_>) -> R) -> Option<R> {
        if self.dialogs.is_empty() {
            return self.filter().map(|field| f((field, None)));
        }
        self.with_top(|dialog, model| dialog.field(model).map(f)).flatten()
    }

    /// The filter that has the focus.
    fn filter(&mut self) -> Option<&mut Field> {
        match self.tab {
            Tab::Overview | Tab::Rules => None,
            Tab::Masks => self.masks.filtering.then_some(&mut self.masks.filter),
            Tab::Activity => self.activity.field(),
            Tab::Log => self.log.typing.then_some(&mut self.log.words),
        }
    }
}
