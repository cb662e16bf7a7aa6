//! How pid 1 and the process that asks talk: a job as an argument, commands as lines one way, answers the other way.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

use super::helper::Facts;
use crate::scenario::Scenario;

/// What an asker is told at its start.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    pub scenario: Scenario,
    /// The masks as they read before the scenario, for the engine to start from.
    pub bset: String,
    pub inheritable: String,
    /// What each text's knob read before it was fed to the kernel.
    pub before: Vec<String>,
    /// A mistake for the engine to make.
    pub mutation: Option<String>,
}

/// A command.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Do {
    Ask(usize),
    Kill(usize),
    /// The engine alone: wait until so many requests have a slot or wait for one.
    Settle(usize),
    /// The engine alone: wait until every caller is back.
    Join,
    Finish,
}

/// One caller, when it is over. Times are [`super::now`]'s.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub group: usize,
    pub pid: i32,
    pub start: u64,
    pub end: u64,
    pub killed: Option<u64>,
    /// What the engine's function returned, one for each name; the kernel's is in the trace.
    pub results: Vec<i32>,
}

/// Everything, at the end.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// What the caller would pass on to a child.
    pub caller: Option<Facts>,
    pub outcomes: Vec<Outcome>,
    /// What the engine logged.
    pub log: Vec<String>,
    /// The masks as they read at the end.
    pub bset: String,
    pub inheritable: String,
    /// Verdicts on the texts.
    pub texts: Vec<String>,
}

/// An asker, seen from pid 1.
pub struct Asker {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Asker {
    pub fn start(part: &str, job: &Job) -> Self {
        let mut command = Command::new(super::OTHER);
        command.arg(part).arg(serde_json::to_string(job).unwrap()).env_clear();
        if let Some((name, value)) = job.scenario.caller.env.as_deref().and_then(|e| e.split_once('=')) {
            command.env(name, value);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, to, from }
    }

    /// Says it, and waits until it is done.
    pub fn say(&mut self, what: Do) -> String {
        writeln!(self.to, "{}", serde_json::to_string(&what).unwrap()).unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        line
    }

    pub fn finish(mut self) -> Result<Answer, String> {
        let line = self.say(Do::Finish);
        let answer = serde_json::from_str(&line);
        let status = self.child.wait().unwrap();
        answer.map_err(|e| format!("the asker ended with {status} and said `{}`: {e}", line.trim()))
    }
}

/// The other end.
pub struct Door {
    from: BufReader<std::fs::File>,
    to: std::fs::File,
}

impl Door {
    /// Takes stdin and stdout away to descriptors that no helper inherits.
    pub fn new() -> (Job, Self) {
        let away = |fd: std::os::fd::BorrowedFd<'_>| std::fs::File::from(fd.try_clone_to_owned().unwrap());
        use std::os::fd::AsFd;
        let door = Self { from: BufReader::new(away(std::io::stdin().as_fd())), to: away(std::io::stdout().as_fd()) };
        let job = std::env::args().nth(2).unwrap();
        (serde_json::from_str(&job).unwrap(), door)
    }

    pub fn next(&mut self) -> Do {
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub fn done(&mut self) {
        self.to.write_all(b"\n").unwrap();
    }

    pub fn answer(mut self, answer: &Answer) {
        writeln!(self.to, "{}", serde_json::to_string(answer).unwrap()).unwrap();
    }
}
