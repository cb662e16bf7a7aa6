//! The terminal as a thing that is taken and given back: on quit, on panic, on signals, for a stop.
//!
//! It is opened anew, so that "do not block" binds our reads and writes alone and not the shell's (the flag belongs
//! to the open file, which the shell shares). A terminal that takes nothing more then holds up neither keys nor
//! signals.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::fs::{Mode, OFlags};
use rustix::termios::{InputModes, LocalModes, OptionalActions, OutputModes, Termios};

use crate::abi::error::SysError;
use crate::sys::signals::in_background_too;

/// Alternate screen, bracketed paste, no cursor, a clean page.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[?25l\x1b[0m\x1b[2J";
/// Clicks and the wheel, in the form that knows no limit of size.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";
/// All of it back, and the end of a synchronized update, should one have been begun. Where there is no alternate screen
/// (screen(1), the Linux console) the page stays, and what comes next is below it.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?25h\x1b[999;1H\r\n\x1b[?1049l";
/// CAN: breaks off a sequence of which the terminal has seen only a part.
const CANCEL: &[u8] = b"\x18";
/// How long a terminal that takes nothing is waited for when it is given back, in milliseconds.
const PATIENCE_MS: u16 = 200;
/// The largest screen that is drawn; what lies beyond stays blank. (A pseudo-terminal can claim 65535 x 65535.)
const MOST: (u16, u16) = (1000, 500);
/// Panics of other threads kept for the end; more say nothing new.
const PANICS_KEPT: usize = 16;

/// The controlling terminal of this process, or the one that its input is.
#[derive(Debug)]
pub struct Tty {
    fd: OwnedFd,
    mouse: bool,
    modes: Mutex<Modes>,
    /// The terminal has seen a part of a frame only.
    midway: AtomicBool,
}

/// The modes to give the terminal back with.
#[derive(Debug, Default)]
struct Modes {
    /// The modes that the shell had set last, kept from the first time on that the terminal was taken.
    shell: Option<Termios>,
    /// The terminal is ours: it has been taken and not given back.
    ours: bool,
}

impl Tty {
    /// The terminal that standard input and output are; `ENOTTY` if they are not both one. With `mouse` the terminal
    /// reports clicks while it is ours.
    pub fn open(mouse: bool) -> Result<Self, SysError> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() || !std::io::stdout().is_terminal() {
            return Err(SysError::new("the console", Errno::ENOTTY));
        }
        let fd = match reopen(stdin.as_fd()) {
            Some(fd) => fd,
            // Nothing names it (another user's, or no /dev and /proc): then as it is. Reads and writes come after a
            // `poll`, so only a terminal that takes a part of a frame can hold us up.
            None => stdin.as_fd().try_clone_to_owned().map_err(|e| {
                SysError::new("dup of the terminal", Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))
            })?,
        };
        Ok(Self { fd, mouse, modes: Mutex::default(), midway: AtomicBool::new(false) })
    }

    /// Something that takes bytes, where no modes matter.
    #[cfg(test)]
    pub(super) fn onto(fd: OwnedFd) -> Self {
        Self { fd, mouse: true, modes: Mutex::default(), midway: AtomicBool::new(false) }
    }

    /// Takes the terminal: sets raw mode, and returns the bytes to write first. Called at the start and after each stop.
    ///
    /// A shell may have set other modes during a stop, and these are then the ones to give back. But a process that
    /// SIGSTOP stopped left the terminal raw, a line editor sets modes that are nearly raw, and some shells change only a
    /// part of what they find. So only modes in which a shell starts programs replace those that are known.
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

    /// Gives it back as it was, once; harmless when it is not ours. Errors have nobody to be told to.
    pub fn leave(&self) {
        let mut modes = self.modes();
        if !std::mem::take(&mut modes.ours) {
            return;
        }
        let Some(shell) = modes.shell.clone() else { return };
        drop(modes);
        in_background_too(|| self.give_back(&shell));
    }

    fn give_back(&self, modes: &Termios) {
        let cancel = if self.midway.swap(false, Ordering::Relaxed) { CANCEL } else { b"" };
        let mouse = if self.mouse { MOUSE_OFF } else { b"" };
        let bytes = [cancel, mouse, LEAVE].concat();
        let mut left = &bytes[..];
        while !left.is_empty() && writable(self.fd.as_fd()) {
            match self.write(left) {
                Ok(written) => left = &left[written..],
                Err(_) => break,
            }
        }
        self.midway.store(false, Ordering::Relaxed);
        if self.is_foreground() || self.is_raw_as_we_made_it(modes) {
            // Now, not when the output has drained: a terminal that takes nothing would hold us up for ever.
            let _ = rustix::termios::tcsetattr(&self.fd, OptionalActions::Now, modes);
        }
    }

    /// Whether it is this process's turn to have it. One that is not our controlling terminal has no turns.
    pub(super) fn is_foreground(&self) -> bool {
        crate::sys::terminal::is_foreground(&self.fd)
    }

    /// Nobody has set other modes since: a shell that got the terminal when we were stopped by force may have, and then
    /// they are not ours to change.
    fn is_raw_as_we_made_it(&self, before: &Termios) -> bool {
        let mut raw = before.clone();
        raw.make_raw();
        let modes = |t: &Termios| (t.input_modes, t.output_modes, t.local_modes);
        rustix::termios::tcgetattr(&self.fd).is_ok_and(|now| modes(&now) == modes(&raw))
    }

    /// Whether it is ours.
    pub fn is_ours(&self) -> bool {
        self.modes().ours
    }

    /// Its size in cells, columns first: what can be drawn of it, and 80x24 where it does not know.
    pub fn size(&self) -> (u16, u16) {
        match rustix::termios::tcgetwinsize(&self.fd) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.min(MOST.0), size.ws_row.min(MOST.1)),
            _ => (80, 24),
        }
    }

    /// One read; 0 is the end. `EAGAIN`: nothing there.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        nix::unistd::read(&self.fd, buffer)
    }

    /// One write of what the terminal takes now; `EAGAIN`: nothing.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
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

