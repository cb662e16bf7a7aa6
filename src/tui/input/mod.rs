//! What the terminal sends, byte for byte, made into keys and pastes.
//!
//! A decoder of our own, since a parser of terminal *output* is wrong for input: to it Alt-P starts a string that
//! swallows every key after it, the `P` of F1 (`ESC O P`) is text, a lone ESC cannot be asked for, and a paste is
//! parsed for sequences and loses its invalid UTF-8. Bytes are taken one at a time, so how they were split into reads
//! cannot matter. Only two things need a time: a lone ESC, and a reply of the terminal that never ends.

mod keys;
mod mouse;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::msg::Mouse;

/// A lone ESC is the key when nothing has followed for so long.
const LONE_ESC: Duration = Duration::from_millis(50);
/// After a lone ESC that was told by time, `[` and `O` still are the rest of a late sequence for so long.
const LATE: Duration = Duration::from_millis(500);
/// A string of the terminal (a reply nobody asked for) is given up when it has been silent for so long.
const SILENT: Duration = Duration::from_secs(1);
/// More of a paste than this is not kept (it is never keys either).
const PASTE_MAX: usize = 1024 * 1024;
/// Parameters longer than this belong to no key.
const PARAMS_MAX: usize = 32;
const PASTE_END: &[u8] = b"\x1b[201~";
const ESC: u8 = 0x1b;

/// What was typed or pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Key(KeyEvent),
    Paste(Vec<u8>),
    Mouse(Mouse),
}

/// How a sequence is introduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intro {
    /// `ESC [`
    Csi,
    /// `ESC O`
    Ss3,
}

#[derive(Debug)]
enum State {
    Ground,
    /// Within a character; with Alt if an ESC went before it.
    Utf8 {
        bytes: Vec<u8>,
        length: usize,
        alt: bool,
    },
    /// After ESC; `twice` after two of them.
    Escape {
        twice: bool,
    },
    /// Within a sequence; with Alt after two ESC.
    Sequence {
        intro: Intro,
        params: Vec<u8>,
        alt: bool,
    },
    /// After `ESC [ [`: the Linux console's F1 to F5.
    LinuxFunction,
    /// So many bytes still belong to a mouse report of the oldest kind.
    Skip(u8),
    /// Within a string (OSC, DCS, APC, PM, SOS); after an ESC in it, which may be the start of its end.
    Text {
        esc: bool,
    },
    /// Within a paste: how much there was of it, and how much of its end has been seen.
    Paste {
        bytes: Vec<u8>,
        total: usize,
        seen: usize,
    },
}

/// The state between reads.
#[derive(Debug)]
pub(super) struct Decoder {
    state: State,
    /// When the last byte came.
    at: Instant,
    /// When a lone ESC was told by time.
    late: Option<Instant>,
}

impl Decoder {
    pub(super) fn new(now: Instant) -> Self {
        Self { state: State::Ground, at: now, late: None }
    }

    /// Takes what one read gave.
    pub(super) fn feed(&mut self, bytes: &[u8], now: Instant, out: &mut Vec<Input>) {
        if bytes.is_empty() {
            return;
        }
        self.at = now;
        for byte in bytes {
            self.byte(*byte, out);
        }
    }

    /// When [`Self::expire`] is to be called if nothing comes; `None`: never.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Escape { .. } => Some(self.at + LONE_ESC),
            State::Text { .. } => Some(self.at + SILENT),
            _ => None,
        }
    }

    /// Nothing came until `now`: a lone ESC is a key, an endless string is given up.
    pub(super) fn expire(&mut self, now: Instant, out: &mut Vec<Input>) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        if let State::Escape { twice } = std::mem::replace(&mut self.state, State::Ground) {
            for _ in 0..=u8::from(twice) {
                out.push(key(KeyCode::Esc, KeyModifiers::NONE));
            }
            self.late = Some(now);
        }
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<Input>) {
        let late = self.late.take().is_some_and(|since| self.at.duration_since(since) < LATE);
        self.state = match std::mem::replace(&mut self.state, State::Ground) {
            State::Ground if late && matches!(byte, b'[' | b'O') => after_escape(byte, false, out),
            State::Ground => ground(byte, false, out),
            State::Utf8 { bytes, length, alt } => utf8(bytes, length, alt, byte, out),
            State::Escape { twice } => after_escape(byte, twice, out),
            State::Sequence { intro, params, alt } => sequence(intro, params, alt, byte, out),
            State::LinuxFunction => {
                if let b'A'..=b'E' = byte {
                    out.push(key(KeyCode::F(byte - b'A' + 1), KeyModifiers::NONE));
                }
                State::Ground
            }
            State::Skip(left) if left > 1 => State::Skip(left - 1),
            State::Skip(_) => State::Ground,
            State::Text { esc } => text(esc, byte, out),
            State::Paste { bytes, total, seen } => paste(bytes, total, seen, byte, out),
        };
    }
}

