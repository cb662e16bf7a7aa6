//! The line mode: the console as lines, at a terminal that only prints, and over a pipe.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::over::{OWN, engine};
use crate::pty::{Pty, Start};
use crate::steps::{FAILING, HOLD, QUICK};

/// The line mode at a terminal that is high enough for everything that is said.
pub struct Lines {
    pty: Pty,
    _engine: Option<crate::over::Engine>,
    /// How many lines were typed.
    pub typed: usize,
    _state: tempfile::TempDir,
}

impl Lines {
    pub fn start(modprobe: &str, options: &[&str]) -> Self {
        let (engine, options) = engine(modprobe, options);
        Self { _engine: Some(engine), ..Self::with(&options) }
    }

    /// With these options alone.
    pub fn with(options: &[String]) -> Self {
        let state = tempfile::tempdir().unwrap();
        let start = Start::program(200, 600, env!("CARGO_BIN_EXE_khelper"));
        let start = start.args(["console", "--line"]).args(options).env("TERM", "dumb");
        let mut pty = start.env("XDG_STATE_HOME", state.path()).start();
        pty.until("a prompt", asks);
        Self { pty, _engine: None, typed: 0, _state: state }
    }

    /// Types a line, and returns what is said before the next prompt.
    pub fn types(&mut self, line: &str) -> String {
        self.typed += 1;
        // The prompt with what was typed behind it; an empty line leaves the prompt as it was.
        let echo = format!("> {line}");
        let is_echo = |row: &str| is_prompt(row) && row.trim_end().ends_with(echo.trim_end());
        let from = self.pty.wrote.len();
        self.pty.send(format!("{line}\n"));
        // The echo ends with a newline; then the last line is a prompt again.
        self.pty.until_wrote("the next prompt", |wrote| {
            let new = String::from_utf8_lossy(&wrote[from..]);
            new.rsplit_once('\n').is_some_and(|(_, last)| is_prompt(last) && last.ends_with("> "))
        });
        let text = self.pty.text();
        let rows: Vec<&str> = text.trim_end().lines().collect();
        let end = rows.len() - 1;
        let begin = rows[..end].iter().rposition(|row| is_echo(row)).unwrap();
        rows[begin + 1..end].join("\n")
    }

    /// The same, and checks that these words are said.
    pub fn says(&mut self, line: &str, words: &str) -> String {
        let said = self.types(line);
        assert!(said.contains(words), "`{line}` does not say `{words}`:\n{said}\n\nall:\n{}", self.pty.text());
        said
    }

    /// Types a line again and again until these words are said, on however slow a machine. Returns what is said then.
    pub fn until(&mut self, line: &str, words: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let said = self.types(line);
            if said.contains(words) {
                return said;
            }
            assert!(Instant::now() < deadline, "`{line}` never says `{words}`:\n{said}\n\nall:\n{}", self.pty.text());
        }
    }

    /// Asks for a module this many times; they need not end.
    pub fn requests(&mut self, name: &str, times: u32) {
        self.types("module");
        self.types(&format!(".set {name}"));
        self.types(".field 3");
        self.types(&times.to_string());
    }

    /// Kills what is left, and ends.
    pub fn quits(mut self) {
        self.pty.send("quit\n");
        if !self.pty.is_over_before("kill: TERM now") {
            self.pty.send("2\n");
        }
        assert_eq!(self.pty.ends(), 0, "{}", self.pty.text());
        self.pty.modes_are_restored();
        // No sequence was sent, and no colour.
        assert!(!self.pty.wrote.contains(&0x1b), "{:?}", String::from_utf8_lossy(&self.pty.wrote));
    }
}

/// Whether the last line is a prompt with nothing typed behind it.
fn asks(screen: &vt100::Screen) -> bool {
    screen.contents().trim_end().lines().last().is_some_and(|row| is_prompt(row) && row.ends_with('>'))
}

fn is_prompt(row: &str) -> bool {
    ["engine, ", "kernel, ", "daemon, ", "demo, ", "demo-2, "].iter().any(|target| row.starts_with(target))
}

