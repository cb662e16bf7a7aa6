//! Handles keys.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::control::text::outcome::Severity;
use crate::tui::dialogs::{self, palette, quit, take_tour};
use crate::tui::keymap::{self, Action};
use crate::tui::model::{Model, Tab, warnings};
use crate::tui::msg::Effect;
use crate::tui::theme::Theme;

use super::scroll::{looks_around, turn_page, up_or_down};
use super::{activity, focus, log, masks, modules, overview, rules, tabs, tour, typing};

/// Handles a key.
pub(super) fn press(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    if event.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let key = keymap::key_of(event);
    let found = model.keys.find(model.chain(), key);
    if !found.is_some_and(|action| looks_around(model, action)) {
        model.peek = 0;
    }
    model.message_was_read();
    if let Some(action) = found {
        let (dialogs, said) = (model.dialogs.len(), model.status.clone());
        let effects = act(model, action);
        // The answer to an earlier key disappears when a dialog opens.
        if model.dialogs.len() > dialogs && model.status == said && said.is_some_and(|s| s.mood == Severity::Quiet) {
            model.status = None;
        }
        model.next_message();
        return effects;
    }
    model.next_message();
    if let (KeyCode::Char(c), KeyModifiers::NONE) = key {
        let mut buf = [0; 4];
        typing::insert(model, c.encode_utf8(&mut buf).as_bytes());
    }
    Vec::new()
}

/// ESC and a key came together. Terminals send a key with Alt in this form, so an action bound to this chord goes
/// first; otherwise Esc was pressed, and then the key.
pub(super) fn chord(model: &mut Model, event: &KeyEvent) -> Vec<Effect> {
    if model.keys.find(model.chain(), keymap::key_of(event)).is_some() {
        return press(model, event);
    }
    let mut effects = press(model, &KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
    effects.extend(press(model, &KeyEvent::new(event.code, event.modifiers.difference(KeyModifiers::ALT))));
    effects
}

fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    if let Some(effects) =
        activity::act(model, action).or_else(|| log::act(model, action)).or_else(|| rules::act(model, action))
    {
        return effects;
    }
    if overview::act(model, action) || tour::act(model, action) {
        return Vec::new();
    }
    if let Some(entry) = palette::chosen(model).filter(|_| action == Action::Accept) {
        model.dialogs.pop();
        if let Some(tab) = entry.tab {
            tabs::show(model, tab);
        }
        return act(model, entry.row.action);
    }
    match action {
        // While text is typed, ctrl-c only leaves the text: it never ends the console.
        Action::Quit if typing::types(model) => act(model, typing::cancel(model)),
        Action::Quit => quit::ask(model),
        Action::Tour => take_tour::ask(model),
        Action::Suspend => vec![Effect::Suspend],
        Action::Target if model.targets.len() > 1 => vec![Effect::NextTarget],
        Action::Repaint => vec![Effect::Repaint],
        Action::Accept => model.act_on_top(|dialog, model| dialog.accept(model)),
        Action::Dismiss if model.dialogs.is_empty() => {
            dismiss(model);
            Vec::new()
        }
        Action::Dismiss => model.act_on_top(|dialog, model| dialog.dismiss(model)),
        _ => {
            if !dialogs::open(model, action) {
                step(model, action);
            }
            Vec::new()
        }
    }
}

/// Actions that change only the screen.
fn step(model: &mut Model, action: Action) {
    match action {
        Action::Complete => modules::complete(model),
        Action::Older if !modules::choose(model, false) => model.line.recall(true),
        Action::Newer if !modules::choose(model, true) => model.line.recall(false),
        Action::Overview => tabs::show(model, Tab::Overview),
        Action::Masks => tabs::show(model, Tab::Masks),
        Action::Activity => tabs::show(model, Tab::Activity),
        Action::Log => tabs::show(model, Tab::Log),
        Action::Rules => tabs::show(model, Tab::Rules),
        Action::NextTab => tabs::turn(model, 1),
        Action::PreviousTab => tabs::turn(model, Tab::ALL.len() - 1),
        Action::Up => up_or_down(model, -1),
        Action::Down => up_or_down(model, 1),
        Action::PageUp => turn_page(model, -1),
        Action::PageDown => turn_page(model, 1),
        Action::First => up_or_down(model, i32::MIN),
        Action::Last => up_or_down(model, i32::MAX),
        Action::Next => focus::turn(model, true),
        Action::Previous => focus::turn(model, false),
        Action::Change => focus::pick(model, true),
        Action::ChangeBack => focus::pick(model, false),
        Action::Choose(choice) => focus::choose(model, choice),
        Action::Edit(how) => typing::edit(model, how),
        Action::Discard => masks::discard(model),
        Action::Undo => masks::step(model, true),
        Action::Redo => masks::step(model, false),
        Action::Filter => masks::filter(model),
        Action::Target => model.say(Severity::Quiet, "this console has one target; --target chooses another"),
        Action::Theme => next_theme(model),
        Action::KeepFilter => masks::end_filter(model, true),
        Action::EndFilter => masks::end_filter(model, false),
        Action::Left | Action::Right | Action::Toggle | Action::All | Action::Nothing | Action::Invert => {
            masks::edit(model, action);
        }
        // The other actions belong to the screens Activity and Log, which were asked first.
        _ => {}
    }
}

/// Switches to the next theme by name.
fn next_theme(model: &mut Model) {
    let names = Theme::NAMES;
    let at = names.iter().position(|name| Theme::by_name(name) == Some(model.theme)).unwrap_or(0);
    let name = names[(at + 1) % names.len()];
    if let Some(theme) = Theme::by_name(name).filter(|_| model.colours) {
        model.theme = theme;
        model.say(Severity::Quiet, format!("theme {name}; `theme = \"{name}\"` in console.toml keeps it"));
    } else {
        model.say(Severity::Quiet, "this terminal has no colours: the theme stays plain");
    }
}

/// Handles Esc on a screen.
fn dismiss(model: &mut Model) {
    // A message is dismissed first, unless a filter hides all rows: there the screen says that this key shows all
    // again.
    if model.tab == Tab::Masks
        && !model.masks.filter.is_empty()
        && (model.status.is_none() || model.masks.shown(model.snapshot.known).is_empty())
    {
        masks::end_filter(model, false);
        return model.say(Severity::Quiet, "all capabilities are shown again");
    }
    let said = model.status.take().is_some();
    model.next_message();
    let noted = model.tab == Tab::Masks && model.masks.note.take().is_some();
    if said || noted || tour::skip(model) {
        return;
    }
    // Only where the warnings are visible.
    if model.tab == Tab::Overview {
        warnings::put_away(model);
    }
}
