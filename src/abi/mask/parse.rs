//! Parsing a mask (SYS-5). Nothing is truncated or guessed: a text that is not completely understood is `EINVAL`, since
//! a bit lost by mistake cannot be restored (SYS-4).

use super::MaskExpr;
use crate::abi::cap::{CAPABILITIES, CapMask, Capability};
use crate::abi::error::ParseError;
use crate::abi::escape::screen;

type Parsed<T> = Result<T, ParseError>;

/// How many bytes of a text an error shows.
const SHOWN: usize = 48;
/// How similar a known name must be, from 0 to 1, to be suggested for an unknown one.
const ALIKE: f64 = 0.85;

pub(super) fn parse(text: &[u8], known: CapMask) -> Parsed<MaskExpr> {
    let text = text.trim_ascii();
    if let Some(rest) = text.strip_prefix(b"~") {
        return Ok(MaskExpr::Exactly(known.minus(left_out(&tokens(rest), known)?)));
    }
    let tokens = tokens(text);
    let Some(first) = tokens.first() else {
        return Err(ParseError::invalid(
            "the mask is missing",
            "write `empty` to drop every capability, `full` for all",
        ));
    };
    if tokens.iter().any(|t| is_number(t)) {
        return numbers(text, &tokens, known);
    }
    match keyword(first) {
        Some(full) if tokens.len() == 1 => Ok(MaskExpr::Exactly(if full { known } else { CapMask::EMPTY })),
        Some(true) => changes(&tokens[1..], true, known),
        Some(false) => Err(ParseError::invalid(
            format!("`empty` stands alone, and `{}` follows it", shown(tokens[1])),
            "write the names of the capabilities to keep, and no `empty`",
        )),
        None if tokens.iter().any(|t| sign(t).is_some()) => changes(&tokens, false, known),
        None => Ok(MaskExpr::Exactly(tokens.iter().map(|t| name(t, known)).collect::<Parsed<_>>()?)),
    }
}

fn tokens(text: &[u8]) -> Vec<&[u8]> {
    text.split(|b| b.is_ascii_whitespace() || *b == b',').filter(|t| !t.is_empty()).collect()
}

fn is_number(token: &[u8]) -> bool {
    token.first().is_some_and(u8::is_ascii_digit)
}

fn sign(token: &[u8]) -> Option<u8> {
    token.first().copied().filter(|b| matches!(b, b'+' | b'-'))
}

/// `full` is true, `empty` false.
fn keyword(token: &[u8]) -> Option<bool> {
    let is = |word: &str| token.eq_ignore_ascii_case(word.as_bytes());
    if is("full") { Some(true) } else { is("empty").then_some(false) }
}

/// The names after systemd's `~`; without names nothing is left out.
fn left_out(tokens: &[&[u8]], known: CapMask) -> Parsed<CapMask> {
    for token in tokens {
        if is_number(token) {
            return Err(ParseError::invalid(
                format!("`~` stands before names, not before the number `{}`", shown(token)),
                "write the names to leave out, as in `~cap_sys_module`; or the whole mask as one 0x number",
            ));
        }
        if sign(token).is_some() {
            return Err(ParseError::invalid(
                format!("`~` leaves capabilities out already; `{}` has a sign of its own", shown(token)),
                "write `~cap_x cap_y`, or `full -cap_x -cap_y`",
            ));
        }
    }
    tokens.iter().map(|t| name(t, known)).collect()
}

/// `+cap_x -cap_y`, after `full` or not.
fn changes(tokens: &[&[u8]], from_full: bool, known: CapMask) -> Parsed<MaskExpr> {
    let (mut keep, mut drop) = (CapMask::EMPTY, CapMask::EMPTY);
    for token in tokens {
        let Some(sign) = sign(token) else {
            let why = format!("`{}` has no sign and stands among changes", shown(token));
            return Err(ParseError::invalid(
                why,
                "sign each name, as in `full -cap_x +cap_y`; or sign none: the whole mask",
            ));
        };
        let bare = &token[1..];
        if bare.is_empty() {
            let why = format!("a `{}` stands without a name", char::from(sign));
            return Err(ParseError::invalid(why, "write the name right after the sign, as in `-cap_sys_module`"));
        }
        if is_number(bare) {
            return Err(ParseError::invalid(
                format!("a number takes no sign: `{}`", shown(token)),
                "name what changes, as in `-cap_sys_module`; or write the whole mask as one 0x number",
            ));
        }
        let cap = CapMask::only(name(bare, known)?);
        if sign == b'+' { keep = keep | cap } else { drop = drop | cap }
    }
    if let Some(both) = (keep & drop).iter().next() {
        let why = format!("{} is both kept and dropped", both.name());
        return Err(ParseError::invalid(why, "write it once, with `-` to drop it or `+` to keep it"));
    }
    Ok(MaskExpr::Change { from_full, keep, drop })
}

