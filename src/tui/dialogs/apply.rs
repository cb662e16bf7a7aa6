//! Confirms a draft: lists what is dropped, by name, and warns that it cannot be regained.

use crate::abi::cap::{CapMask, Capability};
use crate::abi::snapshot::Snapshot;
use crate::control::MaskKnob;
use crate::control::text::mask::list;
use crate::control::text::outcome::{Severity, clauses, masks_and_uid};
use crate::control::text::target::object;
use crate::tui::field::Field;
use crate::tui::keymap::{Action, Context};
use crate::tui::model::masks::{self, Masks, key};
use crate::tui::model::read::Read;
use crate::tui::model::{After, Dialog, Model, Pending, TextField};
use crate::tui::msg::Ticket;
use crate::tui::panels::mask_change::{self, NARROW};
use crate::tui::panels::mask_parts::regain;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

use super::{frame, kernel_write, rehearsal};

/// The confirmation of a draft.
#[derive(Clone, Debug)]
pub struct Apply {
    /// For each mask that changes: what is dropped and what cannot be granted.
    pub changes: Vec<(MaskKnob, CapMask, CapMask)>,
    /// The text that must be typed to confirm; empty if none is needed.
    pub phrase: String,
    /// The typed text.
    pub typed: Field,
    /// The ticket of the write in progress.
    pub ticket: Option<Ticket>,
    /// The error.
    pub error: Option<String>,
    /// The error is the answer to the write: it stays while the list is scrolled.
    pub answered: bool,
    /// How far it is scrolled.
    pub scroll: usize,
    /// A command line made the draft only for this question.
    pub made: bool,
    /// Which of its lines have been on the screen.
    pub read: Read,
}

impl Apply {
    /// The effect of the draft on the live masks; `None` if it changes nothing.
    pub fn of(masks: &Masks, snapshot: &Snapshot) -> Option<Self> {
        let changes: Vec<_> = masks
            .changed(snapshot)
            .into_iter()
            .map(|knob| {
                let (live, draft) = (masks::live(snapshot, knob), masks.draft(knob));
                (knob, live.minus(draft), draft.minus(live))
            })
            .collect();
        let phrase = changes
            .iter()
            .filter_map(|(knob, dropped, _)| phrase(*knob, *dropped, masks::live(snapshot, *knob)))
            .collect::<Vec<_>>()
            .join(" and ");
        (!changes.is_empty()).then(|| Self {
            changes,
            phrase,
            typed: Field::default(),
            ticket: None,
            error: None,
            answered: false,
            scroll: 0,
            made: false,
            read: Read::default(),
        })
    }

    /// [`Self::of`], for the model's target: what this machine's kernel loses is lost until it starts again, so a phrase
    /// is always typed.
    fn of_target(model: &Model) -> Option<Self> {
        let mut apply = Self::of(&model.masks, &model.snapshot)?;
        if kernel_write::is_kernel(model) {
            let phrase = [apply.phrase.as_str(), "until reboot"];
            apply.phrase = phrase.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        }
        Some(apply)
    }

    /// Whether anything would be dropped; otherwise the write would change nothing.
    pub fn drops(&self) -> bool {
        self.changes.iter().any(|(_, dropped, _)| !dropped.is_empty())
    }
}

impl Apply {
    /// The question below the lines: what must be typed, and what is missing of it.
    fn ask(&self, model: &Model, sheet: &mut Sheet) {
        let theme = &model.theme;
        if self.phrase.is_empty() && self.error.is_some() {
            // The error needs the room; the footer shows the keys.
        } else if self.phrase.is_empty() {
            sheet.pinned.push(line("enter applies, esc goes back", theme.text));
        } else {
            sheet.type_out(&self.phrase, &self.typed);
            if model.rows >= frame::TALL && self.error.is_none() && self.ticket.is_none() {
                sheet.pinned.push(line(format!("  {}", self.missing()), theme.dim));
            }
        }
        if self.ticket.is_some() {
            sheet.pinned.push(line("writing", theme.dim));
        }
        sheet.wrong(self.error.as_ref());
    }

    /// What is missing of the text that must be typed.
    fn missing(&self) -> String {
        match self.phrase.as_bytes().strip_prefix(self.typed.bytes()).map(<[u8]>::len) {
            Some(0) => "complete: enter applies, esc goes back".to_owned(),
            Some(1) => "1 letter missing".to_owned(),
            Some(n) => format!("{n} letters missing"),
            None => "not the text that is asked for".to_owned(),
        }
    }
}

/// The text that must be typed before a mask is emptied, or before modprobe loses the right to load modules.
fn phrase(knob: MaskKnob, dropped: CapMask, live: CapMask) -> Option<String> {
    if dropped.is_empty() {
        None
    } else if live.minus(dropped).is_empty() {
        Some(format!("empty {}", masks::short(knob)))
    } else if knob == MaskKnob::Bset && dropped.has(Capability::SYS_MODULE) {
        Some("drop cap_sys_module".to_owned())
    } else {
        None
    }
}

/// Opens the confirmation of the draft.
pub(super) fn open(model: &mut Model) {
    if model.refuses("applying the draft") {
        return;
    }
    rehearsal::leave(model);
    match question(model) {
        Ok(apply) => model.open(apply),
        Err((mood, why)) => model.say(mood, why),
    }
}