fn key(code: KeyCode, modifiers: KeyModifiers) -> Input {
    Input::Key(KeyEvent::new(code, modifiers))
}

fn ground(byte: u8, alt: bool, out: &mut Vec<Input>) -> State {
    let length = match byte {
        ESC => return State::Escape { twice: false },
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => {
            out.extend(keys::of_byte(byte, alt).map(Input::Key));
            return State::Ground;
        }
    };
    State::Utf8 { bytes: vec![byte], length, alt }
}

/// What turns out not to be a character is dropped; a byte that cannot continue it is looked at afresh.
fn utf8(mut bytes: Vec<u8>, length: usize, alt: bool, byte: u8, out: &mut Vec<Input>) -> State {
    if !matches!(byte, 0x80..=0xbf) {
        return ground(byte, false, out);
    }
    bytes.push(byte);
    if bytes.len() < length {
        return State::Utf8 { bytes, length, alt };
    }
    if let Some(c) = std::str::from_utf8(&bytes).ok().and_then(|text| text.chars().next()) {
        out.push(Input::Key(keys::of_char(c, alt)));
    }
    State::Ground
}

fn after_escape(byte: u8, twice: bool, out: &mut Vec<Input>) -> State {
    let intro = match byte {
        b'[' => Intro::Csi,
        b'O' => Intro::Ss3,
        ESC => {
            if twice {
                out.push(key(KeyCode::Esc, KeyModifiers::NONE));
            }
            return State::Escape { twice: true };
        }
        _ => {
            if twice {
                out.push(key(KeyCode::Esc, KeyModifiers::NONE));
            }
            return match byte {
                b'P' | b']' | b'X' | b'^' | b'_' => State::Text { esc: false },
                _ => ground(byte, true, out),
            };
        }
    };
    State::Sequence { intro, params: Vec::new(), alt: twice }
}

fn sequence(intro: Intro, mut params: Vec<u8>, alt: bool, byte: u8, out: &mut Vec<Input>) -> State {
    match byte {
        0x20..=0x3f => {
            if params.len() <= PARAMS_MAX {
                params.push(byte);
            }
            return State::Sequence { intro, params, alt };
        }
        0x40..=0x7e => {}
        0x18 | 0x1a => return State::Ground,
        0x7f => return State::Sequence { intro, params, alt },
        // Broken off: what breaks it is looked at afresh.
        _ => return ground(byte, false, out),
    }
    match (intro, &params[..], byte) {
        (Intro::Csi, b"200", b'~') => return State::Paste { bytes: Vec::new(), total: 0, seen: 0 },
        (Intro::Csi, b"", b'[') => return State::LinuxFunction,
        (Intro::Csi, [b'<', report @ ..], b'M' | b'm') => out.extend(mouse::of_report(report, byte).map(Input::Mouse)),
        (Intro::Csi, b"", b'M') => return State::Skip(3),
        (Intro::Csi, _, _) => out.extend(keys::of_csi(&params, byte, alt).map(Input::Key)),
        (Intro::Ss3, _, _) => out.extend(keys::of_ss3(&params, byte, alt).map(Input::Key)),
    }
    State::Ground
}

/// Ends at BEL or ST; a control character breaks it off, so that Enter or ctrl-c is never lost in it.
fn text(esc: bool, byte: u8, out: &mut Vec<Input>) -> State {
    match byte {
        b'\\' if esc => State::Ground,
        _ if esc => after_escape(byte, false, out),
        ESC => State::Text { esc: true },
        0x07 | 0x18 | 0x1a => State::Ground,
        0x00..=0x1f => ground(byte, false, out),
        _ => State::Text { esc: false },
    }
}

fn paste(mut bytes: Vec<u8>, total: usize, seen: usize, byte: u8, out: &mut Vec<Input>) -> State {
    if bytes.len() < PASTE_MAX {
        bytes.push(byte);
    }
    let total = total.saturating_add(1);
    // ESC stands at the start of the end and nowhere else in it, so a mismatch can only begin it anew.
    let seen = if byte == PASTE_END[seen] { seen + 1 } else { usize::from(byte == ESC) };
    if seen < PASTE_END.len() {
        return State::Paste { bytes, total, seen };
    }
    bytes.truncate(total - PASTE_END.len());
    out.push(Input::Paste(bytes));
    State::Ground
}
