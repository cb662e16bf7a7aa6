//! A program in a pseudo-terminal.

use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{ForkptyResult, Winsize, forkpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

/// The queries of a program, and xterm's replies.
const ANSWERS: [(&[u8], &[u8]); 6] = [
    (b"\x1b[c", b"\x1b[?62;22c"),
    (b"\x1b[5n", b"\x1b[0n"),
    (b"\x1b[6n", b"\x1b[1;1R"),
    (b"\x1b]11;?", b"\x1b]11;rgb:0000/0000/0000\x1b\\"),
    (b"\x1b]10;?", b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\"),
    (b"\x1b[?u", b"\x1b[?0u"),
];

/// The environment variables for the folders of settings and state.
const HOMES: [&str; 4] = ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"];

/// The program and the master side of its terminal.
pub struct Program {
    pub pid: Pid,
    pub started: Instant,
    master: OwnedFd,
}

impl Program {
    /// Starts the program with its settings and state under `home`, so that it does not touch the user's.
    pub fn start(argv: &[OsString], home: &Path) -> Self {
        let argv: Vec<CString> = argv.iter().map(|a| CString::new(a.clone().into_vec()).unwrap()).collect();
        let env: Vec<CString> = std::env::vars_os()
            .filter(|(key, _)| key != "TERM" && key != "LC_ALL" && !HOMES.iter().any(|home| key == home))
            .chain(HOMES.map(|key| (key.into(), home.into())))
            .chain([("TERM".into(), "xterm-256color".into()), ("LC_ALL".into(), "C.UTF-8".into())])
            .map(|(key, value)| [key.into_vec(), b"=".to_vec(), value.into_vec()].concat())
            .filter_map(|text| CString::new(text).ok())
            .collect();
        let size = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        let started = Instant::now();
        // SAFETY: the child only calls exec and _exit, with arguments that were made before the fork.
        match unsafe { forkpty(&size, None) }.unwrap() {
            ForkptyResult::Child => {
                let _ = nix::unistd::execvpe(&argv[0], &argv, &env);
                // SAFETY: ends the child without running the parent's exit handlers.
                unsafe { libc::_exit(127) }
            }
            ForkptyResult::Parent { child, master } => Self { pid: child, started, master },
        }
    }

    pub fn write(&self, bytes: &[u8]) {
        nix::unistd::write(&self.master, bytes).unwrap();
    }

    /// Returns the program's next output, after replying to its queries; `None` if it writes nothing for this long, or
    /// has ended.
    pub fn read(&self, patience: Duration) -> Option<Vec<u8>> {
        let mut fds = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(patience).unwrap();
        if poll(&mut fds, patience).unwrap() == 0 {
            return None;
        }
        let mut buffer = vec![0; 64 * 1024];
        let got = nix::unistd::read(&self.master, &mut buffer).ok().filter(|got| *got > 0)?;
        buffer.truncate(got);
        for (question, answer) in ANSWERS {
            if buffer.windows(question.len()).any(|w| w == question) {
                self.write(answer);
            }
        }
        Some(buffer)
    }

    /// Reads until the program has written nothing for this long, but at most for `most`. Returns the output, and when
    /// the last of it came.
    pub fn settle(&self, silence: Duration, most: Duration) -> (Vec<u8>, Instant) {
        let (mut all, mut last, began) = (Vec::new(), Instant::now(), Instant::now());
        while let Some(left) = most.checked_sub(began.elapsed())
            && let Some(bytes) = self.read(silence.min(left))
        {
            last = Instant::now();
            all.extend(bytes);
        }
        (all, last)
    }

    /// Reads for this long. Returns the number of bytes that the program wrote.
    pub fn watch(&self, lasts: Duration) -> usize {
        self.settle(lasts, lasts).0.len()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        debug_assert!(self.master.as_raw_fd() >= 0);
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }
}
