//! Switches between the screens.

use crate::control::text::outcome::Severity;
use crate::tui::model::{Model, Tab};

/// Shows the screen `by` places further on.
pub(super) fn turn(model: &mut Model, by: usize) {
    let here = Tab::ALL.iter().position(|tab| *tab == model.tab).unwrap_or_default();
    show(model, Tab::ALL[(here + by) % Tab::ALL.len()]);
}

/// Shows a screen. The message of another screen disappears, unless the operator has to act on it.
pub(super) fn show(model: &mut Model, tab: Tab) {
    if tab != model.tab && model.status.as_ref().is_some_and(|s| matches!(s.mood, Severity::Quiet | Severity::Good)) {
        model.status = None;
    }
    model.tab = tab;
    // They may have been read again since, which changes nothing else of the target.
    model.rules.again();
}
