//! What the warnings strip says: what is to be acted on, the newest of the most urgent first. Each can be taken away, and
//! comes back when it happens again.

use std::cmp::Reverse;

use crate::abi::escape::screen_again;
use crate::abi::event::Level;
use crate::abi::launch_spec::Enforcement;
use crate::abi::snapshot::{DRAIN_FAILED, LogLine, RUNAWAY};
use crate::abi::time::Micros;
use crate::control::text::outcome::{Severity, title};

use super::Model;
use crate::tui::keymap::Action;

/// One warning.
#[derive(Debug)]
pub struct Warning {
    /// How urgent it is.
    pub mood: Severity,
    /// When it was last and what, escaped.
    pub text: String,
    at: Micros,
    about: About,
}

/// What it is about, and with that what takes it away.
#[derive(Debug)]
enum About {
    /// The modprobe path's, counted from 0.
    Path(usize),
    /// A helper whose masks did not hold as they should: which of [`UNENFORCED`], and its request.
    Unenforced(usize, u64),
    /// Refusals by the limit, and the log's lines about them.
    Runaway,
    /// Another line of the log.
    Line(String),
    /// A knob that somebody else changed, counted from 0.
    Notice(usize),
}

/// How masks can fail to hold as they should, and how urgent that is.
const UNENFORCED: [(Enforcement, Severity); 2] =
    [(Enforcement::Refused, Severity::Bad), (Enforcement::NoNewPrivs, Severity::Warned)];

/// What was taken away.
#[derive(Clone, Debug, Default)]
pub struct Dismissed {
    /// Refusals by the limit that are no news.
    refused: u64,
    /// Lines of the log, each up to a time.
    lines: Vec<(String, Micros)>,
    /// The newest request for each of [`UNENFORCED`].
    unenforced: [u64; UNENFORCED.len()],
}

impl Dismissed {
    fn hides(&self, line: &LogLine) -> bool {
        self.lines.iter().any(|(text, at)| *text == line.text && line.at <= *at)
    }
}

/// Every warning there is to show.
pub fn all(model: &Model) -> Vec<Warning> {
    let mut out = Vec::new();
    for (at, warning) in model.path_warnings.iter().enumerate() {
        let edits = || format!(" ({} edits the path)", model.keys.key(Action::Path));
        let way_out = if model.options.read_only { String::new() } else { edits() };
        let text = format!("kernel.modprobe: {}{way_out}", screen_again(warning));
        out.push(Warning { mood: Severity::Warned, text, at: model.path_looked, about: About::Path(at) });
    }
    not_enforced(model, &mut out);
    runaway(model, &mut out);
    lines(model, &mut out);
    for (n, (at, notice)) in model.notices.iter().enumerate() {
        let text = format!("{} {notice}", model.clock(*at));
        out.push(Warning { mood: Severity::Warned, text, at: *at, about: About::Notice(n) });
    }
    out.sort_by_key(|warning| (warning.mood != Severity::Bad, Reverse(warning.at)));
    out
}

/// How many the limit has refused since this was taken away, and when it did last.
fn runaway(model: &Model, out: &mut Vec<Warning>) {
    let totals = &model.snapshot.totals;
    let refused = totals.refused_limit.saturating_sub(model.away.refused);
    if refused == 0 {
        return;
    }
    // It goes before the log's own lines about the same, whichever of the two came last.
    let logged = model.snapshot.warnings.iter().filter(|line| line.text.starts_with(RUNAWAY)).map(|line| line.at);
    let at = logged.chain(totals.refused_limit_at).max().unwrap_or_default();
    let more = if model.away.refused > 0 { " more" } else { "" };
    let when = model.clock(at);
    let text = format!("{when} runaway loop? {refused}{more} refused by the limit: too many requests at once");
    out.push(Warning { mood: Severity::Bad, text, at, about: About::Runaway });
}

/// What the log has at warning or above; the same line again is counted.
fn lines(model: &Model, out: &mut Vec<Warning>) {
    let mut lines: Vec<(&LogLine, u32)> = Vec::new();
    for line in model.snapshot.warnings.iter().filter(|line| !model.away.hides(line)) {
        match lines.iter_mut().find(|(newest, _)| newest.text == line.text) {
            Some((_, times)) => *times += 1,
            None => lines.push((line, 1)),
        }
    }
    for (line, times) in lines {
        let mood = if line.level >= Level::Error { Severity::Bad } else { Severity::Warned };
        let times = if times > 1 { format!(" (×{times})") } else { String::new() };
        let text = format!("{} {}{times}", model.clock(line.at), screen_again(&line.text));
        let about = if line.text.starts_with(RUNAWAY) { About::Runaway } else { About::Line(line.text.clone()) };
        out.push(Warning { mood, text, at: line.at, about });
    }
}

/// The newest helper whose masks did not hold as they should.
fn not_enforced(model: &Model, out: &mut Vec<Warning>) {
    for (n, (what, mood)) in UNENFORCED.into_iter().enumerate() {
        let Some(record) = model.snapshot.last.iter().find(|record| record.enforced == Some(what)) else { continue };
        if record.id <= model.away.unenforced[n] {
            continue;
        }
        let at = record.at + record.ended_us.unwrap_or_default();
        let why = match what {
            Enforcement::Refused => format!("#{}: the masks could not be enforced, so nothing was started", record.id),
            _ => format!(
                "#{} {}: masks enforced by no_new_privs, its CapBnd still reads wide (no CAP_SETPCAP here)",
                record.id,
                title(record)
            ),
        };
        let text = format!("{} {why}", model.clock(at));
        out.push(Warning { mood, text, at, about: About::Unenforced(n, record.id) });
    }
}

/// Takes the first one away; whether there was one.
pub fn put_away(model: &mut Model) -> bool {
    let mut all = all(model);
    if all.is_empty() {
        return false;
    }
    let first = all.swap_remove(0);
    match first.about {
        About::Path(at) => drop(model.path_warnings.remove(at)),
        About::Notice(at) => drop(model.notices.remove(at)),
        About::Unenforced(n, id) => model.away.unenforced[n] = id,
        About::Runaway => no_runaway(model),
        About::Line(text) => hide(model, |line| line.text == text),
    }
    true
}

/// What the limit has refused so far is no news any more.
pub fn no_runaway(model: &mut Model) {
    model.away.refused = model.snapshot.totals.refused_limit;
    hide(model, |line| line.text.starts_with(RUNAWAY));
}

/// The gate was worked: a drain that failed before is no news any more.
pub fn gate_worked(model: &mut Model) {
    hide(model, |line| line.text.starts_with(DRAIN_FAILED));
}

/// Hides lines of the log, as often as they are there now; what the engine has let go needs no memory.
fn hide(model: &mut Model, which: impl Fn(&LogLine) -> bool) {
    let lines = &model.snapshot.warnings;
    model.away.lines.retain(|(text, _)| lines.iter().any(|line| line.text == *text));
    model.away.lines.extend(lines.iter().filter(|line| which(line)).map(|line| (line.text.clone(), line.at)));
}
