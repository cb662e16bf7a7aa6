//! The names of the screens.

use ratatui::text::{Line, Span};

use crate::tui::model::{Model, Tab};

/// The screens with their keys, and `read-only`.
pub fn line(model: &Model, columns: u16) -> Line<'static> {
    let columns = usize::from(columns);
    let marks: Vec<Span<'static>> = marks(model);
    let with_marks = |mut spans: Vec<Span<'static>>| {
        spans.extend(marks.iter().cloned());
        Line::from(spans)
    };
    let lines = [Names::Roomy, Names::Close, Names::Shown].map(|names| with_marks(screens(model, names)));
    let [roomy, close, shown] = lines;
    if roomy.width() <= columns {
        roomy
    } else if close.width() <= columns {
        close
    } else if shown.width() <= columns {
        shown
    } else {
        Line::from(screens(model, Names::Shown))
    }
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
    for (at, tab) in Tab::ALL.into_iter().enumerate() {
        let number = at + 1;
        let (text, style) = match (model.tab == tab, names) {
            (true, _) => (format!("[{number} {}]", tab.name()), model.theme.selected),
            (false, Names::Roomy) => (format!(" {number} {} ", tab.name()), model.theme.text),
            (false, Names::Close) => (format!("{number} {}", tab.name()), model.theme.text),
            (false, Names::Shown) => (number.to_string(), model.theme.text),
        };
        spans.push(Span::styled(text, style));
        spans.push(Span::raw(" "));
    }
    spans
}

fn marks(model: &Model) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    if !model.masks.changed(&model.snapshot).is_empty() {
        spans.push(Span::styled("draft open ", model.theme.draft));
    }
    if model.options.read_only {
        spans.push(Span::styled("read-only", model.theme.warn));
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
