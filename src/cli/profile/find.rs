//! `khelper profile find`: asks, runs the search, and shows what it found.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};

use crate::abi::argv_text;
use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::record::Record;
use crate::cli::exit::Verdict;
use crate::cli::follow_log::explain;
use crate::cli::output::say;
use crate::cli::request::{Asker, fail};
use crate::control::finder::text::{judged, names, profile, verdict, why};
use crate::control::finder::{Failure, Finder, Programs, undo};
use crate::control::terminate::kill_all;
use crate::control::text::outcome;
use crate::control::{Call, Command, Reply};
use crate::policy::finder::{Found, MOST_RUNS, Purpose};

use super::Find;

impl Asker {
    pub(super) fn find(&self, find: &Find) -> Verdict {
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
            let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
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
        let argv = argv_text::join(find.argv.iter().map(|arg| arg.as_bytes()));
        let text = match found {
            Found::Needs { set, judge, .. } => Some(profile(&argv, spent.runs, *set, judge)),
            _ => None,
        };
        if find.json {
            self.json(&spent.object(found, why, text));
            return;
        }
        if let (true, Some(text)) = (find.profile_text, &text) {
            self.answers.write(text.as_bytes(), b"");
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
        if find.profile_text {
            // There is none, and nothing else may be taken for it.
            lines.iter().for_each(|line| say(line));
            return;
        }
        lines.iter().for_each(|line| self.answers.line(line));
        let seen = if spent.traced { "" } else { "; the kernel does not tell which capabilities are used" };
        self.answers.line(&format!("runs      {} in {:.1} s{seen}", spent.runs, spent.time.as_secs_f64()));
        if let Some(text) = text {
            self.answers.line(&format!("\n{}", text.trim_end()));
        }
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
    fn object(&self, found: &Found, why: Option<(String, String)>, profile: Option<String>) -> Value {
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
            object["profile"] = json!(profile);
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
