//! The step of the guided tour, at the bottom of every screen of a demo.

use ratatui::text::{Line, Span};

use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::tour::Step;
use crate::tui::text;
use crate::tui::widgets::lines::line;

/// With fewer rows than this, the tour has one line.
const SMALL: u16 = 20;

/// How many rows it takes on a screen of this size.
pub fn rows(model: &Model, screen: u16) -> u16 {
    match model.tour.shown {
        true if screen >= SMALL => 3,
        true if screen >= 8 => 1,
        _ => 0,
    }
}

/// The rows.
pub fn lines(model: &Model, columns: u16, rows: u16) -> Vec<Line<'static>> {
    let (columns, theme) = (usize::from(columns), &model.theme);
    let (words, at, all) = (model.tour_words(), model.tour.number(), Step::ALL.len());
    if rows == 1 {
        // The reason is the first to go, and the line says so.
        let all = [
            format!("Tour {at}/{all}: {}; {}", words.keys, words.why),
            format!("Tour {at}/{all}: {}; why hidden", words.brief),
            format!("Tour {at}/{all}: {}", words.brief),
        ];
        let fits = all.iter().find(|text| text::width(text) <= columns).unwrap_or(&all[2]);
        return vec![line(text::fit(fits, columns), theme.key)];
    }
    let title = format!("Tour {at} of {all}: {}", words.title);
    let key = |action| model.keys.key(action);
    let hint =
        format!(" {} skips · {} back · {} hides ", key(Action::Dismiss), key(Action::TourBack), key(Action::Tour));
    let left = columns.saturating_sub(text::width(&title) + 3);
    // In a dialog, these keys mean something else.
    let hint = if model.dialogs.is_empty() && text::width(&hint) + 3 <= left { hint } else { String::new() };
    let rule = "─".repeat(left.saturating_sub(text::width(&hint) + 1));
    vec![
        Line::from(vec![
            Span::styled("─ ", theme.frame),
            Span::styled(text::fit(&title, columns.saturating_sub(3)), theme.focus),
            Span::styled(format!(" {rule}"), theme.frame),
            Span::styled(hint, theme.dim),
            Span::styled("─", theme.frame),
        ]),
        line(text::fit(&format!(" {}", words.keys), columns), theme.title),
        line(text::fit(&format!(" {}", words.why), columns), theme.text),
    ]
}
