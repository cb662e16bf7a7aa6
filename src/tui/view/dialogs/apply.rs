//! The confirmations: what is dropped, by name, and that it cannot be regained.

use crate::control::text::outcome::{clauses, masks_and_uid};
use crate::tui::model::Model;
use crate::tui::model::dialog::{Apply, Reset};
use crate::tui::model::masks::{key, list, live, short, size};
use crate::tui::text;
use crate::tui::widgets::lines::line;

use super::Sheet;

pub(super) fn apply(model: &Model, apply: &Apply, columns: usize) -> Sheet {
    let mut sheet = Sheet::new("Apply the draft", &model.theme, columns);
    sheet.scroll = apply.scroll;
    let narrow = columns < 60;
    if !narrow {
        let target = format!("to the embedded engine (pid {}), in one write:", model.snapshot.pid);
        sheet.say(&target, model.theme.text);
    }
    for (knob, dropped, raised) in &apply.changes {
        let now = live(&model.snapshot, *knob);
        let known = model.snapshot.known;
        let name = if narrow { short(*knob) } else { key(*knob).name() };
        sheet.say(&format!("{name}: {} -> {}", size(now, known), size(now.minus(*dropped), known)), model.theme.title);
        if !dropped.is_empty() {
            sheet.say(&format!("  drops {}", list(*dropped)), model.theme.bad);
            let words =
                if narrow { "  ✗ cannot be regained" } else { "  ✗ what is dropped cannot be regained by a write" };
            sheet.say(words, model.theme.bad);
        }
        if !raised.is_empty() {
            let words = format!("  · {} will not be granted: live lacks it, it cannot be regained", list(*raised));
            sheet.say(&words, model.theme.warn);
        }
    }
    let truth = masks_and_uid(model.snapshot.uid);
    let truth = if narrow { clauses(&truth, columns.saturating_sub(2)) } else { &truth };
    sheet.say(&format!("! {truth}"), model.theme.warn);
    if apply.phrase.is_empty() && apply.error.is_some() {
        // The room is for what is wrong; the keys stand in the footer.
    } else if apply.phrase.is_empty() {
        sheet.pinned.push(line("enter applies, esc goes back", model.theme.text));
    } else {
        let label = format!("type `{}`:", apply.phrase);
        if columns < 2 * label.len() {
            // Whole: what cannot be read cannot be typed.
            let rows = text::wrap(&label, columns).into_iter().map(|row| line(row, model.theme.warn));
            sheet.pinned.extend(rows);
            sheet.pinned_field("", &apply.typed);
        } else {
            sheet.pinned_field(&label, &apply.typed);
        }
    }
    if apply.ticket.is_some() {
        sheet.pinned.push(line("writing it", model.theme.dim));
    }
    sheet.wrong(apply.error.as_ref());
    sheet
}

pub(super) fn reset(model: &Model, reset: &Reset, columns: usize) -> Sheet {
    let name = if columns < 60 { short(reset.knob) } else { key(reset.knob).name() };
    let s = &model.snapshot;
    let now = live(s, reset.knob);
    let mut sheet = Sheet::new(format!("Reset {name}"), &model.theme, columns);
    sheet.scroll = reset.scroll;
    let change = format!("{} -> {}", size(now, s.known), size(s.known, s.known));
    let target = if columns < 60 { String::new() } else { format!("in the embedded engine (pid {}): ", s.pid) };
    sheet.say(&(target + &change), model.theme.title);
    let back = s.known.minus(now);
    let back = if back.is_empty() { "nothing: it is full already".to_owned() } else { list(back) };
    sheet.say(&format!("gets back {back}"), model.theme.text);
    sheet.say("the real kernel cannot do this: there a dropped bit is gone until the next boot", model.theme.warn);
    sheet.pinned.push(line("enter resets, esc goes back", model.theme.text));
    sheet.wrong(reset.error.as_ref());
    sheet
}
