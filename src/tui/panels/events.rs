//! The newest lines of the log, on the Overview.

use ratatui::text::{Line, Span};

use crate::tui::model::{Model, log};
use crate::tui::text;

use super::rows::PanelRow;

/// The newest lines of the log, the newest first.
pub fn rows(model: &Model, columns: usize) -> Vec<PanelRow> {
    let line = |line: &log::Line| {
        let time = text::head(&line.time, 8).to_owned();
        let words = text::fit(&format!(" {}", line.words()), columns.saturating_sub(9));
        let spans = [Span::styled(format!(" {time}"), model.theme.dim), Span::styled(words, model.theme.text)];
        PanelRow::plain(Line::from_iter(spans))
    };
    model.log.newest(40).map(line).collect()
}
