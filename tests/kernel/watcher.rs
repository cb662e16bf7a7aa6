//! A watch in a process of its own, which prints what it is told.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use khelper::abi::wait::WaitStatus;
use khelper::kernel::observation::{Cause, Executed, Observation};
use khelper::kernel::watch::{Loss, Told, Watch};

pub const PROCESS: &str = "KHELPER_TEST_WATCHER";

/// The other process: prints `ready`, a line for each item, and when its standard input ends the counts and `end`.
pub fn process() {
    let watch = match Watch::start(1 << 14) {
        Ok(watch) => watch,
        Err((knowledge, error)) => {
            say(&format!("no {error:?} {knowledge:?}"));
            return;
        }
    };
    say(&format!("ready {:?}", watch.status().knowledge));
    std::thread::scope(|scope| {
        let stopper = watch.stopper();
        scope.spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            stopper.stop();
        });
        while let Some(told) = watch.next() {
            match told {
                // Told again at its end.
                Told::Started(_) | Told::Listed => {}
                Told::Helper(observation) => say(&line(&observation)),
                Told::Lost(Loss::Trace { forks, count, from, to }) => {
                    say(&format!("lost {} {forks} {}", count.unwrap_or(0), to - from));
                }
                Told::Lost(loss) => say(&format!("loss {loss:?}")),
                Told::Missed(count) => say(&format!("missed {count}")),
            }
        }
    });
    say(&format!("counts {:?}", watch.status()));
    say("end");
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "\n> {line}");
}

fn line(observation: &Observation) -> String {
    let (executed, file) = match &observation.executed {
        Executed::Yes { file, comm } => {
            ("yes", file.as_deref().map_or(format!("{comm:?}"), |f| String::from_utf8_lossy(f).into_owned()))
        }
        Executed::Failed => ("failed", String::new()),
        Executed::Unknown(why) => ("unknown", why.name().to_owned()),
    };
    let tid = observation.requester.as_ref().map_or(0, |requester| requester.tid);
    let uid = observation
        .requester
        .as_ref()
        .ok()
        .and_then(|r| r.facts.as_ref().ok())
        .map_or(-1, |facts| i64::from(facts.uid));
    let status = observation.status.map_or(-1, WaitStatus::raw);
    let doubts = observation.doubts;
    let argv = observation.facts.is_ok();
    let (cause, site, module) = match &observation.cause {
        Ok(Cause::Module(request)) => {
            ("module", request.call_site, String::from_utf8_lossy(&request.name).into_owned())
        }
        Ok(Cause::ReleaseAgent) => ("release_agent", 0, String::new()),
        Ok(Cause::Other) => ("other", 0, String::new()),
        Err(why) => (why.name(), 0, String::new()),
    };
    format!(
        "helper {} {tid} {status} {executed} {} {} {uid} {argv} {cause} {site} {module:?} {file}",
        observation.pid, doubts.requester, doubts.is_helper
    )
}

/// What the other process said about one helper.
#[derive(Clone, Debug)]
pub struct Seen {
    pub pid: i32,
    /// 0: not known.
    pub tid: i32,
    /// -1: not known.
    pub status: i32,
    pub executed: String,
    pub doubtful: bool,
    /// It may be no helper.
    pub may_be_none: bool,
    pub uid: i64,
    pub argv: bool,
    /// `module`, `release_agent`, `other`, or why it is not known.
    pub cause: String,
    /// The address in the kernel that asked for the module, and the module's name as Rust writes it.
    pub module: (u64, String),
    pub file: String,
}

pub enum Said {
    Ready(String),
    Helper(Seen),
    /// So many events.
    Lost(u64),
    Other(String),
}

pub struct Watcher {
    pub child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Watcher {
    /// `Err` says why there is no watch.
    pub fn start() -> Result<Self, String> {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "watcher_process", "--nocapture", "--quiet"])
            .env(PROCESS, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut watcher = Self { child, input, output };
        match watcher.next() {
            Said::Ready(knowledge) => {
                // As root on this kind of machine both sources are there; without them the tests would wait for ever.
                assert!(!knowledge.contains("Err("), "{knowledge}");
                let _ = writeln!(std::io::stderr(), "{knowledge}");
                Ok(watcher)
            }
            Said::Other(why) => Err(why),
            _ => panic!("the watcher said something else first"),
        }
    }

    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    pub fn next(&mut self) -> Said {
        loop {
            let mut line = String::new();
            if self.output.buffer().is_empty() {
                let fd = PollFd::new(self.output.get_ref().as_fd(), PollFlags::POLLIN);
                let ready = poll(&mut [fd], PollTimeout::try_from(120_000).unwrap()).unwrap();
                assert_eq!(ready, 1, "the watcher has said nothing for two minutes");
            }
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the watcher ended");
            let Some(line) = line.trim_end().strip_prefix("> ") else { continue };
            let mut words = line.split(' ');
            let mut word = || words.next().unwrap_or_default().to_owned();
            return match word().as_str() {
                "ready" => Said::Ready(line.to_owned()),
                "lost" => Said::Lost(word().parse().unwrap()),
                "helper" => Said::Helper(Seen {
                    pid: word().parse().unwrap(),
                    tid: word().parse().unwrap(),
                    status: word().parse().unwrap(),
                    executed: word(),
                    doubtful: word() == "true",
                    may_be_none: word() == "true",
                    uid: word().parse().unwrap(),
                    argv: word() == "true",
                    cause: word(),
                    module: (word().parse().unwrap(), word()),
                    file: word(),
                }),
                _ => Said::Other(line.to_owned()),
            };
        }
    }

    /// Reads helpers until `enough`.
    pub fn until(&mut self, seen: &mut Vec<Seen>, lost: &mut u64, enough: impl Fn(&[Seen]) -> bool) {
        while !enough(seen) {
            match self.next() {
                Said::Helper(helper) => seen.push(helper),
                Said::Lost(count) => *lost += count,
                Said::Ready(line) | Said::Other(line) => drop(writeln!(std::io::stderr(), "{line}")),
            }
        }
    }

    /// Ends the watch and reads the rest. Returns the line with its counts.
    pub fn end(&mut self, seen: &mut Vec<Seen>, lost: &mut u64) -> String {
        drop(self.input.take());
        let mut counts = String::new();
        loop {
            match self.next() {
                Said::Helper(helper) => seen.push(helper),
                Said::Lost(count) => *lost += count,
                Said::Other(line) if line == "end" => break,
                Said::Ready(line) | Said::Other(line) => counts = line,
            }
        }
        self.child.wait().unwrap();
        counts
    }

    /// CPU time of the process so far, its resident memory and the most of that in KiB.
    pub fn costs(&self) -> (Duration, u64, u64) {
        let process = procfs::process::Process::new(self.pid()).unwrap();
        let (stat, status) = (process.stat().unwrap(), process.status().unwrap());
        let ticks = stat.utime + stat.stime;
        (
            Duration::from_millis(ticks * 1000 / procfs::ticks_per_second()),
            status.vmrss.unwrap_or(0),
            status.vmhwm.unwrap_or(0),
        )
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
