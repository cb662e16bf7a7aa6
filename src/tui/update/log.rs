//! The screen Log: keys that move and filter.

use crate::abi::event::Level;
use crate::control::text::outcome::Severity;
use crate::tui::field::Field;
use crate::tui::keymap::Action;
use crate::tui::layout;
use crate::tui::model::{Model, Tab};
use crate::tui::msg::Effect;

/// Scrolls so that the line under the cursor is visible, and applies the filter.
pub(super) fn settle(model: &mut Model) {
    if model.tab == Tab::Log {
        if model.log.typing {
            model.log.look();
        }
        model.log.top = layout::log::top(model);
    }
}

/// Handles a key of the screen. Returns `None` if the screen does not handle it.
pub(super) fn act(model: &mut Model, action: Action) -> Option<Vec<Effect>> {
    if model.tab != Tab::Log || !model.dialogs.is_empty() {
        return None;
    }
    let page = isize::try_from(layout::log::rows(model).saturating_sub(1).max(1)).unwrap_or(1);
    let log = &mut model.log;
    match action {
        Action::Up => log.move_by(-1),
        Action::Down => log.move_by(1),
        Action::PageUp => log.move_by(-page),
        Action::PageDown => log.move_by(page),
        Action::First => log.move_by(isize::MIN),
        Action::Last => log.move_by(isize::MAX),
        Action::Follow if log.follow => {
            log.follow = false;
            model.say(Severity::Quiet, "the cursor keeps its line");
        }
        Action::Follow => {
            log.follow();
            model.say(Severity::Quiet, "the cursor follows the newest line");
        }
        Action::Level => log.next_level(),
        Action::Filter => {
            log.typing = true;
            log.words.select();
        }
        Action::KeepFilter => log.typing = false,
        Action::EndFilter => {
            (log.typing, log.words) = (false, Field::default());
            log.look();
        }
        Action::Copy => return Some(copy(model)),
        Action::Dismiss if model.log.filters() && (model.status.is_none() || model.log.shown.is_empty()) => {
            (model.log.words, model.log.level) = (Field::default(), Level::Info);
            model.log.look();
            model.say(Severity::Quiet, "all lines are shown again");
        }
        _ => return None,
    }
    Some(Vec::new())
}

fn copy(model: &mut Model) -> Vec<Effect> {
    let Some(line) = model.log.line() else {
        model.say(Severity::Quiet, "no line to copy");
        return Vec::new();
    };
    let text = format!("{} {} {}", line.time, crate::tui::model::log::level_name(line.level), line.words());
    model.copy("the line", text.into_bytes())
}
