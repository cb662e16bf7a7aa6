//! Which key a byte, a character or a whole sequence is; `None`: none that is known. Named as crossterm names them.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

fn alt_if(alt: bool) -> KeyModifiers {
    if alt { KeyModifiers::ALT } else { KeyModifiers::NONE }
}

/// A byte below 0x80 other than ESC, or one that begins no character (dropped).
pub(super) fn of_byte(byte: u8, alt: bool) -> Option<KeyEvent> {
    let control = |c: u8| (KeyCode::Char(char::from(c)), KeyModifiers::CONTROL);
    let (code, modifiers) = match byte {
        b'\r' => (KeyCode::Enter, KeyModifiers::NONE),
        b'\t' => (KeyCode::Tab, KeyModifiers::NONE),
        0x08 | 0x7f => (KeyCode::Backspace, KeyModifiers::NONE),
        0x00 => control(b' '),
        0x01..=0x1a => control(byte - 1 + b'a'),
        0x1c..=0x1f => control(byte - 0x1c + b'4'),
        0x20..=0x7e => return Some(of_char(char::from(byte), alt)),
        _ => return None,
    };
    Some(KeyEvent::new(code, modifiers | alt_if(alt)))
}

/// A character as typed; a capital letter has Shift, as crossterm has it.
pub(super) fn of_char(c: char, alt: bool) -> KeyEvent {
    let shift = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
    KeyEvent::new(KeyCode::Char(c), shift | alt_if(alt))
}

/// `ESC [ params end`.
pub(super) fn of_csi(params: &[u8], end: u8, alt: bool) -> Option<KeyEvent> {
    let (number, modifier) = numbers(params)?;
    let code = match end {
        b'~' => by_number(number)?,
        b'Z' => KeyCode::BackTab,
        // A report of the terminal, not a key: `ESC [ 12 ; 40 R` tells where the cursor is.
        _ if number > 1 => return None,
        _ => by_letter(end)?,
    };
    let shift = if end == b'Z' { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
    Some(KeyEvent::new(code, modifiers(modifier)? | shift | alt_if(alt)))
}

/// `ESC O params end`: the keypad's application mode, F1 to F4, and old terminals' modifiers.
pub(super) fn of_ss3(params: &[u8], end: u8, alt: bool) -> Option<KeyEvent> {
    let (number, modifier) = numbers(params)?;
    let code = match end {
        b'M' => KeyCode::Enter,
        b'I' => KeyCode::Tab,
        b'X' => KeyCode::Char('='),
        b'j'..=b'y' => KeyCode::Char(char::from(b"*+,-./0123456789"[usize::from(end - b'j')])),
        _ => by_letter(end)?,
    };
    Some(KeyEvent::new(code, modifiers(modifier.max(number))? | alt_if(alt)))
}

/// The first two numbers, 0 where there is none; `None` for anything that is not a key's.
fn numbers(params: &[u8]) -> Option<(u16, u16)> {
    if params.len() > super::PARAMS_MAX || !params.iter().all(|b| matches!(b, b'0'..=b'9' | b';')) {
        return None;
    }
    let mut numbers = params.split(|b| *b == b';').map(|digits| match digits {
        b"" => Some(0),
        _ => std::str::from_utf8(digits).ok()?.parse::<u16>().ok(),
    });
    let first = numbers.next()??;
    let second = numbers.next().unwrap_or(Some(0))?;
    if numbers.next().is_some() { None } else { Some((first, second)) }
}

/// xterm's: 1 and the sum of Shift 1, Alt 2, Control 4, Meta 8.
fn modifiers(number: u16) -> Option<KeyModifiers> {
    let bits = number.saturating_sub(1);
    if bits > 15 {
        return None;
    }
    let all = [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL), (8, KeyModifiers::META)];
    Some(all.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, modifier)| modifier).collect())
}

fn by_letter(letter: u8) -> Option<KeyCode> {
    Some(match letter {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P'..=b'S' => KeyCode::F(letter - b'P' + 1),
        _ => return None,
    })
}

fn by_number(number: u16) -> Option<KeyCode> {
    // The numbers of function keys leave gaps where DEC's keyboard had them.
    let f = |first: u16, key: u8| KeyCode::F(u8::try_from(number - first).unwrap_or(0) + key);
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => f(11, 1),
        17..=21 => f(17, 6),
        23..=26 => f(23, 11),
        28..=29 => f(28, 15),
        31..=34 => f(31, 17),
        _ => return None,
    })
}