/// Whether `now` has everything by which the modes `known` make lines of what is typed, echo it and act on its control
/// characters.
fn has_line_modes(now: &Termios, known: &Termios) -> bool {
    let local = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
    now.local_modes.contains(known.local_modes & local)
        && now.input_modes.contains(known.input_modes & InputModes::ICRNL)
        && now.output_modes.contains(known.output_modes & OutputModes::OPOST)
}

/// Why a full screen cannot be drawn on a terminal of the type `term` (the variable TERM), and what to do; `None` if it
/// can. terminfo is not read: over ssh the terminal is often of a type that this machine has no entry for.
pub(super) fn unusable(term: Option<&OsStr>) -> Option<String> {
    let what = match term.map(OsStr::as_encoded_bytes) {
        None => "TERM is not set",
        Some(b"") => "TERM is empty",
        // The types of terminfo(5) for a terminal that can only print lines, and for one that is not known.
        Some(b"dumb") => "TERM is `dumb`, a terminal that cannot move its cursor",
        Some(b"unknown") => "TERM is `unknown`",
        Some(_) => return None,
    };
    Some(format!("{what}: set it to the type of the terminal (TERM=xterm khelper)"))
}

fn failed(what: &'static str, errno: rustix::io::Errno) -> SysError {
    SysError::new(what, Errno::from_raw(errno.raw_os_error()))
}

/// The same terminal as an open file of our own, which is never ours to control by this (O_NOCTTY).
fn reopen(fd: BorrowedFd<'_>) -> Option<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    // /dev/tty can be opened also when the terminal itself belongs to another user (after su).
    let ours = crate::sys::terminal::is_controlling(fd);
    if ours && let Ok(tty) = rustix::fs::open("/dev/tty", flags, Mode::empty()) {
        return Some(tty);
    }
    let name = rustix::termios::ttyname(fd, Vec::new()).ok()?;
    let tty = rustix::fs::open(name, flags, Mode::empty()).ok()?;
    let device = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).ok().map(|stat| stat.st_rdev);
    (device(tty.as_fd()) == device(fd)).then_some(tty)
}

/// Whether `fd` takes bytes, after [`PATIENCE_MS`] at most.
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

/// Whether writing to stderr comes to an end: a terminal that takes nothing would hold us up for ever, with every signal
/// blocked that could end it.
pub(super) fn can_be_told() -> bool {
    let stderr = std::io::stderr();
    !stderr.is_terminal() || writable(stderr.as_fd())
}

/// Whether the terminal is a window of screen(1), which passes some things on in its own way.
pub fn within_screen() -> bool {
    std::env::var_os("STY").is_some()
}

/// Holds the terminal for the thread that draws; it is given back when this is dropped, and before a panic of that
/// thread is printed.
#[derive(Debug)]
pub struct Guard {
    tty: Arc<Tty>,
    panics: Arc<Mutex<Vec<String>>>,
}

impl Guard {
    /// Takes care of `tty`, from the thread that draws. The panic hook stays installed for the life of the process:
    /// it does nothing of its own while the terminal is not ours.
    pub fn new(tty: Arc<Tty>) -> Self {
        let panics = Arc::new(Mutex::new(Vec::new()));
        let (shared, kept, drawing) = (tty.clone(), panics.clone(), thread::current().id());
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if thread::current().id() == drawing {
                shared.leave();
                if !can_be_told() {
                    return;
                }
            } else if shared.is_ours() {
                // Another thread's, caught there (a hook's, UMH-6): the console goes on, and its page stays whole.
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() < PANICS_KEPT {
                    kept.push(info.to_string());
                }
                return;
            }
            next(info);
        }));
        Self { tty, panics }
    }

    /// What other threads' panics said while the terminal was ours.
    pub fn panics(&self) -> Vec<String> {
        std::mem::take(&mut *self.panics.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.tty.leave();
    }
}
