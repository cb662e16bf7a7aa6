//! The command line: a typed command acts like its key, or is submitted.

use clap::error::ErrorKind;

use crate::abi::argv_text;
use crate::abi::escape::screen;
use crate::abi::escape::screen_again;
use crate::tui::field::Field;
use crate::tui::keymap::Context;
use crate::tui::line_history;
use crate::tui::model::{After, Dialog, Model, TextField};
use crate::tui::msg::{Effect, Ticket};
use crate::tui::widgets::sheet::Sheet;
use crate::verbs::verb::Line;

use super::page;
use super::perform::perform;

/// The most completions that are listed.
const LISTED: usize = 60;

/// The dialog.
#[derive(Debug)]
pub struct CommandLine;

/// Opens an empty command line.
pub(super) fn open(model: &mut Model) {
    model.line.open();
    model.open(CommandLine);
}

/// Opens it with the beginning of a command.
pub fn open_with(model: &mut Model, begin: &[u8]) {
    open(model);
    model.line.typed = Field::new(begin);
    model.line.changed();
}

const fn ticket(effect: &Effect) -> Option<Ticket> {
    match effect {
        Effect::Submit { ticket, .. } => Some(*ticket),
        _ => None,
    }
}

fn wrong(model: &mut Model, why: String) -> After {
    model.line.error = Some(why);
    After::STAY
}

/// The lines of clap's error message; clap repeats hostile input.
fn complaint(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "give a command: tab shows them, `help` explains them".to_owned();
    }
    let text = error.render().to_string();
    // The program's name is empty here, so clap's usage line says nothing.
    let says_nothing = |line: &str| ["For more information", "Usage: : <"].iter().any(|start| line.starts_with(start));
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !says_nothing(line));
    let lines = lines.map(|line| screen_again(line.trim_end().trim_start_matches("error: ")));
    lines.collect::<Vec<_>>().join("\n")
}

impl Dialog for CommandLine {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Text, Context::Line, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Command: tab completes, up recalls", &model.theme, columns);
        let typed = &model.line;
        if !typed.asked.is_empty() {
            sheet.say("waiting for the answer; esc closes this line", model.theme.dim);
        } else if typed.candidates.is_empty() {
            let words = "set, get, request, run, probe, rehearse, ps, gate, kill, ..; help explains them";
            sheet.say(words, model.theme.dim);
        } else {
            let mut words = typed.candidates.iter().take(LISTED).cloned().collect::<Vec<_>>();
            if let more @ 1.. = typed.candidates.len().saturating_sub(LISTED) {
                words.push(format!("… {more} more"));
            }
            sheet.say(&words.join("  "), model.theme.text);
        }
        sheet.pinned_field("", &typed.typed);
        sheet.wrong(typed.error.as_ref());
        sheet
    }

    /// Runs the typed command. The line stays open until the command is answered, and stays with the error if the
    /// command is invalid or refused. If it only makes requests, it closes at once: messages report their results.
    fn accept(&mut self, model: &mut Model) -> After {
        if !model.line.asked.is_empty() {
            return After::STAY;
        }
        let bytes = model.line.typed.bytes().to_vec();
        let words = match argv_text::split(&bytes) {
            Ok(words) if words.is_empty() => return After::CLOSE,
            Ok(words) => words,
            Err(why) => return wrong(model, why),
        };
        let done = match Line::read(words) {
            Ok(line) => perform(model, &line.verb),
            Err(help) if help.kind() == ErrorKind::DisplayHelp => {
                let lines = help.render().to_string().lines().map(|line| screen(line.as_bytes())).collect();
                page::open(model, "What the commands do", lines);
                Ok(After::CLOSE)
            }
            Err(error) => Err(complaint(&error)),
        };
        let mut after = match done {
            Ok(after) => after,
            Err(why) => return wrong(model, why),
        };
        line_history::push(&mut model.line.history, &bytes);
        if let After::Stay(effects) = &after {
            model.line.asked = effects.iter().filter_map(ticket).collect();
            model.line.error = None;
        }
        let (After::Stay(effects) | After::Close(effects)) = &mut after;
        effects.push(Effect::Remember(bytes));
        after
    }

    fn dismiss(&mut self, model: &mut Model) -> After {
        model.line.leave();
        After::CLOSE
    }

    fn field<'a>(&'a mut self, model: &'a mut Model) -> Option<TextField<'a>> {
        model.line.changed();
        Some((&mut model.line.typed, Some(&mut model.line.error)))
    }
}
