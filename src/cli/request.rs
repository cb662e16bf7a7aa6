//! `khelper request` and `khelper run`: each answer is printed as soon as it arrives.

use std::sync::{Arc, Mutex, PoisonError};

use crate::abi::error::ControlError;
use crate::abi::record::Record;
use crate::control::Reply;
use crate::control::batch::Batch;
use crate::control::record_json::{Entry, Source};
use crate::control::text::outcome;

use super::Caller;
use super::exit::Verdict;
use super::follow_log::{Lines, explain};
use super::output::{Answers, complain, output, say, terminals};
use super::sigint::Ending;

/// Where a command sends its requests, and where it prints the answers.
#[derive(Clone)]
pub(super) struct Asker {
    /// The target and the actor.
    pub(super) caller: Caller,
    /// The signals that end the command early.
    pub(super) ending: Arc<Ending>,
    /// The output.
    pub(super) answers: Arc<Answers>,
    /// The log of the command's own engine.
    pub(super) log: Option<Lines>,
}

impl Asker {
    /// Submits requests, and prints each answer.
    pub(super) fn requests(&self, batch: Batch, json: bool) -> Verdict {
        self.ask(batch, move |asker, record| asker.answer(record, json))
    }

    /// Submits the requests and calls `answer` with each record. After ctrl-c no further request is submitted.
    pub(super) fn ask(&self, batch: Batch, answer: impl Fn(&Self, &Record) + Send + Sync + 'static) -> Verdict {
        let verdict = Arc::new(Mutex::new(Verdict::Own(0)));
        let (asker, all) = (self.clone(), verdict.clone());
        let each = move |reply: Result<Reply, ControlError>| {
            let one = match reply {
                Ok(Reply::Answered(record)) => {
                    // What was logged before the answer is printed before it.
                    if let Some(lines) = &asker.log {
                        lines.print();
                    }
                    answer(&asker, &record);
                    explain(&record);
                    Verdict::of(&record)
                }
                // The reply to a request is always a record.
                Ok(_) => Verdict::Own(0),
                Err(error) => fail(&error),
            };
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            *all = all.and(one);
        };
        let all_submitted = self.ending.run(batch, &self.caller, each);
        let verdict = *verdict.lock().unwrap_or_else(PoisonError::into_inner);
        if all_submitted { verdict } else { verdict.and(Verdict::Interrupted) }
    }

    /// Prints a record: as JSON, or for a person the helper's output and then one line.
    pub(super) fn answer(&self, record: &Record, json: bool) {
        if json {
            let source = self.source();
            self.json(&self.entry(record, &source));
            return;
        }
        let (stdout, stderr) = terminals();
        let wrote = record.output.as_deref();
        let mut out = wrote.map(|o| output(&o.stdout, stdout)).unwrap_or_default();
        out.extend(format!("{}\n", outcome::line(record)).into_bytes());
        self.answers.write(&out, &wrote.map(|o| output(&o.stderr, stderr)).unwrap_or_default());
        if let Some(dropped) = wrote.map(|o| o.dropped).filter(|n| *n > 0) {
            say(&format!(
                "{}: {dropped} bytes of output were dropped; only the last 64 KiB are kept",
                outcome::title(record)
            ));
        }
    }

    /// The source of records of this command.
    pub(super) fn source(&self) -> Source {
        Source::of(&self.caller.target.info())
    }

    /// The JSON of a record of this command, with the chain of this process.
    pub(super) fn entry<'a>(&self, record: &'a Record, source: &'a Source) -> Entry<'a> {
        let entry = Entry::of(record, source);
        if record.chain.is_empty() { entry.with_chain(self.caller.chain()) } else { entry }
    }

    /// Prints one object on one line.
    pub(super) fn json(&self, object: &impl serde::Serialize) {
        match serde_json::to_string(object) {
            Ok(text) => self.answers.line(&text),
            Err(_) => say("cannot write a record as JSON: this is a bug of khelper"),
        }
    }
}

pub(super) fn fail(error: &ControlError) -> Verdict {
    complain(error);
    Verdict::of_error(error)
}
