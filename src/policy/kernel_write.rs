//! Plans a write to a knob of this machine's kernel, and compares what is read back with the plan. What a mask loses,
//! and `kernel.modules_disabled=1`, stay so until the machine starts again.

use crate::abi::cap::CapMask;
use crate::abi::knob::Key;
use crate::abi::knob_value::KnobValue;

use super::masks;

/// The most bytes of a mask or a number: a longer text can be cut in the middle of a number.
pub const TEXT_MAX: usize = 64;

/// A write that changes something.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The bytes to write.
    pub text: Vec<u8>,
    /// The value that is expected afterwards.
    pub expected: KnobValue,
    /// Requested capabilities that the kernel will not grant.
    pub not_granted: CapMask,
}

/// What a write would do.
#[derive(Clone, Debug, PartialEq)]
pub enum Planned {
    /// It changes the knob.
    Write(Plan),
    /// The knob has that value already, or the write asks only for what was lost: these capabilities.
    Nothing(CapMask),
    /// It cannot be done before the machine starts again: the reason.
    Never(&'static str),
    /// The value is not one of this knob.
    WrongKind,
}

/// Plans a write of `asked` over `now`. `known` are the capabilities that the kernel knows.
pub fn plan(key: Key, now: &KnobValue, asked: &KnobValue, known: CapMask) -> Planned {
    match (key, now, asked) {
        (Key::Bset | Key::Inheritable, now, KnobValue::Mask(expr)) => {
            let Some(live) = now.mask() else { return Planned::WrongKind };
            let write = masks::write(live, expr.resolve(live, known));
            // Bits above those that the kernel knows mean nothing.
            let not_granted = write.not_granted & known;
            if write.after == live {
                return Planned::Nothing(not_granted);
            }
            let bits = write.after.bits();
            let text = format!("{} {}\n", bits & 0xffff_ffff, bits >> 32).into_bytes();
            Planned::Write(Plan { text, expected: write.after.into(), not_granted })
        }
        (Key::Modprobe, KnobValue::Path(_), KnobValue::Path(path)) => {
            // Without a byte the kernel would not be called; the path ends at the newline.
            simple(now, asked, [path, &b"\n"[..]].concat())
        }
        (Key::ModulesDisabled, KnobValue::Number(1), KnobValue::Number(0)) => {
            Planned::Never("it is 1 and stays 1 until the machine starts again")
        }
        (Key::ModulesDisabled, KnobValue::Number(_), KnobValue::Number(number)) => {
            simple(now, asked, format!("{number}\n").into_bytes())
        }
        _ => Planned::WrongKind,
    }
}

fn simple(now: &KnobValue, asked: &KnobValue, text: Vec<u8>) -> Planned {
    if now == asked {
        return Planned::Nothing(CapMask::EMPTY);
    }
    Planned::Write(Plan { text, expected: asked.clone(), not_granted: CapMask::EMPTY })
}

/// Whether the value that was read back is what the plan expects. Another process may have narrowed a mask further
/// meanwhile.
pub fn took_effect(plan: &Plan, after: &KnobValue) -> bool {
    match (plan.expected.mask(), after.mask()) {
        (Some(expected), Some(after)) => expected.contains(after),
        _ => plan.expected == *after,
    }
}

/// Whether the change lasts until the machine starts again, whatever is written later.
pub const fn is_for_good(key: Key) -> bool {
    !matches!(key, Key::Modprobe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::mask::MaskExpr;
    use proptest::prelude::*;

    const KNOWN: CapMask = CapMask::up_to(40);

    fn path(text: &str) -> KnobValue {
        KnobValue::Path(text.as_bytes().into())
    }

    fn text(planned: Planned) -> String {
        let Planned::Write(plan) = planned else { panic!("{planned:?}") };
        String::from_utf8(plan.text).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_mask_is_always_two_whole_words_and_never_wider(live in any::<u64>(), asked in any::<u64>()) {
            let live = CapMask::from_bits(live);
            let asked = KnobValue::Mask(MaskExpr::Exactly(CapMask::from_bits(asked)));
            match plan(Key::Bset, &live.into(), &asked, KNOWN) {
                Planned::Nothing(_) => prop_assert!(asked.mask().unwrap().contains(live)),
                Planned::Write(plan) => {
                    prop_assert!(plan.text.len() <= TEXT_MAX);
                    let text = String::from_utf8(plan.text.clone()).unwrap();
                    let words: Vec<u64> = text.trim_end().split(' ').map(|w| w.parse::<u32>().unwrap().into()).collect();
                    prop_assert_eq!(words.len(), 2);
                    let written = CapMask::from_bits(words[0] | words[1] << 32);
                    prop_assert!(live.contains(written) && written == (live & asked.mask().unwrap()));
                    prop_assert!(took_effect(&plan, &written.into()));
                    prop_assert!(took_effect(&plan, &CapMask::EMPTY.into()), "another writer narrowed it further");
                    prop_assert!(!took_effect(&plan, &live.into()));
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    #[test]
    fn what_would_change_nothing_is_not_written() {
        let half = CapMask::from_bits(0xff);
        assert_eq!(plan(Key::Bset, &half.into(), &KNOWN.into(), KNOWN), Planned::Nothing(KNOWN.minus(half)));
        // Bits of no capability are not counted as lost.
        let all = KnobValue::from(!CapMask::EMPTY);
        assert_eq!(plan(Key::Bset, &half.into(), &all, KNOWN), Planned::Nothing(KNOWN.minus(half)));
        assert_eq!(plan(Key::Modprobe, &path("/a"), &path("/a"), KNOWN), Planned::Nothing(CapMask::EMPTY));
        let one = KnobValue::Number(1);
        assert_eq!(plan(Key::ModulesDisabled, &one, &one, KNOWN), Planned::Nothing(CapMask::EMPTY));
    }

    #[test]
    fn an_empty_path_is_a_newline_and_what_cannot_be_undone_is_refused() {
        assert_eq!(text(plan(Key::Modprobe, &path("/a"), &path(""), KNOWN)), "\n");
        assert_eq!(text(plan(Key::Modprobe, &path(""), &path("/a b"), KNOWN)), "/a b\n");
        let (zero, one) = (KnobValue::Number(0), KnobValue::Number(1));
        assert_eq!(text(plan(Key::ModulesDisabled, &zero, &one, KNOWN)), "1\n");
        assert!(matches!(plan(Key::ModulesDisabled, &one, &zero, KNOWN), Planned::Never(_)));
        assert_eq!(plan(Key::Deny, &zero, &one, KNOWN), Planned::WrongKind);
        assert_eq!(plan(Key::Bset, &KNOWN.into(), &one, KNOWN), Planned::WrongKind);
    }
}
