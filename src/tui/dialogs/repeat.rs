//! Confirms the repetition of a request.

use std::sync::Arc;

use crate::abi::argv_text;
use crate::abi::module::modprobe_argv;
use crate::abi::record::Kind;
use crate::abi::record::Record;
use crate::control::Command;
use crate::control::repeat::repeat;
use crate::control::text::mask::size;
use crate::control::text::outcome::{self, Severity};
use crate::tui::keymap::Context;
use crate::tui::model::{After, Dialog, Model, Pending};
use crate::tui::text;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

/// The confirmation before a request is submitted again.
#[derive(Debug)]
pub struct Repeat {
    /// The request that is repeated.
    pub record: Arc<Record>,
    /// The command that is submitted.
    pub command: Command,
    /// How far it is scrolled.
    pub scroll: usize,
}

impl Repeat {
    /// Makes the command from a record; the error says why it cannot be submitted again.
    fn of(record: Arc<Record>) -> Result<Self, String> {
        Ok(Self { command: repeat(&record)?, record, scroll: 0 })
    }
}

/// Opens the confirmation.
pub(super) fn open(model: &mut Model) {
    if model.refuses("repeating a request") {
        return;
    }
    let Some(record) = model.record_at_cursor() else { return };
    let id = record.id;
    match Repeat::of(record) {
        Ok(repeat) => model.open(repeat),
        Err(why) => model.say(Severity::Warned, format!("#{id} cannot be repeated from here: {why}")),
    }
}

impl Dialog for Repeat {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Confirm, Context::Anywhere]
    }

    /// Shows the request in full.
    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let r = &self.record;
        let mut sheet = Sheet::new(format!("Repeat the request #{}?", r.id), &model.theme, columns);
        sheet.scroll = self.scroll;
        let style = model.theme.text;
        match &self.command {
            Command::RequestModule { name, wait, .. } => {
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
                sheet
                    .say(&format!("helper {}, wait {}", text::screen(&call.path), call.wait.name()), model.theme.title);
                sheet.say_whole(&format!("argv {}", argv_text::join(r.argv())), style);
                let env: Vec<String> = call.env.iter().map(|e| text::screen(e)).collect();
                sheet.say(&format!("env {}", env.join(", ")), style);
                if let Some(own) = r.own.as_deref() {
                    let known = model.snapshot.known;
                    sheet.say(
                        &format!(
                            "own masks: bset {}, inheritable {}",
                            size(own.bset, known),
                            size(own.inheritable, known)
                        ),
                        style,
                    );
                }
                if r.timed_out {
                    sheet.say("without the timeout that it had", model.theme.warn);
                }
            }
            _ => {}
        }
        sheet.say("under the masks that are live now", model.theme.text);
        sheet.pinned.push(line(text::fit("enter repeats it, esc goes back", columns), style));
        sheet
    }

    fn accept(&mut self, model: &mut Model) -> After {
        let batch = model.open_batch(outcome::title(&self.record), 1);
        After::Close(vec![model.submit(Pending::Request(batch), self.command.clone())])
    }

    fn scroll(&mut self) -> Option<&mut usize> {
        Some(&mut self.scroll)
    }
}