fn name(token: &[u8], known: CapMask) -> Parsed<Capability> {
    if let Some(full) = keyword(token) {
        let word = if full { "full" } else { "empty" };
        let why = format!("`{word}` is a whole mask and stands among the names of single capabilities");
        return Err(ParseError::invalid(why, format!("write `{word}` alone, or `full -cap_x` for all but one")));
    }
    if token.starts_with(b"~") {
        let why = format!("`~` stands before `{}`, not at the start", shown(&token[1..]));
        return Err(ParseError::invalid(why, "write one `~` before all names: `~cap_x cap_y` is all but these two"));
    }
    if is_number(token) {
        let why = format!("the number `{}` stands among names", shown(token));
        return Err(ParseError::invalid(why, "write names only, or numbers only"));
    }
    let Some(cap) = std::str::from_utf8(token).ok().and_then(Capability::from_name) else {
        return Err(ParseError::invalid(format!("no capability is called `{}`", shown(token)), nearest(token)));
    };
    if !known.has(cap) {
        return Err(past(CapMask::only(cap), known));
    }
    Ok(cap)
}

/// Two words, or one `0x` number.
fn numbers(text: &[u8], tokens: &[&[u8]], known: CapMask) -> Parsed<MaskExpr> {
    if let Some(other) = tokens.iter().find(|t| !is_number(t)) {
        if sign(other).is_some_and(|_| is_number(&other[1..])) {
            let why = format!("a number takes no sign: `{}`", shown(other));
            return Err(ParseError::invalid(why, "write the two words without signs, low word first"));
        }
        let why = format!("`{}` stands among numbers", shown(other));
        return Err(ParseError::invalid(why, "write names only, or numbers only"));
    }
    if text.contains(&b',') {
        let why = format!("a comma stands between numbers: `{}`", shown(text));
        return Err(ParseError::invalid(why, "write a blank between the two words, and no comma inside a number"));
    }
    let bits = match tokens {
        [one] if !is_hex(one) => {
            number(one)?;
            let why = format!("`{}` is one decimal word, and a mask has two", shown(one));
            return Err(ParseError::invalid(
                why,
                "write both, low word first, as in `65536 0`; or one 0x number for the whole mask",
            ));
        }
        [one] => number(one)?.ok_or_else(|| {
            ParseError::invalid(format!("`{}` is over 64 bits", shown(one)), "write at most 16 digits after the 0x")
        })?,
        [low, high] => {
            let (low, high) = (word(low)?, word(high)?);
            // What the 3.4 kernel prints for full: its mask has bits past the capabilities that it knows.
            if (low, high) == (u32::MAX, u32::MAX) {
                return Ok(MaskExpr::Exactly(known));
            }
            u64::from(high) << 32 | u64::from(low)
        }
        more => {
            let why = format!("there are {} words, and a mask has two", more.len());
            return Err(ParseError::invalid(why, "write two words, low word first, or one 0x number"));
        }
    };
    let mask = CapMask::from_bits(bits);
    if known.contains(mask) { Ok(MaskExpr::Exactly(mask)) } else { Err(past(mask.minus(known), known)) }
}

fn is_hex(token: &[u8]) -> bool {
    token.starts_with(b"0x") || token.starts_with(b"0X")
}

fn word(token: &[u8]) -> Parsed<u32> {
    number(token)?.and_then(|n| u32::try_from(n).ok()).ok_or_else(|| {
        ParseError::invalid(
            format!("the word `{}` is over 32 bits", shown(token)),
            "4294967295 is the most: write the upper bits as the second word, or the whole mask as one 0x number",
        )
    })
}

/// `None`: over 64 bits.
fn number(token: &[u8]) -> Parsed<Option<u64>> {
    let (digits, radix) = if is_hex(token) { (&token[2..], 16) } else { (token, 10) };
    let text = std::str::from_utf8(digits).unwrap_or_default();
    if text.is_empty() || !text.chars().all(|c| c.is_digit(radix)) {
        let why = format!("`{}` starts like a number but is not one", shown(token));
        return Err(ParseError::invalid(why, "write decimal digits, or 0x and hexadecimal digits"));
    }
    if radix == 10 && text.len() > 1 && text.starts_with('0') {
        let why = format!("`{}` has a leading 0, which could mean octal", shown(token));
        return Err(ParseError::invalid(why, "write it without the 0, or as 0x and hexadecimal digits"));
    }
    Ok(u64::from_str_radix(text, radix).ok())
}

