//! Calls any helper. The fields are kept after the dialog closes.

use crate::abi::argv_text;
use crate::abi::escape::screen;
use crate::control::Command;
use crate::tui::keymap::Context;
use crate::tui::model::forms::{CallForm, WAITS};
use crate::tui::model::{After, Dialog, Model, Pending, TextField};
use crate::tui::widgets::sheet::Sheet;

/// The dialog.
#[derive(Debug)]
pub struct Call;

/// Opens it.
pub(super) fn open(model: &mut Model) {
    if !model.refuses("calling a helper") {
        model.call.open();
        model.open(Call);
    }
}

impl Dialog for Call {
    fn contexts(&self, model: &Model) -> &'static [Context] {
        match model.call.focus {
            2 => &[Context::Pick, Context::Form, Context::Anywhere],
            _ => &[Context::Text, Context::Form, Context::Anywhere],
        }
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let form = &model.call;
        let mut sheet = Sheet::new("Call a helper", &model.theme, columns);
        sheet.error.clone_from(&form.error);
        sheet.field("path       ", &form.path, form.focus == 0);
        sheet.field("arguments  ", &form.args, form.focus == 1);
        let args = argv_text::split(form.args.bytes());
        if let (Err(why), None) = (&args, &form.error) {
            sheet.below(why, model.theme.warn);
        }
        let wait = match form.wait % WAITS.len() {
            0 => "proc: until it has ended",
            1 => "exec: until exec is decided",
            _ => "none: once it is queued",
        };
        sheet.pick("wait       ", wait, form.focus == 2);
        sheet.field("bset       ", &form.masks[0], form.focus == 3);
        sheet.field("inheritable", &form.masks[1], form.focus == 4);
        sheet.say("masks for this call only; empty: the live masks", model.theme.dim);
        if let Ok(args) = args {
            let argv = argv_text::join(std::iter::once(form.path.bytes()).chain(args.iter().map(Vec::as_slice)));
            sheet.say_whole(&format!("argv: {argv}"), model.theme.text);
        }
        sheet
    }

    /// Calls the helper.
    fn accept(&mut self, model: &mut Model) -> After {
        let sendable = |call| model.link.unreachable().map_or(Ok(call), |why| Err((model.call.focus, why)));
        match model.call.check(model.snapshot.known).and_then(sendable) {
            Ok(call) => {
                model.call.error = None;
                let batch = model.open_batch(screen(&call.path), 1);
                After::Close(vec![model.submit(Pending::Request(batch), Command::Call(call))])
            }
            Err((field, why)) => {
                model.call.focus = field;
                model.call.error = Some(why);
                After::STAY
            }
        }
    }

    fn fields(&self, _: &Model) -> usize {
        CallForm::FIELDS
    }

    fn field<'a>(&'a mut self, model: &'a mut Model) -> Option<TextField<'a>> {
        let form = &mut model.call;
        let field = match form.focus {
            0 => &mut form.path,
            1 => &mut form.args,
            3 => &mut form.masks[0],
            4 => &mut form.masks[1],
            _ => return None,
        };
        Some((field, Some(&mut form.error)))
    }

    fn focus<'a>(&'a mut self, model: &'a mut Model) -> Option<(&'a mut usize, &'a mut Option<String>)> {
        Some((&mut model.call.focus, &mut model.call.error))
    }

    fn pick(&mut self, model: &mut Model, forward: bool) {
        if model.call.focus == 2 {
            let modes = WAITS.len();
            model.call.wait = (model.call.wait + if forward { 1 } else { modes - 1 }) % modes;
        }
    }
}
