//! The panels about masks: what holds for all of them, the capability under the cursor, each mask with its draft beside
//! live, and what to know before the draft is applied.

use crate::abi::cap::{CapMask, Capability};
use crate::abi::mask::{hex, kernel_words, libcap, names, systemd};
use crate::control::MaskKnob;
use crate::control::text::mask::{list, shortest};
use crate::control::text::outcome::{clauses, masks_and_uid};
use crate::tui::keymap::Action;
use crate::tui::model::masks::{KNOBS, key, live, short};
use crate::tui::model::{Model, presets};
use crate::tui::text;

use super::section::{Section, Writer};

/// Of how many dropped capabilities it is said what breaks.
const BREAKS: usize = 6;

/// What holds for all masks here: another writer changed one, or they do less than they seem to (UMH-10, UMH-11).
/// `short`: only the first clauses.
pub fn note(model: &Model, columns: usize, short: bool) -> Section {
    let (s, theme) = (&model.snapshot, &model.theme);
    let mut out = Writer::new(model, columns, "Note", "");
    if let Some(note) = &model.masks.note {
        out.sentence(&format!("! {note}"), theme.warn);
    }
    if model.link.is_real() {
        return out.section;
    }
    if s.uid != 0 {
        let words = masks_and_uid(s.uid);
        let words = if short { clauses(&words, columns.saturating_sub(3)) } else { &words };
        out.sentence(&format!("! {words}"), theme.warn);
    }
    let unknown: Vec<&str> = [("bounding", s.host.bounding), ("inheritable", s.host.inheritable)]
        .into_iter()
        .filter_map(|(name, set)| set.known().is_none().then_some(name))
        .collect();
    if !unknown.is_empty() {
        let sets = unknown.join(" and ");
        out.sentence(&format!("! khelper's own {sets} set is unknown: it could not be read"), theme.warn);
    }
    out.section
}

/// The capability under the cursor.
pub fn capability(model: &Model, columns: usize) -> Section {
    let Some(cap) = model.masks.capability() else {
        let mut out = Writer::new(model, columns, "No capability", "");
        out.sentence("no row matches the filter", model.theme.dim);
        return out.section;
    };
    let mut out = Writer::new(model, columns, cap.name(), cap.bit().to_string());
    about(&mut out, cap, true);
    for knob in KNOBS {
        let (live, draft) = (live(&model.snapshot, knob), model.masks.draft(knob));
        match (live.has(cap), draft.has(cap)) {
            (true, false) => {
                let words = format!("{}: live has it, the draft drops it", short(knob));
                out.say("changes now", &words, model.theme.draft);
                out.say("regain it", regain(model), model.theme.bad);
            }
            (false, true) => {
                let words = format!("✗ {}: live lacks it, it cannot be regained", short(knob));
                out.say("the draft", &words, model.theme.bad);
            }
            _ => {}
        }
    }
    if !model.link.is_real() {
        out.tell("khelper", &own(model, cap));
    }
    out.section
}

/// What it allows, and what happens without it and with it.
pub fn about(out: &mut Writer<'_>, cap: Capability, allows: bool) {
    let Some(info) = cap.info() else { return out.tell("allows", "newer than this program") };
    if allows {
        out.tell("allows", info.meaning);
    }
    let dropped =
        KNOBS.into_iter().any(|knob| live(&out.model.snapshot, knob).has(cap) && !out.model.masks.draft(knob).has(cap));
    let style = if dropped { out.model.theme.bad } else { out.model.theme.text };
    out.say("without it", info.without, style);
    if let Some(risk) = cap.risk() {
        out.tell("with it", risk);
    }
}

/// How a dropped capability comes back.
pub fn regain(model: &Model) -> &'static str {
    if model.link.is_real() {
        "✗ not before this machine starts again"
    } else {
        "✗ not by a write: only a reset of this engine's mask"
    }
}

/// Which of khelper's own sets have it.
fn own(model: &Model, cap: Capability) -> String {
    let host = &model.snapshot.host;
    let of = |set: &str, has: Option<bool>| match has {
        Some(true) => format!("in its own {set} set"),
        Some(false) => format!("not in its {set} set"),
        None => format!("its {set} set is unknown"),
    };
    format!("{}, {}", of("bounding", host.bounding.has(cap)), of("inheritable", host.inheritable.has(cap)))
}

