//! Frames on their way to the terminal: one write each, never more than the terminal takes, none while an earlier
//! one is still on its way.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use nix::errno::Errno;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::Draw;
use super::model::Model;
use super::terminal::Tty;

/// A synchronized update: the terminal shows the frame whole, or not yet.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";
/// Bytes that screen(1) passes on at once, with room to spare.
const SCREEN_PIECE: usize = 240;
const CLEAR: &[u8] = b"\x1b[0m\x1b[2J";

/// Where ratatui writes a frame.
#[derive(Clone, Default)]
struct Page(Rc<RefCell<Vec<u8>>>);

impl io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Draws frames and writes them.
pub(super) struct Painter {
    tty: Arc<Tty>,
    page: Page,
    screen: Terminal<CrosstermBackend<Page>>,
    /// How much of the page the terminal has taken.
    taken: usize,
    /// It would take no more.
    behind: bool,
}

impl Painter {
    /// For a screen of `size`, after the bytes of `enter` have been written.
    pub(super) fn new(tty: Arc<Tty>, enter: &[u8], size: (u16, u16)) -> io::Result<Self> {
        // Which colours there are is the theme's to say. Under NO_COLOR the library would send `reset` for every one, and
        // lose what is bold with it.
        crossterm::style::force_color_output(true);
        let page = Page::default();
        page.0.borrow_mut().extend_from_slice(enter);
        let screen = blank(&page, size)?;
        Ok(Self { tty, page, screen, taken: 0, behind: false })
    }

    /// Forgets what the terminal shows: the next frame paints every cell of `size`.
    pub(super) fn repaint(&mut self, size: (u16, u16)) -> io::Result<()> {
        self.blank(size)?;
        self.page.0.borrow_mut().extend_from_slice(CLEAR);
        Ok(())
    }

    /// After a stop: what was on its way went nowhere; `enter` comes first, then everything is painted.
    pub(super) fn reenter(&mut self, enter: &[u8], size: (u16, u16)) -> io::Result<()> {
        self.blank(size)?;
        let mut page = self.page.0.borrow_mut();
        page.clear();
        page.extend_from_slice(enter);
        (self.taken, self.behind) = (0, false);
        Ok(())
    }

    /// A screen of which nothing is known. The old one says goodbye with a cursor, which is not to be seen.
    fn blank(&mut self, size: (u16, u16)) -> io::Result<()> {
        let length = self.page.0.borrow().len();
        self.screen = blank(&self.page, size)?;
        self.page.0.borrow_mut().truncate(length);
        Ok(())
    }

    /// Whether the terminal has still to take something.
    pub(super) fn is_behind(&self) -> bool {
        self.behind
    }

    /// Draws a frame and writes it. Not while [`Self::is_behind`].
    pub(super) fn draw(&mut self, model: &Model, draw: Draw) -> io::Result<()> {
        self.page.0.borrow_mut().extend_from_slice(BEGIN);
        self.screen.draw(|frame| draw(model, frame))?;
        self.page.0.borrow_mut().extend_from_slice(END);
        self.write()
    }

    /// Hands bytes to the terminal's clipboard, with the next frame.
    pub(super) fn copy(&self, bytes: &[u8]) {
        use crossterm::Command as _;
        let mut ansi = String::new();
        // Writing to a String cannot fail.
        let _ = crossterm::clipboard::CopyToClipboard::to_clipboard_from(bytes).write_ansi(&mut ansi);
        if std::env::var_os("STY").is_some() {
            ansi = through_screen(&ansi);
        }
        // Within an update that has begun it would be a part of the frame: it goes before it.
        self.page.0.borrow_mut().extend_from_slice(ansi.as_bytes());
    }

    /// Writes what the terminal takes.
    pub(super) fn write(&mut self) -> io::Result<()> {
        let mut page = self.page.0.borrow_mut();
        while self.taken < page.len() {
            match self.tty.write(&page[self.taken..]) {
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
        page.clear();
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

fn blank(page: &Page, (columns, rows): (u16, u16)) -> io::Result<Terminal<CrosstermBackend<Page>>> {
    let viewport = Viewport::Fixed(Rect::new(0, 0, columns, rows));
    Terminal::with_options(CrosstermBackend::new(page.clone()), TerminalOptions { viewport })
}

#[cfg(test)]
mod stream;
#[cfg(test)]
mod tests;
