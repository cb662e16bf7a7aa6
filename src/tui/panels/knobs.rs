//! The knobs and their values.

use ratatui::text::{Line, Span};

use crate::abi::cap::CapMask;
use crate::abi::depth::Depth;
use crate::abi::mask::kernel_words;
use crate::control::text::mask::size;
use crate::control::{Key, MaskKnob};
use crate::tui::model::Model;
use crate::tui::model::masks;
use crate::tui::text;

/// Four lines: the path, both masks, the other knobs.
pub fn lines(model: &Model, columns: usize) -> Vec<Line<'static>> {
    let row = |key: Key, value: String| {
        let name = text::pad(key.name(), 34);
        let room = columns.saturating_sub(35);
        Line::from(vec![
            Span::styled(format!("{name} "), model.theme.text),
            Span::styled(text::fit(&value, room), model.theme.title),
        ])
    };
    let mut lines = vec![row(Key::Modprobe, modprobe(model))];
    lines.extend(masks::KNOBS.into_iter().map(|knob| row(masks::key(knob), mask(model, knob))));
    lines.push(rest(model, columns));
    lines
}

/// The path, escaped; an empty path in words.
pub fn modprobe(model: &Model) -> String {
    let path = &model.snapshot.knobs.modprobe;
    if path.is_empty() { "(empty: autoload is off)".to_owned() } else { text::screen(path) }
}

fn mask(model: &Model, knob: MaskKnob) -> String {
    let s = &model.snapshot;
    let live = masks::live(s, knob);
    let words = kernel_words(live).replace('\t', " ");
    let effect = if knob == MaskKnob::Inheritable && s.host.inheritable.known().is_some_and(CapMask::is_empty) {
        ", has no effect"
    } else {
        ""
    };
    format!("{words} = {}{effect}", size(live, s.known))
}

/// Everything except the path and the gate, for small screens.
pub fn brief(model: &Model) -> Vec<String> {
    let (s, knobs) = (&model.snapshot, &model.snapshot.knobs);
    let effect = if s.host.inheritable.known().is_some_and(CapMask::is_empty) { ", no effect" } else { "" };
    vec![
        format!("bset {}", size(knobs.bset, s.known)),
        format!("inheritable {}{effect}", size(knobs.inheritable, s.known)),
        format!("era {} · max_concurrent {}", knobs.era.name(), knobs.max_concurrent),
        format!("allow {}", list(knobs.allow.text(), "(all)")),
        format!("deny {}", list(knobs.deny.text(), "(none)")),
    ]
}

fn list(list: &str, empty: &str) -> String {
    if list.is_empty() { empty.to_owned() } else { text::screen(list.as_bytes()) }
}

/// The gate's state in words.
pub fn gate(model: &Model) -> String {
    let s = &model.snapshot;
    let draining = if s.draining { ", draining" } else { "" };
    format!("{}{draining}", s.gate.name())
}

fn rest(model: &Model, columns: usize) -> Line<'static> {
    let knobs = &model.snapshot.knobs;
    let shut = model.snapshot.gate != Depth::Enabled;
    let style = if shut { model.theme.bad } else { model.theme.title };
    let gate = gate(model);
    let others = format!(
        "  era {}  max_concurrent {}  allow {}  deny {}",
        knobs.era.name(),
        knobs.max_concurrent,
        list(knobs.allow.text(), "(all)"),
        list(knobs.deny.text(), "(none)")
    );
    let room = columns.saturating_sub(text::width(&gate) + 13);
    Line::from(vec![
        Span::styled("khelper.gate ", model.theme.text),
        Span::styled(gate, style),
        Span::styled(text::fit(&others, room), model.theme.text),
    ])
}
