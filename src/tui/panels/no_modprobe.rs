//! The first screen on a machine without the program of `kernel.modprobe`: what can be done there.

use ratatui::text::{Line, Span};

use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::overview::{Item, KnobRow};
use crate::tui::text;

use super::rows::PanelRow;

/// The title of the panel.
pub fn title(model: &Model) -> String {
    format!("This machine has no {}", text::screen(&model.snapshot.knobs.modprobe))
}

/// The rows; empty unless the tour is offered. On a small screen, only the first way out.
pub fn rows(model: &Model, columns: usize, small: bool) -> Vec<PanelRow> {
    if !model.offers_tour() {
        return Vec::new();
    }
    let key = |action| model.keys.key(action);
    if small {
        let words = format!("no modprobe: {} takes a tour without it", key(Action::Tour));
        let line = Line::from(Span::styled(text::fit(&words, columns), model.theme.warn));
        return vec![PanelRow { item: Some(Item::Knob(KnobRow::Modprobe)), stands_for: 1, line }];
    }
    let says = |words: &str| PanelRow::words(&format!("  {words}"), columns, model.theme.text);
    let way = |action, words: &str| {
        let (key, room) = (key(action), columns.saturating_sub(7));
        PanelRow::plain(Line::from(vec![
            Span::styled(format!("   {} ", text::pad(&key, 3)), model.theme.key),
            Span::styled(text::fit(words, room), model.theme.text),
        ]))
    };
    vec![
        says("So a request for a module can only end with cannot exec (ENOENT)."),
        says("That is usual in a container, or on a kernel without modules."),
        way(Action::Tour, "Take the tour with built-in helpers: nothing is installed or loaded."),
        says("    One minute: watch, read why, rehearse, apply. The same as khelper --demo."),
        way(Action::Path, "Choose another program for kernel.modprobe of this engine."),
        way(Action::Call, "Call any helper, for example /bin/sleep 60."),
    ]
}
