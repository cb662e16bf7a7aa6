//! The command line, and pages that it opens.

use crate::tui::model::Model;
use crate::tui::model::dialog::Page;
use crate::tui::text;

use super::Sheet;

pub(super) fn line(model: &Model, columns: usize) -> Sheet {
    let mut sheet = Sheet::new("Command: tab completes, up recalls", columns);
    let typed = &model.line;
    if typed.candidates.is_empty() {
        let words = "set, get, request, run, probe, mask, gate, reset, kill, abandon: as at the shell";
        sheet.say(words, model.theme.dim);
    } else {
        sheet.say(&typed.candidates.join("  "), model.theme.text);
    }
    sheet.pinned_field(model, "", &typed.typed);
    sheet.wrong(model, typed.error.as_ref());
    sheet
}

pub(super) fn page(model: &Model, page: &Page, columns: usize) -> Sheet {
    let mut sheet = Sheet::new(page.title.clone(), columns);
    sheet.scroll = page.scroll;
    for line in &page.lines {
        let wrapped = text::wrap(line, columns);
        sheet.lines.extend(wrapped.into_iter().map(|text| super::line(text, model.theme.text)));
    }
    sheet
}
