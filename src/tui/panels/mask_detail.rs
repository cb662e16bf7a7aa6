//! Details of the masks: what changes, the capability under the cursor, the text forms.

use ratatui::style::Style;
use ratatui::text::Line;

use crate::abi::cap::CapMask;
use crate::abi::mask::{hex, kernel_words, libcap, names, systemd};
use crate::control::MaskKnob;
use crate::control::text::mask::difference;
use crate::control::text::outcome::masks_and_uid;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::masks::{KNOBS, live, short};
use crate::tui::text;
use crate::tui::widgets::lines::{cut, line};

/// As much as fits, the most important first.
pub fn lines(model: &Model, columns: usize, rows: usize) -> Vec<Line<'static>> {
    // Give every sentence as many lines as fit.
    let limits: &[usize] = match rows {
        ..=2 => &[1],
        3..=20 => &[usize::MAX, 2],
        _ => &[usize::MAX, 16, 12, 8],
    };
    let mut out = Lines::default();
    for limit in limits {
        out = limited(model, columns, rows, *limit);
        if out.lines.len() <= rows {
            break;
        }
    }
    let total = out.lines.len();
    if total > rows
        && let Some(last) = rows.checked_sub(2).filter(|last| out.goes_on.get(*last) == Some(&true))
    {
        let style = out.lines[last].spans.first().map(|span| span.style).unwrap_or_default();
        out.lines[last] = line(text::fit(&format!("{}{}", out.lines[last], text::CUT), columns), style);
    }
    let says = format!("lines: {} shows all", model.keys.key(Action::Forms));
    cut(out.lines, total, (columns, rows), &says, model.theme.dim)
}

/// All of it, each sentence on at most this many lines.
fn limited(model: &Model, columns: usize, rows: usize, wrap: usize) -> Lines {
    let roomy = rows > 20;
    let mut out = Lines { columns, wrap, ..Lines::default() };
    note(model, &mut out);
    differences(model, &mut out);
    capability(model, &mut out);
    caveats(model, &mut out);
    legend(model, &mut out);
    if roomy {
        out.say("", model.theme.text);
    }
    for knob in KNOBS {
        forms(model, knob, &mut out, roomy);
    }
    out
}

#[derive(Default)]
struct Lines {
    lines: Vec<Line<'static>>,
    /// For each line, whether the next one continues its sentence.
    goes_on: Vec<bool>,
    columns: usize,
    wrap: usize,
}

impl Lines {
    /// Adds a sentence on at most this many lines.
    fn say(&mut self, sentence: &str, style: Style) {
        let mut lines = text::wrap(sentence, self.columns);
        if lines.len() > self.wrap {
            // The rest of the text, with its own blanks and no others.
            lines.truncate(self.wrap - 1);
            let rest = lines.iter().fold(sentence, |rest, line| {
                rest.split_once(line.as_str()).map_or(rest, |(_, rest)| rest.trim_start())
            });
            let rest = text::fit(rest, self.columns);
            lines.push(rest);
        }
        let last = lines.len() - 1;
        self.goes_on.extend((0..lines.len()).map(|at| at < last));
        self.lines.extend(lines.into_iter().map(|text| line(text, style)));
    }
}

fn note(model: &Model, out: &mut Lines) {
    if let Some(note) = &model.masks.note {
        out.say(&format!("! {note}"), model.theme.warn);
    }
}

fn differences(model: &Model, out: &mut Lines) {
    let changed = model.masks.changed(&model.snapshot);
    if changed.is_empty() {
        let [toggle, presets, rehearse, apply] =
            [Action::Toggle, Action::Presets, Action::Rehearse, Action::Apply].map(|action| model.keys.key(action));
        let words =
            format!("no draft: {toggle} toggles, {presets} offers presets, {rehearse} rehearses, {apply} applies");
        let read_only = format!("no draft: {toggle} toggles, {presets} offers presets; read-only, nothing is applied");
        out.say(if model.options.read_only { &read_only } else { &words }, model.theme.dim);
    }
    for knob in changed {
        let words = difference(live(&model.snapshot, knob), model.masks.draft(knob));
        out.say(&format!("{} live -> draft: {words}", short(knob)), model.theme.draft);
    }
}

