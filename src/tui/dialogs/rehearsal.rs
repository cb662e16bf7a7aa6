//! A rehearsal: both runs side by side, and what differs.

use ratatui::style::Style;

use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::escape::screen_again;
use crate::abi::mask::names;
use crate::abi::record::Record;
use crate::control::Reply;
use crate::control::rehearsal::{Rehearsal, Rehearsed, Run};
use crate::control::text::mask::brief;
use crate::control::text::outcome::{Severity, ended_in_words, ended_with_time, masks_and_root};
use crate::control::text::rehearsal::{SETS, compare as compare_runs, differences};
use crate::tui::keymap::Context;
use crate::tui::model::masks::{KNOBS, live, short};
use crate::tui::model::{After, Dialog, Model, Pending};
use crate::tui::msg::{Effect, Ticket};
use crate::tui::text;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

/// The page that shows a rehearsal.
#[derive(Debug)]
pub struct RehearsalPage {
    /// Both runs.
    pub rehearsal: Rehearsal,
    /// How far it is scrolled.
    pub scroll: usize,
}

/// The number of output lines shown, the last ones.
const WROTE: usize = 6;
/// The width of the name's column, with a blank.
const NAME: usize = 12;
/// With fewer columns than this, one run is shown below the other.
const BESIDE: usize = 56;

/// Starts the run under the draft masks, and opens the page that shows it and the run under the live masks.
pub(super) fn open(model: &mut Model, run: Run, draft: [CapMask; 2]) -> Vec<Effect> {
    let effect = model.submit(Pending::Rehearsal, run.command(Some(draft)));
    let rehearsal = Rehearsal::started(run, draft, model.last_ticket());
    model.open(RehearsalPage { rehearsal, scroll: 0 });
    vec![effect]
}

/// Stores the answer to a run and submits the next run, unless the page was closed.
pub fn answered(model: &mut Model, ticket: Ticket, reply: Result<Reply, ControlError>) -> Vec<Effect> {
    let answered = |page: &mut RehearsalPage, model: &mut Model| {
        let command = page.rehearsal.answered(ticket, reply, model.last_ticket() + 1)?;
        Some(model.submit(Pending::Rehearsal, command))
    };
    let next = model.with_dialog(|page: &RehearsalPage| page.awaits(ticket), answered);
    next.flatten().into_iter().collect()
}

impl Dialog for RehearsalPage {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Page, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let rehearsal = &self.rehearsal;
        let mut sheet =
            Sheet::new(format!("Rehearsal, nothing is applied: {}", rehearsal.run.title()), &model.theme, columns);
        sheet.scroll = self.scroll;
        for knob in KNOBS {
            let words = brief(live(&model.snapshot, knob), rehearsal.draft[knob as usize]);
            sheet.say(&format!("{} live -> draft: {words}", short(knob)), model.theme.draft);
        }
        for (name, run) in ["draft", "live"].into_iter().zip(&rehearsal.runs) {
            state(model, &mut sheet, name, run);
        }
        match [&rehearsal.runs[0], &rehearsal.runs[1]].map(Rehearsed::record) {
            [Some(draft), Some(live)] => {
                compare(model, &mut sheet, draft, live, matches!(rehearsal.run, Run::Probe));
                sets(model, &mut sheet, "under draft", draft);
            }
            [Some(record), None] => sets(model, &mut sheet, "under draft", record),
            [None, Some(record)] => sets(model, &mut sheet, "under live", record),
            [None, None] => {}
        }
        if model.snapshot.uid == 0 {
            sheet.say(&format!("! {}", masks_and_root(columns.saturating_sub(2))), model.theme.warn);
        }
        if !matches!(rehearsal.run, Run::Probe) {
            for (name, run) in ["draft", "live"].into_iter().zip(&rehearsal.runs) {
                wrote(model, &mut sheet, name, run);
            }
        }
        sheet
    }

    /// Closes the page, and says in a message which run is still running.
    fn dismiss(&mut self, model: &mut Model) -> After {
        let what = match &self.rehearsal.runs {
            [Rehearsed::Running(_), _] => {
                "the run under the draft continues (see Activity); the run under the live masks will not start"
            }
            [_, Rehearsed::Running(_)] => "the run under the live masks continues (see Activity)",
            _ => return After::CLOSE,
        };
        model.say(Severity::Warned, format!("rehearsal of {} left: {what}", self.rehearsal.run.title()));
        After::CLOSE
    }

    fn scroll(&mut self) -> Option<&mut usize> {
        Some(&mut self.scroll)
    }

    fn awaits(&self, ticket: Ticket) -> bool {
        self.rehearsal.has(ticket)
    }
}

