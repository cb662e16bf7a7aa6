//! Takes the terminal and restores it: on quit, on panic, on signals, for a stop.
//!
//! The terminal is opened again, so that `O_NONBLOCK` affects only the console's reads and writes and not the shell's
//! (the flag belongs to the open file description, which the shell shares). A terminal that accepts no more output then
//! blocks neither keys nor signals.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::fs::{Mode, OFlags};
use rustix::termios::{InputModes, LocalModes, OptionalActions, OutputModes, Termios};

use crate::abi::error::SysError;
use crate::sys::signals::in_background_too;

/// Alternate screen, bracketed paste, hidden cursor, a clear page.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[?25l\x1b[0m\x1b[2J";
/// Clicks and the wheel, in the encoding without a limit of size.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";
/// Undoes all of it, and ends a synchronized update if one is open. On terminals without an alternate screen
/// (screen(1), the Linux console) the page stays, and further output appears below it.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?25h\x1b[999;1H\r\n\x1b[?1049l";
/// CAN: cancels a sequence that the terminal has received only in part.
const CANCEL: &[u8] = b"\x18";
/// How long to wait for a blocked terminal when it is restored, in milliseconds.
const PATIENCE_MS: u16 = 200;
/// The largest screen that is drawn; cells beyond it stay blank. (A pseudo-terminal can claim 65535 x 65535.)
const MOST: (u16, u16) = (1000, 500);
/// How often, and after which time again, a thread that ends the process waits for a write of the drawing thread.
const TRIES: usize = 100;
const BETWEEN_TRIES: Duration = Duration::from_millis(1);

/// The controlling terminal of this process, or the terminal on its standard input.
#[derive(Debug)]
pub struct Tty {
    fd: OwnedFd,
    mouse: bool,
    modes: Mutex<Modes>,
    /// The terminal has received only a part of a frame.
    midway: AtomicBool,
    /// Held for each write of a frame; true once another thread ends the process.
    writing: Mutex<bool>,
}

/// The modes to restore.
#[derive(Debug, Default)]
struct Modes {
    /// The modes that the shell set last, saved when the terminal was first taken.
    shell: Option<Termios>,
    /// The console has the terminal: it was taken and not restored.
    ours: bool,
}

