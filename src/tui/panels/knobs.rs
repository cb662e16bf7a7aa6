//! The knobs and their values.

use ratatui::text::{Line, Span};

use crate::abi::cap::CapMask;
use crate::abi::depth::Depth;
use crate::abi::era::Era;
use crate::control::Key;
use crate::control::target::TargetKind;
use crate::control::text::mask::{but, size};
use crate::tui::model::Model;
use crate::tui::model::overview::{Item, KnobRow};
use crate::tui::text;

use super::rows::{LABEL, PanelRow};

/// A row for each knob: its value in words.
pub fn rows(model: &Model, columns: usize) -> Vec<PanelRow> {
    let shut = model.snapshot.gate != Depth::Enabled;
    let row = |knob: KnobRow| {
        let style = if knob == KnobRow::Gate && shut { model.theme.bad } else { model.theme.title };
        let label = Span::styled(format!(" {}", text::pad(name(knob), LABEL)), model.theme.dim);
        let value = text::fit(&value(model, knob), columns.saturating_sub(LABEL + 1));
        let line = Line::from(vec![label, Span::styled(value, style)]);
        PanelRow { item: Some(Item::Knob(knob)), stands_for: 1, line }
    };
    // The rest are an engine's.
    let of_kernel = [KnobRow::Modprobe, KnobRow::Bset, KnobRow::Inheritable];
    let real = model.link.is_real();
    KnobRow::ALL.into_iter().filter(|knob| !real || of_kernel.contains(knob)).map(row).collect()
}

/// The short name of a knob.
pub const fn name(knob: KnobRow) -> &'static str {
    match knob {
        KnobRow::Modprobe => "modprobe",
        KnobRow::Bset => "bset",
        KnobRow::Inheritable => "inheritable",
        KnobRow::Gate => "gate",
        KnobRow::Limit => "limit",
        KnobRow::Allow => "allow",
        KnobRow::Deny => "deny",
    }
}

/// The knobs of a row; the first one is the one that it is about.
pub const fn keys(knob: KnobRow) -> &'static [Key] {
    match knob {
        KnobRow::Modprobe => &[Key::Modprobe],
        KnobRow::Bset => &[Key::Bset],
        KnobRow::Inheritable => &[Key::Inheritable],
        KnobRow::Gate => &[Key::Gate],
        KnobRow::Limit => &[Key::MaxConcurrent, Key::Era],
        KnobRow::Allow => &[Key::Allow],
        KnobRow::Deny => &[Key::Deny],
    }
}

/// The value of a knob in words.
pub fn value(model: &Model, knob: KnobRow) -> String {
    let (s, knobs) = (&model.snapshot, &model.snapshot.knobs);
    match knob {
        KnobRow::Modprobe => modprobe(model),
        KnobRow::Bset => mask(knobs.bset, s.known),
        KnobRow::Inheritable => {
            let no_effect = s.host.inheritable.known().is_some_and(CapMask::is_empty);
            let effect = if no_effect { "; no effect: khelper has none itself" } else { "" };
            format!("{}{effect}", mask(knobs.inheritable, s.known))
        }
        KnobRow::Gate => gate(model),
        KnobRow::Limit => {
            let what = match knobs.era {
                Era::V3_4 => "one more is refused",
                Era::Current => "one more waits up to 5 s",
            };
            // The limit in force may be lower than the knob.
            let set = if knobs.max_concurrent == s.slots.limit {
                String::new()
            } else {
                format!(" (set to {})", knobs.max_concurrent)
            };
            format!("{} at once{set}; era {}: {what}", s.slots.limit, knobs.era.name())
        }
        KnobRow::Allow => list(knobs.allow.text(), "every module"),
        KnobRow::Deny => list(knobs.deny.text(), "none"),
    }
}

/// `full (41)`, `empty`, `all but cap_sys_module`, `cap_chown, cap_kill`.
fn mask(mask: CapMask, known: CapMask) -> String {
    if mask.contains(known) { size(mask, known) } else { but(mask, known) }
}

/// The path, escaped; an empty path in words.
pub fn modprobe(model: &Model) -> String {
    let path = &model.snapshot.knobs.modprobe;
    match (path.is_empty(), model.link.info.kind) {
        (false, _) => text::screen(path),
        // A kernel without modules has no such file.
        (true, TargetKind::Kernel) => "(empty or absent: autoload is off)".to_owned(),
        (true, _) => "(empty: autoload is off)".to_owned(),
    }
}

/// Everything except the path and the gate, for small screens.
pub fn brief(model: &Model) -> Vec<String> {
    let (s, knobs) = (&model.snapshot, &model.snapshot.knobs);
    let effect = if s.host.inheritable.known().is_some_and(CapMask::is_empty) { ", no effect" } else { "" };
    let masks = [
        format!("bset {}", size(knobs.bset, s.known)),
        format!("inheritable {}{effect}", size(knobs.inheritable, s.known)),
    ];
    if model.link.is_real() {
        return masks.into();
    }
    let [bset, inheritable] = masks;
    vec![
        bset,
        inheritable,
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
