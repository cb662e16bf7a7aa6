//! What is done with a record: abandon, kill, ask again, copy, save.

use crate::abi::record::State;
use crate::control::Command;
use crate::control::record_json::Entry;
use crate::control::text::outcome::{self, Severity};
use crate::tui::model::dialog::Dialog;
use crate::tui::model::field::Field;
use crate::tui::model::records::{CopyRecord, Kill, Repeat, Save, SaveForm, Saved, Saving, Unsaved, What};
use crate::tui::model::{Model, Pending, argv_text};
use crate::tui::msg::{Effect, Ticket};

/// What is said first of a file's name.
const FILE: &[u8] = b"khelper-records.jsonl";

/// Stops the wait of its caller. The engine judges whether there is one.
pub(super) fn abandon(model: &mut Model) -> Vec<Effect> {
    if model.refuses("abandoning a wait") {
        return Vec::new();
    }
    let Some(row) = model.row_at_cursor() else { return Vec::new() };
    let which = format!("#{} {}", row.id, row.title);
    let done = match row.pid {
        Some(_) => "abandoned: its caller waits no longer, its helper lives on",
        None => "abandoned: its caller waits no longer",
    };
    vec![model.submit(Pending::Helper(which, done), Command::Abandon(row.id))]
}

/// Asks which signal; the cursor stays on the record.
pub(super) fn open_kill(model: &mut Model) {
    if model.refuses("killing a helper") {
        return;
    }
    let Some(row) = model.row_at_cursor() else { return };
    let why = match (row.state, row.pid) {
        (State::Running, Some(pid)) => {
            model.activity.follow = false;
            let had_term = model.activity.had_term.contains(&row.id);
            let choice = usize::from(had_term);
            let kill = Kill { id: row.id, title: row.title, pid, had_term, choice };
            return model.dialogs.push(Dialog::Kill(kill));
        }
        (State::Ended, _) => "it is over, there is nothing to kill",
        (State::Waiting, _) => "it waits for a slot and has no helper yet (x abandons it)",
        _ => "it has no helper yet",
    };
    model.say(Severity::Quiet, format!("#{} {}: {why}", row.id, row.title));
}

/// Sends the signal that was confirmed.
pub(super) fn submit_kill(model: &mut Model) -> Vec<Effect> {
    let Some(Dialog::Kill(kill)) = model.dialogs.pop() else { return Vec::new() };
    let (id, which) = (kill.id, format!("#{} {} (pid {})", kill.id, kill.title, kill.pid));
    let confirmed = kill.confirm();
    let done = if confirmed.is_term() {
        model.activity.remember_term(id);
        "TERM was sent; if it lives on, k again sends KILL"
    } else {
        "KILL was sent"
    };
    vec![model.submit(Pending::Helper(which, done), confirmed.command())]
}

/// Shows what would be asked for, and asks.
pub(super) fn open_repeat(model: &mut Model) {
    if model.refuses("asking again") {
        return;
    }
    let Some(record) = model.record_at_cursor() else { return };
    let id = record.id;
    match Repeat::of(record) {
        Ok(repeat) => model.dialogs.push(Dialog::Repeat(repeat)),
        Err(why) => model.say(Severity::Warned, format!("#{id} cannot be asked for again from here: {why}")),
    }
}

/// Asks for the same again.
pub(super) fn submit_repeat(model: &mut Model) -> Vec<Effect> {
    let Some(Dialog::Repeat(repeat)) = model.dialogs.pop() else { return Vec::new() };
    let title = outcome::title(&repeat.record);
    let batch = model.open_batch(title, 1);
    vec![model.submit(Pending::Request(batch), repeat.command)]
}

/// Asks as what.
pub(super) fn open_copy(model: &mut Model) {
    if let Some(record) = model.record_at_cursor() {
        model.dialogs.push(Dialog::CopyRecord(CopyRecord { record, choice: 0 }));
    }
}

