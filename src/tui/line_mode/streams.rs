//! Standard input and output of the line mode. No mode of the terminal is changed: the terminal itself edits the line
//! that is typed.

use std::io::{IsTerminal, stdin, stdout};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::sys;
use crate::sys::signals::Signals;

/// Size of one read, in bytes.
const READ: usize = 4096;
/// The longest line that is accepted, in bytes: nothing longer fits into a field.
const LONGEST: usize = 16 * 1024;
/// A terminal or pipe that is ready accepts this many bytes without blocking.
const PIECE: usize = 256;

/// What comes from the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A line, without its end.
    Line(Vec<u8>),
    /// A line that was too long; it was dropped.
    TooLong,
    /// The end of the input, or of the terminal.
    End,
}

/// Standard input, read line by line.
#[derive(Debug, Default)]
pub(super) struct Reader {
    bytes: Vec<u8>,
    over: bool,
    /// The line is too long; the rest of it is dropped.
    dropping: bool,
}

impl Reader {
    /// The next line that has been read already.
    pub(super) fn next(&mut self) -> Option<Input> {
        let Some(end) = self.bytes.iter().position(|b| *b == b'\n') else {
            if self.bytes.len() > LONGEST {
                self.bytes.clear();
                self.dropping = true;
            }
            if !self.over {
                return None;
            }
            // The last line may have no end.
            let last = std::mem::take(&mut self.bytes);
            return Some(if last.is_empty() || self.dropping { Input::End } else { Input::Line(last) });
        };
        let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if std::mem::take(&mut self.dropping) || line.len() > LONGEST {
            return Some(Input::TooLong);
        }
        Some(Input::Line(line))
    }

    /// Reads on after the end: at a terminal, more lines may follow it.
    pub(super) fn go_on(&mut self) {
        self.over = false;
    }

    /// Reads once; call it when the input is ready.
    pub(super) fn read(&mut self) -> Result<(), Errno> {
        let mut buffer = [0; READ];
        match nix::unistd::read(stdin().as_fd(), &mut buffer) {
            Ok(0) => self.over = true,
            Ok(length) => self.bytes.extend_from_slice(&buffer[..length]),
            Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }
}

/// Whether the input is a terminal.
pub(super) fn is_terminal() -> bool {
    stdin().is_terminal()
}

/// Writes to standard output. Returns `EINTR` if a signal comes while the output accepts nothing.
pub(super) fn write(bytes: &[u8], signals: &Signals) -> Result<(), Errno> {
    let out = stdout();
    for piece in bytes.chunks(PIECE) {
        loop {
            let mut fds =
                [PollFd::new(out.as_fd(), PollFlags::POLLOUT), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(e) => return Err(e),
            }
            let [out, signal] = fds.map(|fd| fd.any().unwrap_or(true));
            if out {
                break;
            }
            if signal {
                return Err(Errno::EINTR);
            }
        }
        sys::stdout::write_all(piece)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_newlines_and_at_the_end_of_the_input() {
        let mut reader = Reader { bytes: b"one\r\n\ntw".to_vec(), ..Reader::default() };
        let line = |text: &[u8]| Some(Input::Line(text.to_vec()));
        assert_eq!((reader.next(), reader.next(), reader.next()), (line(b"one"), line(b""), None));
        reader.bytes.extend(b"o");
        reader.over = true;
        assert_eq!((reader.next(), reader.next(), reader.next()), (line(b"two"), Some(Input::End), Some(Input::End)));
    }

    #[test]
    fn a_line_that_is_too_long_is_dropped_whole() {
        let mut reader = Reader { bytes: vec![b'x'; LONGEST + 1], ..Reader::default() };
        assert_eq!(reader.next(), None);
        assert!(reader.bytes.is_empty());
        reader.bytes.extend(b"end of it\nnext\n");
        assert_eq!((reader.next(), reader.next()), (Some(Input::TooLong), Some(Input::Line(b"next".to_vec()))));
    }
}
