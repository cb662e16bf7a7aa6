//! Chooses what to rehearse. The fields are kept after the dialog closes.

use crate::control::rehearsal::Run;
use crate::tui::keymap::{Action, Context};
use crate::tui::model::rehearse::Subject;
use crate::tui::model::{After, Dialog, Model, TextField};
use crate::tui::text;
use crate::tui::widgets::sheet::Sheet;

use super::rehearsal;

/// The dialog.
#[derive(Debug)]
pub struct Rehearse;

/// Opens the dialog.
pub(super) fn open(model: &mut Model) {
    if !model.refuses("rehearsing") {
        rehearsal::leave(model);
        model.rehearse.open();
        model.open(Rehearse);
    }
}

/// What will run, as far as the fields tell.
fn will_run(model: &Model) -> String {
    match (model.rehearse.check(&model.snapshot.knobs.modprobe), model.rehearse.subject) {
        (Ok(Run::Probe), _) => format!("{}: it only reports what a helper gets", Run::Probe.title()),
        (Ok(run), _) => run.title(),
        (Err(_), Subject::Modprobe) => format!("{} .. (a module)", text::screen(&model.snapshot.knobs.modprobe)),
        (Err(_), _) => "nothing yet: give its path".to_owned(),
    }
}

impl Dialog for Rehearse {
    fn contexts(&self, model: &Model) -> &'static [Context] {
        if model.rehearse.picks() {
            &[Context::Pick, Context::Form, Context::Anywhere]
        } else {
            &[Context::Text, Context::Form, Context::Anywhere]
        }
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let form = &model.rehearse;
        let mut sheet = Sheet::new("Rehearse: under the draft, then under the live masks", &model.theme, columns);
        let what = match form.subject {
            Subject::Probe => "the built-in probe",
            Subject::Modprobe => "modprobe, for a module",
            Subject::Program => "any program",
        };
        sheet.error.clone_from(&form.error);
        sheet.labelled("runs", &will_run(model), model.theme.title);
        let theme = &model.theme;
        sheet.pick("what     ", what, form.focus == 0);
        match form.subject {
            Subject::Probe => {}
            Subject::Modprobe => {
                sheet.field("module   ", &form.module, form.focus == 1);
                let dry = if form.dry { "no: -n, it only says what it would do" } else { "yes: really load it" };
                sheet.pick("load it  ", dry, form.focus == 2);
            }
            Subject::Program => {
                sheet.field("path     ", &form.path, form.focus == 1);
                sheet.field("arguments", &form.args, form.focus == 2);
            }
        }
        if form.subject != Subject::Probe && !(form.subject == Subject::Modprobe && form.dry) {
            let why = "it really runs, twice: the second run sees the changes of the first";
            sheet.say(why, model.theme.warn);
        }
        if model.link.is_real() {
            let words = "it runs in an engine of this khelper, under the kernel's masks and the draft: the kernel itself runs nothing";
            sheet.say(words, theme.warn);
        }
        if model.masks.changed(&model.snapshot).is_empty() {
            let key = model.keys.key(Action::Toggle);
            let words =
                format!("! the draft is the same as live, and a run proves nothing: first drop a capability ({key})");
            sheet.say(&words, theme.warn);
        } else if form.subject == Subject::Modprobe && form.dry {
            sheet.say("! a dry run needs no privilege, so this proves nothing: really load it", theme.warn);
        }
        sheet
    }

    /// Starts the run under the draft and opens the page that shows both.
    fn accept(&mut self, model: &mut Model) -> After {
        match model.rehearse.check(&model.snapshot.knobs.modprobe) {
            Ok(run) => {
                model.rehearse.error = None;
                let draft = model.masks.drafts();
                After::Close(rehearsal::open(model, run, draft))
            }
            Err((field, why)) => {
                model.rehearse.focus = field;
                model.rehearse.error = Some(why);
                After::STAY
            }
        }
    }

    fn fields(&self, model: &Model) -> usize {
        model.rehearse.fields()
    }

    fn field<'a>(&'a mut self, model: &'a mut Model) -> Option<TextField<'a>> {
        model.rehearse.field()
    }

    fn focus<'a>(&'a mut self, model: &'a mut Model) -> Option<(&'a mut usize, &'a mut Option<String>)> {
        Some((&mut model.rehearse.focus, &mut model.rehearse.error))
    }

    fn pick(&mut self, model: &mut Model, forward: bool) {
        if model.rehearse.picks() {
            model.rehearse.pick(forward);
        }
    }
}