/// The number before a row with these words.
pub fn number(said: &str, words: &str) -> String {
    let row = said.lines().find(|row| row.contains(words)).unwrap_or_else(|| panic!("no `{words}` in\n{said}"));
    row.split('.').next().unwrap().to_owned()
}

#[test]
fn task_1_what_holds_the_slots_is_said_in_one_line() {
    let mut lines = Lines::start(HOLD, &[]);
    lines.requests("stuck", 50);
    lines.until("overview", "50 times stuck");
    lines.typed = 0;
    let said = lines.types("overview");
    assert_eq!(lines.typed, 1);
    for words in ["50 of 50, FULL", "50 running, no slot", "50 times stuck"] {
        assert!(said.contains(words), "{words}:\n{said}");
    }
    lines.quits();
}

#[test]
fn task_2_a_failure_is_found_and_its_stderr_read_in_two_lines() {
    let mut lines = Lines::start(FAILING, &[]);
    lines.requests("zfs", 1);
    lines.until("overview", "zfs  exit 1");
    lines.typed = 0;
    let said = lines.types("overview");
    let row = number(&said, "zfs  exit 1");
    let record = lines.types(&format!("open {row}"));
    assert_eq!(lines.typed, 2);
    assert!(record.contains("#1 module zfs:") && record.contains("stderr  failing: no module zfs"), "{record}");
    lines.types("back");
    lines.quits();
}

#[test]
fn task_3_all_that_match_a_filter_are_killed_in_four_lines_and_the_number() {
    let mut lines = Lines::start(HOLD, &[]);
    lines.requests("stuck", 3);
    lines.requests("other", 1);
    lines.until("overview", "4 running");
    lines.typed = 0;
    lines.says("activity", "4 requests so far");
    let said = lines.says("filter stuck", "stuck");
    assert!(!said.contains("other"), "{said}");
    lines.says("mark all", "3 running requests that match are marked");
    lines.says("kill", "Kill 3 helpers?:");
    lines.says("3", "3 helpers");
    assert_eq!(lines.typed, 5);
    // Another number does nothing.
    lines.types("filter");
    lines.types("filter other");
    lines.types("mark all");
    lines.types("kill");
    lines.says("2", "not done: type 1");
    lines.types(".esc");
    lines.quits();
}

#[test]
fn task_4_one_capability_is_dropped_and_rehearsed_in_four_lines() {
    let mut lines = Lines::start(QUICK, &[]);
    lines.says("masks", "cap_sys_module  [has]");
    lines.says("toggle cap_net_admin", "cap_net_admin  [has, the draft drops it]");
    lines.says("rehearse", "the built-in probe");
    let said = lines.types("enter");
    assert_eq!(lines.typed, 4);
    assert!(said.contains("Rehearsal") && said.contains("cap_net_admin"), "{said}");
    lines.types("back");
    lines.says("apply", "drops  cap_net_admin: ");
    // An empty line applies nothing.
    lines.types("");
    if OWN || nix::unistd::geteuid().is_root() {
        lines.says("enter", "reads back");
        lines.says("masks", "cap_net_admin  [lacks]");
    } else {
        lines.types("esc");
        lines.types("discard");
    }
    lines.quits();
}

#[test]
fn task_5_the_target_is_switched_in_one_line_and_keeps_what_was_typed() {
    let mut lines = Lines::start(QUICK, &[]);
    lines.types("toggle cap_net_admin");
    lines.typed = 0;
    lines.says("t", "target kernel: ");
    assert_eq!(lines.typed, 1);
    lines.says("t", if OWN { "target engine: " } else { "target daemon: " });
    lines.says("masks", "cap_net_admin  [has, the draft drops it]");
    lines.says("discard", "the draft was discarded");
    lines.quits();
}

