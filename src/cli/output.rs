//! What is said, and where: answers on stdout; the log, errors and advice on stderr, escaped, behind `khelper: `.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;

use crate::abi::error::{Explain, SysError};
use crate::abi::escape::screen;
use crate::sys;

/// One line on stderr. `line` holds no hostile bytes (whoever made it has escaped them). A closed stderr is no
/// reason to stop: there is nobody left to tell.
pub fn say(line: &str) {
    let _ = io::stderr().lock().write_all(format!("khelper: {line}\n").as_bytes());
}

/// An error, and what to do about it.
pub fn complain(error: &dyn Explain) {
    say(&error.whole());
}

/// The answers. One lock for a whole answer, so that those of parallel requests do not mix.
#[derive(Default)]
pub struct Answers {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The reader has gone (EPIPE): nothing more is written, and that is no error.
    closed: bool,
    /// stdout could not be written (a full disk): said once, and in the exit code.
    failed: bool,
}

impl Answers {
    /// Writes one answer to stdout at once, after what the helper wrote to its stderr has gone to ours.
    pub fn write(&self, stdout: &[u8], stderr: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !stderr.is_empty() {
            let _ = io::stderr().lock().write_all(stderr);
        }
        if state.closed || state.failed || stdout.is_empty() {
            return;
        }
        match sys::stdout::write_all(stdout) {
            Ok(()) => {}
            Err(Errno::EPIPE) => state.closed = true,
            Err(e) => {
                state.failed = true;
                let why = SysError::new("stdout could not be written", e);
                say(&format!("{why}; the answers from here on are lost"));
            }
        }
    }

    /// One line.
    pub fn line(&self, line: &str) {
        self.write(format!("{line}\n").as_bytes(), b"");
    }

    /// The exit code: `code`, unless that is 0 and an answer could not be written.
    pub fn code(&self, code: u8) -> u8 {
        let failed = self.state.lock().unwrap_or_else(PoisonError::into_inner).failed;
        if code == 0 && failed { super::exit::OUTPUT } else { code }
    }
}

/// What a helper wrote, for a person: byte for byte into a file or pipe; on a terminal line by line, escaped. A
/// newline is added where the last is missing, so that what follows stands on a line of its own.
pub fn output(bytes: &[u8], terminal: bool) -> Vec<u8> {
    let mut out = if terminal { lines(bytes) } else { bytes.to_vec() };
    if out.last().is_some_and(|b| *b != b'\n') {
        out.push(b'\n');
    }
    out
}

fn lines(bytes: &[u8]) -> Vec<u8> {
    let whole = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    whole.split(|b| *b == b'\n').flat_map(|line| format!("{}\n", screen(line)).into_bytes()).collect()
}

/// Whether stdout and stderr are terminals.
pub fn terminals() -> (bool, bool) {
    (io::stdout().is_terminal(), io::stderr().is_terminal())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_hostile_byte_and_a_pipe_gets_every_one() {
        assert_eq!(output(b"a\x1b[2J\n\xff\\", true), b"a\\x1b[2J\n\\xff\\\\\n");
        assert_eq!(output(b"a\x1b[2J\n\xff\\\n", false), b"a\x1b[2J\n\xff\\\n");
        assert_eq!((output(b"", true), output(b"", false)), (vec![], vec![]));
        assert_eq!(output(b"\n\n", true), b"\n\n");
    }
}
