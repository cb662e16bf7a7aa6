//! Arguments as they are typed in one line. No shell: blanks part them, quotes keep blanks, nothing else is special.

/// Reads a line into arguments. A quote (`'` or `"`) goes to its next like; the error says what is missing.
pub fn split(line: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut args = Vec::new();
    let mut current: Option<Vec<u8>> = None;
    let mut quote = None;
    for &b in line {
        match quote {
            Some(q) if b == q => quote = None,
            Some(_) => current.get_or_insert_default().push(b),
            None if b == b' ' => args.extend(current.take()),
            None if b == b'\'' || b == b'"' => {
                quote = Some(b);
                current.get_or_insert_default();
            }
            None => current.get_or_insert_default().push(b),
        }
    }
    if let Some(q) = quote {
        return Err(format!("the quote {} is not closed", char::from(q)));
    }
    args.extend(current);
    if args.iter().any(|a| a.contains(&0)) {
        return Err("an argument holds a NUL byte: a C string ends there".into());
    }
    Ok(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_part_and_quotes_keep() {
        let of = |t: &[u8]| split(t).unwrap();
        assert_eq!(of(b"-c 'exit 3' \"\" a'b'c"), [&b"-c"[..], b"exit 3", b"", b"abc"]);
        assert_eq!(of(b"  "), Vec::<Vec<u8>>::new());
        assert_eq!(of(b"a\tb\n"), [b"a\tb\n"]);
        assert!(split(b"'x").is_err() && split(b"a\0").is_err());
    }
}
