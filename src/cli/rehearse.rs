//! `khelper rehearse`: a program under draft masks and under the live ones.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::record::Record;
use crate::abi::safe_text::SafeText;
use crate::control::batch::Batch;
use crate::control::record_json::{Entry, V};
use crate::control::text::rehearsal::compare;
use crate::control::{Command, Reply};
use crate::verbs::operate::Draft;

use super::exit::Verdict;
use super::request::{Asker, fail};

/// `rehearse --json`.
#[derive(Serialize)]
struct Both<'a> {
    v: u8,
    target: &'a str,
    run: String,
    draft: Option<Entry<'a>>,
    live: Option<Entry<'a>>,
    differences: &'a [SafeText],
}

impl Asker {
    /// Has the program run under the draft, then under the live masks, and prints both results.
    pub(super) fn rehearse(&self, draft: Draft, json: bool) -> Verdict {
        let program = draft.run.clone();
        let both = match self.one(draft.command()) {
            Some(Ok(Reply::Rehearsed(both))) => *both,
            // The reply to a rehearsal is always both runs.
            Some(Ok(_)) => return Verdict::Own(0),
            Some(Err(error)) => return fail(&error),
            None => return Verdict::Interrupted,
        };
        let verdict = [Some(&both.draft), both.live.as_ref()].into_iter().flatten().map(|record| Verdict::of(record));
        let verdict = verdict.fold(Verdict::Own(0), Verdict::and);
        let info = self.caller.target.info();
        if json {
            let (target, run, source) = (info.short_name(), info.run.to_string(), self.source());
            let draft = Some(self.entry(&both.draft, &source));
            let live = both.live.as_deref().map(|record| self.entry(record, &source));
            self.json(&Both { v: V, target, run, draft, live, differences: &both.differences });
        } else if let Some(live) = &both.live {
            self.table(&both.draft, live, info.known);
            both.differences.iter().for_each(|line| self.answers.line(line));
            if both.differences.is_empty() {
                self.answers.line(program.no_difference(both.as_live));
            }
        }
        verdict
    }

    /// Submits one command; `None` if a signal came first.
    pub(super) fn one(&self, command: Command) -> Option<Result<Reply, ControlError>> {
        let answer = Arc::new(Mutex::new(None));
        let store = answer.clone();
        let each = move |reply| *store.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply);
        self.ending.run(Batch::one(command), &self.caller, each);
        answer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn table(&self, draft: &Record, live: &Record, known: CapMask) {
        let rows = compare(draft, live, known);
        let width = rows.iter().map(|row| row.live.chars().count()).max().unwrap_or_default().max(8);
        self.answers.line(&format!("{:<12}{:<width$}  draft", "", "live"));
        for row in rows {
            self.answers.line(&format!("{:<12}{:<width$}  {}", row.name, row.live, row.draft));
        }
    }
}
