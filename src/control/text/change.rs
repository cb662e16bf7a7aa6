//! The result of a write to knobs, in words.

use crate::abi::cap::CapMask;
use crate::abi::knob::{Key, MaskKnob};
use crate::abi::knob_value::{Change, KnobValue};
use crate::abi::mask::names;

use super::mask::{list, shortest};
use super::outcome::{Severity, value};

/// Each knob's value before and after a write, and the warnings about a path (SYS-6).
pub fn changed(written: &[Change]) -> (Severity, String) {
    let warned = written.iter().any(|w| !w.warnings.is_empty());
    let text = written.iter().map(one).collect::<Vec<_>>().join("; ");
    (if warned { Severity::Warned } else { Severity::Good }, text)
}

fn one(written: &Change) -> String {
    match written.key {
        Key::Modprobe => path(written),
        key => format!("{}: {} -> {}", key.name(), value(&written.before.text()), value(&written.after.text())),
    }
}

fn path(written: &Change) -> String {
    let name = written.key.name();
    let (before, after) = (written.before.text(), written.after.text());
    let mut text = match (before == after, after.is_empty()) {
        (true, _) => format!("{name} is still {}", value(&after)),
        (_, true) => format!("{name} is empty now: autoload is off"),
        _ => format!("{name}: {} -> {}", value(&before), value(&after)),
    };
    for warning in &written.warnings {
        text.push_str("; ");
        text.push_str(warning);
    }
    text
}

/// The result of a write to masks: [`Severity::Good`] only if each mask reads back exactly as requested. `after` reads
/// a mask's current value. The value is in its shortest form, among the `known` capabilities.
pub fn applied(
    asked: &[(MaskKnob, CapMask)],
    written: &[Change],
    known: CapMask,
    after: impl Fn(MaskKnob) -> CapMask,
) -> (Severity, String) {
    let mut severity = Severity::Good;
    let mut parts = Vec::new();
    for (knob, mask) in asked {
        let name = knob.key().name();
        let Some(answer) = written.iter().find(|w| w.key == knob.key()) else {
            severity = Severity::Bad;
            parts.push(format!("{name}: no answer; read the knob to see its value"));
            continue;
        };
        let after = after(*knob);
        let value = shortest(after, known);
        if after == *mask {
            let dropped = answer.before.mask().unwrap_or(CapMask::EMPTY).minus(after);
            let dropped = match dropped.len() {
                0 => String::new(),
                1..=6 => format!(": dropped {}", list(dropped)),
                n => format!(": dropped {n} capabilities"),
            };
            parts.push(format!("{name} reads back `{value}`, exactly as asked{dropped}"));
            continue;
        }
        if severity == Severity::Good {
            severity = Severity::Warned;
        }
        parts.push(format!("{name} reads back `{value}`, not as asked: {}", difference(*mask, after)));
    }
    (severity, parts.join("; "))
}

fn difference(asked: CapMask, after: CapMask) -> String {
    let (missing, more) = (asked.minus(after), after.minus(asked));
    let mut differs = Vec::new();
    if !missing.is_empty() {
        differs.push(format!("{} not granted", list(missing)));
    }
    if !more.is_empty() {
        differs.push(format!("{} still set", list(more)));
    }
    differs.join("; ")
}

/// Says that a mask was reset to full.
pub fn was_reset(knob: MaskKnob, written: &[Change]) -> String {
    let value = written.first().map(|w| words(&w.after)).unwrap_or_default();
    format!("{} was reset and reads back `{value}`", knob.key().name())
}

/// Remarks on a write whose result is not shown otherwise: capabilities that were not granted, and warnings (SYS-4,
/// SYS-6).
pub fn remarks(written: &Change, known: CapMask) -> Vec<String> {
    let key = written.key.name();
    let mut lines = Vec::new();
    if !written.not_granted.is_empty() {
        lines.push(format!(
            "{key}: not granted: {}; a mask can only be narrowed, it reads {} now",
            names(written.not_granted, known),
            words(&written.after)
        ));
    }
    // What a trial of the rules means is no warning.
    let mark = if written.key == Key::RulesMode { String::new() } else { format!("{key}: warning: ") };
    lines.extend(written.warnings.iter().map(|warning| format!("{mark}{warning}")));
    lines
}

/// A mask's two words, as the knob prints them but on one line.
fn words(value: &KnobValue) -> String {
    value.text().replace('\t', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(key: Key, before: &str, after: &str) -> Change {
        let value = |text: &str| key.parse_value(text.as_bytes(), CapMask::up_to(40)).unwrap();
        Change::new(key, value(before), value(after))
    }

    #[test]
    fn sys_6_a_path_has_its_own_sentences_and_its_warnings() {
        let of = |before: &str, after: &str| changed(&[written(Key::Modprobe, before, after)]).1;
        assert_eq!(of("/a", "/a"), "kernel.modprobe is still `/a`");
        assert_eq!(of("/a", ""), "kernel.modprobe is empty now: autoload is off");
        assert_eq!(of("", "/b"), "kernel.modprobe: (empty) -> `/b`");
        let mut both = [written(Key::Modprobe, "/a", "/b"), written(Key::Deny, "", "x")];
        assert_eq!(changed(&both).0, Severity::Good);
        both[0].warnings = vec!["uid 7 can replace `/b`\n".into()];
        let text = "kernel.modprobe: `/a` -> `/b`; uid 7 can replace `/b`\\x0a; khelper.deny: (empty) -> `x`";
        assert_eq!(changed(&both), (Severity::Warned, text.to_owned()));
        assert_eq!(remarks(&both[0], CapMask::EMPTY).len(), 1);
    }

    #[test]
    fn sys_4_success_is_exactly_the_mask_that_was_asked_for() {
        let [one, two, both] = [1, 2, 3].map(CapMask::from_bits);
        let answer = |mask| Change::new(Key::Bset, both, mask);
        let known = CapMask::from_bits(0b1111);
        let of = |asked, after| applied(&[(MaskKnob::Bset, asked)], &[answer(after)], known, |_| after);
        let name = "kernel.usermodehelper.bset";
        let exactly = format!("{name} reads back `cap_chown`, exactly as asked: dropped cap_dac_override");
        assert_eq!(of(one, one), (Severity::Good, exactly));
        assert!(of(both, both).1.ends_with("`cap_chown cap_dac_override`, exactly as asked"), "nothing was dropped");
        let (severity, text) = of(both, one);
        assert!(text.ends_with("`cap_chown`, not as asked: cap_dac_override not granted"), "{text}");
        assert!(of(one, two).1.ends_with("cap_chown not granted; cap_dac_override still set"));
        assert_eq!(severity, Severity::Warned);
        let none = applied(&[(MaskKnob::Inheritable, one), (MaskKnob::Bset, both)], &[answer(one)], known, |_| one);
        assert!(none.0 == Severity::Bad && none.1.contains("inheritable: no answer"), "{none:?}");
        let narrower = Change { not_granted: two, ..answer(one) };
        let remark =
            "kernel.usermodehelper.bset: not granted: cap_dac_override; a mask can only be narrowed, it reads 1 0 now";
        assert_eq!(remarks(&narrower, both), [remark]);
    }
}
