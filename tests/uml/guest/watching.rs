//! The product itself: `khelper watch --target kernel`, in words or as JSON.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::KHELPER;

/// A line that does not come for so long never comes: a minute.
const PATIENCE: u16 = 60_000;

pub struct Watching {
    child: Child,
    output: BufReader<ChildStdout>,
    errors: BufReader<ChildStderr>,
    /// What it said about its knowledge: a line for each state, `khelper: kernel: known: ..`; with JSON one line.
    pub states: Vec<String>,
}

/// What it said at its end.
pub struct Whole {
    pub rest: Vec<u8>,
    pub errors: String,
    pub status: ExitStatus,
}

impl Watching {
    /// `within` is the program with what comes before its verb, and how it is started.
    pub fn start(within: &mut Command, json: bool) -> Self {
        within.arg("watch").args(["--target", "kernel", "--utc"]).args(json.then_some("--json"));
        within.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = within.spawn().unwrap_or_else(|e| panic!("{within:?}: {e}"));
        let output = BufReader::new(child.stdout.take().unwrap());
        let errors = BufReader::new(child.stderr.take().unwrap());
        let mut watching = Self { child, output, errors, states: Vec::new() };
        if json {
            let line = watching.line();
            watching.states.push(line);
            return watching;
        }
        loop {
            let mut line = String::new();
            // The end of the file: it could not start.
            if watching.errors.read_line(&mut line).unwrap() == 0 || line.contains("watching this machine") {
                return watching;
            }
            watching.states.push(line.trim_end().to_owned());
        }
    }

    pub fn khelper(json: bool) -> Self {
        Self::start(&mut Command::new(KHELPER), json)
    }

    /// The next line of its output about the end of a helper, without its end. A start is told only of helpers that
    /// have lived for a while.
    pub fn line(&mut self) -> String {
        loop {
            let line = self.any_line();
            if !line.contains("\"event\":\"started\"") && !line.contains(" started, pid ") {
                return line;
            }
        }
    }

    fn any_line(&mut self) -> String {
        if self.output.buffer().is_empty() {
            let fd = PollFd::new(self.output.get_ref().as_fd(), PollFlags::POLLIN);
            let ready = poll(&mut [fd], PollTimeout::from(PATIENCE)).unwrap();
            assert_eq!(ready, 1, "khelper watch has said nothing for a minute");
        }
        let mut line = Vec::new();
        self.output.read_until(b'\n', &mut line).unwrap();
        if line.is_empty() {
            let errors = self.wait().errors;
            panic!("khelper watch ended: {:?} {errors}", self.states);
        }
        String::from_utf8(line).expect("UTF-8").trim_end_matches('\n').to_owned()
    }

    /// The next line as JSON.
    pub fn object(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?}: {e}"))
    }

    /// Ends it by SIGTERM, and reads the rest.
    pub fn end(mut self) -> Whole {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        self.wait()
    }

    /// Reads everything until its end.
    pub fn wait(&mut self) -> Whole {
        let (mut rest, mut errors) = (Vec::new(), String::new());
        self.output.read_to_end(&mut rest).unwrap();
        self.errors.read_to_string(&mut errors).unwrap();
        Whole { rest, errors, status: self.child.wait().unwrap() }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
