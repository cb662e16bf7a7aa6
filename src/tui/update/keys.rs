//! Keys and pasted text to what they do.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::control::words::Mood;
use crate::tui::keymap::{self, Action};
use crate::tui::model::dialog::{Dialog, Help, Quit};
use crate::tui::model::{Model, Tab};
use crate::tui::msg::Effect;
use crate::tui::view;

use super::{call, confirm, gate, masks, module, path, quit, refused_read_only, rehearse};

/// A key was pressed.
pub(super) fn press(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    if event.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let key = keymap::key_of(event);
    if let Some(action) = keymap::find(model.chain(), key) {
        return act(model, action);
    }
    if let (KeyCode::Char(c), KeyModifiers::NONE) = key {
        let mut buf = [0; 4];
        insert(model, c.encode_utf8(&mut buf).as_bytes());
    }
    Vec::new()
}

/// Text was pasted: into a field, or nowhere.
pub(super) fn paste(model: &mut Model, text: &[u8]) {
    if !insert(model, text) {
        model.say(Mood::Quiet, "the pasted text was not taken: it goes into text fields only, never to keys");
    }
}

fn insert(model: &mut Model, text: &[u8]) -> bool {
    let Some((field, error)) = model.field() else { return false };
    let taken = field.insert(text);
    if let Some(error) = error {
        *error = taken.err();
    }
    follow_filter(model);
    true
}

/// What was typed may hide the row under the cursor.
fn follow_filter(model: &mut Model) {
    if model.dialogs.is_empty() {
        model.masks.move_by(0, &model.snapshot);
    }
}

fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Quit => return quit::ask(model),
        Action::Suspend => return vec![Effect::Suspend],
        Action::Repaint => return vec![Effect::Repaint],
        Action::Accept => return accept(model),
        Action::Dismiss => return dismiss(model),
        Action::Rehearse => rehearse::open(model),
        Action::Help => help(model),
        Action::Overview => model.tab = Tab::Overview,
        Action::Masks => model.tab = Tab::Masks,
        Action::NextTab => model.tab = if model.tab == Tab::Overview { Tab::Masks } else { Tab::Overview },
        Action::Module => open(model, "asking for a module", |m| {
            (m.module.focus, m.module.error) = (0, None);
            Dialog::Module
        }),
        Action::Call => open(model, "calling a helper", |m| {
            (m.call.focus, m.call.error) = (0, None);
            Dialog::Call
        }),
        Action::Path => open(model, "editing kernel.modprobe", |m| Dialog::Path(path::form(m))),
        Action::Gate => open(model, "working the gate", |m| gate::dialog(m)),
        Action::Apply => confirm::open_apply(model),
        Action::Reset => confirm::open_reset(model),
        Action::Forms => model.dialogs.push(Dialog::Forms(0)),
        Action::Up => up_or_down(model, -1),
        Action::Down => up_or_down(model, 1),
        Action::PageUp => up_or_down(model, -i32::from(model.rows / 2).max(1)),
        Action::PageDown => up_or_down(model, i32::from(model.rows / 2).max(1)),
        Action::First => up_or_down(model, i32::MIN),
        Action::Last => up_or_down(model, i32::MAX),
        Action::Next => focus(model, true),
        Action::Previous => focus(model, false),
        Action::Change => pick(model, true),
        Action::ChangeBack => pick(model, false),
        Action::Choose(choice) => choose(model, choice),
        Action::Edit(edit) => {
            if let Some((field, error)) = model.field() {
                field.edit(edit);
                if let Some(error) = error {
                    *error = None;
                }
            }
            follow_filter(model);
        }
        Action::Left | Action::Right | Action::Toggle | Action::All | Action::Nothing | Action::Invert => {
            masks::edit(model, action);
        }
        Action::Discard => masks::discard(model),
        Action::Undo => masks::step(model, true),
        Action::Redo => masks::step(model, false),
        Action::Filter => masks::filter(model),
        Action::KeepFilter => masks::end_filter(model, true),
        Action::EndFilter => masks::end_filter(model, false),
        Action::Presets => model.dialogs.push(Dialog::Presets(0)),
        Action::Copy => model.dialogs.push(Dialog::Copy(0)),
    }
    Vec::new()
}

