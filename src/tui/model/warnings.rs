//! The warnings strip: the most urgent first, and the newest first among equals.

use std::cmp::Reverse;

use crate::abi::sort::sort_by_key;
use crate::abi::time::Micros;
use crate::control::alerts::{AlertKind, alerts};
use crate::control::text::outcome::Severity;

use super::Model;
use super::state::is_absent;
use crate::tui::keymap::Action;

/// One warning.
#[derive(Debug)]
pub struct Warning {
    /// How urgent it is.
    pub mood: Severity,
    /// The time of the last occurrence and the text, escaped.
    pub text: String,
    at: Micros,
    about: About,
}

/// Its origin, which determines how it is dismissed.
#[derive(Debug)]
enum About {
    /// A warning about the modprobe path, counted from 0.
    Path(usize),
    /// A knob that another writer changed, counted from 0.
    Notice(usize),
    /// A state of the engine.
    Alert(AlertKind),
}

/// All warnings.
pub fn all(model: &Model) -> Vec<Warning> {
    let mut out = Vec::new();
    // The first screen has a panel about it.
    let told = model.offers_tour();
    for (at, warning) in model.path_warnings.iter().enumerate().filter(|(_, text)| !told || !is_absent(text)) {
        let edits = || format!(" ({} edits the path)", model.keys.key(Action::Path));
        let way_out = if model.options.read_only { String::new() } else { edits() };
        let text = format!("kernel.modprobe: {warning}{way_out}");
        out.push(Warning { mood: Severity::Warned, text, at: model.path_looked, about: About::Path(at) });
    }
    for found in alerts(&model.snapshot, &model.away) {
        let text = format!("{} {}", model.clock(found.at), found.kind.text());
        out.push(Warning { mood: found.severity, text, at: found.at, about: About::Alert(found.kind) });
    }
    for (n, (at, notice)) in model.notices.iter().enumerate() {
        let text = format!("{} {notice}", model.clock(*at));
        out.push(Warning { mood: Severity::Warned, text, at: *at, about: About::Notice(n) });
    }
    sort_by_key(&mut out, |warning| (warning.mood != Severity::Bad, Reverse(warning.at)));
    out
}

/// Dismisses the first one. Returns whether there was one.
pub fn put_away(model: &mut Model) -> bool {
    let Some(first) = all(model).into_iter().next() else { return false };
    match first.about {
        About::Path(at) => drop(model.path_warnings.remove(at)),
        About::Notice(at) => drop(model.notices.remove(at)),
        About::Alert(kind) => model.away.dismiss(&kind, &model.snapshot),
    }
    true
}
