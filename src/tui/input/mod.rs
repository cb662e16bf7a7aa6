//! Decodes the bytes that the terminal sends into keys, pastes and mouse events.
//!
//! A parser of terminal *output* cannot be used for input: it takes Alt-P for the start of a string and the `P` of F1
//! (`ESC O P`) for text, cannot report a lone ESC, and interprets what is pasted. Bytes are taken one at a time, so the
//! way they were split into reads does not change the result.
//!
//! Everything unfinished ends after a silence. Until then ctrl-c (0x03) still works, and [`Decoder::deadline`] is set;
//! with nothing unfinished there is no deadline, and an idle console does not wake.
//!
//! | unfinished | ends after a silence of | what is delivered then |
//! |---|---|---|
//! | ESC | 50 ms | Esc |
//! | `ESC [`, `ESC O`, `ESC P` and the like, nothing more | 500 ms | Esc and the letter, or the chord that they are |
//! | a longer sequence or string, a part of a character | 500 ms | nothing |
//! | a paste without its end | 1 s | what came so far, as the paste |
//! | a paste whose last byte is ctrl-c | 50 ms | ctrl-c; the paste is dropped, and so is the rest of it |

mod keys;
mod mouse;
mod params;
mod paste;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::msg::Mouse;
use paste::Paste;

/// A lone ESC is the Esc key after this silence.
const LONE_ESC: Duration = Duration::from_millis(50);
/// An unfinished sequence, string or character is dropped after this silence.
const UNFINISHED: Duration = Duration::from_millis(500);
/// For this long after Esc was reported by time-out, `[` and `O` are taken for the rest of a delayed sequence.
const LATE: Duration = Duration::from_millis(500);
/// Longer parameters belong to no key. The longest are kitty's, with the text of the key appended.
const PARAMS_MAX: usize = 128;
const ESC: u8 = 0x1b;
const CTRL_C: u8 = 0x03;

/// One event of the keyboard or the mouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Key(KeyEvent),
    /// ESC with this key right behind it: Alt is held, or Esc was pressed first. The event has [`KeyModifiers::ALT`].
    Chord(KeyEvent),
    /// Pasted text, hostile bytes.
    Paste(Vec<u8>),
    Mouse(Mouse),
}

/// The kind of a control sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intro {
    /// `ESC [`, or 0x9b.
    Csi,
    /// `ESC O`, or 0x8f.
    Ss3,
}

/// What stood before the letter that introduces a sequence or a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// ESC.
    Esc,
    /// ESC twice: the first one was Alt, or the Esc key.
    EscEsc,
    /// An ESC that was reported as the Esc key already.
    LateEsc,
    /// Nothing: introducer and letter are one byte (an 8-bit control, C1).
    Nothing,
}

#[derive(Debug)]
enum State {
    Ground,
    /// Within a character of UTF-8. With `alt` it follows an ESC.
    Utf8 {
        bytes: Vec<u8>,
        length: usize,
        alt: bool,
    },
    /// After ESC, or with `twice` after two of them.
    Escape {
        twice: bool,
    },
    /// Within a control sequence.
    Sequence {
        intro: Intro,
        before: Before,
        params: Vec<u8>,
    },
    /// After `ESC [ [`: F1 to F5 of the Linux console.
    LinuxFunction,
    /// Within a mouse report of the oldest kind (X10); this many bytes are left.
    Skip(u8),
    /// Within a string (DCS, SOS, OSC, PM, APC) that `letter` introduces. `esc`: its last byte was ESC.
    Text {
        before: Before,
        letter: u8,
        empty: bool,
        esc: bool,
    },
    Paste(Paste),
}

/// The decoder. It holds what is unfinished between reads.
#[derive(Debug)]
pub(super) struct Decoder {
    state: State,
    /// The time of the last byte.
    at: Instant,
    /// When the last Esc key was reported by time-out.
    late: Option<Instant>,
}

impl Decoder {
    pub(super) fn new(now: Instant) -> Self {
        Self { state: State::Ground, at: now, late: None }
    }

    /// Decodes the bytes of one read, at the time `now`.
    pub(super) fn feed(&mut self, bytes: &[u8], now: Instant, out: &mut Vec<Input>) {
        if bytes.is_empty() {
            return;
        }
        self.at = now;
        for byte in bytes {
            self.byte(*byte, out);
        }
    }

