//! `khelper rehearse`: a program under draft masks and under the live ones.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::record::Record;
use crate::control::batch::Batch;
use crate::control::record_json::{Entry, V};
use crate::control::rehearsal::{Rehearsal, Rehearsed, Run};
use crate::control::text::rehearsal::{compare, differences};
use crate::control::{Command, Reply};
use crate::verbs::operate::Draft;

use super::exit::Verdict;
use super::operate::snapshot;
use super::request::{Asker, fail};

/// `rehearse --json`.
#[derive(Serialize)]
struct Both<'a> {
    v: u8,
    target: &'a str,
    run: String,
    draft: Option<Entry<'a>>,
    live: Option<Entry<'a>>,
    differences: Vec<String>,
}

impl Asker {
    /// Runs the program under the draft, then under the live masks, and prints both results.
    pub(super) fn rehearse(&self, draft: Draft, json: bool) -> Verdict {
        let (live_masks, known) = match snapshot(&self.caller) {
            Ok(s) => ([s.knobs.bset, s.knobs.inheritable], s.known),
            Err(error) => return fail(&error),
        };
        let masks = draft.masks(live_masks, known);
        let mut rehearsal = Rehearsal::started(draft.run, masks, 0);
        let (mut next, mut verdict) = (Some(rehearsal.run.command(Some(masks))), Verdict::Own(0));
        for call in 0.. {
            let Some(command) = next.take() else { break };
            let Some(reply) = self.one(command) else { return verdict.and(Verdict::Interrupted) };
            verdict = verdict.and(match &reply {
                Ok(Reply::Answered(record)) => Verdict::of(record),
                Ok(_) => Verdict::Own(0),
                Err(error) => fail(error),
            });
            next = rehearsal.answered(call, reply, call + 1);
        }
        let [draft, live] = [&rehearsal.runs[0], &rehearsal.runs[1]].map(Rehearsed::record);
        let differ = match (draft, live) {
            (Some(draft), Some(live)) => differences(draft, live, matches!(rehearsal.run, Run::Probe)),
            _ => Vec::new(),
        };
        if json {
            let info = self.caller.target.info();
            let (target, run, source) = (info.short_name(), info.run.to_string(), self.source());
            let [draft, live] = [draft, live].map(|record| record.map(|record| self.entry(record, &source)));
            self.json(&Both { v: V, target, run, draft, live, differences: differ });
        } else if let (Some(draft), Some(live)) = (draft, live) {
            self.table(draft, live, known);
            differ.iter().for_each(|line| self.answers.line(line));
            if differ.is_empty() {
                self.answers.line(rehearsal.run.no_difference(masks == live_masks));
            }
        }
        verdict
    }

    /// Submits one command; `None` if a signal came first.
    fn one(&self, command: Command) -> Option<Result<Reply, ControlError>> {
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
