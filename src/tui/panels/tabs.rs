//! The names of the screens.

use ratatui::text::{Line, Span};

use crate::tui::model::masks::{live, short};
use crate::tui::model::{Model, Tab};
use crate::tui::text;

/// The screens with their keys, and the draft of the masks in words at the right.
pub fn line(model: &Model, columns: u16) -> Line<'static> {
    let columns = usize::from(columns);
    let draft = draft(model);
    let least = if draft.is_empty() { 0 } else { text::width(OPEN) + 1 };
    let all = [Names::Roomy, Names::Close, Names::Shown].map(|names| Line::from(screens(model, names)));
    let [roomy, close, shown] = all;
    let mut line = [roomy, close].into_iter().find(|line| line.width() + least <= columns).unwrap_or(shown);
    let room = columns.saturating_sub(line.width());
    if !draft.is_empty() && room >= text::width(OPEN) {
        let draft = text::fit(&draft, room);
        line.spans.push(Span::raw(" ".repeat(room - text::width(&draft))));
        line.spans.push(Span::styled(draft, model.theme.draft));
    }
    line
}

/// The beginning of the words about a draft.
const OPEN: &str = "draft open";

/// The draft in words, without the names of the capabilities; empty if there is none.
fn draft(model: &Model) -> String {
    let words = |knob| {
        let (live, draft) = (live(&model.snapshot, knob), model.masks.draft(knob));
        let count = |what: &str, n: u32| if n > 0 { format!(" {what} {n}") } else { String::new() };
        let drops = count("drops", live.minus(draft).len());
        format!("{}{drops}{}", short(knob), count("adds", draft.minus(live).len()))
    };
    let all: Vec<String> = model.masks.changed(&model.snapshot).into_iter().map(words).collect();
    if all.is_empty() { String::new() } else { format!("{OPEN}: {}", all.join(", ")) }
}

/// How much is shown of each screen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Roomy,
    Close,
    /// The name of the current screen, and the numbers of the others.
    Shown,
}

fn screens(model: &Model, names: Names) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let open = !model.masks.changed(&model.snapshot).is_empty();
    for (at, tab) in Tab::ALL.into_iter().enumerate() {
        let number = at + 1;
        let mark = if tab == Tab::Masks && open { "*" } else { "" };
        let (text, style) = match (model.tab == tab, names) {
            (true, _) => (format!("[{number} {}{mark}]", tab.name()), model.theme.tab),
            (false, Names::Roomy) => (format!(" {number} {}{mark} ", tab.name()), model.theme.text),
            (false, Names::Close) => (format!("{number} {}{mark}", tab.name()), model.theme.text),
            (false, Names::Shown) => (format!("{number}{mark}"), model.theme.text),
        };
        spans.push(Span::styled(text, style));
        spans.push(Span::raw(" "));
    }
    spans
}

/// The screen whose name is in this cell of the line.
pub fn at(model: &Model, columns: u16, x: u16) -> Option<Tab> {
    let line = line(model, columns);
    let mut end = 0;
    // Each name is followed by a blank; the names come first in the line.
    Tab::ALL.into_iter().zip(line.spans.chunks(2)).find_map(|(tab, spans)| {
        end += spans.iter().map(Span::width).sum::<usize>();
        (usize::from(x) < end).then_some(tab)
    })
}