impl Tty {
    /// Finds the terminal of standard input and output; `ENOTTY` if they are not both one. With `mouse`, the terminal
    /// reports clicks while the console has it.
    pub fn open(mouse: bool) -> Result<Self, SysError> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() || !std::io::stdout().is_terminal() {
            return Err(SysError::new("the console", Errno::ENOTTY));
        }
        let fd = match reopen(stdin.as_fd()) {
            Some(fd) => fd,
            // The terminal cannot be opened by a path (it is another user's, or /dev and /proc are missing): use the
            // descriptor as it is. Reads and writes follow a `poll`, so only a terminal that accepts a part of a frame
            // can block.
            None => stdin.as_fd().try_clone_to_owned().map_err(|e| {
                SysError::new("dup of the terminal", Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))
            })?,
        };
        Ok(Self { fd, mouse, modes: Mutex::default(), midway: AtomicBool::new(false), writing: Mutex::default() })
    }

    /// A file that accepts bytes, for tests that need no modes.
    #[cfg(test)]
    pub(super) fn onto(fd: OwnedFd) -> Self {
        Self { fd, mouse: true, modes: Mutex::default(), midway: AtomicBool::new(false), writing: Mutex::default() }
    }

    /// Takes the terminal: sets raw mode, and returns the bytes to write first. Called at the start and after each
    /// stop.
    ///
    /// A shell may have set other modes during a stop; these are then the ones to restore. But a process stopped by
    /// SIGSTOP left the terminal raw, a line editor sets modes that are nearly raw, and some shells change only a part
    /// of the modes they find. So only modes in which a shell starts programs replace the saved ones.
    pub fn enter(&self) -> Result<Vec<u8>, SysError> {
        let mut modes = self.modes();
        let now = rustix::termios::tcgetattr(&self.fd).map_err(|e| failed("tcgetattr", e))?;
        let shell = match &modes.shell {
            Some(known) if !has_line_modes(&now, known) => known.clone(),
            _ => now,
        };
        let mut raw = shell.clone();
        *modes = Modes { shell: Some(shell), ours: true };
        raw.make_raw();
        rustix::termios::tcsetattr(&self.fd, OptionalActions::Now, &raw).map_err(|e| failed("tcsetattr", e))?;
        let mouse = if self.mouse { MOUSE_ON } else { b"" };
        Ok([ENTER, mouse].concat())
    }

    /// Restores the terminal, once; does nothing if the console does not have it. Nothing can be done about errors.
    pub fn leave(&self) {
        let mut modes = self.modes();
        if !std::mem::take(&mut modes.ours) {
            return;
        }
        let Some(shell) = modes.shell.clone() else { return };
        drop(modes);
        in_background_too(|| self.give_back(&shell));
    }

    /// The same, for a thread that does not draw and that ends the process: nothing is drawn any more.
    pub(super) fn leave_for_ever(&self) {
        // The drawing thread may be in the middle of a write, and one that blocks is not waited for.
        for _ in 0..TRIES {
            if let Ok(mut ended) = self.writing.try_lock() {
                *ended = true;
                break;
            }
            thread::sleep(BETWEEN_TRIES);
        }
        self.leave();
    }

    fn give_back(&self, modes: &Termios) {
        let cancel = if self.midway.swap(false, Ordering::Relaxed) { CANCEL } else { b"" };
        let mouse = if self.mouse { MOUSE_OFF } else { b"" };
        let bytes = [cancel, mouse, LEAVE].concat();
        let mut left = &bytes[..];
        while !left.is_empty() && writable(self.fd.as_fd()) {
            match self.write_now(left) {
                Ok(written) => left = &left[written..],
                Err(_) => break,
            }
        }
        self.midway.store(false, Ordering::Relaxed);
        if self.is_foreground() || self.is_raw_as_we_made_it(modes) {
            // TCSANOW, not after the output has drained: a blocked terminal would block us for ever.
            let _ = rustix::termios::tcsetattr(&self.fd, OptionalActions::Now, modes);
        }
    }

    /// Whether this process is in the terminal's foreground process group. A terminal that is not our controlling
    /// terminal has no such group.
    pub(super) fn is_foreground(&self) -> bool {
        crate::sys::terminal::is_foreground(&self.fd)
    }

    /// Whether the modes are still the ones set here. After SIGSTOP a shell may have set its own, and these must not be
    /// changed.
    fn is_raw_as_we_made_it(&self, before: &Termios) -> bool {
        let mut raw = before.clone();
        raw.make_raw();
        let modes = |t: &Termios| (t.input_modes, t.output_modes, t.local_modes);
        rustix::termios::tcgetattr(&self.fd).is_ok_and(|now| modes(&now) == modes(&raw))
    }

    /// Whether the console has the terminal.
    pub fn is_ours(&self) -> bool {
        self.modes().ours
    }

    /// The size in cells that is drawn, columns first; 80x24 if the terminal does not report one.
    pub fn size(&self) -> (u16, u16) {
        match rustix::termios::tcgetwinsize(&self.fd) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.min(MOST.0), size.ws_row.min(MOST.1)),
            _ => (80, 24),
        }
    }

    /// Reads once; 0 means end of file. `EAGAIN`: no input yet.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        nix::unistd::read(&self.fd, buffer)
    }

    /// Writes once, as much as the terminal accepts; `EAGAIN`: nothing.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        let Some(_writing) = self.may_write() else {
            // Another thread ends the process.
            loop {
                thread::park();
            }
        };
        self.write_now(bytes)
    }

    fn may_write(&self) -> Option<MutexGuard<'_, bool>> {
        let ended = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        (!*ended).then_some(ended)
    }

    fn write_now(&self, bytes: &[u8]) -> Result<usize, Errno> {
        let written = nix::unistd::write(&self.fd, bytes);
        if let Ok(written) = written {
            self.midway.store(written < bytes.len(), Ordering::Relaxed);
        }
        written
    }

    fn modes(&self) -> MutexGuard<'_, Modes> {
        self.modes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Tty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether `now` has the flags of `known` that assemble lines, echo input and act on control characters.
