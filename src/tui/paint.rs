//! Writes frames to the terminal: one write each, never more than the terminal accepts, and none while an earlier frame
//! is still being written.

mod encode;
mod shown;

use std::io::{self, Write as _};
use std::sync::Arc;

use nix::errno::Errno;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Draw;
use super::model::Model;
use super::terminal::Tty;
use super::terminal_type::{Clipboard, Colours, TerminalType};
use shown::Shown;

/// A synchronized update: the terminal shows the frame complete or not yet.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";
/// The number of bytes that screen(1) passes on in one piece, with a margin.
const SCREEN_PIECE: usize = 240;
/// The plain style, in which each frame begins.
const PLAIN: &[u8] = b"\x1b[0m";

/// Draws frames and writes them.
pub(super) struct Painter {
    tty: Arc<Tty>,
    colours: Colours,
    /// Copies go through screen(1).
    through_screen: bool,
    /// The drawn page, and what the terminal shows of it.
    page: Buffer,
    shown: Shown,
    /// The next frame is drawn over an unknown page.
    over: bool,
    /// Bytes for the terminal.
    bytes: Vec<u8>,
    /// How many of these bytes are written.
    taken: usize,
    /// The last write would have blocked.
    behind: bool,
}

impl Painter {
    /// A painter for a screen of `size` on a terminal of this type, which first writes the bytes of `enter`.
    pub(super) fn new(tty: Arc<Tty>, enter: &[u8], size: (u16, u16), kind: TerminalType) -> Self {
        let page = blank(size);
        let shown = Shown::blank(page.content.len());
        let (colours, through_screen) = (kind.colours, kind.clipboard == Clipboard::Screen);
        Self { tty, colours, through_screen, page, shown, over: false, bytes: enter.to_vec(), taken: 0, behind: false }
    }

    /// Forgets what the terminal shows: the next frame paints every cell of `size` over whatever is there. The screen
    /// is not cleared first, so that a slow line never shows a blank page.
    pub(super) fn repaint(&mut self, size: (u16, u16)) {
        self.page = blank(size);
        self.shown = Shown::unknown(self.page.content.len());
        self.over = true;
    }

    /// Starts over after a stop: unwritten bytes are dropped; `enter` is written first, then every cell is painted.
    pub(super) fn reenter(&mut self, enter: &[u8], size: (u16, u16)) {
        self.page = blank(size);
        self.shown = Shown::blank(self.page.content.len());
        self.over = false;
        self.bytes = enter.to_vec();
        (self.taken, self.behind) = (0, false);
    }

    /// Whether bytes are still to be written.
    pub(super) fn is_behind(&self) -> bool {
        self.behind
    }

    /// Draws a frame and writes it. Must not be called while [`Self::is_behind`].
    pub(super) fn draw(&mut self, model: &Model, draw: Draw) -> io::Result<()> {
        self.page.reset();
        let cursor = draw(model, &mut self.page);
        self.bytes.extend_from_slice(BEGIN);
        if std::mem::take(&mut self.over) {
            self.bytes.extend_from_slice(PLAIN);
            let last = self.page.area.height.saturating_sub(1);
            for (x, y) in self.shown.erase(&self.page) {
                // Clears to the end of the row, or of the screen, including what lies beyond the largest page.
                let end = if y == last { 'J' } else { 'K' };
                write!(self.bytes, "\x1b[{};{}H\x1b[{end}", y + 1, x + 1)?;
            }
        }
        encode::frame(&mut self.bytes, self.shown.update(&self.page), cursor, self.colours);
        self.bytes.extend_from_slice(END);
        self.write()
    }

    /// Copies bytes to the terminal's clipboard, with the next frame.
    pub(super) fn copy(&mut self, bytes: &[u8]) {
        use crossterm::Command as _;
        let mut ansi = String::new();
        // Writing to a String cannot fail.
        let _ = crossterm::clipboard::CopyToClipboard::to_clipboard_from(bytes).write_ansi(&mut ansi);
        if self.through_screen {
            ansi = through_screen(&ansi);
        }
        // Inside a synchronized update the copy would be part of the frame, so it goes before the update.
        self.bytes.extend_from_slice(ansi.as_bytes());
    }

    /// Writes as much as the terminal accepts.
    pub(super) fn write(&mut self) -> io::Result<()> {
        while self.taken < self.bytes.len() {
            match self.tty.write(&self.bytes[self.taken..]) {
                Ok(0) => return Err(Errno::EIO.into()),
                Ok(written) => self.taken += written,
                Err(Errno::EAGAIN) => {
                    self.behind = true;
                    return Ok(());
                }
                Err(Errno::EINTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
        self.bytes.clear();
        (self.taken, self.behind) = (0, false);
        Ok(())
    }
}

/// screen(1) passes a sequence on to its terminal when it is wrapped, in pieces of 256 bytes at most; its own end would
/// end the wrapping too.
fn through_screen(ansi: &str) -> String {
    let inner = ansi.strip_suffix("\x1b\\").map_or_else(|| ansi.to_owned(), |start| format!("{start}\x07"));
    // The sequence is ASCII: base64 and its frame.
    inner
        .as_bytes()
        .chunks(SCREEN_PIECE)
        .map(|piece| format!("\x1bP{}\x1b\\", String::from_utf8_lossy(piece)))
        .collect()
}

fn blank((columns, rows): (u16, u16)) -> Buffer {
    Buffer::empty(Rect::new(0, 0, columns, rows))
}

#[cfg(test)]
mod stream;
#[cfg(test)]
mod tests;