/// The state of one run, or its outcome.
fn state(model: &Model, sheet: &mut Sheet, name: &str, run: &Rehearsed) {
    match run {
        Rehearsed::Waiting => sheet.say(&format!("under {name}: waiting for the other run"), model.theme.dim),
        Rehearsed::Running(_) => sheet.say(&format!("under {name}: running"), model.theme.dim),
        Rehearsed::Failed(why) => sheet.say(&format!("under {name}: ✗ not run: {why}"), model.theme.bad),
        Rehearsed::Ended(record) => {
            let style = model.theme.mood(ended_in_words(record).mood);
            sheet.say(&format!("under {name}: #{} {}", record.id, ended_with_time(record)), style);
            if let Some(why) = record.why().filter(|_| record.caps.is_none()) {
                sheet.say(&format!("  {}", screen_again(&why)), style);
            }
        }
    }
}

/// The differences in words, then both runs side by side.
fn compare(model: &Model, sheet: &mut Sheet, draft: &Record, live: &Record, probe: bool) {
    let differ = differences(draft, live, probe);
    if differ.is_empty() {
        sheet.say("= no difference except the elapsed time", model.theme.good);
    }
    for what in differ {
        sheet.say(&format!("≠ under draft: {what}"), model.theme.draft);
    }
    beside(sheet, "", "draft", "live", model.theme.title);
    for fact in compare_runs(draft, live, model.snapshot.known) {
        let style = if fact.draft == fact.live { model.theme.text } else { model.theme.draft };
        beside(sheet, fact.name, &fact.draft, &fact.live, style);
    }
}

/// A name and two values, wrapped in their columns; one below the other if there is no room.
fn beside(sheet: &mut Sheet, name: &str, draft: &str, live: &str, style: Style) {
    if sheet.columns < BESIDE {
        if !name.is_empty() {
            let same = if draft == live { draft.to_owned() } else { format!("{draft} | {live}") };
            sheet.say(&format!("{name}: {same}"), style);
        }
        return;
    }
    let column = (sheet.columns - NAME) / 2;
    let (left, right) = (text::wrap(draft, column - 1), text::wrap(live, column - 1));
    for at in 0..left.len().max(right.len()) {
        let cell = |lines: &[String]| lines.get(at).cloned().unwrap_or_default();
        let name = if at == 0 { name } else { "" };
        let row = format!("{}{}{}", text::pad(name, NAME), text::pad(&cell(&left), column), cell(&right));
        sheet.lines.push(line(row.trim_end(), style));
    }
}

/// The five sets by name; equal sets share a line.
fn sets(model: &Model, sheet: &mut Sheet, name: &str, record: &Record) {
    let Some(sets) = record.caps.as_deref() else {
        if record.pid.is_some() {
            sheet.say(&format!("{name}, all sets: unknown, its /proc status could not be read"), model.theme.warn);
        }
        return;
    };
    let mut alike: Vec<(CapMask, Vec<&str>)> = Vec::new();
    for (set, of) in SETS {
        match alike.iter_mut().find(|(mask, _)| *mask == of(sets)) {
            Some((_, names)) => names.push(set),
            None => alike.push((of(sets), vec![set])),
        }
    }
    for (mask, which) in alike {
        let caps = if mask.is_empty() { "none".to_owned() } else { names(mask, model.snapshot.known) };
        sheet.say(&format!("{name}, {}: {caps}", which.join(", ")), model.theme.text);
    }
}

/// The last output lines of a run.
fn wrote(model: &Model, sheet: &mut Sheet, name: &str, run: &Rehearsed) {
    let Some(output) = run.record().and_then(|record| record.output.as_deref()) else { return };
    for (stream, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        if text.is_empty() {
            continue;
        }
        let lines: Vec<&[u8]> = text.split(|b| *b == b'\n').collect();
        let skipped = lines.len().saturating_sub(WROTE);
        let more = if skipped > 0 { format!(" ({skipped} earlier lines not shown)") } else { String::new() };
        sheet.say(&format!("under {name}, {stream}{more}:"), model.theme.title);
        for row in &lines[skipped..] {
            sheet.lines.push(line(text::fit(&format!("  {}", text::screen(row)), sheet.columns), model.theme.text));
        }
    }
}
