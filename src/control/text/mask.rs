//! Capability masks, in words.

use crate::abi::cap::{CapMask, Capability};

/// `cap_x, cap_y`.
pub fn list(mask: CapMask) -> String {
    mask.iter().map(Capability::name).collect::<Vec<_>>().join(", ")
}

/// `full`, `empty`, `all but cap_x`, `cap_x, cap_y`: whichever is shorter.
pub fn but(mask: CapMask, known: CapMask) -> String {
    let lacks = known.minus(mask);
    match (mask.is_empty(), lacks.is_empty()) {
        (true, _) => "empty".to_owned(),
        (false, true) => "full".to_owned(),
        _ if lacks.len() < mask.len() => format!("all but {}", list(lacks)),
        _ => list(mask),
    }
}

/// `all`, `none`, `~cap_x cap_y` for all but these, `cap_x cap_y`: whichever is shorter.
pub fn shortest(mask: CapMask, known: CapMask) -> String {
    let names = |mask: CapMask| mask.iter().map(Capability::name).collect::<Vec<_>>().join(" ");
    let lacks = known.minus(mask);
    if mask.is_empty() {
        "none".to_owned()
    } else if lacks.is_empty() {
        "all".to_owned()
    } else if known.contains(mask) && lacks.len() < mask.len() {
        format!("~{}", names(lacks))
    } else {
        names(mask)
    }
}

/// `full (41)`, `40 of 41`, `empty`.
pub fn size(mask: CapMask, known: CapMask) -> String {
    if mask.is_empty() {
        "empty".to_owned()
    } else if mask.contains(known) {
        format!("full ({})", mask.len())
    } else {
        format!("{} of {}", mask.len(), known.len())
    }
}

/// The difference between the live mask and the draft.
pub fn difference(live: CapMask, draft: CapMask) -> String {
    let (dropped, raised) = (live.minus(draft), draft.minus(live));
    let mut parts = Vec::new();
    if !dropped.is_empty() && dropped == live {
        parts.push(format!("drops everything ({})", dropped.len()));
    } else if !dropped.is_empty() {
        parts.push(format!("drops {}", list(dropped)));
    }
    if !raised.is_empty() {
        parts.push(format!("cannot be regained: {}", list(raised)));
    }
    if parts.is_empty() { "unchanged".to_owned() } else { parts.join("; ") }
}

/// A shorter [`difference`]: it lists the dropped or the kept capabilities, whichever are fewer.
pub fn brief(live: CapMask, draft: CapMask) -> String {
    let (dropped, kept) = (live.minus(draft), live & draft);
    if kept.is_empty() || dropped.len() <= kept.len() {
        return difference(live, draft);
    }
    let raised = draft.minus(live);
    let raised = if raised.is_empty() { String::new() } else { format!("; cannot be regained: {}", list(raised)) };
    format!("drops {}, keeps {}{raised}", dropped.len(), list(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_form_comes_first() {
        let of = |bits| shortest(CapMask::from_bits(bits), CapMask::from_bits(0b1111));
        assert_eq!([of(0b1111), of(0), of(0b1110)], ["all", "none", "~cap_chown"]);
        assert_eq!(of(0b0011), "cap_chown cap_dac_override");
        assert_eq!(
            of(0b1_0111),
            "cap_chown cap_dac_override cap_dac_read_search cap_fsetid",
            "a bit that is not known"
        );
    }

    #[test]
    fn a_long_difference_says_what_is_kept() {
        let of = CapMask::from_bits;
        assert_eq!(brief(of(0b111), of(0b001)), "drops 2, keeps cap_chown");
        assert_eq!(brief(of(0b111), of(0b011)), "drops cap_dac_read_search");
        assert_eq!(brief(of(0b111), of(0)), "drops everything (3)");
        assert_eq!(brief(of(0b111), of(0b1001)), "drops 2, keeps cap_chown; cannot be regained: cap_fowner");
    }

    #[test]
    fn the_difference_is_put_into_words() {
        let of = |bits| CapMask::from_bits(bits);
        assert_eq!(difference(of(0b011), of(0b110)), "drops cap_chown; cannot be regained: cap_dac_read_search");
        assert_eq!(difference(of(3), of(3)), "unchanged");
        assert_eq!(size(of(0), of(7)), "empty");
        assert_eq!(size(of(7), of(7)), "full (3)");
    }
}
