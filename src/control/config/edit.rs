//! Edits the text of the file of `set --persist`. Pure. Lines of other knobs and comments are kept.

use crate::abi::cap::CapMask;
use crate::abi::error::{ControlError, ParseError};
use crate::abi::knob::Key;
use crate::abi::knob_value::KnobValue;
use crate::abi::mask::hex;

use super::parse::{Assignment, Kind, blanks_off, parse};

/// The first line of a new file.
pub(super) const HEAD: &[u8] = b"# Written by `khelper set --persist`; `khelper set --unpersist KEY` removes a line.\n";

/// `KEY = VALUE`, with a value that reads back as it is.
///
/// # Errors
/// `EINVAL` for a path with a blank at its end, which the format cannot express.
pub(in crate::control) fn line(key: Key, value: &KnobValue, known: CapMask) -> Result<Vec<u8>, ControlError> {
    let text = match value {
        KnobValue::Path(path) => path.to_vec(),
        KnobValue::Globs(globs) => globs.text().as_bytes().to_vec(),
        value => match value.mask() {
            // A later kernel may know more capabilities; a full mask has those too.
            Some(mask) if mask == known => b"full".to_vec(),
            Some(mask) => hex(mask).into_bytes(),
            None => value.text().into_bytes(),
        },
    };
    if blanks_off(&text) != text || text.contains(&b'\n') {
        let why = "a configuration file cannot express a blank at the end of a value";
        let error = ParseError::invalid(why, "give a path that does not end with a blank");
        return Err(ControlError::Value { key: key.name().to_owned(), error });
    }
    Ok([key.name().as_bytes(), b" = ", &text].concat())
}

/// The text with this line in place of every line that names the knob. A new file begins with `head`.
pub(in crate::control) fn with(text: &[u8], key: Key, line: &[u8], head: &[u8]) -> Vec<u8> {
    let (mut new, _) = without(text, key);
    if new.is_empty() {
        new = head.to_vec();
    }
    if !new.ends_with(b"\n") {
        new.push(b'\n');
    }
    new.extend_from_slice(line);
    new.push(b'\n');
    new
}

/// The text without the lines that name the knob, and whether there were any.
pub(in crate::control) fn without(text: &[u8], key: Key) -> (Vec<u8>, bool) {
    let lines = lines(text, key);
    let kept = (1..).zip(text.split_inclusive(|b| *b == b'\n')).filter(|(number, _)| !lines.contains(number));
    (kept.flat_map(|(_, line)| line.to_vec()).collect(), !lines.is_empty())
}

/// The numbers of the lines that name the knob.
pub(in crate::control) fn lines(text: &[u8], key: Key) -> Vec<u32> {
    let names = |kind: &Kind<'_>| match kind {
        Kind::Assignment(Assignment { name, .. }) | Kind::Exclusion(name) => name.as_bytes() == key.name().as_bytes(),
        Kind::Malformed(_) => false,
    };
    parse(text).iter().filter(|line| names(&line.kind)).map(|line| line.number).collect()
}
