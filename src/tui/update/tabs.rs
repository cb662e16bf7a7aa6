//! The screens: one of them is shown.

use crate::control::text::outcome::Severity;
use crate::tui::model::{Model, Tab};

/// Shows the screen that is so many places further on.
pub(super) fn turn(model: &mut Model, by: usize) {
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