/// Refuses bits that the running kernel does not know.
fn past(bits: CapMask, known: CapMask) -> ParseError {
    let last = known.iter().last().map_or_else(|| "none".to_owned(), |c| format!("{} ({})", c.bit(), c.name()));
    let which = bits.iter().map(|c| format!("{} ({})", c.bit(), c.name())).next().unwrap_or_default();
    let more = if bits.len() > 1 { format!(" and {} more", bits.len() - 1) } else { String::new() };
    ParseError::invalid(
        format!("this kernel knows no capability past {last}; the mask has {which}{more}"),
        "remove these; `full` is every capability that this kernel knows",
    )
}

fn nearest(token: &[u8]) -> String {
    let lower = String::from_utf8_lossy(&token[..token.len().min(SHOWN)]).to_ascii_lowercase();
    let bare = lower.strip_prefix("cap_").unwrap_or(&lower);
    CAPABILITIES
        .iter()
        .map(|c| (strsim::jaro_winkler(&c.name[4..], bare), c.name))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(
            || "capabilities(7) has every name; separate names with blanks or commas".to_owned(),
            |(_, name)| format!("did you mean `{name}`?"),
        )
}

fn shown(token: &[u8]) -> String {
    match token.get(..SHOWN) {
        Some(start) if token.len() > SHOWN => format!("{}...", screen(start)),
        _ => screen(token),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use nix::errno::Errno;
    use proptest::prelude::*;

    use super::*;
    use crate::abi::error::Explain;

    const KNOWN: CapMask = CapMask::up_to(40);

    fn only(names: &[&str]) -> CapMask {
        names.iter().map(|n| Capability::from_name(n).unwrap()).collect()
    }

    fn change(from_full: bool, keep: &[&str], drop: &[&str]) -> MaskExpr {
        MaskExpr::Change { from_full, keep: only(keep), drop: only(drop) }
    }

    #[test]
    fn sys_5_every_form_is_read() {
        let exactly = MaskExpr::Exactly;
        let two = exactly(only(&["cap_chown", "cap_sys_module"]));
        for (text, expected) in [
            ("65537 0", two),
            ("65537\t0\n", two),
            ("0x10001 0x0", two),
            ("65537 0X0", two),
            ("0 1", exactly(only(&["cap_mac_override"]))),
            ("0x10001", two),
            ("0x0000000000010001", two),
            ("0x0", exactly(CapMask::EMPTY)),
            ("0 0", exactly(CapMask::EMPTY)),
            ("cap_chown,cap_sys_module", two),
            ("  CHOWN  Cap_Sys_Module ", two),
            ("chown, sys_module", two),
            ("cap_chown cap_chown cap_sys_module", two),
            ("full", exactly(KNOWN)),
            ("EMPTY", exactly(CapMask::EMPTY)),
            ("4294967295 4294967295", exactly(KNOWN)),
            ("4294967295 511", exactly(KNOWN)),
            ("-cap_chown", change(false, &[], &["cap_chown"])),
            ("+cap_chown -sys_module", change(false, &["cap_chown"], &["cap_sys_module"])),
            ("full -cap_chown,-cap_sys_module", change(true, &[], &["cap_chown", "cap_sys_module"])),
            ("full +chown", change(true, &["cap_chown"], &[])),
            ("~cap_chown cap_sys_module", exactly(KNOWN.minus(only(&["cap_chown", "cap_sys_module"])))),
            ("~ CAP_CHOWN", exactly(KNOWN.minus(only(&["cap_chown"])))),
            ("~", exactly(KNOWN)),
        ] {
            assert_eq!(MaskExpr::parse(text.as_bytes(), KNOWN), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn sys_5_a_change_is_resolved_against_what_is_there() {
        let read = |text: &str| MaskExpr::parse(text.as_bytes(), KNOWN).unwrap();
        let live = only(&["cap_chown", "cap_kill"]);
        assert_eq!(read("-cap_chown").resolve(live, KNOWN), only(&["cap_kill"]));
        assert_eq!(read("full -cap_chown").resolve(live, KNOWN), KNOWN.minus(only(&["cap_chown"])));
        // `+` only asks: a write cannot restore a capability that was dropped (SYS-4).
        assert_eq!(read("+cap_bpf").resolve(live, KNOWN), live | only(&["cap_bpf"]));
    }

    /// A text, and the part of the error message that only this text causes.
    const MALFORMED: &[(&str, &str)] = &[
        ("", "is missing"),
        (" \t\n", "is missing"),
        (",", "is missing"),
        ("0 512", "past 40 (cap_checkpoint_restore); the mask has 41 (cap_41)"),
        ("0x20000000000", "the mask has 41"),
        ("0xffffffffffffffff", "the mask has 41 (cap_41) and 22 more"),
        ("0xffffffff 0x200", "the mask has 41"),
        ("cap_41", "the mask has 41"),
        ("-cap_63", "the mask has 63"),
        ("~cap_41", "the mask has 41"),
        ("4294967296 0", "over 32 bits"),
        ("0 0x100000000", "over 32 bits"),
        ("99999999999999999999999 0", "over 32 bits"),
        ("0x11112222333344445", "over 64 bits"),
        ("65536", "one decimal word"),
        ("0", "one decimal word"),
        ("99999999999999999999999", "one decimal word"),
        ("1 2 3", "3 words"),
        ("0x1 0x2 0x3 0x4", "4 words"),
        ("010 0", "leading 0"),
        ("0 00", "leading 0"),
        ("-1", "a number takes no sign: `-1`"),
        ("+1 0", "a number takes no sign: `+1`"),
        ("0 -1", "a number takes no sign: `-1`"),
        ("-0x1", "a number takes no sign: `-0x1`"),
        ("full -1", "a number takes no sign: `-1`"),
        ("cap_sys_modul", "no capability is called `cap_sys_modul`"),
        ("all", "no capability is called `all`"),
        ("cap_", "no capability is called `cap_`"),
        ("cap_007", "no capability is called `cap_007`"),
        ("cap_64", "no capability is called `cap_64`"),
        ("cap_chown\0", "no capability is called `cap_chown\\x00`"),
        ("cap_chown;cap_kill", "no capability is called `cap_chown;cap_kill`"),
        ("\u{1b}[2J", "no capability is called `\\x1b[2J`"),
        ("0x", "starts like a number"),
        ("0xfg", "starts like a number"),
        ("12ab 0", "starts like a number"),
        ("1e3", "starts like a number"),
        ("16,384", "a comma stands between numbers"),
        ("cap_chown 5", "`cap_chown` stands among numbers"),
        ("full 0x1", "`full` stands among numbers"),
        ("empty cap_chown", "`empty` stands alone"),
        ("full cap_chown", "has no sign"),
        ("full full", "`full` has no sign"),
        ("-cap_chown cap_kill", "`cap_kill` has no sign"),
        ("cap_chown full", "`full` is a whole mask"),
        ("-empty", "`empty` is a whole mask"),
        ("~full", "`full` is a whole mask"),
        ("-", "a `-` stands without a name"),
        ("full + cap_chown", "a `+` stands without a name"),
        ("+cap_kill -cap_kill", "both kept and dropped"),
        ("cap_chown ~cap_kill", "`~` stands before `cap_kill`"),
        ("~~cap_kill", "`~` stands before `cap_kill`"),
        ("~0x1", "not before the number"),
        ("~-cap_kill", "a sign of its own"),
    ];

    #[test]
    fn sys_5_every_malformed_mask_is_refused_with_its_own_sentence() {
        for (text, sentence) in MALFORMED {
            let error = MaskExpr::parse(text.as_bytes(), KNOWN).unwrap_err();
            assert_eq!(error.errno(), Errno::EINVAL, "{text:?}");
            assert!(error.to_string().contains(sentence), "{text:?} says: {error}");
            assert!(!error.advice().is_empty(), "{text:?}");
        }
        assert!(MaskExpr::parse(b"\xff\xfe", KNOWN).unwrap_err().to_string().contains("`\\xff\\xfe`"));
    }

    #[test]
    fn sys_5_a_misspelt_name_is_answered_with_the_nearest_one() {
        let advice: BTreeMap<_, _> = ["cap_sys_modul", "netadmin", "qqq"]
            .map(|t| (t, MaskExpr::parse(t.as_bytes(), KNOWN).unwrap_err().advice().into_owned()))
            .into();
        assert_eq!(advice["cap_sys_modul"], "did you mean `cap_sys_module`?");
        assert_eq!(advice["netadmin"], "did you mean `cap_net_admin`?");
        assert!(advice["qqq"].starts_with("capabilities(7)"));
    }

    #[test]
    fn sys_5_a_long_text_is_not_shown_whole() {
        let error = MaskExpr::parse(&[b'x'; 100_000], KNOWN).unwrap_err();
        assert!(error.to_string().len() < 200);
    }

    proptest! {
        #[test]
        fn sys_5_random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), last in 0u8..=63) {
            let _ = MaskExpr::parse(&bytes, CapMask::up_to(last));
        }

        #[test]
        fn sys_5_what_is_read_holds_no_unknown_bit(
            words in proptest::collection::vec("[+~-]?(cap_)?(chown|kill|bpf|41|full|empty|0x[0-9a-f]{0,17}|[0-9]{0,12})[, \t]?", 0..4),
            live in any::<u64>(),
        ) {
            let text = words.concat();
            match MaskExpr::parse(text.as_bytes(), KNOWN) {
                Ok(expr) => prop_assert!(KNOWN.contains(expr.resolve(CapMask::from_bits(live) & KNOWN, KNOWN))),
                Err(e) => {
                    prop_assert_eq!(e.errno(), Errno::EINVAL);
                    prop_assert!(!e.to_string().chars().any(char::is_control));
                }
            }
        }
    }
}