/// The tour of the demo, with what it says to type.
#[test]
fn the_tour_of_the_demo_is_taken_in_lines() {
    let mut lines = Lines::with(&["--demo".to_owned()]);
    lines.pty.shows("Tour 1 of 8: what holds the slots.");
    lines.pty.shows("Type `open N`, where N is the number of raid456 under Running");
    // Both helpers run.
    let said = lines.until("overview", "2 times raid456  pid ");
    lines.says(&format!("open {}", number(&said, "2 times raid456  pid ")), "Tour 2 of 8: why one failed.");
    lines.types("back");
    let said = lines.until("overview", "nvidia  exit 1");
    lines.says(&format!("open {}", number(&said, "nvidia  exit 1")), "Tour 3 of 8: a mask in draft.");
    lines.types("back");
    lines.says("toggle cap_sys_module", "Tour 4 of 8: try it before it counts.");
    lines.types("rehearse");
    let said = lines.types("enter");
    if !said.contains("Tour 5 of 8") {
        lines.until("again", "Tour 5 of 8: apply it.");
    }
    lines.types("back");
    lines.says("apply", "type `drop cap_sys_module`");
    lines.types("drop cap_sys_module");
    lines.pty.shows("Tour 6 of 8: the next helper.");
    // The loop of the demo may have taken every slot, and its requests may be newer.
    lines.types("activity");
    let deadline = Instant::now() + Duration::from_secs(30);
    let said = loop {
        lines.types(":request dummy");
        lines.types("wait");
        let said = lines.types("filter dummy");
        if said.contains("dummy") && said.contains("exit ") {
            break said;
        }
        assert!(Instant::now() < deadline, "no helper of dummy: {said}");
    };
    let row = said.lines().find(|row| row.contains("dummy") && row.contains("exit ")).unwrap();
    lines.says(&format!("open {}", row.split('.').next().unwrap()), "Tour 7 of 8: another target.");
    lines.types("back");
    lines.says("t", "Tour 8 of 8: that was all.");
    // Back, hidden, shown again.
    lines.says("D", "Tour 7 of 8");
    lines.says("d", "the tour is hidden");
    lines.says("d", "Tour 7 of 8");
    lines.says("esc", "Tour 8 of 8");
    lines.quits();
}

#[test]
fn a_target_in_the_filter_is_turned_to() {
    let mut lines = Lines::start(QUICK, &[]);
    let here = if OWN { "engine" } else { "daemon" };
    lines.types("activity");
    lines.says(&format!("filter target:{here}"), &format!("every request here is of the target {here}"));
    lines.says("filter target:nowhere", "no target is named `nowhere`");
    let said = lines.says("filter zfs target:kernel", "target kernel: ");
    assert!(said.contains("Activity:") && said.contains("zfs, esc shows all"), "{said}");
    lines.types("t");
    lines.quits();
}

#[test]
fn what_happens_while_nothing_is_typed_is_said_at_the_next_line() {
    let mut lines = Lines::start(HOLD, &[]);
    lines.requests("stuck", 51);
    if !lines.pty.text().contains("runaway loop modprobe stuck") {
        lines.until("", "runaway loop modprobe stuck");
    }
    lines.until("", "nothing new");
    // A half-typed line stays whole while helpers end.
    let helpers = lines.types(":ps");
    // The third column. The last requests may have no helper yet, and the requester is this console.
    let pid = helpers.lines().find_map(|row| row.split_whitespace().nth(2)?.parse::<i32>().ok());
    lines.types("back");
    lines.pty.send("mas");
    if OWN {
        let pid = pid.unwrap_or_else(|| panic!("no helper has a pid:\n{helpers}"));
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }
    lines.pty.until("the typed letters", |s| s.contents().trim_end().ends_with("> mas"));
    lines.pty.send("ks\n");
    lines.pty.until("the screen", |s| s.contents().contains("Masks:") && asks(s));
    lines.says("log", "runaway");
    lines.quits();
}

