//! What the warnings strip says, the most urgent first.

use crate::abi::birth::Enforcement;
use crate::abi::escape::screen;
use crate::control::words::{Mood, title};
use crate::engine::event::Level;

use super::Model;
use crate::tui::keymap::Action;

/// Every warning there is to show, escaped.
pub fn all(model: &Model) -> Vec<(Mood, String)> {
    let s = &model.snapshot;
    let mut out = Vec::new();
    for warning in &model.path_warnings {
        let edits = || format!(" ({} edits the path)", model.keys.key(Action::Path));
        let way_out = if model.options.read_only { String::new() } else { edits() };
        out.push((Mood::Warned, format!("kernel.modprobe: {}{way_out}", screen_again(warning))));
    }
    not_enforced(model, &mut out);
    if s.totals.refused_limit > 0 {
        let why = format!(
            "runaway loop? {} refused by the limit of {}: too many requests at once",
            s.totals.refused_limit, s.slots.limit
        );
        out.push((Mood::Bad, why));
    }
    let mut lines: Vec<(Mood, &str, u32)> = Vec::new();
    for line in &s.warnings {
        let mood = if line.level >= Level::Error { Mood::Bad } else { Mood::Warned };
        match lines.iter_mut().find(|(_, text, _)| *text == line.text) {
            Some((_, _, times)) => *times += 1,
            None => lines.push((mood, &line.text, 1)),
        }
    }
    for (mood, text, times) in lines {
        let times = if times > 1 { format!(" (×{times})") } else { String::new() };
        out.push((mood, format!("{}{times}", screen_again(text))));
    }
    out.extend(model.notices.iter().map(|notice| (Mood::Warned, notice.clone())));
    out.sort_by_key(|(mood, _)| *mood != Mood::Bad);
    out
}

/// The newest helper whose masks did not hold as they should.
fn not_enforced(model: &Model, out: &mut Vec<(Mood, String)>) {
    let newest = |what| model.snapshot.last.iter().find(|record| record.enforced == Some(what));
    if let Some(record) = newest(Enforcement::Refused) {
        out.push((Mood::Bad, format!("#{}: the masks could not be enforced, so nothing was started", record.id)));
    }
    if let Some(record) = newest(Enforcement::NoNewPrivs) {
        let why = format!(
            "#{} {}: masks enforced by no_new_privs, its CapBnd still reads wide (no CAP_SETPCAP here)",
            record.id,
            title(record)
        );
        out.push((Mood::Warned, why));
    }
}

/// Lines that are escaped already keep their backslashes; whatever else is hostile in them is escaped all the same.
pub fn screen_again(text: &str) -> String {
    screen(text.as_bytes()).replace("\\\\", "\\")
}
