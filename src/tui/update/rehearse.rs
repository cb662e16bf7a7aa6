//! The rehearsal: a run under the draft masks, then the same under the live ones.

use crate::abi::error::ControlError;
use crate::control::Reply;
use crate::control::text::outcome::Severity;
use crate::tui::model::dialog::Dialog;
use crate::tui::model::rehearse::{Rehearsal, Rehearsed};
use crate::tui::model::{Model, Pending};
use crate::tui::msg::{Effect, Ticket};

use crate::tui::model::explain::explain;

/// Asks what is to be run.
pub(super) fn open(model: &mut Model) {
    if !model.refuses("rehearsing") {
        model.rehearse.open();
        model.dialogs.push(Dialog::Rehearse);
    }
}

/// Starts the run under the draft and opens the page that shows both.
pub(super) fn submit(model: &mut Model) -> Vec<Effect> {
    let (title, run) = match model.rehearse.check(&model.snapshot.knobs.modprobe) {
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
    let runs = [Rehearsed::Running(model.last_ticket()), Rehearsed::Waiting];
    model.dialogs.push(Dialog::Rehearsal(Rehearsal { title, run, draft, runs, scroll: 0 }));
    vec![effect]
}

/// Goes back, and says what is not over.
pub(super) fn leave(model: &mut Model) {
    let Some(Dialog::Rehearsal(rehearsal)) = model.dialogs.pop() else { return };
    let what = match &rehearsal.runs {
        [Rehearsed::Running(_), _] => {
            "the run under the draft goes on (Activity shows it), and none is made under the live masks"
        }
        [_, Rehearsed::Running(_)] => "the run under the live masks goes on (Activity shows it)",
        _ => return,
    };
    model.say(Severity::Warned, format!("rehearsal of {} left: {what}", rehearsal.title));
}

/// A run was answered. The second begins when the first has ended, so that neither meets the other half way; none does
/// when the page is gone.
pub(super) fn answered(model: &mut Model, ticket: Ticket, reply: Result<Reply, ControlError>) -> Vec<Effect> {
    let is_it = |run: &Rehearsed| matches!(run, Rehearsed::Running(t) if *t == ticket);
    let found = model.dialogs.iter_mut().find_map(|dialog| match dialog {
        Dialog::Rehearsal(r) if r.runs.iter().any(is_it) => Some(r),
        _ => None,
    });
    let Some(rehearsal) = found else { return Vec::new() };
    for run in rehearsal.runs.iter_mut().filter(|run| is_it(run)) {
        *run = match &reply {
            Ok(Reply::Answered(record)) => Rehearsed::Ended(record.clone()),
            Ok(_) => Rehearsed::Failed("the answer was no record".into()),
            Err(error) => Rehearsed::Failed(explain(error)),
        };
    }
    if !matches!(rehearsal.runs[1], Rehearsed::Waiting) {
        return Vec::new();
    }
    let command = rehearsal.run.command(None);
    let next = Rehearsed::Running(model.last_ticket() + 1);
    let effect = model.submit(Pending::Rehearsal, command);
    let waiting = model.dialogs.iter_mut().find_map(|dialog| match dialog {
        Dialog::Rehearsal(r) => r.runs.iter_mut().find(|run| matches!(run, Rehearsed::Waiting)),
        _ => None,
    });
    if let Some(run) = waiting {
        *run = next;
    }
    vec![effect]
}
