//! `khelper profile`: what a program may do.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Subcommand;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};

use crate::abi::argv_text;
use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::record::Record;
use crate::abi::wait::WaitMode;
use crate::control::finder::text::{judged, names, verdict, why};
use crate::control::finder::{Failure, Finder, Programs, undo};
use crate::control::terminate::kill_all;
use crate::control::text::outcome;
use crate::control::text::outcome::MASKS_AND_ROOT;
use crate::control::{Call, Command, Reply};
use crate::policy::finder::{Found, MOST_RUNS, Purpose};
use crate::verbs::options::seconds;

use super::exit::Verdict;
use super::follow_log::explain;
use super::output::say;
use super::request::{Asker, fail};

/// `profile`.
#[derive(Debug, clap::Args)]
pub struct Profile {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Find the fewest and weakest capabilities with which a program ends as it does with all of them
    ///
    /// The program runs up to 60 times, as root: without any capability, with all of them, and with fewer and fewer. Two
    /// runs are the same if exit status, signal, stdout and stderr are. What varies with all capabilities is compared
    /// without its numbers, or not at all, and named.
    #[command(after_help = MASKS_AND_ROOT)]
    Find(Find),
}

/// `profile find`.
#[derive(Debug, clap::Args)]
struct Find {
    /// Run this after each run: its exit status and output are part of the result
    #[arg(long, value_name = "PATH [ARG]", num_args = 1.., value_terminator = ";")]
    check: Vec<OsString>,
    /// Run this after each run, to undo it; without it, a program that leaves something behind has no result
    #[arg(long, value_name = "PATH [ARG]", num_args = 1.., value_terminator = ";")]
    reset: Vec<OsString>,
    /// How long one run may take
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    timeout: Duration,
    /// Do not ask before the first run
    #[arg(long, short)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// The absolute path of the program, and its arguments
    #[arg(value_name = "PATH [ARG]", last = true, required = true)]
    argv: Vec<OsString>,
}

impl Profile {
    /// Whether it runs programs through an engine of this process.
    pub(super) const fn runs(&self) -> bool {
        matches!(self.verb, Verb::Find(_))
    }
}

impl Find {
    fn call(&self, argv: &[OsString]) -> Option<Call> {
        let (path, args) = argv.split_first()?;
        Some(Call {
            path: path.as_bytes().to_vec(),
            args: args.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
            env: Vec::new(),
            wait: WaitMode::PROC,
            bset: None,
            inheritable: None,
            timeout: Some(self.timeout),
        })
    }
}

impl Asker {
    /// `khelper profile`.
    pub(super) fn profile(&self, profile: &Profile) -> Verdict {
        match &profile.verb {
            Verb::Find(find) => self.find(find),
        }
    }

    fn find(&self, find: &Find) -> Verdict {
        let Some(program) = find.call(&find.argv) else { return Verdict::Usage };
        let (check, reset) = (find.call(&find.check), find.call(&find.reset));
        let mut finder = match Finder::new(Programs { program, check, reset: reset.clone() }) {
            Ok(finder) => finder,
            Err(error) => return fail(&error),
        };
        if let Err(verdict) = self.agree(find) {
            return verdict;
        }
        let begun = Instant::now();
        let mut run = |call: Call| self.call(call);
        let found = finder.find(&mut run, &mut |number, purpose, set| progress(number, purpose, set));
        progress_is_over();
        match found {
            Ok(found) => {
                let spent = Spent { runs: finder.count(), time: begun.elapsed(), traced: finder.is_traced() };
                self.found(find, &found, &spent);
                Verdict::Own(u8::from(!matches!(found, Found::Needs { .. })))
            }
            Err(failure) => self.failed(failure, reset),
        }
    }

