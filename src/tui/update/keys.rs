//! Keys and pasted text to what they do.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::control::text::outcome::Severity;
use crate::tui::keymap::{self, Action};
use crate::tui::model::dialog::{Dialog, Help};
use crate::tui::model::forms::WAITS;
use crate::tui::model::{Model, Tab, warnings};
use crate::tui::msg::Effect;

use super::scroll::{looks_around, turn_page, up_or_down};
use super::{activity, call, command_line, confirm, gate, log, masks, module, path, quit, records, rehearse, typing};

/// A key was pressed.
pub(super) fn press(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    if event.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let key = keymap::key_of(event);
    let found = model.keys.find(model.chain(), key);
    if !found.is_some_and(|action| looks_around(model, action)) {
        model.peek = 0;
    }
    if let Some(action) = found {
        let (dialogs, said) = (model.dialogs.len(), model.status.clone());
        let effects = act(model, action);
        // What answered an earlier key is no news to whoever opens something.
        if model.dialogs.len() > dialogs && model.status == said && said.is_some_and(|s| s.mood == Severity::Quiet) {
            model.status = None;
        }
        return effects;
    }
    if let (KeyCode::Char(c), KeyModifiers::NONE) = key {
        let mut buf = [0; 4];
        typing::insert(model, c.encode_utf8(&mut buf).as_bytes());
    }
    Vec::new()
}

/// ESC and a key came at once. Terminals send a key with Alt in this form, so an action that has this chord goes first;
/// otherwise Esc was pressed, and then the key.
pub(super) fn chord(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    if model.keys.find(model.chain(), keymap::key_of(event)).is_some() {
        return press(model, event);
    }
    let mut effects = press(model, &KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
    effects.extend(press(model, &KeyEvent::new(event.code, event.modifiers.difference(KeyModifiers::ALT))));
    effects
}

fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    if let Some(effects) = activity::act(model, action).or_else(|| log::act(model, action)) {
        return effects;
    }
    match action {
        // Where something is typed, ctrl-c is about that: it never takes the console along.
        Action::Quit if typing::types(model) => act(model, typing::cancel(model)),
        Action::Quit => quit::ask(model),
        Action::Suspend => vec![Effect::Suspend],
        Action::Repaint => vec![Effect::Repaint],
        Action::Accept => accept(model),
        Action::Dismiss => dismiss(model),
        _ => {
            step(model, action);
            Vec::new()
        }
    }
}

/// What changes the screen alone.
fn step(model: &mut Model, action: Action) {
    match action {
        Action::Rehearse => rehearse::open(model),
        Action::Line => command_line::open(model),
        Action::Complete => command_line::complete(model),
        Action::Older => model.line.recall(true),
        Action::Newer => model.line.recall(false),
        Action::Help => help(model),
        Action::Overview => show(model, Tab::Overview),
        Action::Masks => show(model, Tab::Masks),
        Action::Activity => show(model, Tab::Activity),
        Action::Log => show(model, Tab::Log),
        Action::NextTab => turn(model, 1),
        Action::PreviousTab => turn(model, Tab::ALL.len() - 1),
        Action::Module => open(model, "asking for a module", |m| {
            m.module.open();
            Dialog::Module
        }),
        Action::Call => open(model, "calling a helper", |m| {
            m.call.open();
            Dialog::Call
        }),
        Action::Path => open(model, "editing kernel.modprobe", |m| Dialog::Path(path::form(m))),
        Action::Gate => open(model, "working the gate", |m| gate::dialog(m)),
        Action::Apply => confirm::open_apply(model),
        Action::Reset => confirm::open_reset(model),
        Action::Forms => model.dialogs.push(Dialog::Forms(0)),
        Action::Up => up_or_down(model, -1),
        Action::Down => up_or_down(model, 1),
        Action::PageUp => turn_page(model, -1),
        Action::PageDown => turn_page(model, 1),
        Action::First => up_or_down(model, i32::MIN),
        Action::Last => up_or_down(model, i32::MAX),
        Action::Next => focus(model, true),
        Action::Previous => focus(model, false),
        Action::Change => pick(model, true),
        Action::ChangeBack => pick(model, false),
        Action::Choose(choice) => choose(model, choice),
        Action::Edit(how) => typing::edit(model, how),
        Action::Discard => masks::discard(model),
        Action::Undo => masks::step(model, true),
        Action::Redo => masks::step(model, false),
        Action::Filter => masks::filter(model),
        Action::KeepFilter => masks::end_filter(model, true),
        Action::EndFilter => masks::end_filter(model, false),
        Action::Presets => model.dialogs.push(Dialog::Presets(0)),
        Action::Copy => model.dialogs.push(Dialog::Copy(0)),
        Action::Left | Action::Right | Action::Toggle | Action::All | Action::Nothing | Action::Invert => {
            masks::edit(model, action);
        }
        // The rest is of the screens Activity and Log, which had their turn.
        _ => {}
    }
}

fn turn(model: &mut Model, by: usize) {
    let here = Tab::ALL.iter().position(|tab| *tab == model.tab).unwrap_or_default();
    show(model, Tab::ALL[(here + by) % Tab::ALL.len()]);
}