/// One mask: the draft beside live. The shortest form comes first; `whole`: every form.
pub fn mask(model: &Model, knob: MaskKnob, columns: usize, whole: bool) -> Section {
    let (known, live, draft) = (model.snapshot.known, live(&model.snapshot, knob), model.masks.draft(knob));
    if live == draft {
        let mut out = Writer::new(model, columns, format!("{}: no draft", short(knob)), "");
        out.say("live", &format!("{}{}", shortest(live, known), no_effect(model, knob)), model.theme.title);
        forms(&mut out, live, whole);
        return out.section;
    }
    let copies = format!("{} copies", model.keys.key(Action::Copy));
    let mut out = Writer::new(model, columns, format!("{}: the draft beside live", short(knob)), copies);
    beside(&mut out, live, draft, no_effect(model, knob));
    forms(&mut out, live & draft, whole);
    out.section
}

/// The draft, live, what is dropped, what cannot be regained, and the result.
fn beside(out: &mut Writer<'_>, live: CapMask, draft: CapMask, no_effect: &str) {
    both(out, live, draft, no_effect);
    differences(out, live, draft);
}

/// The draft and live.
pub fn both(out: &mut Writer<'_>, live: CapMask, draft: CapMask, no_effect: &str) {
    let (theme, known) = (&out.model.theme, out.model.snapshot.known);
    out.say("draft", &shortest(draft, known), theme.title);
    out.say("live", &format!("{}{no_effect}", shortest(live, known)), theme.title);
}

/// What is dropped, what cannot be regained, and the result.
pub fn differences(out: &mut Writer<'_>, live: CapMask, draft: CapMask) {
    let (theme, known) = (&out.model.theme, out.model.snapshot.known);
    let (dropped, lost) = (live.minus(draft), draft.minus(live));
    let names =
        |mask: CapMask| if mask == known { "every capability".to_owned() } else { list(mask).replace(", ", " ") };
    if !dropped.is_empty() {
        let all = if dropped == live { "everything that live has".to_owned() } else { names(dropped) };
        out.say("drops", &all, theme.draft);
    }
    if !lost.is_empty() {
        out.say("lost", &format!("✗ {}: cannot be regained", names(lost)), theme.bad);
        out.say("result", &shortest(live & draft, known), theme.title);
    }
}

/// Why the inheritable mask changes nothing here (UMH-10).
pub fn no_effect(model: &Model, knob: MaskKnob) -> &'static str {
    let empty = model.snapshot.host.inheritable.known().is_some_and(CapMask::is_empty);
    if knob == MaskKnob::Inheritable && empty && !model.link.is_real() {
        "; no effect: khelper has none itself"
    } else {
        ""
    }
}

/// The forms after the shortest one.
fn forms(out: &mut Writer<'_>, mask: CapMask, whole: bool) {
    let known = out.model.snapshot.known;
    out.tell("as 0x", &hex(mask));
    out.tell("as words", &kernel_words(mask).replace('\t', " "));
    if whole {
        out.tell("systemd", &systemd(mask, known));
        out.tell("libcap", &libcap(mask, known));
        out.tell("names", &names(mask, known));
    }
}

/// What to know before the draft is applied; without a draft, the keys that make one.
pub fn before(model: &Model, columns: usize) -> Section {
    let key = |action| model.keys.key(action);
    if model.masks.changed(&model.snapshot).is_empty() {
        let mut out = Writer::new(model, columns, "No draft", "");
        let first = format!("{} toggles, {} offers presets", key(Action::Toggle), key(Action::Presets));
        let then = match model.options.read_only {
            true => "read-only, nothing is applied".to_owned(),
            false => format!("{} rehearses, {} applies", key(Action::Rehearse), key(Action::Apply)),
        };
        out.tell("keys", &format!("{first}, {then}"));
        return out.section;
    }
    let mut out = Writer::new(model, columns, "Before you apply", "");
    rehearsed(&mut out);
    let dropped = dropped(model);
    for (at, cap) in dropped.iter().take(BREAKS).enumerate() {
        let without = cap.info().map_or("not known to this program", |info| info.without);
        out.tell(if at == 0 { "would break" } else { "" }, &format!("{}: {without}", cap.name()));
    }
    if dropped.len() > BREAKS {
        out.say("", &format!("and {} more", dropped.len() - BREAKS), model.theme.dim);
    }
    let running = match model.snapshot.live_total {
        0 => "no helper".to_owned(),
        1 => "1 helper, keeps what it has".to_owned(),
        n => format!("{n} helpers keep what they have"),
    };
    out.tell("running now", &running);
    let undo = format!("{} the last change of the draft, {} all of it", key(Action::Undo), key(Action::Discard));
    out.tell("undo", &undo);
    out.section
}

