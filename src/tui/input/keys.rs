//! Decodes a byte, a character or a whole sequence into a key, as crossterm names keys.
//!
//! Sources: ctlseqs(ms) of xterm for function keys, modifiers and modifyOtherKeys (`CSI 27 ; modifiers ; code ~`);
//! kitty's keyboard protocol and fixterms for `CSI code:shifted ; modifiers:event ; text u`. A program that crashed may
//! have left the terminal sending these forms. A key means the same in each of them.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::params::Params;

/// Kitty numbers keys without a character in Unicode's private use area.
const PRIVATE_USE: std::ops::RangeInclusive<u32> = 0xe000..=0xf8ff;
/// The number of the event that reports the release of a key.
const RELEASE: u32 = 3;

/// The key of a control character or an ASCII character; `None` for ESC and for a byte that begins no character.
pub(super) fn of_byte(byte: u8) -> Option<KeyEvent> {
    let control = |c: u8| (KeyCode::Char(char::from(c)), KeyModifiers::CONTROL);
    let (code, modifiers) = match byte {
        b'\r' => (KeyCode::Enter, KeyModifiers::NONE),
        b'\t' => (KeyCode::Tab, KeyModifiers::NONE),
        0x08 | 0x7f => (KeyCode::Backspace, KeyModifiers::NONE),
        0x00 => control(b' '),
        0x01..=0x1a => control(byte - 1 + b'a'),
        0x1c..=0x1f => control(byte - 0x1c + b'4'),
        0x20..=0x7e => return Some(of_char(char::from(byte))),
        _ => return None,
    };
    Some(KeyEvent::new(code, modifiers))
}

/// The key of a character; a capital letter has Shift, as in crossterm.
pub(super) fn of_char(c: char) -> KeyEvent {
    let shift = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
    KeyEvent::new(KeyCode::Char(c), shift)
}

/// The key of `CSI params end`.
pub(super) fn of_csi(params: &[u8], end: u8) -> Option<KeyEvent> {
    let params = Params::parse(params)?;
    let number = params.get(0, 0);
    if end == b'~' && number == 27 && params.groups == 3 {
        return of_code(params.get(2, 0), None, None, modifiers(params.get(1, 0))?);
    }
    if params.get(1, 1) == RELEASE {
        return None;
    }
    let held = modifiers(params.get(1, 0))?;
    if end == b'u' {
        let character = |group, at| char::from_u32(params.get(group, at)).filter(|c| !c.is_control());
        // On a keyboard of another script Control means the letter that the key has on a Latin one.
        let latin = params.get(0, 2);
        let number = if held.contains(KeyModifiers::CONTROL) && latin != 0 { latin } else { number };
        return of_code(number, character(0, 1), character(2, 0), held);
    }
    if params.groups > 2 {
        return None;
    }
    Some(match end {
        b'~' => KeyEvent::new(by_number(number)?, held),
        b'Z' => KeyEvent::new(KeyCode::BackTab, held | KeyModifiers::SHIFT),
        // A report of the terminal, not a key: `CSI 12 ; 40 R` is the cursor's position.
        _ if number > 1 => return None,
        _ => KeyEvent::new(by_letter(end)?, held),
    })
}

/// The key of `ESC O params end`: the keypad in application mode, F1 to F4, and modifiers of old terminals.
pub(super) fn of_ss3(params: &[u8], end: u8) -> Option<KeyEvent> {
    let params = Params::parse(params)?;
    let code = match end {
        b'M' => KeyCode::Enter,
        b'I' => KeyCode::Tab,
        b'X' => KeyCode::Char('='),
        b'j'..=b'y' => KeyCode::Char(char::from(b"*+,-./0123456789"[usize::from(end - b'j')])),
        _ => by_letter(end)?,
    };
    Some(KeyEvent::new(code, modifiers(params.get(0, 0).max(params.get(1, 0)))?))
}

