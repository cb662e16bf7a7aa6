//! The dialogs with a list: the gate, quitting with helpers alive.

use crate::tui::model::Model;
use crate::tui::model::dialog::{Quit, Quitting};
use crate::tui::model::masks::short;
use crate::tui::text;
use crate::tui::view::{knobs, running};

use crate::tui::widgets::lines::line;

use super::Sheet;

/// The choices, the chosen one marked.
fn choices(sheet: &mut Sheet, rows: [&str; 3], chosen: usize) {
    for (at, row) in rows.into_iter().enumerate() {
        sheet.choice(row, at == chosen);
    }
}

pub(super) fn gate(model: &Model, chosen: usize, columns: usize) -> Sheet {
    let mut sheet = Sheet::new("The gate: khelper.gate", &model.theme, columns);
    let calls = match model.snapshot.running_helpers {
        1 => "1 call".to_owned(),
        n => format!("{n} calls"),
    };
    let now = format!("now {}; {calls} in flight", knobs::gate(model));
    sheet.say(&now, model.theme.text);
    let rows = [
        "freeze and drain: refuse calls, readers wait",
        "disable and drain: refuse calls and readers",
        "enable: let calls pass",
    ];
    choices(&mut sheet, rows, chosen);
    sheet.say(
        "a drain waits up to 5 s for the calls in flight; if they hold out, the gate opens again",
        model.theme.dim,
    );
    sheet
}

pub(super) fn quit(model: &Model, quit: &Quit, columns: usize) -> Sheet {
    let s = &model.snapshot;
    let mut sheet = Sheet::new(format!("Quit? Not over: {}, live: {}", s.live_total, s.live), &model.theme, columns);
    let drafts: Vec<&str> = model.masks.changed(s).into_iter().map(short).collect();
    if !drafts.is_empty() && quit.stage == Quitting::Asking {
        sheet.say(&format!("a draft of {} is open: it will be lost", drafts.join(" and ")), model.theme.warn);
    }
    if s.live_total == 0 {
        sheet.title = "Quit?".to_owned();
        if drafts.is_empty() {
            sheet.say("no helper lives any more", model.theme.text);
        }
        sheet.pinned.push(line("enter quits, esc goes back", model.theme.text));
        return sheet;
    }
    match &quit.stage {
        Quitting::Asking => {
            let rows = [
                "wait: shut the gate, quit when none is left",
                "kill: TERM now, KILL 2 s later, then quit",
                "leave: quit now, they run on",
            ];
            choices(&mut sheet, rows, quit.choice);
            if quit.choice == 2 {
                let why = "those that are waited for lose their output: their next write may end them";
                sheet.say(why, model.theme.warn);
            }
        }
        Quitting::Waiting { .. } => {
            sheet.say("the gate is shut; quits when the last helper has ended (esc: back)", model.theme.warn);
        }
        Quitting::Killing { term, kill, .. } => {
            let sent =
                format!("TERM sent to {}, KILL to {}; quits when the last is gone (esc: back)", term.len(), kill.len());
            sheet.say(&sent, model.theme.bad);
        }
    }
    for live in &s.running {
        let row = format!("  {}", running::row(model, live, columns.saturating_sub(2)));
        sheet.lines.push(line(text::fit(&row, columns), model.theme.text));
    }
    let more = s.live_total.saturating_sub(s.running.len());
    if more > 0 {
        sheet.lines.push(line(text::fit(&format!("  … {more} more"), columns), model.theme.dim));
        sheet.stands_for = more - 1;
    }
    sheet
}
