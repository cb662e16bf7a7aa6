//! Details of the masks beside and below their table, and on the page that shows everything.

use ratatui::text::Line;

use crate::control::text::mask::{brief, shortest};
use crate::control::text::outcome::masks_and_uid;
use crate::tui::model::Model;
use crate::tui::model::masks::{KNOBS, live, short};

use super::confined::confined;
use super::mask_parts::{
    about, before, both, capability, changes, differences, legend, mask, no_effect, note, preset_list, rehearsed,
};
use super::section::{Section, Writer, fit};

/// Where details stand, which decides what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Beside the table: all panels.
    Beside,
    /// The first of two columns beside the table: the capability, and what to know before the draft is applied.
    Left,
    /// The second one: both masks in every form.
    Right,
    /// Below a table that leaves rows free: what the signs mean.
    Under,
    /// Below the table: one panel, the most important lines first.
    Below,
}

/// With fewer rows than this, the panel below the table has no rule.
const RULED: usize = 4;

/// As much as fits, the most important first; what is hidden is named in the last row.
pub fn lines(model: &Model, place: Place, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let sections = match place {
        Place::Beside => {
            let mut all = vec![note(model, columns, false), capability(model, columns)];
            all.extend(KNOBS.map(|knob| mask(model, knob, columns, false)));
            all.extend([before(model, columns), changes(model, columns), legend(model, columns)]);
            all
        }
        Place::Left => {
            let mut all = vec![note(model, columns, false), capability(model, columns), before(model, columns)];
            all.extend([changes(model, columns), preset_list(model, columns)]);
            all
        }
        Place::Right => {
            let mut all: Vec<Section> = KNOBS.map(|knob| mask(model, knob, columns, true)).into();
            let used: usize = all.iter().map(|section| 1 + section.lines.len()).sum();
            all.extend(confined(model, columns, rows.saturating_sub(used)));
            all
        }
        Place::Under => vec![legend(model, columns)],
        Place::Below => vec![below(model, columns)],
    };
    let sections = sections.into_iter().filter(|section| !section.lines.is_empty()).collect();
    fit(model, sections, columns, rows, place != Place::Below || rows >= RULED)
}

/// One panel below the table: the most important lines of all panels.
fn below(model: &Model, columns: usize) -> Section {
    let (title, hint) = match model.masks.capability() {
        Some(cap) => {
            let meaning = cap.info().map_or("newer than this program", |info| info.meaning);
            (format!("{}: {meaning}", cap.name()), cap.bit().to_string())
        }
        None => ("No capability: no row matches the filter".to_owned(), String::new()),
    };
    let mut out = Writer::new(model, columns, title, hint);
    let changed = model.masks.changed(&model.snapshot);
    // What the draft drops comes first, unless another writer has just changed it.
    let (first, later) = match note(model, columns, true).lines {
        lines if changed.is_empty() || model.masks.note.is_some() => (lines, Vec::new()),
        lines => (Vec::new(), lines),
    };
    out.section.lines = first;
    for knob in &changed {
        let (live, draft) = (live(&model.snapshot, *knob), model.masks.draft(*knob));
        if changed.len() == 1 {
            differences(&mut out, live, draft);
            both(&mut out, live, draft, no_effect(model, *knob));
        } else {
            let style = if live.contains(draft) { model.theme.draft } else { model.theme.bad };
            out.say(short(*knob), &brief(live, draft), style);
        }
    }
    out.section.lines.extend(later);
    if !changed.is_empty() {
        rehearsed(&mut out);
    }
    if let Some(cap) = model.masks.capability() {
        about(&mut out, cap, false);
    }
    for knob in KNOBS.into_iter().filter(|knob| !changed.contains(knob)) {
        let live = live(&model.snapshot, knob);
        out.tell(short(knob), &format!("{}{}", shortest(live, model.snapshot.known), no_effect(model, knob)));
    }
    if changed.is_empty() {
        out.section.lines.extend(before(model, columns).lines);
    }
    out.section
}

/// All panels, and both masks in every form: for the page that `f` opens.
pub fn whole(model: &Model, columns: usize) -> Vec<Line<'static>> {
    let mut sections = vec![capability(model, columns), note(model, columns, false)];
    sections.extend(KNOBS.map(|knob| mask(model, knob, columns, true)));
    sections.extend([before(model, columns), changes(model, columns), legend(model, columns)]);
    if model.snapshot.uid == 0 && !model.link.is_real() {
        let mut out = Writer::new(model, columns, "What masks do not do", "");
        out.sentence(&format!("! {}", masks_and_uid(0)), model.theme.warn);
        sections.push(out.section);
    }
    let sections = sections.into_iter().filter(|section| !section.lines.is_empty()).collect();
    fit(model, sections, columns, usize::MAX, true)
}