/// Shows a screen. What was said on another one goes, unless it is something to act on.
pub(super) fn show(model: &mut Model, tab: Tab) {
    if tab != model.tab && model.status.as_ref().is_some_and(|s| matches!(s.mood, Severity::Quiet | Severity::Good)) {
        model.status = None;
    }
    model.tab = tab;
}

fn open(model: &mut Model, what: &str, dialog: impl FnOnce(&mut Model) -> Dialog) {
    if !model.refuses(what) {
        let dialog = dialog(model);
        model.dialogs.push(dialog);
    }
}

fn help(model: &mut Model) {
    if !matches!(model.dialogs.last(), Some(Dialog::Help(_))) {
        let help = Help { from: model.chain(), ..Help::default() };
        model.dialogs.push(Dialog::Help(help));
    }
}

fn accept(model: &mut Model) -> Vec<Effect> {
    match model.dialogs.last() {
        Some(Dialog::Module) => module::submit(model),
        Some(Dialog::Call) => call::submit(model),
        Some(Dialog::Rehearse) => rehearse::submit(model),
        Some(Dialog::Line) => command_line::submit(model),
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
        Some(Dialog::Kill(_)) => records::submit_kill(model),
        Some(Dialog::Repeat(_)) => records::submit_repeat(model),
        Some(Dialog::CopyRecord(_)) => records::submit_copy(model),
        Some(Dialog::Save(_)) => records::submit_save(model),
        _ => Vec::new(),
    }
}

fn dismiss(model: &mut Model) -> Vec<Effect> {
    match model.dialogs.last() {
        // A message goes first, but where nothing is shown the screen promises that this key shows all again.
        None if model.tab == Tab::Masks
            && !model.masks.filter.is_empty()
            && (model.status.is_none() || model.masks.shown(model.snapshot.known).is_empty()) =>
        {
            masks::end_filter(model, false);
            model.say(Severity::Quiet, "every capability is shown again");
            Vec::new()
        }
        None => {
            let said = model.status.take().is_some();
            let noted = model.tab == Tab::Masks && model.masks.note.take().is_some();
            // Only where they are seen.
            if !said && !noted && model.tab == Tab::Overview {
                warnings::put_away(model);
            }
            Vec::new()
        }
        Some(Dialog::Quit(_)) => quit::back(model),
        Some(Dialog::Apply(_)) => {
            confirm::leave_apply(model);
            Vec::new()
        }
        Some(Dialog::Line) => {
            model.line.leave();
            model.dialogs.pop();
            Vec::new()
        }
        Some(Dialog::Rehearsal(_)) => {
            rehearse::leave(model);
            Vec::new()
        }
        Some(Dialog::Save(_)) => {
            records::back_from_save(model);
            Vec::new()
        }
        Some(_) => {
            model.dialogs.pop();
            Vec::new()
        }
    }
}

/// Where the focus of the dialog on top is.
fn focus_of(model: &mut Model) -> Option<&mut usize> {
    match model.dialogs.last() {
        Some(Dialog::Module) => Some(&mut model.module.focus),
        Some(Dialog::Call) => Some(&mut model.call.focus),
        Some(Dialog::Rehearse) => Some(&mut model.rehearse.focus),
        _ => None,
    }
}

fn focus(model: &mut Model, forward: bool) {
    if let Some(Dialog::Save(_)) = model.dialogs.last() {
        return records::focus(model);
    }
    let fields = model.fields();
    if let Some(focus) = focus_of(model) {
        *focus = (*focus + if forward { 1 } else { fields - 1 }) % fields;
    }
    forgive(model);
}

/// What was wrong was said of the field that had the focus.
fn forgive(model: &mut Model) {
    match model.dialogs.last() {
        Some(Dialog::Module) => model.module.error = None,
        Some(Dialog::Call) => model.call.error = None,
        Some(Dialog::Rehearse) => model.rehearse.error = None,
        _ => {}
    }
}

/// Puts the focus on a field; whether it was there already.
pub(super) fn focus_on(model: &mut Model, at: usize) -> bool {
    let fields = model.fields();
    let Some(focus) = focus_of(model) else { return false };
    let was_there = at < fields && std::mem::replace(focus, at) == at;
    if !was_there {
        forgive(model);
    }
    was_there
}

pub(super) fn pick(model: &mut Model, forward: bool) {
    match model.dialogs.last() {
        Some(Dialog::Module) if model.module.focus == 1 => model.module.wait ^= true,
        Some(Dialog::Save(_)) => records::pick(model),
        Some(Dialog::Rehearse) if model.rehearse.picks() => model.rehearse.pick(forward),
        Some(Dialog::Call) if model.call.focus == 2 => {
            let modes = WAITS.len();
            model.call.wait = (model.call.wait + if forward { 1 } else { modes - 1 }) % modes;
        }
        _ => {}
    }
}

fn choose(model: &mut Model, to: usize) {
    match model.dialogs.last_mut() {
        Some(Dialog::Gate(choice)) => *choice = to,
        Some(Dialog::Quit(quit)) => quit.choice = to,
        Some(Dialog::Kill(kill)) => kill.choice = to,
        _ => {}
    }
}