fn has_line_modes(now: &Termios, known: &Termios) -> bool {
    let local = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
    now.local_modes.contains(known.local_modes & local)
        && now.input_modes.contains(known.input_modes & InputModes::ICRNL)
        && now.output_modes.contains(known.output_modes & OutputModes::OPOST)
}

/// Why a full screen cannot be drawn on a terminal of the type `term` (the variable TERM), and what to do; `None` if it
/// can. terminfo is not read: over ssh the terminal often has a type without an entry on this machine.
pub(super) fn unusable(term: Option<&OsStr>) -> Option<String> {
    let what = match term.map(OsStr::as_encoded_bytes) {
        None => "TERM is not set",
        Some(b"") => "TERM is empty",
        // The terminfo(5) types of a terminal that can only print lines, and of an unknown one.
        Some(b"dumb") => "TERM is `dumb`, a terminal that cannot move its cursor",
        Some(b"unknown") => "TERM is `unknown`",
        Some(_) => return None,
    };
    Some(format!("{what}: set it to the type of the terminal (TERM=xterm khelper)"))
}

fn failed(what: &'static str, errno: rustix::io::Errno) -> SysError {
    SysError::new(what, Errno::from_raw(errno.raw_os_error()))
}

/// Opens the terminal again as a separate open file description, without making it the controlling terminal (O_NOCTTY).
fn reopen(fd: BorrowedFd<'_>) -> Option<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    // /dev/tty can be opened even if the terminal belongs to another user (after su).
    let ours = crate::sys::terminal::is_controlling(fd);
    if ours && let Ok(tty) = rustix::fs::open("/dev/tty", flags, Mode::empty()) {
        return Some(tty);
    }
    let name = rustix::termios::ttyname(fd, Vec::new()).ok()?;
    let tty = rustix::fs::open(name, flags, Mode::empty()).ok()?;
    let device = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).ok().map(|stat| stat.st_rdev);
    (device(tty.as_fd()) == device(fd)).then_some(tty)
}

/// Whether `fd` accepts bytes; waits for [`PATIENCE_MS`] at most.
fn writable(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::POLLOUT)];
    loop {
        match poll(&mut fds, PollTimeout::from(PATIENCE_MS)) {
            Err(Errno::EINTR) => continue,
            Ok(1..) => return fds[0].revents().is_some_and(|e| e.contains(PollFlags::POLLOUT)),
            _ => return false,
        }
    }
}

/// Whether a write to stderr returns: a blocked terminal would hang us for ever, with every signal blocked that could
/// end us.
pub(super) fn stderr_is_writable() -> bool {
    let stderr = std::io::stderr();
    !stderr.is_terminal() || writable(stderr.as_fd())
}

/// Whether the terminal is a window of screen(1), which passes some sequences on only when they are wrapped.
pub fn within_screen() -> bool {
    std::env::var_os("STY").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tty() -> (Tty, OwnedFd) {
        let (reading, writing) = nix::unistd::pipe().unwrap();
        (Tty::onto(writing), reading)
    }

    #[test]
    fn nothing_is_drawn_once_another_thread_ends_the_process() {
        let (tty, _reading) = tty();
        assert_eq!(tty.write(b"frame"), Ok(5));
        assert!(tty.may_write().is_some());
        tty.leave_for_ever();
        assert!(tty.may_write().is_none());
    }

    #[test]
    fn a_write_that_blocks_does_not_keep_the_process_from_ending() {
        let (tty, _reading) = tty();
        let blocks = tty.may_write();
        tty.leave_for_ever();
        drop(blocks);
        assert!(tty.may_write().is_some());
    }
}
