//! What a write to the masks would do, in the lines of its confirmation.

use crate::abi::cap::CapMask;
use crate::abi::mask::kernel_words;
use crate::control::MaskKnob;
use crate::control::text::mask::{list, shortest, size};
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::masks::{live, short};
use crate::tui::widgets::sheet::Sheet;

/// With fewer columns than this, what the screen names already is not repeated.
pub const NARROW: usize = 60;
/// Of how many dropped capabilities it is said what happens without them.
const EXPLAINED: u32 = 6;

/// What was rehearsed, what comes before the write, and what the write does not change.
pub fn about(model: &Model, sheet: &mut Sheet) {
    let theme = &model.theme;
    let not_yet = || format!("not yet: {} runs a helper under both", model.keys.key(Action::Rehearse));
    let rehearsed = model.rehearsed_draft();
    let style = if rehearsed.is_some() { theme.text } else { theme.warn };
    sheet.labelled("rehearsed", &rehearsed.unwrap_or_else(not_yet), style);
    if model.link.is_real() {
        let words = "modprobe runs for a module that no machine has, under both masks; if it ends in another way, \
                     nothing is written";
        sheet.labelled("before it", words, theme.text);
    }
    sheet.labelled("running", "helpers that run now keep what they have", theme.text);
}

/// A mask in its shortest form, or its size if that is long.
fn form(mask: CapMask, known: CapMask, columns: usize) -> String {
    let words = shortest(mask, known);
    if words.len() <= columns { words } else { size(mask, known) }
}

/// One mask: from, to, what is dropped by name, and what will not be granted.
pub fn says(model: &Model, sheet: &mut Sheet, (knob, dropped, raised): &(MaskKnob, CapMask, CapMask)) {
    let (theme, known) = (&model.theme, model.snapshot.known);
    let now = live(&model.snapshot, *knob);
    let after = now.minus(*dropped);
    let narrow = sheet.columns < NARROW;
    let room = if narrow { 16 } else { 48 };
    let change = format!("{} -> {}", form(now, known, room), form(after, known, room));
    sheet.labelled(short(*knob), &change, theme.title);
    if !narrow {
        sheet.labelled("as words", &kernel_words(after).replace('\t', " "), theme.text);
    }
    if narrow || dropped.len() > EXPLAINED {
        sheet.labelled("drops", &list(*dropped), theme.bad);
    } else {
        for (at, cap) in dropped.iter().enumerate() {
            let without = cap.info().map_or("not known to this program", |info| info.without);
            let label = if at == 0 { "drops" } else { "" };
            sheet.labelled(label, &format!("{}: {without}", cap.name()), theme.bad);
        }
    }
    if !raised.is_empty() {
        let words = format!("✗ {} will not be granted: live lacks it, it cannot be regained", list(*raised));
        sheet.labelled("ignored", &words, theme.warn);
    }
}
