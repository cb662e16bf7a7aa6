//! `--host A,B,C VERB ...`: the verb on several hosts. Each has a process of this program with `--target ssh://HOST`, whose
//! lines are printed with the host before them, or in each JSON object: one host neither hides nor delays another.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::abi::error::io_words;
use crate::sys::attached::attach;
use crate::sys::signals::Signals;
use crate::verbs::verb::Common;
use crate::wire::host::Far;

use super::args::{self, Args};
use super::exit::Verdict;
use super::host_lines::{Form, Stream};
use super::output::{Answers, say, terminals};

/// How many hosts are asked at the same time; a command that streams asks all of them.
const MOST: usize = 32;
/// How long the processes may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// The process of one host.
struct One {
    host: String,
    child: Child,
    out: Stream<std::process::ChildStdout>,
    err: Stream<std::process::ChildStderr>,
}

impl One {
    fn start(far: &Far, args: &Args) -> std::io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--target").arg(format!("ssh://{far}"));
        if args.far.sudo {
            command.arg("--sudo");
        }
        command.args(&args.far.rest).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = attach(&mut command).spawn()?;
        let (out, err) = (Stream::new(child.stdout.take()), Stream::new(child.stderr.take()));
        Ok(Self { host: far.to_string(), child, out, err })
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or_default());
        // It is a child that was not waited for, so this is no other process.
        let _ = kill(pid, signal);
    }

    fn is_over(&self) -> bool {
        self.out.from.is_none() && self.err.from.is_none()
    }
}

/// Everything of a command on several hosts.
struct Hosts<'a> {
    args: &'a Args,
    form: Form,
    answers: Answers,
    waiting: std::slice::Iter<'a, Far>,
    running: Vec<One>,
    verdict: Verdict,
    /// Hosts whose exit code is not 0.
    failed: Vec<String>,
    /// The signal that ends the command, and when to wait no longer.
    ending: Option<(Signal, Instant)>,
}

/// Runs the command on each host. Call it on the main thread, with the signals taken. Returns the exit code.
pub fn run(args: &Args, signals: &Signals) -> u8 {
    let (out, err) = terminals();
    let command = args.command.as_ref();
    let json = match command {
        Some(args::Command::Log(log)) => log.json,
        command => command.and_then(args::Command::verb).is_some_and(Common::json),
    };
    let streams = matches!(command.and_then(args::Command::verb), Some(Common::Watch(_)));
    let most = if streams { usize::MAX } else { MOST };
    let mut hosts = Hosts {
        args,
        form: Form { json, terminal: [out, err] },
        answers: Answers::default(),
        waiting: args.far.host.iter(),
        running: Vec::new(),
        verdict: Verdict::Own(0),
        failed: Vec::new(),
        ending: None,
    };
    loop {
        hosts.start(most);
        if hosts.running.is_empty() {
            return hosts.code();
        }
        hosts.wait(signals);
        hosts.signals(signals);
        hosts.collect();
    }
}

impl Hosts<'_> {
    fn start(&mut self, most: usize) {
        while self.running.len() < most && self.ending.is_none() {
            let Some(far) = self.waiting.next() else { return };
            match One::start(far, self.args) {
                Ok(one) => self.running.push(one),
                Err(e) => {
                    say(&format!("{far}: cannot start a process: {}", io_words(&e)));
                    self.ended(&far.to_string(), Verdict::NotExecuted);
                }
            }
        }
    }

    /// Blocks until something has come, and prints it.
    fn wait(&mut self, signals: &Signals) {
        let streams = self.running.iter().enumerate().flat_map(|(at, one)| {
            let out = one.out.from.as_ref().map(|out| (at, 0, out.as_fd()));
            out.into_iter().chain(one.err.from.as_ref().map(|err| (at, 1, err.as_fd())))
        });
        let streams: Vec<(usize, usize, BorrowedFd<'_>)> = streams.collect();
        let mut fds: Vec<PollFd<'_>> =
            streams.iter().map(|(.., fd)| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        fds.push(PollFd::new(signals, PollFlags::IN));
        let left = self.ending.map(|(_, until)| until.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        if poll(&mut fds, left.as_ref()).is_err() {
            // A signal: look again.
            return;
        }
        let ready = streams.iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty());
        let ready: Vec<(usize, usize)> = ready.map(|((at, to, _), _)| (*at, *to)).collect();
        for (at, to) in ready {
            self.print(at, to);
        }
    }

    fn print(&mut self, at: usize, to: usize) {
        let one = &mut self.running[at];
        let lines = if to == 0 { one.out.read() } else { one.err.read() };
        let text: Vec<u8> = lines.iter().flat_map(|line| self.form.line(&one.host, line, to)).collect();
        match to {
            0 => self.answers.write(&text, b""),
            _ => self.answers.write(b"", &text),
        }
        if self.answers.is_over() && self.ending.is_none() {
            // Nobody reads any more.
            self.end(Signal::SIGPIPE);
        }
    }

    fn end(&mut self, signal: Signal) {
        self.ending.get_or_insert((signal, Instant::now() + GRACE));
        self.running.iter().for_each(|one| one.signal(Signal::SIGTERM));
    }

    fn signals(&mut self, signals: &Signals) {
        while let Ok(Some(signal)) = signals.next() {
            match signal {
                // Each process abandons its wait, and says so; a second one is passed on too.
                Signal::SIGINT => {
                    self.waiting = [].iter();
                    self.verdict = self.verdict.and(Verdict::Interrupted);
                    self.running.iter().for_each(|one| one.signal(signal));
                }
                Signal::SIGCHLD => {}
                _ => self.end(signal),
            }
        }
        if self.ending.is_some_and(|(_, until)| until <= Instant::now()) {
            self.running.iter().for_each(|one| one.signal(Signal::SIGKILL));
        }
    }

    /// Takes the exit codes of the processes whose streams have ended.
    fn collect(&mut self) {
        for at in (0..self.running.len()).rev() {
            if self.running[at].is_over() {
                let mut one = self.running.swap_remove(at);
                let verdict = one.child.wait().map_or(Verdict::Lost, of_status);
                self.ended(&one.host, verdict);
            }
        }
    }

    fn ended(&mut self, host: &str, verdict: Verdict) {
        self.verdict = self.verdict.and(verdict);
        if verdict != Verdict::Own(0) {
            self.failed.push(format!("{host} {}", verdict.code()));
        }
    }

    /// Names the hosts that failed. Returns the exit code.
    fn code(mut self) -> u8 {
        match self.ending {
            Some((Signal::SIGPIPE, _)) => return self.answers.code(0),
            Some((signal, _)) => return 128 | signal as u8,
            None => {}
        }
        if !self.failed.is_empty() && self.args.far.host.len() > 1 {
            self.failed.sort();
            let all = self.args.far.host.len();
            say(&format!(
                "{} of {all} hosts have an exit code besides 0: {}",
                self.failed.len(),
                self.failed.join(", ")
            ));
        }
        self.answers.code(self.verdict.code())
    }
}

fn of_status(status: ExitStatus) -> Verdict {
    match (status.code(), status.signal()) {
        (Some(code), _) => Verdict::of_code(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, Some(2)) => Verdict::Interrupted,
        (None, signal) => Verdict::Killed(signal.and_then(|n| u8::try_from(n).ok()).unwrap_or_default()),
    }
}
