//! The rehearsal: a run under the draft masks, then the same under the live ones.

use crate::abi::error::ControlError;
use crate::control::Reply;
use crate::control::rehearsal::{Rehearsal, Rehearsed};
use crate::control::text::outcome::Severity;
use crate::tui::model::dialog::Dialog;
use crate::tui::model::rehearse::RehearsalPage;
use crate::tui::model::{Model, Pending};
use crate::tui::msg::{Effect, Ticket};

use super::refused_read_only;

/// Asks what is to be run.
pub(super) fn open(model: &mut Model) {
    if !refused_read_only(model, "rehearsing") {
        model.rehearse.open();
        model.dialogs.push(Dialog::Rehearse);
    }
}

/// Starts the run under the draft and opens the page that shows both.
pub(super) fn submit(model: &mut Model) -> Vec<Effect> {
    let run = match model.rehearse.check(&model.snapshot.knobs.modprobe) {
        Ok(checked) => checked,
        Err((field, why)) => {
            model.rehearse.focus = field;
            model.rehearse.error = Some(why);
            return Vec::new();
        }
    };
    model.rehearse.error = None;
    model.dialogs.pop();
    let draft = model.masks.drafts();
    let effect = model.submit(Pending::Rehearsal, run.command(Some(draft)));
    let rehearsal = Rehearsal::started(run, draft, model.last_ticket());
    model.dialogs.push(Dialog::Rehearsal(RehearsalPage { rehearsal, scroll: 0 }));
    vec![effect]
}

/// Goes back, and says what is not over.
pub(super) fn leave(model: &mut Model) {
    let Some(Dialog::Rehearsal(RehearsalPage { rehearsal, .. })) = model.dialogs.pop() else { return };
    let what = match &rehearsal.runs {
        [Rehearsed::Running(_), _] => {
            "the run under the draft goes on (Activity shows it), and none is made under the live masks"
        }
        [_, Rehearsed::Running(_)] => "the run under the live masks goes on (Activity shows it)",
        _ => return,
    };
    model.say(Severity::Warned, format!("rehearsal of {} left: {what}", rehearsal.run.title()));
}

/// Takes in the answer to a run and submits the next one, unless the page has been left.
pub(super) fn answered(model: &mut Model, ticket: Ticket, reply: Result<Reply, ControlError>) -> Vec<Effect> {
    let next = model.last_ticket() + 1;
    let rehearsal = model.dialogs.iter_mut().find_map(|dialog| match dialog {
        Dialog::Rehearsal(page) if page.rehearsal.has(ticket) => Some(&mut page.rehearsal),
        _ => None,
    });
    let command = rehearsal.and_then(|rehearsal| rehearsal.answered(ticket, reply, next));
    command.map(|command| model.submit(Pending::Rehearsal, command)).into_iter().collect()
}