fn open(model: &mut Model, what: &str, dialog: impl FnOnce(&mut Model) -> Dialog) {
    if !refused_read_only(model, what) {
        let dialog = dialog(model);
        model.dialogs.push(dialog);
    }
}

fn help(model: &mut Model) {
    if !matches!(model.dialogs.last(), Some(Dialog::Help(_))) {
        model.dialogs.push(Dialog::Help(Help::default()));
    }
}

fn accept(model: &mut Model) -> Vec<Effect> {
    match model.dialogs.last() {
        Some(Dialog::Module) => module::submit(model),
        Some(Dialog::Call) => call::submit(model),
        Some(Dialog::Rehearse) => rehearse::submit(model),
        Some(Dialog::Path(_)) => path::submit(model),
        Some(Dialog::Gate(choice)) => gate::submit(model, *choice),
        Some(Dialog::Presets(choice)) => {
            masks::take_preset(model, *choice);
            Vec::new()
        }
        Some(Dialog::Copy(choice)) => masks::copy(model, *choice),
        Some(Dialog::Apply(_)) => confirm::submit_apply(model),
        Some(Dialog::Reset(_)) => confirm::submit_reset(model),
        Some(Dialog::Quit(_)) => quit::accept(model),
        _ => Vec::new(),
    }
}

fn dismiss(model: &mut Model) -> Vec<Effect> {
    match model.dialogs.last() {
        None => {
            model.status = None;
            model.masks.note = None;
            Vec::new()
        }
        Some(Dialog::Quit(_)) => quit::back(model),
        Some(_) => {
            model.dialogs.pop();
            Vec::new()
        }
    }
}

fn up_or_down(model: &mut Model, rows: i32) {
    let last = masks::rows_of(model).saturating_sub(1);
    match model.dialogs.last_mut() {
        None => model.masks.move_by(rows, &model.snapshot),
        Some(
            Dialog::Gate(choice) | Dialog::Quit(Quit { choice, .. }) | Dialog::Presets(choice) | Dialog::Copy(choice),
        ) => {
            *choice = choice.saturating_add_signed(rows.signum() as isize).min(last);
        }
        Some(dialog) => {
            if let Some(scroll) = scroll_of(dialog) {
                *scroll = scroll.saturating_add_signed(rows as isize);
            }
        }
    }
    clamp_scroll(model);
}

fn scroll_of(dialog: &mut Dialog) -> Option<&mut usize> {
    match dialog {
        Dialog::Apply(d) => Some(&mut d.scroll),
        Dialog::Reset(d) => Some(&mut d.scroll),
        Dialog::Rehearsal(d) => Some(&mut d.scroll),
        Dialog::Help(d) => Some(&mut d.scroll),
        Dialog::Forms(scroll) => Some(scroll),
        _ => None,
    }
}

/// What is scrolled never goes past its end.
pub(super) fn clamp_scroll(model: &mut Model) {
    let most = view::dialogs::scroll_max(model);
    if let Some(scroll) = model.dialogs.last_mut().and_then(scroll_of) {
        *scroll = (*scroll).min(most);
    }
}

fn focus(model: &mut Model, forward: bool) {
    let (focus, fields) = match model.dialogs.last() {
        Some(Dialog::Module) => (&mut model.module.focus, crate::tui::model::forms::ModuleForm::FIELDS),
        Some(Dialog::Call) => (&mut model.call.focus, crate::tui::model::forms::CallForm::FIELDS),
        Some(Dialog::Rehearse) => {
            let fields = model.rehearse.fields();
            (&mut model.rehearse.focus, fields)
        }
        _ => return,
    };
    *focus = (*focus + if forward { 1 } else { fields - 1 }) % fields;
}

fn pick(model: &mut Model, forward: bool) {
    match model.dialogs.last() {
        Some(Dialog::Module) => model.module.wait ^= true,
        Some(Dialog::Rehearse) => model.rehearse.pick(forward),
        Some(Dialog::Call) => {
            let modes = crate::tui::model::forms::WAITS.len();
            model.call.wait = (model.call.wait + if forward { 1 } else { modes - 1 }) % modes;
        }
        _ => {}
    }
}

fn choose(model: &mut Model, to: usize) {
    match model.dialogs.last_mut() {
        Some(Dialog::Gate(choice)) => *choice = to,
        Some(Dialog::Quit(quit)) => quit.choice = to,
        _ => {}
    }
}
