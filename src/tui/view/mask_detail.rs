//! What is to be said of the masks: what changes, the capability under the cursor, the text forms.

use ratatui::style::Style;
use ratatui::text::Line;

use crate::abi::cap::CapMask;
use crate::abi::mask::{hex, kernel_words, libcap, names, systemd};
use crate::control::MaskKnob;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::masks::{KNOBS, difference, live, short};
use crate::tui::text;

use super::{cut, line, mask_table};

/// As much as there is room for, the most important first.
pub(super) fn lines(model: &Model, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let roomy = rows > 20;
    let mut out = Lines { lines: Vec::new(), columns, wrap: if roomy { 8 } else { 2 } };
    if rows <= 2 {
        out.wrap = 1;
    }
    note(model, &mut out);
    differences(model, &mut out);
    capability(model, &mut out);
    caveats(model, &mut out);
    out.lines.push(mask_table::legend(model, columns));
    if roomy {
        out.lines.push(Line::default());
    }
    for knob in KNOBS {
        forms(model, knob, &mut out, roomy);
    }
    let total = out.lines.len();
    let whole = if columns < 50 { "shows all" } else { "shows both masks whole" };
    let says = format!("lines: {} {whole}", model.keys.key(Action::Forms));
    cut(out.lines, total, (columns, rows), &says, model.theme.dim)
}

struct Lines {
    lines: Vec<Line<'static>>,
    columns: usize,
    wrap: usize,
}

impl Lines {
    /// A sentence, on so many lines at most.
    fn say(&mut self, sentence: &str, style: Style) {
        let mut lines = text::wrap(sentence, self.columns);
        if lines.len() > self.wrap {
            let rest = lines.split_off(self.wrap - 1).join(" ");
            lines.push(text::fit(&rest, self.columns));
        }
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
        let why = format!("! this host is not root (uid {}): a helper has no capability whatever the masks say", s.uid);
        out.say(&why, model.theme.warn);
    }
    if s.host.inheritable.is_empty() {
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

/// Both masks whole, live and draft, in every form: for the page that `f` opens.
pub(super) fn whole(model: &Model, columns: usize) -> Vec<Line<'static>> {
    let mut out = Lines { lines: Vec::new(), columns, wrap: usize::MAX };
    for knob in KNOBS {
        forms(model, knob, &mut out, true);
    }
    differences(model, &mut out);
    caveats(model, &mut out);
    out.lines
}