fn capability(model: &Model, out: &mut Lines) {
    let Some(cap) = model.masks.capability() else { return };
    match cap.info() {
        Some(info) => {
            out.say(&format!("{}: {}", info.name, info.meaning), model.theme.text);
            out.say(&format!("without it: {}", info.without), model.theme.text);
            if let Some(risk) = cap.risk() {
                out.say(&format!("with it: {risk}"), model.theme.text);
            }
        }
        None => out.say(&format!("{}: newer than this program", cap.name()), model.theme.text),
    }
}

/// Where the masks do less than they seem to (UMH-10, UMH-11).
fn caveats(model: &Model, out: &mut Lines) {
    let s = &model.snapshot;
    if s.uid != 0 {
        out.say(&format!("! {}", masks_and_uid(s.uid)), model.theme.warn);
    }
    let unknown: Vec<&str> = [("bounding", s.host.bounding), ("inheritable", s.host.inheritable)]
        .into_iter()
        .filter_map(|(name, set)| set.known().is_none().then_some(name))
        .collect();
    if !unknown.is_empty() {
        let sets = unknown.join(" and ");
        out.say(&format!("! the host's own {sets} set is unknown: it could not be read"), model.theme.warn);
    }
    if s.host.inheritable.known().is_some_and(CapMask::is_empty) {
        out.say("! the inheritable mask has no effect: the host's own inheritable set is empty", model.theme.warn);
    }
}

/// All forms of one mask: live, and the draft where it differs.
fn forms(model: &Model, knob: MaskKnob, out: &mut Lines, roomy: bool) {
    let (known, live, draft) = (model.snapshot.known, live(&model.snapshot, knob), model.masks.draft(knob));
    let mut one = |which: &str, mask: CapMask, style| {
        let head = format!("{} {which}: {} = {}", short(knob), kernel_words(mask).replace('\t', " "), hex(mask));
        if roomy {
            out.say(&head, style);
            out.say(&format!("  names {}", names(mask, known)), style);
            out.say(&format!("  systemd {}", systemd(mask, known)), style);
            out.say(&format!("  libcap {}", libcap(mask, known)), style);
        } else {
            let line = format!("{head} = {} = {}", names(mask, known), systemd(mask, known));
            out.say(&line, style);
        }
    };
    one("live", live, model.theme.text);
    if live != draft {
        one("draft", draft, model.theme.draft);
    }
}

/// The legend of the marks; a mark stays beside its words.
fn legend(model: &Model, out: &mut Lines) {
    for row in marks(out.columns) {
        out.say(&row, model.theme.dim);
    }
}

/// All of this, and both masks, live and draft, in every form: for the page that `f` opens.
pub fn whole(model: &Model, columns: usize) -> Vec<Line<'static>> {
    let mut out = Lines { columns, wrap: usize::MAX, ..Lines::default() };
    note(model, &mut out);
    capability(model, &mut out);
    legend(model, &mut out);
    out.say(&host_legend(model), model.theme.dim);
    for knob in KNOBS {
        forms(model, knob, &mut out, true);
    }
    differences(model, &mut out);
    if model.snapshot.uid == 0 {
        out.say(&format!("! {}", masks_and_uid(0)), model.theme.warn);
    }
    caveats(model, &mut out);
    out.lines
}

/// The legend of the marks, in rows.
fn marks(columns: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for mark in ["■ has", "· lacks", "■→· draft drops it", "·→✗ cannot be regained"] {
        match rows.last_mut() {
            Some(row) if text::width(row) + 2 + text::width(mark) <= columns => *row += &format!("  {mark}"),
            _ => rows.push(mark.to_owned()),
        }
    }
    rows
}

/// The meaning of the last column; `?` is explained only if a set could not be read.
fn host_legend(model: &Model) -> String {
    let host = &model.snapshot.host;
    let unknown = host.bounding.known().is_none() || host.inheritable.known().is_none();
    let unknown = if unknown { ", ? unknown" } else { "" };
    format!("host: which of its own sets have it: b bounding, i or inh inheritable, - none{unknown}")
}