#[test]
fn hostile_bytes_are_said_escaped() {
    let mut lines = Lines::start(QUICK, &[]);
    lines.types("module");
    lines.pty.send(b"\x16\x1b]0;own\x16\x07\xc2\x9b2J\n");
    lines.pty.until("the screen again", |s| s.contents().trim_end().ends_with("overview>"));
    let said = lines.until("overview", r"\x1b]0;own\x07");
    assert!(said.contains(r"\xc2\x9b2J"), "{said}");
    let sent = lines.pty.wrote.windows(4).any(|w| w == b"\x1b]0;");
    assert!(!sent, "{:?}", String::from_utf8_lossy(&lines.pty.wrote));
    lines.quits();
}

#[test]
fn ctrl_c_goes_back_and_ctrl_d_quits() {
    let mut lines = Lines::start(HOLD, &[]);
    lines.says("gate", "The gate");
    lines.pty.send("\x03");
    lines.pty.until("the screen again", |s| s.contents().trim_end().ends_with("overview>"));
    if OWN {
        lines.requests("stuck", 1);
        // It asks first; the second ctrl-d leaves the helper running.
        lines.pty.send("\x04");
        lines.pty.until("the question", |s| s.contents().contains("kill: TERM now") && asks(s));
        let helper = crate::pty::pid_after(&lines.pty.text(), "pid ").is_some();
        assert!(helper);
        lines.pty.send("2\n");
        assert_eq!(lines.pty.ends(), 0);
        return;
    }
    lines.pty.send("\x04");
    assert_eq!(lines.pty.ends(), 0, "{}", lines.pty.text());
}

#[test]
fn signals_and_the_end_of_the_terminal_end_it() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129), (Signal::SIGQUIT, 131)] {
        let mut lines = Lines::start(QUICK, &[]);
        lines.pty.signal(signal);
        assert_eq!(lines.pty.ends(), code);
    }
    let mut lines = Lines::start(QUICK, &[]);
    // Another size changes nothing: the terminal wraps lines itself.
    lines.pty.claim(40, 10);
    lines.says("gate", "freeze and drain");
    lines.pty.hang_up();
    assert_eq!(lines.pty.ends(), 129);
}

/// khelper with these lines on a pipe.
fn piped(options: &[String], input: &str) -> Output {
    let state = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
    command.args(["console", "--line"]).args(options).env("TERM", "dumb").env("LC_ALL", "C.UTF-8");
    command.env("XDG_STATE_HOME", state.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn over_a_pipe_it_reads_lines_and_ends_with_them() {
    let (_engine, options) = engine(FAILING, &[]);
    let out = piped(&options, ":request zfs\nwait\noverview\nopen #1\n");
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!((out.status.code(), &*String::from_utf8_lossy(&out.stderr)), (Some(0), ""), "{text}");
    assert!(text.contains("zfs: exit 1 (raw 256)") && text.contains("stderr  failing: no module zfs"), "{text}");
    // There is no prompt, and a line that is not understood ends it: what follows could mean something else.
    assert!(!text.lines().any(|line| line.contains("overview>")), "{text}");
    let out = piped(&options, "masks\nxyzzy\n:request never\n");
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(out.status.code(), Some(64), "{text}");
    assert!(text.contains("not understood: `xyzzy`") && text.contains("line 2 ends the input"), "{text}");
    assert!(!text.contains("never"), "{text}");
    let out = piped(&options, "quit\nxyzzy\n");
    assert_eq!(out.status.code(), Some(0));
}

#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    let (_engine, options) = engine(QUICK, &[]);
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
    let status = command.args(["--line"]).args(&options).stdin(Stdio::null()).stdout(full()).status().unwrap();
    assert_eq!(status.code(), Some(74));
}

/// Without UTF-8 every byte is ASCII, also where a word stands for a sign.
#[test]
fn without_utf_8_only_ascii_is_said() {
    let (_engine, options) = engine(FAILING, &[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
    command.args(["--line"]).args(&options).env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let input = ":request zf\u{e9}\nwait\nmasks\ntoggle 3\nactivity\nopen 1\n";
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success() && out.stdout.is_ascii(), "{}", String::from_utf8_lossy(&out.stdout));
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains(r"zf\xc3\xa9") && text.contains("[has, the draft drops it]"), "{text}");
}
