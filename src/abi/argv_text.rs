//! Arguments as one line of text, typed or shown. No shell is involved: blanks separate arguments, quotes keep blanks,
//! and `$'..'` takes escapes; nothing else is special. A shell that supports `$'..'` reads the shown text the same way.

use std::iter::Peekable;

use super::escape::screen;

/// Splits a line into arguments. A quote (`'` or `"`) ends at the next quote of the same kind; a backslash inside is
/// literal. The escapes in `$'..'` are `\\`, `\'`, `\"`, `\n`, `\t`, a backslash with up to three octal digits, and
/// `\x` with up to two hexadecimal digits. The error says what is wrong.
pub fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut args = Vec::new();
    let mut current: Option<Vec<u8>> = None;
    let mut bytes = line.iter().copied().peekable();
    while let Some(b) = bytes.next() {
        match b {
            b' ' => args.extend(current.take()),
            b'\'' | b'"' => quote(&mut bytes, b, false, current.get_or_insert_default())?,
            b'$' if bytes.next_if_eq(&b'\'').is_some() => {
                quote(&mut bytes, b'\'', true, current.get_or_insert_default())?;
            }
            _ => current.get_or_insert_default().push(b),
        }
    }
    args.extend(current);
    if args.iter().any(|a| a.contains(&0)) {
        return Err("an argument contains a NUL byte: a C string ends there".into());
    }
    Ok(args)
}

/// Reads up to the closing quote.
fn quote(
    bytes: &mut Peekable<impl Iterator<Item = u8>>,
    end: u8,
    escapes: bool,
    into: &mut Vec<u8>,
) -> Result<(), String> {
    while let Some(b) = bytes.next() {
        if b == end {
            return Ok(());
        }
        into.push(if escapes && b == b'\\' { escape(bytes)? } else { b });
    }
    Err(format!("the quote {}{} is not closed", if escapes { "$" } else { "" }, char::from(end)))
}

/// Reads what follows a backslash in `$'..'`.
fn escape(bytes: &mut Peekable<impl Iterator<Item = u8>>) -> Result<u8, String> {
    let wrong = r#"in $'..' a backslash is followed by \, ', ", n, t, octal digits up to 377, or x and two digits"#;
    let (radix, most) = match bytes.peek() {
        Some(b'0'..=b'7') => (8, 3),
        _ => match bytes.next() {
            Some(b @ (b'\\' | b'\'' | b'"')) => return Ok(b),
            Some(b'n') => return Ok(b'\n'),
            Some(b't') => return Ok(b'\t'),
            Some(b'x') => (16, 2),
            _ => return Err(wrong.into()),
        },
    };
    let mut digits = Vec::new();
    while digits.len() < most
        && let Some(b) = bytes.next_if(|b| char::from(*b).is_digit(radix))
    {
        digits.push(b);
    }
    let digits = String::from_utf8(digits).unwrap_or_default();
    u8::from_str_radix(&digits, radix).map_err(|_| wrong.into())
}

/// The arguments as one line that is safe to show and that [`split`] or a shell reads back.
pub fn join<T: AsRef<[u8]>>(argv: impl IntoIterator<Item = T>) -> String {
    argv.into_iter().map(|arg| shown(arg.as_ref())).collect::<Vec<_>>().join(" ")
}

fn shown(arg: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/._-+:=@%,".contains(b);
    let text = screen(arg);
    // It contains no backslash and nothing that needs escaping.
    let harmless = text.as_bytes() == arg;
    if !arg.is_empty() && arg.iter().all(plain) {
        text
    } else if harmless && !arg.contains(&b'\'') {
        format!("'{text}'")
    } else if harmless && !arg.iter().any(|b| br#""$`!"#.contains(b)) {
        format!("\"{text}\"")
    } else {
        format!("$'{}'", octal(&text))
    }
}

/// Converts the output of `screen` for `$'..'`: octal instead of `\xNN`, so that a following digit is not part of it.
fn octal(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let hex = rest.strip_prefix("\\x").and_then(|hex| u8::from_str_radix(hex.get(..2)?, 16).ok());
        let (more, length) = match (c, hex) {
            (_, Some(byte)) => (format!("\\{byte:03o}"), 4),
            ('\\', None) => ("\\\\".to_owned(), 2),
            ('\'', None) => ("\\047".to_owned(), 1),
            (c, None) => (c.to_string(), c.len_utf8()),
        };
        out.push_str(&more);
        rest = &rest[length..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blanks_part_and_quotes_keep() {
        let of = |t: &[u8]| split(t).unwrap();
        assert_eq!(of(b"-c 'exit 3' \"\" a'b'c"), [&b"-c"[..], b"exit 3", b"", b"abc"]);
        assert_eq!(of(b"  "), Vec::<Vec<u8>>::new());
        assert_eq!(of(b"a\tb\n"), [b"a\tb\n"]);
        assert!(split(b"'x").is_err() && split(b"a\0").is_err());
    }

    #[test]
    fn escapes_are_read_in_their_own_quote_alone() {
        let of = |t: &[u8]| split(t).unwrap();
        assert_eq!(of(br"a$'\0121\377\x1b\'\\\t'b $ $x '\n'"), [&b"a\n1\xff\x1b'\\\tb"[..], b"$", b"$x", b"\\n"]);
        for wrong in [&br"$'\q'"[..], br"$'\x'", br"$'\400'", br"$'x", br"$'\", br"$'\0'"] {
            assert!(split(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn arguments_are_shown_without_a_doubt() {
        assert_eq!(join([&b"/sbin/modprobe"[..], b"-q", b"--", b"usb-storage"]), "/sbin/modprobe -q -- usb-storage");
        assert_eq!(join([&b"say \"hi\""[..], b"it's", b"", b"~"]), r#"'say "hi"' "it's" '' '~'"#);
        assert_eq!(join([&b"a\\b"[..], b"it's $HOME", b"a\n1\xff"]), r"$'a\\b' $'it\047s $HOME' $'a\0121\377'");
        assert_eq!(join(["\\x41", "\u{e9}t\u{e9}"]), "$'\\\\x41' 'été'");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(argv in proptest::collection::vec(
            proptest::collection::vec(prop_oneof![1u8..=255, prop::sample::select(&b"'\"\\$ x0"[..])], 0..12), 0..5,
        )) {
            let line = join(&argv);
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert_eq!(split(line.as_bytes()), Ok(argv));
        }

        #[test]
        fn no_line_is_too_much(line in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = split(&line);
        }
    }
}
