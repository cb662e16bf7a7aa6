//! The dialogs that take text: module, call, path.

use crate::abi::module::modprobe_argv;
use crate::tui::model::forms::{AT_ONCE_MAX, PathForm, WAITS};
use crate::tui::model::{Model, argv_text};
use crate::tui::text;

use super::Sheet;

pub(super) fn module(model: &Model, columns: usize) -> Sheet {
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

pub(super) fn call(model: &Model, columns: usize) -> Sheet {
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
    sheet.say("masks for this call alone; empty: the live ones", model.theme.dim);
    if let Ok(args) = args {
        let argv = argv_text::join(std::iter::once(form.path.bytes()).chain(args.iter().map(Vec::as_slice)));
        sheet.say_whole(&format!("argv: {argv}"), model.theme.text);
    }
    sheet
}

pub(super) fn path(model: &Model, form: &PathForm, columns: usize) -> Sheet {
    let mut sheet = Sheet::new("Edit kernel.modprobe", &model.theme, columns);
    sheet.error.clone_from(&form.error);
    sheet.field("path ", &form.path, true);
    let live = text::screen(&model.snapshot.knobs.modprobe);
    let live = if live.is_empty() { "(empty)".to_owned() } else { format!("`{live}`") };
    sheet.say(&format!("live: {live}; an empty path turns autoload off"), model.theme.text);
    if form.ticket.is_some() {
        sheet.say("writing it", model.theme.dim);
    }
    sheet
}
