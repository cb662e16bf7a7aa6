//! Output: answers on stdout; the log, errors and advice on stderr, escaped and prefixed with `khelper: `.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;

use crate::abi::error::{Explain, SysError, io_words};
use crate::abi::escape::screen;
use crate::sys;

/// Writes one line to stderr. The caller has escaped hostile bytes in `line`. Errors are ignored: if stderr is closed,
/// there is no other place to report them.
pub fn say(line: &str) {
    let _ = io::stderr().lock().write_all(format!("khelper: {line}\n").as_bytes());
}

/// Prints an error and its advice on stderr.
pub fn complain(error: &dyn Explain) {
    say(&error.whole());
}

/// Writes answers to stdout. The lock is held for a whole answer, so that answers of parallel requests do not mix.
#[derive(Default)]
pub struct Answers {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The reader closed the pipe (EPIPE): nothing more is written, and this is not an error.
    closed: bool,
    /// A write to stdout failed (a full disk): reported once, and by the exit code.
    failed: bool,
}

impl Answers {
    /// Writes one answer: first `stderr`, the helper's standard error, to stderr; then `stdout` to stdout.
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
                let why = SysError::new("cannot write to stdout", e);
                say(&format!("{why}; the rest of the output is lost"));
            }
        }
    }

    /// Whether nothing more can be written: the reader has gone, or a write failed.
    pub fn is_over(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed || state.failed
    }

    /// Writes `bytes` to a file, so that a reader sees the old content or the new, never a part: to a temporary file
    /// beside it (0644), which then replaces it. A failure is reported, and by the exit code too.
    pub fn replace(&self, path: &Path, bytes: &[u8]) {
        if let Err(e) = replace(path, bytes) {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).failed = true;
            say(&format!("cannot write {}: {}", screen(path.as_os_str().as_bytes()), io_words(&e)));
        }
    }

    /// Writes one line to stdout.
    pub fn line(&self, line: &str) {
        self.write(format!("{line}\n").as_bytes(), b"");
    }

    /// The exit code: `code`, or [`exit::OUTPUT`](super::exit::OUTPUT) if `code` is 0 and a write failed.
    pub fn code(&self, code: u8) -> u8 {
        let failed = self.state.lock().unwrap_or_else(PoisonError::into_inner).failed;
        if code == 0 && failed { super::exit::OUTPUT } else { code }
    }
}

/// The temporary file has a name of its own, which no reader of `*.prom` takes.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let written = File::options().write(true).create_new(true).open(&temporary).and_then(|mut file| {
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    });
    if written.as_ref().is_err_and(|e| e.kind() != io::ErrorKind::AlreadyExists) {
        // It is this process's own, and of no use to anybody.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A helper's output for a person: unchanged for a file or pipe; escaped line by line for a terminal. A missing newline
/// at the end is added, so that the next text starts on a new line.
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
