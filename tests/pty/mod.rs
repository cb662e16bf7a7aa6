//! The real program in a real pseudo-terminal; tests check its screen. It never sleeps: it waits for the screen, or for
//! the end, and gives up after [`PATIENCE`] without output.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure may end it")]

#[path = "../../src/tui/paint/stream.rs"]
mod stream;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{SigHandler, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};
use rustix::termios::{Action, LocalModes, OptionalActions, Termios, tcflow, tcgetattr, tcsetattr, tcsetwinsize};
use vt100::{Parser, Screen};

/// The longest wait for any output; a test that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest wait while output comes: hundreds of helpers can take minutes on a loaded machine.
const LONGEST: Duration = Duration::from_secs(180);
const FRAME_BEGIN: &[u8] = b"\x1b[?2026h";
const FRAME_END: &[u8] = b"\x1b[?2026l";

/// How a program is started in a terminal.
pub struct Start {
    size: (u16, u16),
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    unset: Vec<OsString>,
    folder: Option<PathBuf>,
    ignore_hangup: bool,
    stdin_null: bool,
    /// The program is khelper itself: every byte that it writes is checked.
    judged: bool,
    errors: Option<File>,
}

impl Start {
    /// khelper, in a terminal of this size.
    pub fn khelper(columns: u16, rows: u16) -> Self {
        Self::khelper_at(columns, rows, env!("CARGO_BIN_EXE_khelper"))
    }

    /// khelper under another name.
    pub fn khelper_at(columns: u16, rows: u16, path: impl AsRef<OsStr>) -> Self {
        Self { judged: true, ..Self::program(columns, rows, path) }
    }

    pub fn program(columns: u16, rows: u16, program: impl AsRef<OsStr>) -> Self {
        Self {
            size: (columns, rows),
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            unset: Vec::new(),
            folder: None,
            ignore_hangup: false,
            stdin_null: false,
            judged: false,
            errors: None,
        }
    }

    /// This test program again, running only that test.
    pub fn again(columns: u16, rows: u16, test: &str) -> Self {
        let me = std::env::current_exe().unwrap();
        Self::program(columns, rows, me).args(["--exact", test, "--nocapture"])
    }

    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Removes this variable from the environment.
    pub fn without(mut self, name: impl AsRef<OsStr>) -> Self {
        self.unset.push(name.as_ref().to_owned());
        self
    }

    /// Sets the current folder.
    pub fn within(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// As under nohup.
    pub fn ignoring_hangup(mut self) -> Self {
        self.ignore_hangup = true;
        self
    }

    /// With an input that is not a terminal.
    pub fn without_input(mut self) -> Self {
        self.stdin_null = true;
        self
    }

    /// Redirects its stderr to this file.
    pub fn errors_to(mut self, file: File) -> Self {
        self.errors = Some(file);
        self
    }

    pub fn start(self) -> Pty {
        let (columns, rows) = self.size;
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).unwrap();
        // The program must not inherit our descriptors: the hang-up comes when the last of them is closed.
        for fd in [&pty.master, &pty.slave] {
            rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC).unwrap();
        }
        let before = tcgetattr(&pty.slave).unwrap();
        let stdio = || Stdio::from(pty.slave.try_clone().unwrap());
        let mut command = Command::new(&self.program);
        command.args(&self.args).env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8").env_remove("NO_COLOR");
        command.env_remove("STY").env_remove("TMUX").envs(self.env);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        for name in &self.unset {
            command.env_remove(name);
        }
        command.stdin(if self.stdin_null { Stdio::null() } else { stdio() }).stdout(stdio());
        command.stderr(self.errors.map_or_else(stdio, Stdio::from));
        let ignore_hangup = self.ignore_hangup;
        let make_controlling = move || {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdout())?;
            // With the signal dispositions of a login shell: if the tests run in the background of a script or under
            // nohup, some signals would be ignored.
            for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGTSTP] {
                let ignored = ignore_hangup && signal == Signal::SIGHUP;
                let how = if ignored { SigHandler::SigIgn } else { SigHandler::SigDfl };
                // SAFETY: neither is a function of ours; between fork and exec nothing else runs.
                unsafe { nix::sys::signal::signal(signal, how)? };
            }
            Ok(())
        };
        // SAFETY: only system calls that are safe after fork: setsid, ioctl, sigaction.
        unsafe { command.pre_exec(make_controlling) };
        let child = command.spawn().unwrap();
        drop(command);
        let pidfd = pidfd_open(rustix::process::Pid::from_child(&child), PidfdFlags::empty()).unwrap();
        Pty {
            ends: Some((pty.master, pty.slave)),
            before,
            child,
            pidfd,
            parser: Parser::new(rows, columns, 0),
            frames: 0,
            held: Vec::new(),
            wrote: Vec::new(),
            judged: self.judged,
        }
    }
}

