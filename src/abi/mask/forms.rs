//! Masks as text, in the forms of the kernel, khelper, systemd and libcap.

use crate::abi::cap::{CapMask, Capability};

/// As the kernel prints it: two decimal 32-bit words, low word first, a tab between (SYS-2).
pub fn kernel_words(mask: CapMask) -> String {
    format!("{}\t{}", mask.bits() & 0xffff_ffff, mask.bits() >> 32)
}

/// One number, 16 digits: `0x000001ffffffffff`.
pub fn hex(mask: CapMask) -> String {
    format!("{:#018x}", mask.bits())
}

/// Names separated by commas, or `full`, or `empty`.
pub fn names(mask: CapMask, known: CapMask) -> String {
    if mask.is_empty() {
        "empty".to_owned()
    } else if mask == known {
        "full".to_owned()
    } else {
        listed(mask, ",", Capability::name)
    }
}

/// systemd's CapabilityBoundingSet= form (systemd.exec(5)): names separated by blanks, or `~` and the names left out,
/// whichever is shorter. `~` alone is full. The empty set is the empty text, which systemd accepts but
/// [`MaskExpr::parse`](super::MaskExpr::parse) does not.
pub fn systemd(mask: CapMask, known: CapMask) -> String {
    let named = listed(mask, " ", foreign);
    if mask.is_empty() || !known.contains(mask) {
        return named;
    }
    let left_out = format!("~{}", listed(known.minus(mask), " ", foreign));
    if left_out.len() < named.len() { left_out } else { named }
}

/// libcap's text form (cap_from_text(3)) for a permitted and effective set: `cap_x,cap_y=ep`, `all=ep`,
/// `all=ep cap_x-ep` where that is shorter, `=` for none.
pub fn libcap(mask: CapMask, known: CapMask) -> String {
    if mask.is_empty() {
        return "=".to_owned();
    }
    let named = format!("{}=ep", listed(mask, ",", foreign));
    if !known.contains(mask) {
        return named;
    }
    let left_out = known.minus(mask);
    let all = match left_out.is_empty() {
        true => "all=ep".to_owned(),
        false => format!("all=ep {}-ep", listed(left_out, ",", foreign)),
    };
    if all.len() < named.len() { all } else { named }
}

/// Every form of a mask, and the names that it leaves out.
pub fn every_form(mask: CapMask, known: CapMask) -> [(&'static str, String); 6] {
    [
        ("words", kernel_words(mask)),
        ("hex", hex(mask)),
        ("names", names(mask, known)),
        ("without", names(known.minus(mask), known)),
        ("systemd", systemd(mask, known)),
        ("libcap", libcap(mask, known)),
    ]
}

fn listed(mask: CapMask, between: &str, name: fn(Capability) -> String) -> String {
    mask.iter().map(name).collect::<Vec<_>>().join(between)
}

/// systemd and libcap both accept a plain number for a capability that has no name.
fn foreign(cap: Capability) -> String {
    cap.info().map_or_else(|| cap.bit().to_string(), |i| i.name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::MaskExpr;
    use super::*;

    const KNOWN: CapMask = CapMask::up_to(40);

    #[test]
    fn sys_2_masks_read_as_the_kernel_prints_them() {
        assert_eq!(kernel_words(KNOWN), "4294967295\t511");
        assert_eq!(kernel_words(CapMask::EMPTY), "0\t0");
        assert_eq!(hex(KNOWN), "0x000001ffffffffff");
    }

    #[test]
    fn forms_of_a_few_masks() {
        let module = CapMask::only(Capability::SYS_MODULE);
        let two = module | CapMask::only(Capability::SETPCAP);
        let forms = |m| [names(m, KNOWN), systemd(m, KNOWN), libcap(m, KNOWN)];
        assert_eq!(forms(KNOWN), ["full", "~", "all=ep"]);
        assert_eq!(forms(CapMask::EMPTY), ["empty", "", "="]);
        assert_eq!(
            forms(two),
            ["cap_setpcap,cap_sys_module", "cap_setpcap cap_sys_module", "cap_setpcap,cap_sys_module=ep"]
        );
        let but = forms(KNOWN.minus(module));
        assert_eq!(but[1..], ["~cap_sys_module", "all=ep cap_sys_module-ep"]);
        let later = CapMask::from_bits(1 << 41) | module;
        assert_eq!(forms(later), ["cap_sys_module,cap_41", "cap_sys_module 41", "cap_sys_module,41=ep"]);
    }

    fn within(known: CapMask) -> impl Strategy<Value = CapMask> {
        any::<u64>().prop_map(move |bits| CapMask::from_bits(bits) & known)
    }

    fn back(text: &str, known: CapMask) -> Option<CapMask> {
        Some(MaskExpr::parse(text.as_bytes(), known).ok()?.resolve(CapMask::EMPTY, known))
    }

    proptest! {
        #[test]
        fn sys_5_what_is_printed_can_be_written_back(last in 0u8..=63, bits in any::<u64>()) {
            let known = CapMask::up_to(last);
            let mask = CapMask::from_bits(bits) & known;
            prop_assert_eq!(back(&names(mask, known), known), Some(mask));
            prop_assert_eq!(back(&kernel_words(mask), known), Some(mask));
            prop_assert_eq!(back(&hex(mask), known), Some(mask));
        }

        #[test]
        fn sys_5_systemd_s_form_can_be_written_back(mask in within(KNOWN)) {
            prop_assert_eq!(back(&systemd(mask, KNOWN), KNOWN), (!mask.is_empty()).then_some(mask));
        }
    }
}