    /// Asks whether the program may run so often. The error is that nobody has agreed.
    fn agree(&self, find: &Find) -> Result<(), Verdict> {
        let title = argv_text::join(find.argv.iter().map(|arg| arg.as_bytes()));
        let after: Vec<&str> = [(&find.check, "the check"), (&find.reset, "the reset")]
            .into_iter()
            .filter_map(|(argv, name)| (!argv.is_empty()).then_some(name))
            .collect();
        let after =
            if after.is_empty() { String::new() } else { format!(", and {} after each run", after.join(" and ")) };
        let question = format!("this runs {title} up to {MOST_RUNS} times as root{after}");
        if find.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            say(&format!("{question}; agree with --yes"));
            return Err(Verdict::Usage);
        }
        let _ = write!(io::stderr().lock(), "khelper: {question}. Go on? [y/N] ");
        match self.line() {
            Some(line) if matches!(line.trim_ascii(), b"y" | b"Y" | b"yes") => Ok(()),
            Some(_) => {
                say("nothing was run");
                Err(Verdict::Own(1))
            }
            None => Err(Verdict::Interrupted),
        }
    }

    /// A line of the terminal; `None` if a signal came first. The main thread takes the signals, so that a read would not
    /// be interrupted.
    fn line(&self) -> Option<Vec<u8>> {
        let stdin = io::stdin();
        loop {
            if self.ending.is_interrupted() {
                return None;
            }
            let mut fds = [PollFd::new(std::os::fd::AsFd::as_fd(&stdin), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::from(100u8)) {
                Ok(0) | Err(Errno::EINTR) => {}
                _ => break,
            }
        }
        let mut line = String::new();
        let _ = stdin.read_line(&mut line);
        Some(line.into_bytes())
    }

    /// Runs a call to its end; `None` if a signal came first.
    fn call(&self, call: Call) -> Option<Result<Arc<Record>, ControlError>> {
        let reply = self.one(Command::Call(call))?;
        if self.ending.is_interrupted() {
            return None;
        }
        Some(reply.and_then(answered))
    }

    fn found(&self, find: &Find, found: &Found, spent: &Spent) {
        let why = why(found, !find.reset.is_empty());
        if find.json {
            self.json(&spent.object(found, why));
            return;
        }
        let lines = match (found, why) {
            (Found::Needs { set, judge, missed }, _) => {
                let (by, varies) = judged(judge);
                let mut lines = vec![format!("needs     {}", names(*set)), format!("judged    {by}")];
                if !varies.is_empty() {
                    lines.push(format!("varies    {}: not judged", varies.join(", ")));
                }
                if !missed.is_empty() {
                    lines.push(format!("asks too  {}: {}", names(*missed), MISSED));
                }
                lines
            }
            (_, Some((why, advice))) => vec![format!("{}: {why}; {advice}", verdict(found))],
            // Only what is needed has no reason.
            (_, None) => Vec::new(),
        };
        lines.iter().for_each(|line| self.answers.line(line));
        let seen = if spent.traced { "" } else { "; the kernel does not tell which capabilities are used" };
        self.answers.line(&format!("runs      {} in {:.1} s{seen}", spent.runs, spent.time.as_secs_f64()));
    }

    /// Says why there is no result. What a run has done is undone even after ctrl-c.
    fn failed(&self, failure: Failure, reset: Option<Call>) -> Verdict {
        match failure {
            Failure::Control(error) => fail(&error),
            Failure::Record { what, record } => {
                say(&format!("{what} did not run as it must: {}", outcome::line(&record)));
                explain(&record);
                match Verdict::of(&record) {
                    Verdict::Own(0) => Verdict::Own(1),
                    other => other,
                }
            }
            Failure::Interrupted => {
                // The program that the command no longer waits for: nothing may run beside the reset.
                kill_all(&*self.caller.target, &self.caller.by);
                let reply = reset.map(|call| self.caller.ask(Command::Call(call)).and_then(answered));
                match reply.map(|reply| reply.map(|record| undo(&record))) {
                    Some(Ok(Ok(()))) => say("the last run was undone"),
                    Some(Ok(Err(_)) | Err(_)) => say("the reset has failed: the last run was not undone"),
                    None => {}
                }
                Verdict::Interrupted
            }
        }
    }
}

/// What it means that a program asks for more than it needs.
const MISSED: &str = "refused with this set, and it ends the same (every program asks for cap_sys_admin)";

/// What the search took.
struct Spent {
    runs: usize,
    time: Duration,
    traced: bool,
}

impl Spent {
    fn object(&self, found: &Found, why: Option<(String, String)>) -> Value {
        let mut object = json!({
            "v": 1,
            "verdict": verdict(found).replace(' ', "_"),
            "runs": self.runs,
            "seconds": self.time.as_secs_f64(),
            "traced": self.traced,
        });
        let list = |set: CapMask| set.iter().map(|cap| cap.name()).collect::<Vec<_>>();
        if let Found::Needs { set, judge, missed } = found {
            let (by, varies) = judged(judge);
            object["capabilities"] = json!(list(*set));
            object["mask"] = json!(set);
            object["judged"] = json!(by);
            object["varies"] = json!(varies);
            object["refused"] = json!(list(*missed));
        }
        if let Some((why, advice)) = why {
            object["why"] = json!(why);
            object["advice"] = json!(advice);
        }
        object
    }
}

fn answered(reply: Reply) -> Result<Arc<Record>, ControlError> {
    match reply {
        Reply::Answered(record) => Ok(record),
        // The reply to a call is always a record.
        _ => Err(ControlError::Unavailable("the engine gave no record".into())),
    }
}

/// Shows on a terminal which run it is; the next one overwrites it.
fn progress(number: usize, purpose: Purpose, set: CapMask) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let with = match purpose {
            Purpose::Bare => "without any capability".to_owned(),
            Purpose::Baseline => "with every capability".to_owned(),
            Purpose::Trial => format!("with {} of them", set.len()),
            Purpose::Confirmation => format!("with the {} found", set.len()),
        };
        let _ = write!(stderr, "\rrun {number}: {with}\x1b[K");
    }
}

fn progress_is_over() {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let _ = write!(stderr, "\r\x1b[K");
    }
}
