//! Requests a module. The fields are kept after the dialog closes.

use crate::abi::argv_text;
use crate::abi::module::modprobe_argv;
use crate::control::Command;
use crate::tui::keymap::Context;
use crate::tui::model::forms::{AT_ONCE_MAX, ModuleForm};
use crate::tui::model::{After, Dialog, Model, Pending, TextField};
use crate::tui::widgets::sheet::Sheet;

/// The dialog.
#[derive(Debug)]
pub struct Module;

/// Opens it.
pub(super) fn open(model: &mut Model) {
    if !model.refuses("asking for a module") {
        model.module.open();
        model.open(Module);
    }
}

impl Dialog for Module {
    fn contexts(&self, model: &Model) -> &'static [Context] {
        match model.module.focus {
            1 => &[Context::Pick, Context::Form, Context::Anywhere],
            _ => &[Context::Text, Context::Form, Context::Anywhere],
        }
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let form = &model.module;
        let mut sheet = Sheet::new("Ask for a module", &model.theme, columns);
        sheet.error.clone_from(&form.error);
        sheet.field("name       ", &form.name, form.focus == 0);
        let wait = if form.wait { "yes: until modprobe has ended" } else { "no: until exec is decided" };
        sheet.pick("wait       ", wait, form.focus == 1);
        sheet.field("how many   ", &form.count, form.focus == 2);
        let modprobe = &model.snapshot.knobs.modprobe;
        if modprobe.is_empty() {
            sheet.say("kernel.modprobe is empty: nothing will run", model.theme.warn);
        } else {
            let name = if form.name.is_empty() { b"NAME" } else { form.name.bytes() };
            let argv = argv_text::join(modprobe_argv(modprobe, name));
            sheet.say_whole(&format!("runs {argv}"), model.theme.text);
        }
        sheet.say(&format!("at once: 1 to {AT_ONCE_MAX}"), model.theme.dim);
        sheet
    }

    /// Submits the request, as many times at once as the field says.
    fn accept(&mut self, model: &mut Model) -> After {
        let (name, count) = match model.module.check() {
            Ok(checked) => checked,
            Err((field, why)) => {
                model.module.focus = field;
                model.module.error = Some(why);
                return After::STAY;
            }
        };
        model.module.used();
        let batch = model.open_batch(name.to_string(), count);
        let wait = model.module.wait;
        let request = |_| {
            let command = Command::RequestModule { name: name.as_bytes().to_vec(), wait };
            model.submit(Pending::Request(batch), command)
        };
        After::Close((0..count).map(request).collect())
    }

    fn fields(&self, _: &Model) -> usize {
        ModuleForm::FIELDS
    }

    fn field<'a>(&'a mut self, model: &'a mut Model) -> Option<TextField<'a>> {
        let form = &mut model.module;
        let field = match form.focus {
            0 => &mut form.name,
            2 => &mut form.count,
            _ => return None,
        };
        Some((field, Some(&mut form.error)))
    }

    fn focus<'a>(&'a mut self, model: &'a mut Model) -> Option<(&'a mut usize, &'a mut Option<String>)> {
        Some((&mut model.module.focus, &mut model.module.error))
    }

    fn pick(&mut self, model: &mut Model, _: bool) {
        if model.module.focus == 1 {
            model.module.wait ^= true;
        }
    }
}
