//! A terminal that is killed while the console is shown. The terminal is a process: this program again, with
//! `KHELPER_TERMINAL` set, which holds the pseudo-terminal and draws nothing. What it leaves behind becomes a child of
//! the test's (PR_SET_CHILD_SUBREAPER), which is why it is a process of its own.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure may end it")]

#[path = "pty/mod.rs"]
#[expect(dead_code, reason = "the tests of the console use the rest")]
mod pty;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeValLike;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use pty::{Pty, Start};
use rustix::process::{PidfdFlags, pidfd_open};

/// What the console is at, how large it is, and where it says what it has to say.
const HOW: &str = "KHELPER_TERMINAL";
const SIZE: &str = "KHELPER_SIZE";
const ERRORS: &str = "KHELPER_ERRORS";
const HOLD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pty/hold");
const KHELPER: &str = env!("CARGO_BIN_EXE_khelper");
/// Nothing that is waited for takes so long, in milliseconds.
const PATIENCE: u16 = 20_000;

/// The terminal: brings the console to something, says which processes there are, and goes on until it is killed.
fn terminal(how: &str) {
    let size = std::env::var(SIZE).unwrap();
    let (columns, rows) = size.split_once('x').map(|(c, r)| (c.parse().unwrap(), r.parse().unwrap())).unwrap();
    let set = ["--set".to_owned(), format!("kernel.modprobe={HOLD}")];
    let mut start = if how == "stopped" {
        let script = ["-c", "set -m; \"$@\"; echo stopped; read line", "sh", KHELPER].map(str::to_owned);
        Start::program(columns, rows, "/bin/sh").args(script.into_iter().chain(set))
    } else {
        Start::khelper(columns, rows).args(set)
    };
    if how == "nohup" {
        start = start.ignoring_hangup();
    }
    let errors = File::options().append(true).open(std::env::var_os(ERRORS).unwrap()).unwrap();
    let mut pty = start.errors_to(errors).start();
    pty.shows("[engine]");
    let console = pty.engine();
    pty.press(":", "Command");
    pty.send("request foo\r");
    pty.shows("#1 foo");
    pty.shows("pid ");
    pty.until("the helper's pid", |s| helper(&s.contents()).is_some());
    let helper = helper(&pty.text()).unwrap();
    match how {
        "stopped" => {
            pty.send("\x1a");
            pty.shows("stopped");
        }
        "asking" => pty.press("q", "Quit?"),
        "stalled" => stall(&mut pty),
        _ => {}
    }
    println!("they are {console} {helper}");
    pty.ends();
}

fn stall(pty: &mut Pty) {
    pty.stall(true);
    pty.resize(70, 20);
}

/// The pid that the row of the helper names.
fn helper(screen: &str) -> Option<i32> {
    let row = screen.lines().find(|line| line.contains("#1 foo") && line.contains("pid "))?;
    let (_, rest) = row.split_once("pid ")?;
    rest.split(' ').next()?.parse().ok()
}

fn state(pid: Pid) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Kills the terminal of a console of that size that is at something; what the console said.
fn killed_while(how: &str, size: &str) {
    set_child_subreaper(true).unwrap();
    let errors = tempfile::NamedTempFile::new().unwrap();
    let mut terminal = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(HOW, how)
        .env(SIZE, size)
        .env(ERRORS, errors.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(terminal.stdout.take().unwrap()).lines();
    let told = lines.map(Result::unwrap).find_map(|line| {
        let (_, pids) = line.split_once("they are ")?;
        let mut pids = pids.split(' ').map(|pid| Pid::from_raw(pid.parse().unwrap()));
        Some((pids.next()?, pids.next()?))
    });
    let (console, helper) = told.expect("the terminal tells which processes there are");
    let pidfd = pidfd_open(rustix::process::Pid::from_raw(console.as_raw()).unwrap(), PidfdFlags::empty()).unwrap();

    terminal.kill().unwrap();
    let killed = Instant::now();
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, PATIENCE).unwrap(), 1, "{how}, {size}: the console does not end");
    let after = killed.elapsed();
    terminal.wait().unwrap();
    let (code, cpu) = reap(console);
    assert_eq!(code, 129, "{how}, {size}");
    eprintln!("{how}, {size}: ended after {after:?}, {cpu:?} of CPU in its life");

    // Whoever was in between is gone too; the helper lives on, and is named where somebody can read it.
    assert!(state(helper).is_some_and(|state| !"ZX".contains(state)), "{how}, {size}: the helper is gone");
    let said = std::fs::read_to_string(errors.path()).unwrap();
    assert!(said.contains(&format!("left running: #1 foo (pid {helper})")), "{how}, {size}: {said}");
    kill(helper, Signal::SIGKILL).unwrap();
    while waitpid(None, None) != Err(Errno::ECHILD) {}
}

/// The exit code of a child, and how much CPU it took in its life, with what it reaped.
fn reap(pid: Pid) -> (i32, Duration) {
    let spent = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        let time = usage.user_time() + usage.system_time();
        Duration::from_micros(time.num_microseconds().unsigned_abs())
    };
    let before = spent();
    match waitpid(pid, None).unwrap() {
        WaitStatus::Exited(_, code) => (code, spent() - before),
        other => panic!("{other:?}"),
    }
}

/// One test at a time: the first reaps every child of this process, those of another test too.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

const TEST: &str = "a_console_whose_terminal_is_killed_ends_and_leaves_its_helper";

#[test]
fn a_console_whose_terminal_is_killed_ends_and_leaves_its_helper() {
    if let Ok(how) = std::env::var(HOW) {
        return terminal(&how);
    }
    let _alone = one_at_a_time();
    for how in ["shown", "nohup", "asking", "stopped", "stalled"] {
        for size in ["120x40", "80x24", "40x10"] {
            killed_while(how, size);
        }
    }
}

/// The console as the first process of a PID namespace reaps the orphans that come to it, ends by SIGTERM, which has no
/// default action there, and says what it leaves.
#[test]
fn umh_8_as_pid_1_the_console_reaps_orphans_and_ends_by_term() {
    let _alone = one_at_a_time();
    let mut args = vec!["--pid", "--fork", "--mount-proc", "--kill-child"];
    if !nix::unistd::geteuid().is_root() {
        args.splice(0..0, ["--user", "--map-root-user"]);
    }
    let probe = Command::new("/usr/bin/unshare").args(&args).arg("/bin/true").stderr(Stdio::null()).status();
    if !probe.unwrap().success() {
        std::io::Write::write_all(&mut std::io::stderr(), b"skipped: this user may not make a PID namespace\n")
            .unwrap();
        return;
    }
    // A helper that leaves an orphan, and ends once no process is a zombie.
    let orphan =
        "( /bin/true & ); while cat /proc/[0-9]*/status 2>/dev/null | grep -q '^State:.Z'; do :; done; exit $((3+4))";
    args.push(KHELPER);
    let mut pty = Start::program(120, 40, "/usr/bin/unshare").args(args).start();
    pty.shows("engine (pid 1");
    pty.press(":", "Command");
    pty.send(format!("run -- /bin/sh -c \"{orphan}\"\r"));
    pty.shows("exit 7");
    pty.press(":", "Command");
    pty.send("run -- /bin/sleep 600\r");
    pty.shows("#2 /bin/sleep");
    pty.shows("pid ");
    let children = format!("/proc/{0}/task/{0}/children", pty.pid());
    let first: i32 = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(first), Signal::SIGTERM).unwrap();
    assert_eq!(pty.ends(), 128 + Signal::SIGTERM as i32);
    pty.shows("left running: #2 /bin/sleep");
}