/// The confirmation of the draft, or the reason why there is nothing to confirm.
pub(super) fn question(model: &Model) -> Result<Apply, (Severity, String)> {
    let apply = Apply::of_target(model)
        .ok_or_else(|| (Severity::Quiet, "nothing to apply: the draft is the same as live".to_owned()))?;
    if apply.drops() {
        return Ok(apply);
    }
    let raised = apply.changes.iter().fold(CapMask::EMPTY, |m, (_, _, raised)| m | *raised);
    let discards = model.keys.key(Action::Discard);
    let why = format!("nothing to apply: a write only drops ({discards} discards the draft); cannot be regained: ");
    Err((Severity::Warned, why + &list(raised)))
}

/// Updates an open confirmation to the current masks; text typed for another question does not count.
pub fn ask_again(model: &mut Model) {
    let open =
        |dialog: &dyn Dialog| dialog.get::<Apply>().filter(|apply| apply.ticket.is_none()).map(|apply| apply.made);
    let found = model.dialogs.iter().enumerate().find_map(|(at, dialog)| Some((at, open(&**dialog)?)));
    let Some((at, made)) = found else { return };
    match Apply::of_target(model) {
        Some(mut apply) if apply.drops() => {
            apply.made = made;
            apply.error = Some("another writer changed the live masks: read the list again".into());
            model.dialogs[at] = Box::new(apply);
        }
        _ => {
            model.dialogs.remove(at);
        }
    }
}

impl Dialog for Apply {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        if self.phrase.is_empty() {
            &[Context::Confirm, Context::Anywhere]
        } else {
            &[Context::Text, Context::Confirm, Context::Anywhere]
        }
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let theme = &model.theme;
        let narrow = columns < NARROW;
        let to = if narrow { String::new() } else { format!(" to {}", object(&model.link.info)) };
        let mut sheet = Sheet::new(format!("Apply the draft{to}"), theme, columns);
        sheet.scroll = self.scroll;
        if !narrow {
            let keys: Vec<&str> = self.changes.iter().map(|(knob, ..)| key(*knob).name()).collect();
            sheet.labelled("writes", &format!("{}, in one write", keys.join(" and ")), theme.text);
        }
        self.changes.iter().for_each(|change| mask_change::says(model, &mut sheet, change));
        if narrow {
            let words =
                if model.link.is_real() { "✗ lost until reboot" } else { "✗ cannot be regained by a write" };
            sheet.labelled("undo", words, theme.bad);
        } else {
            sheet.labelled("undo", regain(model), theme.bad);
            mask_change::about(model, &mut sheet);
        }
        if !model.link.is_real() {
            let truth = masks_and_uid(model.snapshot.uid);
            let truth = if narrow { clauses(&truth, columns.saturating_sub(2)) } else { &truth };
            sheet.say(&format!("! {truth}"), theme.warn);
        }
        self.ask(model, &mut sheet);
        sheet
    }

    /// Submits one command with both masks that change; the dialog stays open until the answer.
    fn accept(&mut self, model: &mut Model) -> After {
        if self.ticket.is_some() {
            return After::STAY;
        }
        (self.error, self.answered) = (None, false);
        if let Some(line) = self.read.missing(&frame::lines_of(self, model).0) {
            let way = if line < self.scroll { "up" } else { "down" };
            self.error = Some(format!("not done: read the whole list first (more {way})"));
            return After::STAY;
        }
        if self.typed.bytes() != self.phrase.as_bytes() {
            self.error = Some(format!("not done: type `{}` to confirm", self.phrase));
            return After::STAY;
        }
        let asked: Vec<_> = self.changes.iter().map(|(knob, ..)| (*knob, model.masks.draft(*knob))).collect();
        let writes = asked.iter().map(|(knob, mask)| (key(*knob), (*mask).into())).collect();
        let effect = model.submit(Pending::Masks(asked), kernel_write::command(model, writes));
        self.ticket = Some(model.last_ticket());
        After::Stay(vec![effect])
    }

    /// A draft that a command line made for this question is dropped with the dialog.
    fn dismiss(&mut self, model: &mut Model) -> After {
        if self.made && self.ticket.is_none() && model.masks.step(true) {
            model.say(Severity::Quiet, "not applied; the draft was restored");
        }
        After::CLOSE
    }

    fn field<'a>(&'a mut self, _: &'a mut Model) -> Option<TextField<'a>> {
        (!self.phrase.is_empty()).then_some((&mut self.typed, Some(&mut self.error)))
    }

    fn scroll(&mut self) -> Option<&mut usize> {
        Some(&mut self.scroll)
    }

    fn read_on(&mut self) {
        self.error.take_if(|_| !self.answered);
    }

    fn read(&mut self) -> Option<&mut Read> {
        Some(&mut self.read)
    }

    fn awaits(&self, ticket: Ticket) -> bool {
        self.ticket == Some(ticket)
    }

    fn refused(&mut self, why: String) {
        (self.ticket, self.error, self.answered) = (None, Some(why), true);
    }
}
