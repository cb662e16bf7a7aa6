//! The keys of the draft; they change nothing else.

use crate::control::MaskKnob;
use crate::control::text::outcome::Severity;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::draft_text::changes;
use crate::tui::model::masks::{KNOBS, live};

/// Selects a column, or changes the draft of the selected one. While a filter is set, only the rows shown change.
pub(super) fn edit(model: &mut Model, action: Action) {
    let masks = &mut model.masks;
    let column = masks.column;
    let draft = masks.draft(column);
    let shown = masks.shown(model.snapshot.known);
    let new = match action {
        Action::Left => return masks.column = MaskKnob::Bset,
        Action::Right => return masks.column = MaskKnob::Inheritable,
        Action::All => draft | shown,
        Action::Nothing => draft.minus(shown),
        Action::Invert => draft.minus(shown) | shown.minus(draft),
        Action::Toggle => match masks.capability() {
            Some(cap) => draft.toggled(cap),
            None => draft,
        },
        _ => return,
    };
    masks.set(column, new);
    masks.note = None;
}

/// Discards the draft of both masks; this can be undone too.
pub(super) fn discard(model: &mut Model) {
    let changed = !model.masks.changed(&model.snapshot).is_empty();
    model.masks.set_both(KNOBS.map(|knob| live(&model.snapshot, knob)));
    model.masks.note = None;
    let back = model.keys.key(Action::Undo);
    let text =
        if changed { format!("the draft was discarded ({back}: back)") } else { "there is no draft to discard".into() };
    model.say(Severity::Quiet, text);
}

/// Undoes or redoes one step.
pub(super) fn step(model: &mut Model, back: bool) {
    let (done, none) = if back { ("undone", "nothing to undo") } else { ("redone", "nothing to redo") };
    if model.masks.step(back) {
        let text = format!("{done}: {}", changes(model, model.masks.drafts()));
        model.say(Severity::Quiet, text);
    } else {
        model.say(Severity::Quiet, format!("{none} in this draft"));
    }
}

/// Gives the focus to the filter.
pub(super) fn filter(model: &mut Model) {
    model.masks.filtering = true;
    model.masks.filter.select();
    model.masks.before = Some(model.masks.cursor);
}

/// Leaves the filter: keeps it or clears it.
pub(super) fn end_filter(model: &mut Model, keep: bool) {
    model.masks.filtering = false;
    let before = model.masks.before.take();
    if !keep {
        model.masks.filter = Default::default();
        model.masks.cursor = before.unwrap_or(model.masks.cursor);
    }
    model.masks.move_by(0, &model.snapshot);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::CapMask;
    use crate::tui::testing::fixtures::{self, KNOWN};
    use crate::tui::testing::render::keys;

    const NET: CapMask = CapMask::from_bits(0b1111 << 10);
    const NET_RAW: CapMask = CapMask::from_bits(1 << 13);
    const CHOWN: CapMask = CapMask::from_bits(1);

    /// The draft of the mask in this column after these keys, with `net_` as filter; before, the draft lacks one row
    /// that is shown and one that is hidden.
    fn after(column: MaskKnob, typed: &str) -> CapMask {
        let mut model = fixtures::model(fixtures::snapshot(), 80, 24);
        keys(&mut model, "2");
        model.masks.column = column;
        model.masks.set(column, KNOWN.minus(CHOWN | NET_RAW));
        let other = if column == MaskKnob::Bset { MaskKnob::Inheritable } else { MaskKnob::Bset };
        keys(&mut model, "/net_\n");
        keys(&mut model, typed);
        assert_eq!(model.masks.draft(other), KNOWN, "{typed}: the other mask stays");
        model.masks.draft(column)
    }

    /// The rows that a filter hides stay unchanged: those that are set, and the one that is not.
    #[test]
    fn keys_for_all_rows_change_the_rows_that_are_shown_and_no_hidden_one() {
        let hidden = KNOWN.minus(NET | CHOWN);
        for column in KNOBS {
            assert_eq!(after(column, ""), hidden | NET.minus(NET_RAW));
            assert_eq!(after(column, "i"), hidden | NET_RAW, "shown rows are inverted");
            assert_eq!(after(column, "ii"), hidden | NET.minus(NET_RAW), "and inverted back");
            assert_eq!(after(column, "n"), hidden, "shown rows are dropped");
            assert_eq!(after(column, "a"), hidden | NET, "shown rows are set");
        }
    }
}
