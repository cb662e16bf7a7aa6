//! The rehearsal: what the probe got and how it ended, under the draft and under the live masks.

use crate::abi::birth::Enforcement;
use crate::abi::cap::{CapMask, CapSets};
use crate::abi::mask::names;
use crate::control::words::{ended_in_words, ended_with_time};
use crate::engine::record::Record;
use crate::tui::model::Model;
use crate::tui::model::dialog::{Rehearsal, Rehearsed};
use crate::tui::model::masks::{KNOBS, difference, list, live, short, size};

use super::Sheet;

/// A set's name, and how to take it out of the five.
type Set = (&'static str, fn(&CapSets) -> CapMask);

/// The five sets, as capabilities(7) names them.
const SETS: [Set; 5] = [
    ("permitted", |s| s.permitted),
    ("effective", |s| s.effective),
    ("inheritable", |s| s.inheritable),
    ("bounding", |s| s.bounding),
    ("ambient", |s| s.ambient),
];

pub(super) fn sheet(model: &Model, rehearsal: &Rehearsal, columns: usize) -> Sheet {
    let mut sheet = Sheet::new("Rehearsal: the built-in probe, nothing is applied", columns);
    sheet.scroll = rehearsal.scroll;
    for knob in KNOBS {
        let words = difference(live(&model.snapshot, knob), rehearsal.draft[knob as usize]);
        sheet.say(&format!("{} live -> draft: {words}", short(knob)), model.theme.draft);
    }
    for (name, run) in ["draft", "live"].into_iter().zip(&rehearsal.runs) {
        ended(model, &mut sheet, name, run);
    }
    let got = |run: &Rehearsed| match run {
        Rehearsed::Ended(record) => record.caps.as_deref().copied(),
        _ => None,
    };
    match (got(&rehearsal.runs[0]), got(&rehearsal.runs[1])) {
        (Some(draft), Some(live)) => compare(model, &mut sheet, &draft, &live),
        (Some(draft), None) => sets(model, &mut sheet, "under draft", &draft),
        (None, Some(live)) => sets(model, &mut sheet, "under live", &live),
        (None, None) => {}
    }
    sheet
}

/// How one run ended.
fn ended(model: &Model, sheet: &mut Sheet, name: &str, run: &Rehearsed) {
    match run {
        Rehearsed::Running(_) => sheet.say(&format!("under {name}: runs"), model.theme.dim),
        Rehearsed::Failed(why) => sheet.say(&format!("under {name}: ✗ not run: {why}"), model.theme.bad),
        Rehearsed::Ended(record) => {
            let style = model.theme.mood(ended_in_words(record).mood);
            let how = format!("under {name}: #{} {}{}", record.id, ended_with_time(record), enforced(record));
            sheet.say(&how, style);
            if let Some(why) = record.why.as_deref().filter(|_| record.caps.is_none()) {
                sheet.say(&format!("  {}", crate::tui::model::warnings::screen_again(why)), style);
            }
        }
    }
}

fn enforced(record: &Record) -> String {
    match record.enforced {
        None => String::new(),
        Some(Enforcement::Masks) => ", enforced by the masks".into(),
        Some(Enforcement::NoNewPrivs) => ", enforced by no_new_privs (its bounding set still reads wide)".into(),
        Some(Enforcement::Refused) => ", the masks could not be enforced".into(),
    }
}

/// Both runs side by side: size under the draft, size under live, and what is missing by name.
fn compare(model: &Model, sheet: &mut Sheet, draft: &CapSets, live: &CapSets) {
    let known = model.snapshot.known;
    sheet.say("set           draft        live         the draft's run lacks", model.theme.title);
    for (name, of) in SETS {
        let (d, l) = (of(draft), of(live));
        let lacks = if l.minus(d).is_empty() { "nothing".to_owned() } else { list(l.minus(d)) };
        let more = d.minus(l);
        let more = if more.is_empty() { String::new() } else { format!("; has {} more", list(more)) };
        let style = if d == l { model.theme.text } else { model.theme.draft };
        sheet.say(&format!("{name:<13} {:<12} {:<12} {lacks}{more}", size(d, known), size(l, known)), style);
    }
    sets(model, sheet, "under draft", draft);
}

/// The five sets by name; those that are alike on one line.
fn sets(model: &Model, sheet: &mut Sheet, name: &str, sets: &CapSets) {
    let mut alike: Vec<(CapMask, Vec<&str>)> = Vec::new();
    for (set, of) in SETS {
        match alike.iter_mut().find(|(mask, _)| *mask == of(sets)) {
            Some((_, names)) => names.push(set),
            None => alike.push((of(sets), vec![set])),
        }
    }
    for (mask, which) in alike {
        let caps = if mask.is_empty() { "none".to_owned() } else { names(mask, model.snapshot.known) };
        sheet.say(&format!("{name}, {}: {caps}", which.join(", ")), model.theme.text);
    }
}
