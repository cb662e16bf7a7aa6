//! Requests a module. The fields are kept after the dialog closes.

use ratatui::style::Style;

use crate::abi::argv_text;
use crate::abi::module::modprobe_argv;
use crate::control::Command;
use crate::control::modules::{Candidate, Found, NameKind};
use crate::tui::keymap::Context;
use crate::tui::model::forms::{AT_ONCE_MAX, ModuleForm};
use crate::tui::model::modules::Offered;
use crate::tui::model::{After, Dialog, Model, Pending, TextField};
use crate::tui::text;
use crate::tui::theme::Theme;
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

/// With fewer rows than this, there is no room for a list of names.
const LISTS: u16 = 20;

/// The names that begin with what is typed, below the field.
fn names(sheet: &mut Sheet, model: &Model) {
    let theme = &model.theme;
    if let Some(host) = model.link.info.host().filter(|_| model.rows >= LISTS) {
        return sheet.below_at(14, &format!("no completion: the modules of {host} are not known here"), theme.dim);
    }
    let Some(Offered { names, choice, found }) = model.modules.offered(&model.module.name) else { return };
    let most = if model.rows < LISTS { 1 } else { usize::from(model.rows / 6) };
    // The chosen one is always among those that are shown.
    let from = (choice + 1).saturating_sub(most);
    let shown = names.iter().enumerate().skip(from).take(most);
    let width = names.iter().skip(from).take(most).map(|one| text::width(&text::screen(&one.name))).max().unwrap_or(0);
    for (at, name) in shown {
        let note = match &name.kind {
            NameKind::Loadable => String::new(),
            NameKind::Loaded => "loaded".to_owned(),
            NameKind::BuiltIn => "built in".to_owned(),
            NameKind::Alias(module) => format!("alias of {}", text::screen(module)),
        };
        let (mark, style) = if at == choice { ('>', theme.selected) } else { (' ', theme.text) };
        let row = format!("{mark} {}  {note}", text::pad(&text::screen(&name.name), width));
        let row = text::pad(&text::fit(&row, sheet.columns.saturating_sub(14)), sheet.columns.saturating_sub(14));
        sheet.below_at(14, &row, style);
    }
    let more = names.len().saturating_sub(from + most);
    let words = match (&found.trouble, more) {
        _ if model.rows < LISTS => return,
        (Some(why), _) if names.is_empty() => format!("no completion: {why}"),
        (Some(why), _) => format!("{more} more; not all were read: {why}"),
        (None, _) if names.is_empty() => "no module and no plain alias begins with this".to_owned(),
        (None, 0) => "tab takes the chosen one, ctrl-n the next".to_owned(),
        (None, more) => {
            let least = if found.more { " or more" } else { "" };
            format!("{more}{least} more; tab takes the chosen one, ctrl-n the next")
        }
    };
    // The dialog keeps its size while the list becomes shorter.
    let blank = if found.trouble.is_some() { 0 } else { most.saturating_sub(names.len().saturating_sub(from)) };
    for part in text::wrap(&words, sheet.columns.saturating_sub(14)) {
        sheet.below_at(14, &part, theme.dim);
    }
    for _ in 0..blank {
        sheet.below_at(0, "", theme.text);
    }
}

/// The modules that a whole name stands for.
fn stands_for(found: &Found, theme: &Theme) -> (String, Style) {
    let of = |module: &Candidate| {
        let note = match module.kind {
            NameKind::Loaded => ", loaded",
            NameKind::BuiltIn => ", built in: nothing to load",
            _ => "",
        };
        format!("{}{note}", text::screen(&module.name))
    };
    match &found.stands_for[..] {
        [] if found.trouble.is_some() => ("stands for: not known, the index cannot be read".to_owned(), theme.dim),
        [] => ("stands for no module: no module and no alias has this name".to_owned(), theme.warn),
        all => (format!("stands for {}", all.iter().map(of).collect::<Vec<_>>().join("; ")), theme.text),
    }
}

impl Dialog for Module {
    fn contexts(&self, model: &Model) -> &'static [Context] {
        match model.module.focus {
            1 => &[Context::Pick, Context::Form, Context::Anywhere],
            0 if model.modules.completes(&model.module.name).is_some() => {
                &[Context::Text, Context::Names, Context::Anywhere]
            }
            _ => &[Context::Text, Context::Form, Context::Anywhere],
        }
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let form = &model.module;
        let mut sheet = Sheet::new("Ask for a module", &model.theme, columns);
        sheet.error.clone_from(&form.error);
        sheet.field("name       ", &form.name, form.focus == 0);
        if form.focus == 0 {
            names(&mut sheet, model);
        }
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
            if let Some(found) = model.modules.of(form.name.bytes()).filter(|_| model.rows >= LISTS) {
                let (words, style) = stands_for(found, &model.theme);
                sheet.say(&words, style);
            }
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
        if let Some(why) = model.link.unreachable() {
            model.module.error = Some(why);
            return After::STAY;
        }
        model.module.used();
        let batch = model.open_batch(name.to_string(), count);
        let wait = model.module.wait;
        let request = |_| {
            let command = Command::RequestModule { name: name.as_bytes().to_vec(), wait, profile: None };
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
            0 => {
                model.modules.choice = 0;
                &mut form.name
            }
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
