//! The draft: keys change it and nothing else.

use crate::abi::cap::CapMask;
use crate::control::MaskKnob;
use crate::control::words::Mood;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::masks::{KNOBS, live};

/// Chooses a column, or changes the draft of the chosen one.
pub(super) fn edit(model: &mut Model, action: Action) {
    let masks = &mut model.masks;
    let (column, known) = (masks.column, model.snapshot.known);
    let draft = masks.draft(column);
    let new = match action {
        Action::Left => return masks.column = MaskKnob::Bset,
        Action::Right => return masks.column = MaskKnob::Inheritable,
        Action::All => known,
        Action::Nothing => CapMask::EMPTY,
        Action::Invert => known.minus(draft),
        _ => match masks.capability() {
            Some(cap) => draft.toggled(cap),
            None => draft,
        },
    };
    masks.set(column, new);
    masks.note = None;
}

/// Back to what is live, both masks.
pub(super) fn discard(model: &mut Model) {
    let changed = !model.masks.changed(&model.snapshot).is_empty();
    for knob in KNOBS {
        model.masks.set(knob, live(&model.snapshot, knob));
    }
    model.masks.note = None;
    model.say(Mood::Quiet, if changed { "the draft was discarded" } else { "there is no draft to discard" });
}