/// A program in a terminal.
pub struct Pty {
    /// Both sides of the pseudo-terminal; the program's side keeps the modes when the program is gone.
    ends: Option<(OwnedFd, OwnedFd)>,
    before: Termios,
    child: Child,
    pidfd: OwnedFd,
    parser: Parser,
    /// The number of complete frames, and the bytes of an incomplete one.
    frames: usize,
    held: Vec<u8>,
    /// All bytes that the program wrote.
    pub wrote: Vec<u8>,
    judged: bool,
}

impl Pty {
    pub fn screen(&self) -> &Screen {
        self.parser.screen()
    }

    pub fn text(&self) -> String {
        self.screen().contents()
    }

    /// Sends `bytes` as the terminal.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let (master, _) = self.ends.as_ref().unwrap();
        let mut left = bytes.as_ref();
        while !left.is_empty() {
            let written = nix::unistd::write(master, left).unwrap();
            left = &left[written..];
        }
    }

    /// Sends `keys`, then waits until the screen shows `what`.
    pub fn press(&mut self, keys: &str, what: &str) {
        self.send(keys);
        self.shows(what);
    }

    /// Waits until the screen shows `what`.
    pub fn shows(&mut self, what: &str) {
        self.until(what, |screen| screen.contents().contains(what));
    }

    /// Waits until the screen no longer shows `what`.
    pub fn hides(&mut self, what: &str) {
        self.until(&format!("no {what}"), |screen| !screen.contents().contains(what));
    }

    /// Waits until the screen shows this text, wherever lines break.
    pub fn says(&mut self, words: &str) {
        self.until(words, |screen| flat(screen).contains(words));
    }

    /// Waits until the screen no longer shows this text.
    pub fn unsays(&mut self, words: &str) {
        self.until(&format!("no {words}"), |screen| !flat(screen).contains(words));
    }

    /// Waits until the screen shows this text, which may break anywhere: text without blanks is cut anywhere.
    pub fn says_broken(&mut self, words: &str) {
        let without_blanks = |text: &str| text.split_whitespace().collect::<String>();
        let wanted = without_blanks(words);
        self.until(words, |screen| without_blanks(&flat(screen)).contains(&wanted));
    }

    /// The text of the screen as one line: without frames, and with single blanks.
    pub fn flat(&self) -> String {
        flat(self.screen())
    }

    /// Waits until the screen fulfils a condition.
    pub fn until(&mut self, what: &str, is: impl Fn(&Screen) -> bool) {
        self.wait(what, |pty| is(pty.screen()));
    }

    /// Waits until what was written fulfils a condition: it does not scroll away.
    pub fn until_wrote(&mut self, what: &str, is: impl Fn(&[u8]) -> bool) {
        self.wait(what, |pty| is(&pty.wrote));
    }

    fn wait(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        let mut deadline = begun + PATIENCE;
        while !is(self) {
            let in_time = self.read(deadline);
            if in_time && !self.is_over() {
                deadline = (Instant::now() + PATIENCE).min(begun + LONGEST);
                continue;
            }
            self.drain();
            if !is(self) {
                let how = if in_time { "the program ended" } else { "in vain" };
                panic!("waited for `{what}`: {how}; the screen:\n{}", self.text());
            }
        }
    }

    /// Reads once; returns `false` on timeout. Also returns when the program has ended.
    fn read(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(timeout) = PollTimeout::try_from(left.as_millis()) else { return false };
        let mut fds = vec![PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        fds.extend(self.ends.as_ref().map(|(master, _)| PollFd::new(master.as_fd(), PollFlags::POLLIN)));
        if left.is_zero() || poll(&mut fds, timeout).unwrap() == 0 {
            return false;
        }
        if fds.get(1).is_some_and(|fd| fd.any() == Some(true)) {
            self.take();
        }
        true
    }

    fn take(&mut self) -> bool {
        let Some((master, _)) = &self.ends else { return false };
        let mut buffer = [0; 65536];
        match nix::unistd::read(master, &mut buffer) {
            Ok(0) | Err(Errno::EIO) => false,
            Ok(length) => {
                self.wrote.extend_from_slice(&buffer[..length]);
                self.show(&buffer[..length]);
                true
            }
            Err(e) => panic!("read of the terminal: {e}"),
        }
    }

    /// Shows the output as a terminal with synchronized updates does: a frame complete or not yet.
    fn show(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        let whole = match rfind(&self.held, FRAME_BEGIN) {
            Some(begin) if rfind(&self.held[begin..], FRAME_END).is_none() => begin,
            // A frame may begin in the last bytes.
            _ => {
                let part = (1..FRAME_BEGIN.len()).rev().find(|n| self.held.ends_with(&FRAME_BEGIN[..*n]));
                self.held.len() - part.unwrap_or(0)
            }
        };
        let shown: Vec<u8> = self.held.drain(..whole).collect();
        self.frames += shown.windows(FRAME_END.len()).filter(|w| *w == FRAME_END).count();
        self.parser.process(&shown);
    }

    /// Calls `act` and waits for a frame that begins after it (nothing else may draw meanwhile).
    pub fn frame_after(&mut self, act: impl FnOnce(&mut Self)) {
        self.drain();
        let seen = self.frames;
        act(self);
        let deadline = Instant::now() + PATIENCE;
        while self.frames == seen {
            assert!(self.read(deadline) && !self.is_over(), "no frame; the screen:\n{}", self.text());
        }
    }

    /// The repainted screen, without a later frame.
    pub fn whole_frame(&mut self) {
        self.frame_after(|pty| pty.send("\x0c"));
        while !self.wrote.ends_with(FRAME_END) {
            assert!(self.read(Instant::now() + PATIENCE), "half a frame; the screen:\n{}", self.text());
        }
    }

    /// Waits until the program has ended, or until the screen shows `what`: then returns `false`.
    pub fn is_over_before(&mut self, what: &str) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_over() {
            if self.text().contains(what) {
                return false;
            }
            assert!(self.read(deadline), "neither the end nor `{what}`; the screen:\n{}", self.text());
        }
        true
    }

    fn drain(&mut self) {
        loop {
            let Some((master, _)) = &self.ends else { return };
            let mut fds = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, PollTimeout::ZERO).unwrap() == 0 || !self.take() {
                return;
            }
        }
    }

    fn is_over(&self) -> bool {
        let mut fds = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).unwrap() > 0
    }

    /// Waits for the end. Returns the exit code, or 1000 + n if signal n killed it. Checks in every test that only
    /// bytes of the painter and the exit report were written.
    pub fn ends(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_over() {
            assert!(self.read(deadline), "the program does not end; the screen:\n{}", self.text());
        }
        self.drain();
        let rest = std::mem::take(&mut self.held);
        self.parser.process(&rest);
        assert_eq!(stream::foreign(&self.wrote).filter(|_| self.judged), None);
        let status = self.child.wait().unwrap();
        status.code().unwrap_or_else(|| 1000 + status.signal().unwrap())
    }

    /// Checks that the terminal is as before the program.
    pub fn is_restored(&self) {
        self.modes_are_restored();
        let screen = self.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    }

    pub fn modes_are_restored(&self) {
        let now = self.modes();
        assert_eq!(
            (now.input_modes, now.output_modes, now.control_modes, now.local_modes),
            (self.before.input_modes, self.before.output_modes, self.before.control_modes, self.before.local_modes)
        );
    }

    /// Sets other modes, as a shell does while it has the terminal.
    pub fn set_modes(&self, change: impl FnOnce(&mut Termios)) {
        let mut modes = self.modes();
        change(&mut modes);
        tcsetattr(&self.ends.as_ref().unwrap().1, OptionalActions::Now, &modes).unwrap();
    }

    /// Sets the modes from before the program, with changes; from now on these are to be restored.
    pub fn set_shell_modes(&mut self, change: impl FnOnce(&mut Termios)) {
        change(&mut self.before);
        tcsetattr(&self.ends.as_ref().unwrap().1, OptionalActions::Now, &self.before).unwrap();
    }

    /// Stops the program with SIGSTOP and waits until it has stopped.
    pub fn stop(&self) {
        self.signal(Signal::SIGSTOP);
        let status = waitpid(self.pid(), Some(WaitPidFlag::WUNTRACED)).unwrap();
        assert_eq!(status, WaitStatus::Stopped(self.pid(), Signal::SIGSTOP));
    }

    /// Makes the terminal show the shell's page, as if it had left the alternate screen by itself.
    pub fn shows_the_shell(&mut self) {
        self.drain();
        let held = std::mem::take(&mut self.held);
        self.parser.process(&[&held[..], b"\x1b[?1049l"].concat());
    }

    /// Waits until `what` has been written, even behind an incomplete frame: SIGSTOP may have cut it.
    pub fn writes(&mut self, what: &[u8]) {
        let deadline = Instant::now() + PATIENCE;
        while !self.wrote.windows(what.len()).any(|window| window == what) {
            assert!(self.read(deadline) && !self.is_over(), "not written; the screen:\n{}", self.text());
        }
    }

    pub fn is_raw(&self) -> bool {
        !self.modes().local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    fn modes(&self) -> Termios {
        tcgetattr(&self.ends.as_ref().unwrap().1).unwrap()
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        // Our side first, so that nothing drawn for the new size meets the old one.
        self.parser.screen_mut().set_size(rows, columns);
        self.claim(columns, rows);
    }

    /// Sends this size to the program; our side of the screen stays as it is.
    pub fn claim(&self, columns: u16, rows: u16) {
        let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.ends.as_ref().unwrap().0, size).unwrap();
    }

    /// Makes the terminal accept nothing more, or accept output again.
    pub fn stall(&self, stalled: bool) {
        let (_, slave) = self.ends.as_ref().unwrap();
        tcflow(slave, if stalled { Action::OOff } else { Action::OOn }).unwrap();
    }

    /// Closes the terminal.
    pub fn hang_up(&mut self) {
        self.ends = None;
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// The pid of the engine, as the screen shows it.
    pub fn engine(&self) -> Pid {
        pid_after(&self.text(), "pid ").expect("the engine is named")
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A dialog is read first, and then what is around it.
pub fn flat(screen: &Screen) -> String {
    let rows: Vec<Vec<char>> = screen.contents().lines().map(|line| line.chars().collect()).collect();
    let corner = |row: &[char], sign: char| row.iter().position(|c| *c == sign);
    let found = rows.iter().enumerate().find_map(|(y, row)| Some((y, corner(row, '╭')?, corner(row, '╮')?)));
    let text = |cells: &[char]| cells.iter().collect::<String>();
    let (mut inside, mut around) = (Vec::new(), Vec::new());
    for (y, row) in rows.iter().enumerate() {
        match found.filter(|(top, left, _)| y >= *top && row.get(*left).is_some_and(|c| "╭│╰".contains(*c))) {
            Some((_, left, right)) if inside.last().is_none_or(|line: &String| !line.contains('╯')) => {
                let right = (right + 1).min(row.len());
                inside.push(text(&row[left..right]));
                around.extend([text(&row[..left]), text(&row[right..])]);
            }
            _ => around.push(text(row)),
        }
    }
    let all = inside.iter().chain(&around);
    let words = all.flat_map(|line| line.trim_matches([' ', '│']).split_whitespace());
    words.collect::<Vec<_>>().join(" ")
}

/// The pid that directly follows the first `what` in `text`.
pub fn pid_after(text: &str, what: &str) -> Option<Pid> {
    let (_, rest) = text.split_once(what)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().map(Pid::from_raw)
}

fn rfind(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).rposition(|window| window == what)
}
