//! The screen Rules: keys that move, and that open what is under the cursor.

use crate::tui::field::Field;
use crate::tui::keymap::Action;
use crate::tui::layout;
use crate::tui::model::filter::quoted;
use crate::tui::model::rules::place;
use crate::tui::model::{Model, Tab};
use crate::tui::msg::Effect;

use super::tabs;

/// Asks for the rules, if the screen shows them and something has happened.
pub(super) fn look(model: &mut Model) -> Option<Effect> {
    if model.tab != Tab::Rules || !model.link.seen {
        return None;
    }
    model.rules.top = layout::rules::top(model);
    model.rules.ask(model.snapshot.seq).then_some(Effect::ReadRules)
}

/// The time of a trial is over: the target looks at its order when it is asked for the rules.
pub(super) fn trial_over(model: &mut Model) {
    if model.rules_trial() == Some(0) {
        model.rules.again();
    }
}

/// Handles a key of the screen. Returns `None` if the screen does not handle it.
pub(super) fn act(model: &mut Model, action: Action) -> Option<Vec<Effect>> {
    if model.tab != Tab::Rules || !model.dialogs.is_empty() {
        return None;
    }
    let page = isize::from(layout::rules::list(model).height.saturating_sub(1).max(1).cast_signed());
    match action {
        Action::Up => model.rules.move_by(-1),
        Action::Down => model.rules.move_by(1),
        Action::PageUp => model.rules.move_by(-page),
        Action::PageDown => model.rules.move_by(page),
        Action::First => model.rules.move_by(isize::MIN),
        Action::Last => model.rules.move_by(isize::MAX),
        Action::Open => open(model),
        _ => return None,
    }
    Some(Vec::new())
}

/// Shows the requests that a rule decided; of what was denied, those alone.
fn open(model: &mut Model) {
    let Some((Some(rule), denied)) = model.rules.chosen() else { return };
    let mut words = quoted(&format!("rule:{}", place(rule)));
    if let Some(denied) = denied {
        words = format!("{words} {}", quoted(&denied.asked));
    }
    model.activity.unfilter_all();
    model.activity.words = Field::new(words.as_bytes());
    model.activity.changed();
    tabs::show(model, Tab::Activity);
}
