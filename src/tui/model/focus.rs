//! Where keys and pasted text go.

use crate::tui::keymap::Context;

use super::dialog::{Dialog, Quitting};
use super::field::Field;
use super::forms::{CallForm, ModuleForm};
use super::records::{SaveForm, Saving};
use super::{Model, Tab};

impl Model {
    /// Where keys mean something now, the nearest context first.
    pub fn chain(&self) -> &'static [Context] {
        use Context::{Activity, Detail, Kill, Log};
        use Context::{
            Anywhere, Choices, Confirm, Filter, Form, Gate, Help, Line, Masks, Page, Pick, Quit, Screens, Text,
        };
        match self.dialogs.last() {
            None if self.tab == Tab::Activity && self.activity.typing.is_some() => &[Text, Filter, Anywhere],
            None if self.tab == Tab::Activity => &[Activity, Screens, Anywhere],
            None if self.tab == Tab::Log && self.log.typing => &[Text, Filter, Anywhere],
            None if self.tab == Tab::Log => &[Log, Screens, Anywhere],
            Some(Dialog::Detail(_)) => &[Detail, Anywhere],
            Some(Dialog::Kill(_)) => &[Kill, Choices, Anywhere],
            Some(Dialog::CopyRecord(_)) => &[Choices, Anywhere],
            Some(Dialog::Repeat(_)) => &[Confirm, Anywhere],
            Some(Dialog::Save(form)) if matches!(form.stage, Saving::Asking(_)) => &[Confirm, Anywhere],
            Some(Dialog::Save(form)) if form.focus == 1 => &[Pick, Form, Anywhere],
            Some(Dialog::Save(_)) => &[Text, Form, Anywhere],
            None if self.tab == Tab::Masks && self.masks.filtering => &[Text, Filter, Anywhere],
            None if self.tab == Tab::Masks => &[Masks, Screens, Anywhere],
            None => &[Screens, Anywhere],
            Some(Dialog::Module) if self.module.focus == 1 => &[Pick, Form, Anywhere],
            Some(Dialog::Call) if self.call.focus == 2 => &[Pick, Form, Anywhere],
            Some(Dialog::Line) => &[Text, Line, Anywhere],
            Some(Dialog::Rehearse) if self.rehearse.picks() => &[Pick, Form, Anywhere],
            Some(Dialog::Module | Dialog::Call | Dialog::Rehearse | Dialog::Path(_)) => &[Text, Form, Anywhere],
            Some(Dialog::Gate(_)) => &[Gate, Choices, Anywhere],
            Some(Dialog::Presets(_) | Dialog::Copy(_)) => &[Choices, Anywhere],
            Some(Dialog::Quit(quit)) if quit.stage == Quitting::Asking && self.snapshot.live_total == 0 => {
                &[Confirm, Anywhere]
            }
            Some(Dialog::Quit(quit)) if quit.stage == Quitting::Asking => &[Quit, Choices, Anywhere],
            Some(Dialog::Quit(_) | Dialog::Rehearsal(_) | Dialog::Forms(_) | Dialog::Page(_)) => &[Page, Anywhere],
            Some(Dialog::Apply(apply)) if !apply.phrase.is_empty() => &[Text, Confirm, Anywhere],
            Some(Dialog::Apply(_) | Dialog::Reset(_)) => &[Confirm, Anywhere],
            Some(Dialog::Help(_)) => &[Text, Help, Anywhere],
        }
    }

    /// How many fields the dialog on top has.
    pub fn fields(&self) -> usize {
        match self.dialogs.last() {
            Some(Dialog::Module) => ModuleForm::FIELDS,
            Some(Dialog::Call) => CallForm::FIELDS,
            Some(Dialog::Rehearse) => self.rehearse.fields(),
            Some(Dialog::Save(_)) => SaveForm::FIELDS,
            Some(Dialog::Path(_)) => 1,
            _ => 0,
        }
    }

    /// The field of text under the cursor, and where to say what is wrong with it.
    pub fn field(&mut self) -> Option<(&mut Field, Option<&mut Option<String>>)> {
        if self.dialogs.is_empty() && self.tab == Tab::Masks && self.masks.filtering {
            return Some((&mut self.masks.filter, None));
        }
        if self.dialogs.is_empty() && self.tab == Tab::Activity {
            return self.activity.field().map(|field| (field, None));
        }
        if self.dialogs.is_empty() && self.tab == Tab::Log && self.log.typing {
            return Some((&mut self.log.words, None));
        }
        match self.dialogs.last_mut()? {
            Dialog::Module => {
                let form = &mut self.module;
                let field = match form.focus {
                    0 => &mut form.name,
                    2 => &mut form.count,
                    _ => return None,
                };
                Some((field, Some(&mut form.error)))
            }
            Dialog::Call => {
                let form = &mut self.call;
                let field = match form.focus {
                    0 => &mut form.path,
                    1 => &mut form.args,
                    3 => &mut form.masks[0],
                    4 => &mut form.masks[1],
                    _ => return None,
                };
                Some((field, Some(&mut form.error)))
            }
            Dialog::Line => {
                self.line.changed();
                Some((&mut self.line.typed, Some(&mut self.line.error)))
            }
            Dialog::Rehearse => self.rehearse.field(),
            Dialog::Save(form) if form.focus == 0 && matches!(form.stage, Saving::Typing) => {
                Some((&mut form.path, Some(&mut form.error)))
            }
            Dialog::Path(form) => Some((&mut form.path, Some(&mut form.error))),
            Dialog::Apply(apply) if !apply.phrase.is_empty() => Some((&mut apply.typed, Some(&mut apply.error))),
            Dialog::Help(help) => {
                help.scroll = 0;
                Some((&mut help.search, Some(&mut help.error)))
            }
            _ => None,
        }
    }
}
