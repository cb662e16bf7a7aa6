//! A strict parser of everything that the painter sends. Anything else in the output came from outside: a name, a path,
//! an output that was not escaped.

use unicode_width::UnicodeWidthChar;

const BEGIN: &str = "\x1b[?1049h";
const LEFT: &str = "\x1b[?1049l";
/// Fixed sequences: the terminal taken and restored, begin and end of a frame, the cursor, a clear page.
const FIXED: [&str; 17] = [
    BEGIN,
    LEFT,
    "\r\n\x1b[?1049l",
    "\x1b[?2004h",
    "\x1b[?2004l",
    "\x1b[?25h",
    "\x1b[?25l",
    "\x1b[?1000h",
    "\x1b[?1000l",
    "\x1b[?1006h",
    "\x1b[?1006l",
    "\x1b[?2026h",
    "\x1b[?2026l",
    "\x1b[0m",
    "\x1b[2J",
    "\x1b[J",
    "\x1b[K",
];
/// Cancels a sequence that the terminal has received only in part.
const CANCEL: u8 = 0x18;
const COPY: &[u8] = b"\x1b]52;c;";

/// The first bytes in `sent` that the painter never sends, with some context; `None` if there are none.
pub fn foreign(sent: &[u8]) -> Option<String> {
    // While the console does not have the terminal, lines from the shell or the exit report appear.
    let (mut at, mut ours) = (0, false);
    while at < sent.len() {
        let rest = &sent[at..];
        if let Some(fixed) = FIXED.iter().find(|fixed| rest.starts_with(fixed.as_bytes())) {
            ours = if *fixed == BEGIN { true } else { ours && !fixed.ends_with(LEFT) };
            at += fixed.len();
            continue;
        }
        let known = place_or_style(rest).or_else(|| copy(rest)).or_else(|| character(rest, ours)).or_else(|| cut(rest));
        let Some(length) = known else {
            let around = &sent[at.saturating_sub(40)..sent.len().min(at + 40)];
            return Some(format!("at byte {at}: {:?}", String::from_utf8_lossy(around)));
        };
        at += length;
    }
    None
}

/// `ESC [ row ; column H`, or one of the styles.
fn place_or_style(rest: &[u8]) -> Option<usize> {
    let params = rest.strip_prefix(b"\x1b[")?;
    let length = params.iter().position(|b| !b.is_ascii_digit() && *b != b';')?;
    let numbers: Option<Vec<u16>> =
        std::str::from_utf8(&params[..length]).ok()?.split(';').map(|n| n.parse().ok()).collect();
    let known = match (params[length], &numbers?[..]) {
        (b'H', [row, column]) => *row > 0 && *column > 0,
        // Everything off; then bold, faint, underlined, reversed, one of 16 colours, one of 16 grounds, in this order.
        (b'm', [0, codes @ ..]) => {
            let rank = |code: &u16| match code {
                1 | 2 | 4 | 7 => Some(*code),
                30..=37 | 90..=97 => Some(30),
                40..=47 | 100..=107 => Some(40),
                _ => None,
            };
            let ranks: Option<Vec<u16>> = codes.iter().map(rank).collect();
            ranks.is_some_and(|ranks| ranks.is_sorted_by(|one, next| one < next))
        }
        _ => false,
    };
    known.then_some(2 + length + 1)
}

/// A copy to the terminal's clipboard, in base64; also in the pieces for screen(1).
fn copy(rest: &[u8]) -> Option<usize> {
    let (mut text, mut length) = (Vec::new(), 0);
    while let Some(piece) = rest[length..].strip_prefix(b"\x1bP") {
        let end = piece.windows(2).position(|two| two == b"\x1b\\")?;
        text.extend_from_slice(&piece[..end]);
        length += 2 + end + 2;
    }
    let (text, end): (&[u8], &[u8]) = if length == 0 { (rest, b"\x1b\\") } else { (&text, b"\x07") };
    let base64 = text.strip_prefix(COPY)?;
    let size = base64.iter().position(|b| !(b.is_ascii_alphanumeric() || b"+/=".contains(b)))?;
    let is_whole = base64[size..].starts_with(end);
    if length == 0 { is_whole.then_some(COPY.len() + size + end.len()) } else { is_whole.then_some(length) }
}

/// A character that takes one cell and does nothing else; a newline while the console does not have the terminal.
fn character(rest: &[u8], ours: bool) -> Option<usize> {
    if !ours && (rest[0] == b'\n' || rest[0] == b'\r') {
        return Some(1);
    }
    let valid = match std::str::from_utf8(&rest[..rest.len().min(4)]) {
        Ok(text) => text,
        Err(e) => std::str::from_utf8(&rest[..e.valid_up_to()]).ok()?,
    };
    let c = valid.chars().next()?;
    let turns = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    let joins = matches!(c, '\u{ff9e}' | '\u{ff9f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}');
    (!c.is_control() && !turns && !joins && c.width().is_some_and(|cells| cells == 1)).then(|| c.len_utf8())
}

/// A part of a sequence or of a character, if the terminal was restored or gone in the middle of a frame.
fn cut(rest: &[u8]) -> Option<usize> {
    let part = rest.iter().position(|b| *b == CANCEL).unwrap_or(rest.len());
    let is_part = match &rest[..part] {
        [] => rest[1..].starts_with(b"\x1b[?1006l") || rest[1..].starts_with(b"\x1b[?2026l"),
        [0x1b] => true,
        [0x1b, b'[', params @ ..] => params.iter().all(|b| b.is_ascii_digit() || b"?;".contains(b)),
        // In the middle of a copy.
        text if COPY.starts_with(text) || text.starts_with(COPY) => !text[1..].iter().any(u8::is_ascii_control),
        bytes => bytes.len() < 4 && std::str::from_utf8(bytes).is_err_and(|e| e.error_len().is_none()),
    };
    is_part.then_some(part.max(1))
}
