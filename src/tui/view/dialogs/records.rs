//! The dialogs of the screen Activity.

use crate::abi::module::modprobe_argv;
use crate::abi::record::Kind;
use crate::control::Command;
use crate::tui::model::masks::size;
use crate::tui::model::records::{CopyRecord, Kill, Repeat, SaveForm, Saving};
use crate::tui::model::{Model, argv_text};
use crate::tui::text;
use crate::tui::view::detail;

use crate::tui::widgets::lines::line;

use super::Sheet;

pub(super) fn page(model: &Model, scroll: usize, columns: usize) -> Sheet {
    let Some(record) = model.activity.detail() else {
        let mut sheet = Sheet::new("A record", &model.theme, columns);
        sheet.say("reading", model.theme.dim);
        return sheet;
    };
    let mut sheet = Sheet::new(detail::title(record), &model.theme, columns);
    sheet.lines = detail::lines(model, record, columns);
    sheet.scroll = scroll;
    sheet
}

pub(super) fn kill(model: &Model, kill: &Kill, columns: usize) -> Sheet {
    let mut sheet = Sheet::new(format!("Kill the helper of #{}?", kill.id), &model.theme, columns);
    sheet.say(&format!("{} (pid {}) and its group", kill.title, kill.pid), model.theme.title);
    sheet.choice("TERM: it may clean up, or refuse", kill.choice == 0);
    sheet.choice("KILL: it ends at once", kill.choice == 1);
    if kill.had_term {
        sheet.say("TERM was sent, and it lives on", model.theme.warn);
    }
    sheet.pinned.push(line(text::fit("enter sends it, esc goes back", columns), model.theme.text));
    sheet
}

/// Every word of what will be asked for.
pub(super) fn repeat(model: &Model, repeat: &Repeat, columns: usize) -> Sheet {
    let r = &repeat.record;
    let mut sheet = Sheet::new(format!("Ask for the same as #{} again?", r.id), &model.theme, columns);
    sheet.scroll = repeat.scroll;
    let style = model.theme.text;
    match &repeat.command {
        Command::RequestModule { name, wait } => {
            let argv = argv_text::join(modprobe_argv(&model.snapshot.knobs.modprobe, name));
            sheet.say(
                &format!("module {}, wait {}", text::screen(name), if *wait { "proc" } else { "exec" }),
                model.theme.title,
            );
            sheet.say_whole(&format!("runs {argv}"), style);
            if r.path != model.snapshot.knobs.modprobe && r.kind == Kind::Module {
                sheet.say(&format!("then it was `{}`", text::screen(&r.path)), model.theme.warn);
            }
        }
        Command::Call(call) => {
            sheet.say(&format!("helper {}, wait {}", text::screen(&call.path), call.wait.name()), model.theme.title);
            sheet.say_whole(&format!("argv {}", argv_text::join(r.argv())), style);
            let env: Vec<String> = call.env.iter().map(|e| text::screen(e)).collect();
            sheet.say(&format!("env {}", env.join(", ")), style);
            if let Some(own) = r.own.as_deref() {
                let known = model.snapshot.known;
                sheet
                    .say(&format!("own masks: bset {}, inheritable {}", size(own.0, known), size(own.1, known)), style);
            }
            if r.timed_out {
                sheet.say("without the time-out that it had", model.theme.warn);
            }
        }
        _ => {}
    }
    sheet.say("under the masks that are live now", model.theme.text);
    sheet.pinned.push(line(text::fit("enter asks, esc goes back", columns), style));
    sheet
}

pub(super) fn copy(model: &Model, copy: &CopyRecord, columns: usize) -> Sheet {
    let mut sheet = Sheet::new(format!("Copy #{} as", copy.record.id), &model.theme, columns);
    for (at, form) in CopyRecord::FORMS.into_iter().enumerate() {
        sheet.choice(form, copy.choice == at);
    }
    sheet.pinned.push(line(text::fit("enter copies it, by OSC 52", columns), model.theme.dim));
    sheet
}

pub(super) fn save(model: &Model, form: &SaveForm, columns: usize) -> Sheet {
    let mut sheet = Sheet::new("Save records, as JSON lines", &model.theme, columns);
    if let Saving::Asking(existing) = &form.stage {
        sheet.title = "Replace the file?".to_owned();
        sheet.say(&format!("its {} bytes would be lost; there already is", existing.bytes), model.theme.bad);
        sheet.say(&format!("`{}`", text::screen(form.path.bytes())), model.theme.title);
        sheet.pinned.push(line(text::fit("enter replaces it, esc goes back", columns), model.theme.text));
        return sheet;
    }
    sheet.error.clone_from(&form.error);
    sheet.field("file ", &form.path, form.focus == 0 && !matches!(form.stage, Saving::Writing(_)));
    let matched = model.activity.answer.matched;
    let what = match &form.record {
        Some(record) if !form.all => format!("#{} alone", record.id),
        _ => format!("all that match ({matched})"),
    };
    sheet.pick("what ", &what, form.focus == 1);
    match form.stage {
        Saving::Writing(_) => sheet.say("writing it", model.theme.dim),
        _ => sheet.say("one object a line, as `--json` prints them; for your eyes alone (0600)", model.theme.dim),
    }
    sheet
}
