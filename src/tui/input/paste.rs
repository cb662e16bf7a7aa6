//! A bracketed paste: everything between `ESC [ 200 ~` and `ESC [ 201 ~`.

use std::time::Duration;

use super::{LATE, LONE_ESC};

/// A paste that is silent for this long has lost its end.
pub(super) const SILENT: Duration = Duration::from_secs(1);
/// The bytes of a paste that are kept. The rest is dropped, and is not taken for keys.
pub(super) const PASTE_MAX: usize = 1024 * 1024;
pub(super) const END: &[u8] = b"\x1b[201~";
/// The same with an 8-bit CSI. It ends only a paste that began with one, because the byte may be a part of a character.
const END_8_BIT: &[u8] = b"\x9b201~";
/// How terminals send ctrl-c: as a byte, in the form of CSI u, and in that of modifyOtherKeys.
const CTRL_C: [&[u8]; 3] = [b"\x03", b"\x1b[99;5u", b"\x1b[27;5;99~"];
/// As long as the longest of [`CTRL_C`].
const TAIL: usize = 10;

/// A paste that has not ended.
#[derive(Debug)]
pub(super) struct Paste {
    bytes: Vec<u8>,
    /// All bytes so far, the end's included.
    total: usize,
    end: &'static [u8],
    /// The number of bytes of the end marker seen so far.
    seen: usize,
    /// The last bytes, the newest at the end.
    tail: [u8; TAIL],
    /// The operator has pressed ctrl-c: nothing of the paste is delivered.
    cancelled: bool,
}

impl Paste {
    pub(super) fn new(eight_bit: bool) -> Self {
        let end = if eight_bit { END_8_BIT } else { END };
        Self { bytes: Vec::new(), total: 0, end, seen: 0, tail: [0; TAIL], cancelled: false }
    }

    /// Takes one byte. Returns whether it ends the paste.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        if self.bytes.len() < PASTE_MAX && !self.cancelled {
            self.bytes.push(byte);
        }
        self.total = self.total.saturating_add(1);
        self.tail.rotate_left(1);
        self.tail[TAIL - 1] = byte;
        // The first byte of the end occurs nowhere else in it, so after a mismatch only that byte can be a new start.
        self.seen = if byte == self.end[self.seen] { self.seen + 1 } else { usize::from(byte == self.end[0]) };
        let ended = self.seen == self.end.len();
        if ended {
            self.bytes.truncate(self.total - self.end.len());
        }
        ended
    }

    /// How long a silence must be to end the paste, or to make the ctrl-c at its end a key. A ctrl-c inside pasted text
    /// is followed immediately by the rest of the text.
    pub(super) fn patience(&self) -> Duration {
        match (self.ends_in_ctrl_c(), self.cancelled) {
            (true, _) => LONE_ESC,
            (false, true) => LATE,
            (false, false) => SILENT,
        }
    }

    /// After a silence: whether the operator has pressed ctrl-c. Then the paste is cancelled; the rest of it is
    /// swallowed until it ends or a silence ends it.
    pub(super) fn take_ctrl_c(&mut self) -> bool {
        let pressed = self.ends_in_ctrl_c();
        if pressed {
            self.cancelled = true;
            self.bytes = Vec::new();
            self.tail = [0; TAIL];
        }
        pressed
    }

    fn ends_in_ctrl_c(&self) -> bool {
        CTRL_C.iter().any(|form| self.tail.ends_with(form))
    }

    /// The pasted text; `None` if ctrl-c cancelled it.
    pub(super) fn into_bytes(self) -> Option<Vec<u8>> {
        (!self.cancelled).then_some(self.bytes)
    }
}
