//! Handles a new state of the engine: what changed, and who changed it.

use crate::abi::escape::screen;
use crate::abi::mask::kernel_words;
use crate::abi::snapshot::{Knobs, Snapshot};
use crate::control::text::mask::list;
use crate::control::text::outcome::value;
use crate::control::{Key, MaskKnob};
use crate::tui::dialogs::{apply, quit};
use crate::tui::model::Model;
use crate::tui::model::history::SlotHistory;
use crate::tui::model::masks::{KNOBS, key, live};
use crate::tui::msg::Effect;

/// The number of notices that are kept.
const NOTICES: usize = 4;

/// Handles a snapshot.
pub(super) fn take(model: &mut Model, snapshot: Snapshot) -> Vec<Effect> {
    if !std::mem::replace(&mut model.link.seen, true) {
        return begin(model, snapshot);
    }
    model.now = model.now.max(snapshot.now);
    model.history.take(&snapshot);
    let before = std::mem::replace(&mut model.snapshot, snapshot);
    for knob in KNOBS {
        mask_changed(model, knob, live(&before, knob));
    }
    for (key, was, is) in others(&before.knobs, &model.snapshot.knobs) {
        if !model.is_writing(key) {
            notice(model, format!("{} was changed by another writer: {} -> {}", key.name(), value(&was), value(&is)));
        }
    }
    quit::go_on(model)
}

/// Stores the first state of a run: there is no earlier state to compare. A draft is kept.
fn begin(model: &mut Model, snapshot: Snapshot) -> Vec<Effect> {
    let before = std::mem::replace(&mut model.snapshot, snapshot);
    (model.now, model.history) = (model.snapshot.now, SlotHistory::new(&model.snapshot));
    for knob in KNOBS {
        let now = live(&model.snapshot, knob);
        model.masks.rebase(knob, live(&before, knob), now);
    }
    quit::go_on(model)
}

/// Rebases the draft on a live mask that changed; if another writer changed it, adds a notice.
fn mask_changed(model: &mut Model, knob: MaskKnob, before: crate::abi::cap::CapMask) {
    let after = live(&model.snapshot, knob);
    if before == after {
        return;
    }
    let open = model.masks.draft(knob) != before;
    model.masks.rebase(knob, before, after);
    if model.is_writing(key(knob)) {
        return;
    }
    let name = key(knob).name();
    let (lost, gained) = (before.minus(after), after.minus(before));
    let what = match (lost.is_empty(), gained.is_empty()) {
        (false, true) => format!("it lost {}", list(lost)),
        (true, _) => format!("it got back {}", list(gained)),
        _ => format!("it lost {} and got back {}", list(lost), list(gained)),
    };
    if open {
        model.masks.note = Some(format!("{name} was changed by another writer: {what}; the draft was rebased on it"));
        apply::ask_again(model);
    }
    notice(model, format!("{name} was changed by another writer: {what}; `{}` -> `{}`", words(before), words(after)));
}

fn words(mask: crate::abi::cap::CapMask) -> String {
    kernel_words(mask).replace('\t', " ")
}

fn others(before: &Knobs, after: &Knobs) -> Vec<(Key, String, String)> {
    let mut out = Vec::new();
    let mut differ = |key, was: String, is: String| {
        if was != is {
            out.push((key, was, is));
        }
    };
    differ(Key::Modprobe, screen(&before.modprobe), screen(&after.modprobe));
    differ(Key::Era, before.era.name().to_owned(), after.era.name().to_owned());
    differ(Key::MaxConcurrent, before.max_concurrent.to_string(), after.max_concurrent.to_string());
    differ(Key::Allow, screen(before.allow.text().as_bytes()), screen(after.allow.text().as_bytes()));
    differ(Key::Deny, screen(before.deny.text().as_bytes()), screen(after.deny.text().as_bytes()));
    out
}

/// Adds a notice to the warnings; drops the oldest when there are too many.
pub(super) fn notice(model: &mut Model, text: String) {
    model.notices.truncate(NOTICES - 1);
    model.notices.insert(0, (model.now, text));
}
