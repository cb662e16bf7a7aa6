//! Both drafts as text, in every form, for copying.

use crate::abi::cap::CapMask;
use crate::abi::mask::{hex, kernel_words, libcap, names, systemd};
use crate::control::MaskKnob;

use super::Model;
use super::masks::{KNOBS, key, short};

/// One form of one mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Which mask.
    pub knob: MaskKnob,
    /// Which form: `sysctl`, `words`, `hex`, `names`, `systemd`, `libcap`.
    pub name: &'static str,
    /// The text; it contains no hostile bytes and no newline.
    pub text: String,
}

impl Form {
    /// `bset as hex`.
    pub fn title(&self) -> String {
        format!("{} as {}", short(self.knob), self.name)
    }
}

/// Both drafts in every form.
pub fn draft(model: &Model) -> Vec<Form> {
    let all = |knob| of(knob, model.masks.draft(knob), model.snapshot.known);
    KNOBS.into_iter().flat_map(all).collect()
}

/// One mask in every form. systemd has a directive for the bounding set alone, so the other is the bare list.
fn of(knob: MaskKnob, mask: CapMask, known: CapMask) -> [Form; 6] {
    let directive = if knob == MaskKnob::Bset { "CapabilityBoundingSet=" } else { "" };
    [
        ("sysctl", format!("{} = {}", key(knob).name(), kernel_words(mask))),
        ("words", kernel_words(mask)),
        ("hex", hex(mask)),
        ("names", names(mask, known)),
        ("systemd", format!("{directive}{}", systemd(mask, known))),
        ("libcap", libcap(mask, known)),
    ]
    .map(|(name, text)| Form { knob, name, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::fixtures::{KNOWN, model, snapshot};

    #[test]
    fn every_form_of_the_draft_not_of_what_is_live() {
        let mut m = model(snapshot(), 80, 24);
        m.masks.set(MaskKnob::Bset, CapMask::from_bits(1 << 16));
        let all = draft(&m);
        let of = |title: &str| all.iter().find(|f| f.title() == title).unwrap().text.as_str();
        assert_eq!(of("bset as sysctl"), "kernel.usermodehelper.bset = 65536\t0");
        assert_eq!(of("bset as hex"), "0x0000000000010000");
        assert_eq!(of("bset as systemd"), "CapabilityBoundingSet=cap_sys_module");
        assert_eq!(of("bset as libcap"), "cap_sys_module=ep");
        assert_eq!(of("inheritable as words"), kernel_words(KNOWN));
        assert_eq!(of("inheritable as names"), "full");
        assert_eq!(all.len(), 12);
    }
}