/// Every capability that the draft drops from one of the masks.
fn dropped(model: &Model) -> Vec<Capability> {
    let all = KNOBS
        .into_iter()
        .fold(CapMask::EMPTY, |all, knob| all | live(&model.snapshot, knob).minus(model.masks.draft(knob)));
    all.iter().collect()
}

/// The last rehearsal of this very draft.
pub fn rehearsed(out: &mut Writer<'_>) {
    let model = out.model;
    match model.rehearsed_draft() {
        Some(words) => out.tell("rehearsed", &words),
        None => {
            let words = format!("not yet: {} runs a helper under both", model.keys.key(Action::Rehearse));
            out.say("rehearsed", &words, model.theme.warn);
        }
    }
}

/// The last change of each mask.
pub fn changes(model: &Model, columns: usize) -> Section {
    let mut out = Writer::new(model, columns, "Last changes", "");
    for knob in KNOBS {
        let Some(last) = model.snapshot.provenance.iter().find(|last| last.change.key == key(knob)) else { continue };
        let masks = (last.change.before.mask(), last.change.after.mask());
        let (Some(before), Some(after)) = masks else { continue };
        let (drops, regains) = (before.minus(after), after.minus(before));
        let what = [(drops, "drops"), (regains, "reset, regains")].into_iter().filter(|(mask, _)| !mask.is_empty());
        let what: Vec<String> = what.map(|(mask, verb)| format!("{verb} {}", list(mask))).collect();
        let actor = &last.actor;
        let comm = text::screen(&actor.comm.to_string().into_bytes());
        let words = format!("{}: {}, by {comm} {}, uid {}", short(knob), what.join("; "), actor.pid, actor.uid);
        out.tell(&(model.local)(last.wall), &words);
    }
    out.section
}

/// The presets and what they are for.
pub fn preset_list(model: &Model, columns: usize) -> Section {
    let fills = format!("{} fills the draft", model.keys.key(Action::Presets));
    let mut out = Writer::new(model, columns, "Presets", fills);
    for preset in presets::all(model.snapshot.known) {
        out.sentence(&preset.name, model.theme.title);
        out.sentence(&preset.says, model.theme.dim);
    }
    out.section
}

/// What the signs mean; a sign stays beside its words.
pub fn legend(model: &Model, columns: usize) -> Section {
    let mut out = Writer::new(model, columns, "Signs", "");
    let mut rows: Vec<String> = Vec::new();
    let signs = ["■ has", "· lacks", "· drops: the draft drops it", "✗ lost: cannot be regained"];
    let own = "own: khelper's own bounding set";
    let inheritable = "then its inheritable set";
    let unknown = "? not known";
    let host = &model.snapshot.host;
    let own = (!model.link.is_real()).then_some(own);
    let inheritable = own.filter(|_| !host.inheritable.known().is_some_and(CapMask::is_empty)).map(|_| inheritable);
    let unread = host.bounding.known().is_none() || host.inheritable.known().is_none();
    let unknown = own.filter(|_| unread).map(|_| unknown);
    for sign in signs.into_iter().chain(own).chain(inheritable).chain(unknown) {
        match rows.last_mut() {
            Some(row) if text::width(row) + 4 + text::width(sign) < columns => *row += &format!("   {sign}"),
            _ => rows.push(sign.to_owned()),
        }
    }
    rows.iter().for_each(|row| out.sentence(row, model.theme.dim));
    out.section
}
