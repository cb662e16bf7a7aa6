//! The command line, and pages that it opens.

use crate::tui::model::Model;
use crate::tui::model::dialog::Page;
use crate::tui::text;
use crate::tui::widgets::lines::line;

use super::Sheet;

pub(super) fn sheet(model: &Model, columns: usize) -> Sheet {
    let mut sheet = Sheet::new("Command: tab completes, up recalls", &model.theme, columns);
    let typed = &model.line;
    if !typed.asked.is_empty() {
        sheet.say("waiting for the answer; esc leaves it to come", model.theme.dim);
    } else if typed.candidates.is_empty() {
        let words = "set, get, request, run, probe, mask, gate, reset, kill, abandon; help explains them";
        sheet.say(words, model.theme.dim);
    } else {
        sheet.say(&typed.candidates.join("  "), model.theme.text);
    }
    sheet.pinned_field("", &typed.typed);
    sheet.wrong(typed.error.as_ref());
    sheet
}

pub(super) fn page(model: &Model, page: &Page, columns: usize) -> Sheet {
    let mut sheet = Sheet::new(page.title.clone(), &model.theme, columns);
    sheet.scroll = page.scroll;
    for row in &page.lines {
        // A line that is broken keeps its indent.
        let (indent, words) = row.split_at(row.len() - row.trim_start_matches(' ').len());
        let indent = text::fit(indent, columns / 2);
        let wrapped = text::wrap(words, columns - indent.len());
        sheet.lines.extend(wrapped.into_iter().map(|text| line(format!("{indent}{text}"), model.theme.text)));
    }
    sheet
}
