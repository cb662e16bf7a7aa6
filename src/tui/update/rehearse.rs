//! The rehearsal: the probe under the draft masks, and under the live ones.

use crate::abi::mask::MaskExpr;
use crate::control::Command;
use crate::tui::model::dialog::{Dialog, Rehearsal, Rehearsed};
use crate::tui::model::masks::KNOBS;
use crate::tui::model::{Model, Pending};
use crate::tui::msg::Effect;

use super::refused_read_only;

/// Starts both runs and opens the page that shows them.
pub(super) fn start(model: &mut Model) -> Vec<Effect> {
    if refused_read_only(model, "rehearsing (it runs the probe)") {
        return Vec::new();
    }
    let draft = KNOBS.map(|knob| model.masks.draft(knob));
    let [bset, inheritable] = draft.map(|mask| Some(MaskExpr::Exactly(mask)));
    let under_draft = model.submit(Pending::Probe, Command::Probe { bset, inheritable });
    let first = Rehearsed::Running(model.last_ticket());
    let under_live = model.submit(Pending::Probe, Command::Probe { bset: None, inheritable: None });
    let second = Rehearsed::Running(model.last_ticket());
    model.dialogs.push(Dialog::Rehearsal(Rehearsal { draft, runs: [first, second], scroll: 0 }));
    vec![under_draft, under_live]
}