/// Hands it to the terminal.
pub(super) fn submit_copy(model: &mut Model) -> Vec<Effect> {
    let Some(Dialog::CopyRecord(copy)) = model.dialogs.pop() else { return Vec::new() };
    let record = &copy.record;
    let text = match copy.choice {
        // A record is plain data: it can always be written.
        0 => serde_json::to_string(&Entry::from(&**record)).unwrap_or_default(),
        _ => argv_text::join(record.argv()),
    };
    let what = format!("#{} ({})", record.id, CopyRecord::FORMS[copy.choice.min(1)]);
    model.copy(&what, text.into_bytes())
}

/// Asks where.
pub(super) fn open_save(model: &mut Model) {
    if model.refuses("saving to a file") {
        return;
    }
    let record = model.activity.detail().map(|detail| detail.record.clone());
    let on_page = matches!(model.dialogs.last(), Some(Dialog::Detail(_)));
    let form = SaveForm {
        focus: 0,
        path: Field::prefilled(FILE),
        all: !on_page || record.is_none(),
        record,
        stage: Saving::Typing,
        error: None,
    };
    model.dialogs.push(Dialog::Save(form));
}

fn form(model: &mut Model) -> Option<&mut SaveForm> {
    match model.dialogs.last_mut() {
        Some(Dialog::Save(form)) => Some(form),
        _ => None,
    }
}

pub(super) fn focus(model: &mut Model) {
    if let Some(form) = form(model) {
        form.focus = (form.focus + 1) % SaveForm::FIELDS;
        form.error = None;
    }
}

pub(super) fn pick(model: &mut Model) {
    if let Some(form) = form(model) {
        form.all = !form.all || form.record.is_none();
    }
}

/// Writes, or replaces what the operator said yes to; the dialog stays until it is answered.
pub(super) fn submit_save(model: &mut Model) -> Vec<Effect> {
    let query = model.activity.query();
    let newest = model.activity.paused.map(|_| model.activity.answer.newest);
    let ticket = model.next_ticket();
    let Some(form) = form(model) else { return Vec::new() };
    if matches!(form.stage, Saving::Writing(_)) {
        return Vec::new();
    }
    if form.path.is_empty() || form.path.bytes().contains(&0) {
        form.error = Some("a path is no empty text, and holds no NUL byte".into());
        return Vec::new();
    }
    let over = form.confirm();
    let what = match (&form.record, form.all) {
        (Some(record), false) => What::One(record.clone()),
        _ => What::All(query, newest),
    };
    let path = form.path.bytes().to_vec();
    (form.stage, form.error) = (Saving::Writing(ticket), None);
    vec![Effect::Save(Box::new(Save { ticket, path, what, over }))]
}

/// From the question to the path, from the path to the screen.
pub(super) fn back_from_save(model: &mut Model) {
    match form(model) {
        Some(form) if matches!(form.stage, Saving::Asking(_)) => form.stage = Saving::Typing,
        _ => {
            model.dialogs.pop();
        }
    }
}

/// The answer to a save, also where its dialog has been left.
pub(super) fn saved(model: &mut Model, ticket: Ticket, result: Result<Saved, Unsaved>) {
    let is_it = |d: &Dialog| matches!(d, Dialog::Save(f) if matches!(f.stage, Saving::Writing(t) if t == ticket));
    let at = model.dialogs.iter().position(is_it);
    let text = match result {
        Ok(saved) => {
            if let Some(at) = at {
                model.dialogs.remove(at);
            }
            let records = if saved.records == 1 { "1 record".to_owned() } else { format!("{} records", saved.records) };
            return model.say(Severity::Good, format!("saved {records}, {} bytes: {}", saved.bytes, saved.path));
        }
        Err(Unsaved::Exists(existing)) => {
            if let Some(Dialog::Save(form)) = at.and_then(|at| model.dialogs.get_mut(at)) {
                form.stage = Saving::Asking(existing);
                return;
            }
            "the file is there already".to_owned()
        }
        Err(Unsaved::Failed(why)) => {
            if let Some(Dialog::Save(form)) = at.and_then(|at| model.dialogs.get_mut(at)) {
                (form.stage, form.error) = (Saving::Typing, Some(format!("nothing was saved: {why}")));
                return;
            }
            why
        }
    };
    model.say(Severity::Bad, format!("nothing was saved: {text}"));
}