/// The key of a Unicode code point or of a number in [`PRIVATE_USE`]. `shifted` is the character that Shift makes of
/// it, `text` what the key types, where the terminal reports them.
fn of_code(code: u32, shifted: Option<char>, text: Option<char>, held: KeyModifiers) -> Option<KeyEvent> {
    // Shift changes nothing for these keys in the legacy encoding.
    let plain = |code| Some(KeyEvent::new(code, held.difference(KeyModifiers::SHIFT)));
    let c = match code {
        9 if held.contains(KeyModifiers::SHIFT) => return Some(KeyEvent::new(KeyCode::BackTab, held)),
        9 => return plain(KeyCode::Tab),
        13 => return plain(KeyCode::Enter),
        27 => return plain(KeyCode::Esc),
        8 | 127 => return plain(KeyCode::Backspace),
        // Text without a key, as an input method types it.
        0 => text?,
        _ if PRIVATE_USE.contains(&code) => return Some(KeyEvent::new(by_private_number(code)?, held)),
        _ => char::from_u32(code).filter(|c| !c.is_control())?,
    };
    if held.contains(KeyModifiers::CONTROL) {
        return with_control(c, held);
    }
    let c = match (text, shifted) {
        (Some(text), _) => text,
        (None, Some(shifted)) if held.contains(KeyModifiers::SHIFT) => shifted,
        _ if held.contains(KeyModifiers::SHIFT) => c.to_uppercase().next().unwrap_or(c),
        _ => c,
    };
    let event = of_char(c);
    Some(KeyEvent::new(event.code, event.modifiers | held))
}

/// A character with Control: the key that its control character is in the legacy encoding, where it has one.
fn with_control(c: char, held: KeyModifiers) -> Option<KeyEvent> {
    let c = c.to_ascii_lowercase();
    let byte = match c {
        ' ' | '@' => 0,
        'a'..='z' => c as u8 - b'a' + 1,
        '[' => return Some(KeyEvent::new(KeyCode::Esc, held.difference(KeyModifiers::CONTROL))),
        '\\' | ']' | '^' | '_' => c as u8 - 0x40,
        _ => return Some(KeyEvent::new(KeyCode::Char(c), held)),
    };
    let event = of_byte(byte)?;
    Some(KeyEvent::new(event.code, event.modifiers | held & KeyModifiers::ALT))
}

/// The modifiers of a number: 1 plus the sum of Shift 1, Alt 2, Control 4, Super (xterm: Meta) 8, Hyper 16, Meta 32,
/// Caps Lock 64 and Num Lock 128. The locks are not part of a chord. `None` with Super, Hyper or Meta: the console
/// binds no such key.
fn modifiers(number: u32) -> Option<KeyModifiers> {
    const LOCKS: u32 = 64 | 128;
    let bits = number.saturating_sub(1) & !LOCKS;
    if bits > 7 {
        return None;
    }
    let all = [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)];
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

fn by_number(number: u32) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        // The numbers of function keys have gaps, as DEC's keyboard had.
        11..=15 => function(number, 11, 1),
        17..=21 => function(number, 17, 6),
        23..=26 => function(number, 23, 11),
        28..=29 => function(number, 28, 15),
        31..=34 => function(number, 31, 17),
        _ => return None,
    })
}

/// Kitty's numbers. Keys that mean nothing to the console are `None`: the locks, modifiers, media keys.
fn by_private_number(number: u32) -> Option<KeyCode> {
    const KEYPAD: &[u8] = b"0123456789./*-+";
    Some(match number {
        57376..=57398 => function(number, 57376, 13),
        57399..=57413 => KeyCode::Char(char::from(KEYPAD[(number - 57399) as usize])),
        57414 => KeyCode::Enter,
        57415 => KeyCode::Char('='),
        57416 => KeyCode::Char(','),
        57417 => KeyCode::Left,
        57418 => KeyCode::Right,
        57419 => KeyCode::Up,
        57420 => KeyCode::Down,
        57421 => KeyCode::PageUp,
        57422 => KeyCode::PageDown,
        57423 => KeyCode::Home,
        57424 => KeyCode::End,
        57425 => KeyCode::Insert,
        57426 => KeyCode::Delete,
        _ => return None,
    })
}

/// The function key of `number` where `first` is that of function key `key`.
fn function(number: u32, first: u32, key: u8) -> KeyCode {
    KeyCode::F(u8::try_from(number - first).unwrap_or(0) + key)
}