    /// When to call [`Self::expire`] if no byte comes before; `None` while nothing is unfinished.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let silence = match &self.state {
            State::Ground => return None,
            State::Escape { .. } => LONE_ESC,
            // The rest of a delayed sequence comes at once, or this is a key.
            State::Sequence { before: Before::LateEsc, params, .. } if params.is_empty() => LONE_ESC,
            State::Paste(paste) => paste.patience(),
            _ => UNFINISHED,
        };
        Some(self.at + silence)
    }

    /// Ends what is unfinished if its deadline has passed.
    pub(super) fn expire(&mut self, now: Instant, out: &mut Vec<Input>) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        match std::mem::replace(&mut self.state, State::Ground) {
            State::Escape { twice } => {
                for _ in 0..=u8::from(twice) {
                    out.push(key(KeyCode::Esc, KeyModifiers::NONE));
                }
                self.late = Some(now);
            }
            State::Sequence { intro, before, params } if params.is_empty() => {
                introducer_alone(before, if intro == Intro::Csi { b'[' } else { b'O' }, out);
            }
            State::Text { before, letter, empty: true, esc: false } => introducer_alone(before, letter, out),
            State::Paste(mut paste) => match paste.take_ctrl_c() {
                true => {
                    out.push(ctrl_c());
                    self.at = now;
                    self.state = State::Paste(paste);
                }
                false => out.extend(paste.into_bytes().map(Input::Paste)),
            },
            _ => {}
        }
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<Input>) {
        let late = self.late.take().is_some_and(|since| self.at.duration_since(since) < LATE);
        let state = std::mem::replace(&mut self.state, State::Ground);
        self.state = match state {
            State::Ground if late && matches!(byte, b'[' | b'O') => introduced(Before::LateEsc, byte),
            State::Ground => ground(byte, false, out),
            State::Escape { twice } => after_escape(byte, twice, out),
            State::Paste(paste) => pasted(paste, byte, out),
            // Whatever it is in, it is never lost.
            _ if byte == CTRL_C => ground(byte, false, out),
            State::Utf8 { bytes, length, alt } => utf8(bytes, length, alt, byte, out),
            State::Sequence { intro, before, params } => sequence(intro, before, params, byte, out),
            // Their bytes are printable: a control character is another key.
            State::LinuxFunction | State::Skip(_) if byte < b' ' => ground(byte, false, out),
            State::LinuxFunction => {
                if let b'A'..=b'E' = byte {
                    out.push(key(KeyCode::F(byte - b'A' + 1), KeyModifiers::NONE));
                }
                State::Ground
            }
            State::Skip(left) if left > 1 => State::Skip(left - 1),
            State::Skip(_) => State::Ground,
            State::Text { before, letter, esc, .. } => text(before, letter, esc, byte, out),
        };
    }
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Input {
    Input::Key(KeyEvent::new(code, modifiers))
}

fn ctrl_c() -> Input {
    key(KeyCode::Char('c'), KeyModifiers::CONTROL)
}

/// The event of a key on its own, or with `alt` directly after an ESC.
fn pressed(event: KeyEvent, alt: bool) -> Input {
    match alt {
        true => Input::Chord(KeyEvent::new(event.code, event.modifiers | KeyModifiers::ALT)),
        false => Input::Key(event),
    }
}

/// Nothing followed an introducer: its letter was a key.
fn introducer_alone(before: Before, letter: u8, out: &mut Vec<Input>) {
    if before == Before::Nothing {
        return;
    }
    if before == Before::EscEsc {
        out.push(key(KeyCode::Esc, KeyModifiers::NONE));
    }
    out.push(pressed(keys::of_char(char::from(letter)), before != Before::LateEsc));
}

fn ground(byte: u8, alt: bool, out: &mut Vec<Input>) -> State {
    let length = match byte {
        ESC => return State::Escape { twice: false },
        // A byte of this range that continues a character never comes here.
        0x80..=0x9f => return c1(byte),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => {
            out.extend(keys::of_byte(byte).map(|event| pressed(event, alt)));
            return State::Ground;
        }
    };
    State::Utf8 { bytes: vec![byte], length, alt }
}

/// An 8-bit control: ESC and the letter 0x40 below it, in one byte.
fn c1(byte: u8) -> State {
    introduced(Before::Nothing, byte - 0x40)
}

