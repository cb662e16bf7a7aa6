//! `khelper request` and `khelper run`: each answer is printed when it comes.

use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::abi::actor::Origin;
use crate::abi::error::ControlError;
use crate::abi::record::Record;
use crate::control::record_json::Entry;
use crate::control::text::outcome;
use crate::control::{Command, Reply, dispatch};
use crate::engine::{Cancel, Engine};

use super::args::{Request, Run};
use super::exit::Verdict;
use super::follow_log::explain;
use super::output::{Answers, complain, output, say, terminals};

/// A thread that waits for one request needs little.
const STACK: usize = 128 * 1024;

/// How a command asks: over this engine, until this fires, answering here.
pub struct Asker<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// ctrl-c.
    pub cancel: &'a Cancel,
    /// Where the answers go.
    pub answers: &'a Answers,
}

impl Asker<'_> {
    /// `khelper request`: the list of names so many times, up to so many at the same time.
    pub fn request(&self, args: &Request) -> Verdict {
        let total = args.names.len().saturating_mul(args.repeat as usize);
        let next = AtomicUsize::new(0);
        let verdict = Mutex::new(Verdict::Own(0));
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= total {
                    return;
                }
                let name = args.names[at % args.names.len()].as_bytes().to_vec();
                let one = self.ask(Command::RequestModule { name, wait: !args.nowait }, |r| self.answer(r, args.json));
                let mut all = verdict.lock().unwrap_or_else(PoisonError::into_inner);
                *all = all.and(one);
            }
        };
        thread::scope(|scope| {
            for _ in 1..usize::from(args.parallel).min(total) {
                let thread = thread::Builder::new().name("request".into()).stack_size(STACK);
                if let Err(e) = thread.spawn_scoped(scope, work) {
                    say(&format!("no thread for more requests at the same time: {e}; going on with fewer"));
                    break;
                }
            }
            work();
        });
        verdict.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// `khelper run`.
    pub fn run(&self, args: &Run) -> Verdict {
        match args.call(self.engine.known()) {
            Ok(call) => self.ask(Command::Call(call), |r| self.answer(r, args.json)),
            Err(error) => fail(&error),
        }
    }

    /// One request. After ctrl-c none is begun.
    pub(super) fn ask(&self, command: Command, answer: impl Fn(&Record)) -> Verdict {
        if self.cancel.is_cancelled() {
            return Verdict::Interrupted;
        }
        match dispatch(self.engine, Origin::CommandLine, command, self.cancel) {
            Ok(Reply::Answered(record)) => {
                answer(&record);
                explain(&record);
                Verdict::of(&record)
            }
            // Requests are answered with a record and nothing else.
            Ok(_) => Verdict::Own(0),
            Err(error) => fail(&error),
        }
    }

    /// The answer: the record as JSON; or for a person what the helper wrote, then one line.
    pub fn answer(&self, record: &Record, json: bool) {
        if json {
            self.json(&Entry::from(record));
            return;
        }
        let (stdout, stderr) = terminals();
        let wrote = record.output.as_deref();
        let mut out = wrote.map(|o| output(&o.stdout, stdout)).unwrap_or_default();
        out.extend(format!("{}\n", outcome::line(record)).into_bytes());
        self.answers.write(&out, &wrote.map(|o| output(&o.stderr, stderr)).unwrap_or_default());
        if let Some(dropped) = wrote.map(|o| o.dropped).filter(|n| *n > 0) {
            say(&format!("{}: {dropped} bytes of output before the last 64 KiB were not kept", outcome::title(record)));
        }
    }

    /// One object, one line.
    pub fn json(&self, object: &impl serde::Serialize) {
        match serde_json::to_string(object) {
            Ok(text) => self.answers.line(&text),
            Err(e) => say(&format!("a record could not be written as JSON: {e}")),
        }
    }
}

fn fail(error: &ControlError) -> Verdict {
    complain(error);
    Verdict::of_error(error)
}
