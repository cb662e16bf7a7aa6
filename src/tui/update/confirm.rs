//! The confirmations of the screen Masks: apply the draft, reset a mask.

use crate::abi::mask::hex;
use crate::control::text::outcome::Severity;
use crate::control::{Command, MaskKnob};
use crate::tui::keymap::Action;
use crate::tui::model::dialog::{Apply, Dialog, Reset};
use crate::tui::model::masks::{key, list, live};
use crate::tui::model::{Model, Pending};
use crate::tui::msg::Effect;
use crate::tui::view;

/// Shows what the draft would drop, and asks.
pub(super) fn open_apply(model: &mut Model) {
    if model.refuses("applying the draft") {
        return;
    }
    match apply(model) {
        Ok(apply) => model.dialogs.push(Dialog::Apply(apply)),
        Err((mood, why)) => model.say(mood, why),
    }
}

/// The question about the draft, or why there is none.
pub(super) fn apply(model: &Model) -> Result<Apply, (Severity, String)> {
    let apply = Apply::of(&model.masks, &model.snapshot)
        .ok_or_else(|| (Severity::Quiet, "there is nothing to apply: the draft is as live".to_owned()))?;
    if apply.drops() {
        return Ok(apply);
    }
    let raised = apply.changes.iter().fold(crate::abi::cap::CapMask::EMPTY, |m, (_, _, raised)| m | *raised);
    let discards = model.keys.key(Action::Discard);
    let why = format!("nothing to apply: a write only drops ({discards} discards the draft); cannot be regained: ");
    Err((Severity::Warned, why + &list(raised)))
}

/// Back from the confirmation: a draft that a line made for it goes with it.
pub(super) fn leave_apply(model: &mut Model) {
    if let Some(Dialog::Apply(apply)) = model.dialogs.pop()
        && apply.made
        && apply.ticket.is_none()
        && model.masks.step(true)
    {
        model.say(Severity::Quiet, "not applied; the draft is as it was before the command");
    }
}

/// What the screen shows of a confirmation has been read.
pub(super) fn shown(model: &mut Model) {
    if matches!(model.dialogs.last(), Some(Dialog::Apply(_)))
        && let Some((lines, shown)) = view::dialogs::lines(model)
        && let Some(Dialog::Apply(apply)) = model.dialogs.last_mut()
    {
        apply.read.show(lines, shown);
    }
}

/// The first line of the confirmation that has not been on the screen.
fn unread(model: &Model) -> Option<usize> {
    let (lines, _) = view::dialogs::lines(model)?;
    match model.dialogs.last() {
        Some(Dialog::Apply(apply)) => apply.read.missing(&lines),
        _ => None,
    }
}

/// One command with both masks that change; the dialog stays until it is answered.
pub(super) fn submit_apply(model: &mut Model) -> Vec<Effect> {
    let Some(Dialog::Apply(apply)) = model.dialogs.last_mut() else { return Vec::new() };
    if apply.ticket.is_some() {
        return Vec::new();
    }
    apply.error = None;
    let unread = unread(model);
    let Some(Dialog::Apply(apply)) = model.dialogs.last_mut() else { return Vec::new() };
    if let Some(line) = unread {
        let way = if line < apply.scroll { "up" } else { "down" };
        apply.error = Some(format!("not done: read on first, there is more that is dropped ({way})"));
        return Vec::new();
    }
    if apply.typed.bytes() != apply.phrase.as_bytes() {
        apply.error = Some(format!("not done: type `{}` to confirm", apply.phrase));
        return Vec::new();
    }
    let knobs: Vec<MaskKnob> = apply.changes.iter().map(|(knob, ..)| *knob).collect();
    let asked: Vec<_> = knobs.into_iter().map(|knob| (knob, model.masks.draft(knob))).collect();
    let writes = asked.iter().map(|(knob, mask)| (key(*knob), hex(*mask).into_bytes())).collect();
    let effect = model.submit(Pending::Masks(asked), Command::Write(writes));
    let ticket = model.last_ticket();
    if let Some(Dialog::Apply(apply)) = model.dialogs.last_mut() {
        apply.ticket = Some(ticket);
    }
    vec![effect]
}

/// Asks before the chosen mask is put back to full.
pub(super) fn open_reset(model: &mut Model) {
    if !model.refuses("resetting a mask") {
        match reset(model, model.masks.column) {
            Ok(dialog) => model.dialogs.push(dialog),
            Err((mood, why)) => model.say(mood, why),
        }
    }
}

/// The question about a reset, or why there is none.
pub(super) fn reset(model: &Model, knob: MaskKnob) -> Result<Dialog, (Severity, String)> {
    if live(&model.snapshot, knob) == model.snapshot.known {
        return Err((Severity::Quiet, format!("there is nothing to reset: {} is full already", key(knob).name())));
    }
    Ok(Dialog::Reset(Reset { knob, ticket: None, error: None, scroll: 0 }))
}

/// Resets the mask; the dialog stays until it is answered.
pub(super) fn submit_reset(model: &mut Model) -> Vec<Effect> {
    let Some(Dialog::Reset(reset)) = model.dialogs.last() else { return Vec::new() };
    if reset.ticket.is_some() {
        return Vec::new();
    }
    let knob = reset.knob;
    let effect = model.submit(Pending::Reset(knob), Command::Reset(knob));
    let ticket = model.last_ticket();
    if let Some(Dialog::Reset(reset)) = model.dialogs.last_mut() {
        reset.error = None;
        reset.ticket = Some(ticket);
    }
    vec![effect]
}