/// The state after an introducer; [`State::Ground`] if the letter introduces nothing.
fn introduced(before: Before, letter: u8) -> State {
    let sequence = |intro| State::Sequence { intro, before, params: Vec::new() };
    match letter {
        b'[' => sequence(Intro::Csi),
        b'O' => sequence(Intro::Ss3),
        b'P' | b'X' | b']' | b'^' | b'_' => State::Text { before, letter, empty: true, esc: false },
        _ => State::Ground,
    }
}

/// Drops what turns out not to be a character; a byte that cannot continue it starts something else.
fn utf8(mut bytes: Vec<u8>, length: usize, alt: bool, byte: u8, out: &mut Vec<Input>) -> State {
    if !matches!(byte, 0x80..=0xbf) {
        return ground(byte, false, out);
    }
    bytes.push(byte);
    if bytes.len() < length {
        return State::Utf8 { bytes, length, alt };
    }
    match std::str::from_utf8(&bytes).ok().and_then(|text| text.chars().next()) {
        // A terminal may send 8-bit controls in UTF-8.
        Some('\u{80}'..='\u{9f}') => return c1(byte),
        Some(c) => out.push(pressed(keys::of_char(c), alt)),
        None => {}
    }
    State::Ground
}

fn after_escape(byte: u8, twice: bool, out: &mut Vec<Input>) -> State {
    if byte == ESC {
        if twice {
            out.push(key(KeyCode::Esc, KeyModifiers::NONE));
        }
        return State::Escape { twice: true };
    }
    match introduced(if twice { Before::EscEsc } else { Before::Esc }, byte) {
        State::Ground => {
            if twice {
                out.push(key(KeyCode::Esc, KeyModifiers::NONE));
            }
            ground(byte, true, out)
        }
        state => state,
    }
}

fn sequence(intro: Intro, before: Before, mut params: Vec<u8>, byte: u8, out: &mut Vec<Input>) -> State {
    match byte {
        // rxvt ends the keys that are pressed with Shift by `$`, which introduces the end everywhere else.
        b'$' if !params.is_empty() && params.iter().all(u8::is_ascii_digit) => {}
        0x20..=0x3f => {
            if params.len() <= PARAMS_MAX {
                params.push(byte);
            }
            return State::Sequence { intro, before, params };
        }
        0x40..=0x7e => {}
        0x18 | 0x1a => return State::Ground,
        0x7f => return State::Sequence { intro, before, params },
        // The sequence is broken off by the start of something else.
        _ => return ground(byte, false, out),
    }
    let alt = before == Before::EscEsc;
    match (intro, &params[..], byte) {
        (Intro::Csi, b"200", b'~') => return State::Paste(Paste::new(before == Before::Nothing)),
        (Intro::Csi, b"", b'[') => return State::LinuxFunction,
        (Intro::Csi, [b'<', report @ ..], b'M' | b'm') => out.extend(mouse::of_report(report, byte).map(Input::Mouse)),
        (Intro::Csi, b"", b'M') => return State::Skip(3),
        (Intro::Csi, _, _) => out.extend(keys::of_csi(&params, byte).into_iter().map(|event| pressed(event, alt))),
        (Intro::Ss3, _, _) => out.extend(keys::of_ss3(&params, byte).map(|event| pressed(event, alt))),
    }
    State::Ground
}

/// Ends at BEL or ST. A control character breaks the string off, so that Enter is not lost in it.
fn text(before: Before, letter: u8, esc: bool, byte: u8, out: &mut Vec<Input>) -> State {
    match byte {
        b'\\' if esc => State::Ground,
        _ if esc => after_escape(byte, false, out),
        ESC => State::Text { before, letter, empty: false, esc: true },
        // ST as one byte ends what one byte began; elsewhere the byte may be a part of a character.
        0x9c if before == Before::Nothing => State::Ground,
        0x07 | 0x18 | 0x1a => State::Ground,
        0x00..=0x1f => ground(byte, false, out),
        _ => State::Text { before, letter, empty: false, esc: false },
    }
}

fn pasted(mut paste: Paste, byte: u8, out: &mut Vec<Input>) -> State {
    if !paste.take(byte) {
        return State::Paste(paste);
    }
    out.extend(paste.into_bytes().map(Input::Paste));
    State::Ground
}
