//! The watch of this machine's kernel: what it counted, and what it can know.

use ratatui::style::Style;

use crate::abi::counted::counted;
use crate::abi::snapshot::WatchState;
use crate::control::target::TargetKind;
use crate::control::text::kernel;
use crate::tui::model::Model;
use crate::tui::text;

use super::rows::{PanelRow, labelled};

/// The watch, if the target is the kernel and its state is known.
pub fn state(model: &Model) -> Option<&WatchState> {
    model.snapshot.kernel.as_deref().filter(|_| model.link.info.kind == TargetKind::Kernel)
}

/// The numbers, and each state of what can be known.
pub fn rows(model: &Model, columns: usize) -> Vec<PanelRow> {
    let Some(watch) = state(model) else { return Vec::new() };
    let mut rows = vec![PanelRow::words(&numbers(watch), columns, model.theme.text)];
    for state in &watch.states {
        let parts = [("known", &state.known), ("not known", &state.unknown), ("change that", &state.change)];
        for (label, words) in parts.into_iter().filter(|(_, words)| !words.is_empty()) {
            let style = if label == "known" { model.theme.text } else { model.theme.warn };
            let lines = labelled(model, label, &text::screen(words.as_bytes()), columns, style);
            rows.extend(lines.into_iter().map(PanelRow::plain));
        }
    }
    rows
}

/// `310 helpers ended, requester known of 305, 0 events lost, 0 missed`.
fn numbers(watch: &WatchState) -> String {
    format!(
        "{} ended, requester known of {}, {} lost, {} missed",
        counted(watch.helpers, "helper"),
        watch.requesters,
        counted(watch.lost, "event"),
        watch.missed
    )
}

/// The state of the watch for the first line of the Overview, with a sign: `● watching`.
pub fn brief(model: &Model, watch: &WatchState) -> (String, Style) {
    match kernel::partial(watch) {
        None => ("● watching".to_owned(), model.theme.good),
        Some(words) if watch.failed.is_some() => (format!("‖ {words}"), model.theme.bad),
        Some(words) => (format!("◐ {words}"), model.theme.warn),
    }
}

/// What is lost, for the same line.
pub fn losses(model: &Model, watch: &WatchState) -> (String, Style) {
    let lost = watch.lost + watch.missed;
    (format!("? {lost} lost"), if lost > 0 { model.theme.bad } else { model.theme.text })
}

/// What a badge says on every screen: a state that makes the records less than whole.
pub fn badge(model: &Model) -> Option<(String, Style)> {
    let watch = state(model)?;
    let lost = watch.lost + watch.missed;
    match kernel::partial(watch) {
        Some(_) if watch.failed.is_some() => Some((" WATCH ENDED ".to_owned(), model.theme.badge_bad)),
        _ if lost > 0 => Some((format!(" {lost} LOST "), model.theme.badge_bad)),
        Some(words) => Some((format!(" {words} "), model.theme.badge)),
        None => None,
    }
}
