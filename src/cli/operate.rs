//! The verbs that look at a running engine and act on it: `ps`, `status`, `metrics`, `kill`, `abandon`, `gate`.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::abi::error::{ControlError, ParseError};
use crate::abi::record::{Record, State};
use crate::abi::rules_mode::RulesState;
use crate::abi::sink::LedgerState;
use crate::abi::snapshot::{Live, Snapshot, Totals};
use crate::abi::time::Micros;
use crate::control::kernel_json;
use crate::control::metrics::{self, Form};
use crate::control::pages;
use crate::control::read_tree::read_tree;
use crate::control::record_json::{Entry, V};
use crate::control::target::{TargetInfo, TargetKind};
use crate::control::text::{kernel, ps, status, tree};
use crate::control::{Command, Key, Reply};
use crate::verbs::perform::{Act, no_helper};

use super::Caller;
use super::exit::Verdict;
use super::request::{Asker, fail};

/// The state of the engine.
pub(super) fn snapshot(caller: &Caller) -> Result<Box<Snapshot>, ControlError> {
    match caller.ask(Command::Status)? {
        Reply::Status(snapshot) => Ok(snapshot),
        // The reply to `Status` is always a state.
        _ => Err(ControlError::Unavailable("the target's answer is not a state".into())),
    }
}

/// A request of `ps --json`: its record so far, and what runs now.
#[derive(Serialize)]
struct Running<'a> {
    #[serde(flatten)]
    record: Entry<'a>,
    state: State,
    elapsed_us: Micros,
    holds_slot: bool,
}

/// `status --json`.
#[derive(Serialize)]
struct StateOf<'a> {
    v: u8,
    target: &'a str,
    run: String,
    version: &'a str,
    pid: i32,
    uid: u32,
    uptime_us: Option<Micros>,
    running: u32,
    queued: u32,
    calls: u32,
    gate: &'static str,
    draining: bool,
    era: &'static str,
    slots: u32,
    slots_limit: u32,
    slots_waiting: u32,
    watchers: u32,
    ledger: Option<&'a LedgerState>,
    rules: Option<&'a RulesState>,
    drift: Option<usize>,
    totals: &'a Totals,
}

impl<'a> StateOf<'a> {
    fn of(info: &'a TargetInfo, s: &'a Snapshot) -> Self {
        Self {
            v: V,
            target: info.short_name(),
            run: info.run.to_string(),
            version: &info.version,
            pid: info.pid,
            uid: info.uid,
            uptime_us: status::uptime(info, s),
            running: s.live,
            queued: s.queued,
            calls: s.running_helpers,
            gate: s.gate.name(),
            draining: s.draining,
            era: s.knobs.era.name(),
            slots: s.slots.concurrent,
            slots_limit: s.slots.limit,
            slots_waiting: s.slots.waiting,
            watchers: s.watchers,
            ledger: s.ledger.as_ref(),
            rules: s.rules.as_ref(),
            drift: None,
            totals: &s.totals,
        }
    }
}

/// Whether the state is that of a list of the kernel's helpers, which no watch has made.
fn is_listed(s: &Snapshot) -> bool {
    s.kernel.as_ref().is_some_and(|watch| watch.since.is_none())
}

/// The error for what only a watch that runs for a while can answer.
fn not_by_list(why: &str, verb: &str) -> ControlError {
    ControlError::Unsupported(format!(
        "{why}, and this command starts none: start `khelper serve --watch-kernel`, then `khelper {verb} -t daemon/kernel`"
    ))
}

impl Asker {
    /// `khelper ps`.
    pub(super) fn ps(&self, tree: bool, json: bool) -> Verdict {
        let all = snapshot(&self.caller).and_then(|s| Ok((s, pages::live(&*self.caller.target, &self.caller.by)?)));
        let (s, all) = match all {
            Ok(all) => all,
            Err(error) => return fail(&error),
        };
        if tree && is_listed(&s) {
            return fail(&not_by_list("who asked for a helper is known to a watch alone", "ps --tree"));
        }
        // A daemon that watches the kernel has its helpers, too.
        let beside = s.kernel.as_ref().and_then(|_| self.caller.target.beside()).filter(|_| !tree);
        let beside = beside.map(|kernel| Self { caller: Caller::of_daemon(kernel), ..self.clone() });
        if json {
            let own = self.running(&s, &all).unwrap_or_else(|error| fail(&error));
            return own.and(beside.map_or(Verdict::Own(0), |kernel| kernel.ps(false, true)));
        }
        let lines = match tree {
            true => match read_tree(&*self.caller.target, &self.caller.by, &s, &all) {
                Ok(tree) => tree::lines(&tree),
                Err(error) => return fail(&error),
            },
            false => {
                let rows = self.rows(&s, &all).and_then(|mut rows| {
                    if let Some(kernel) = &beside {
                        let state = snapshot(&kernel.caller)?;
                        let live = pages::live(&*kernel.caller.target, &kernel.caller.by)?;
                        rows.extend(kernel.rows(&state, &live)?);
                    }
                    Ok(rows)
                });
                match rows {
                    Ok(rows) => ps::aligned(rows),
                    Err(error) => return fail(&error),
                }
            }
        };
        lines.iter().for_each(|line| self.answers.line(line));
        Verdict::Own(0)
    }

    fn running(&self, s: &Snapshot, all: &[Live]) -> Result<Verdict, ControlError> {
        let source = self.source();
        for record in self.records(all)? {
            self.json(&Running {
                record: Entry::of(&record, &source),
                state: record.state,
                elapsed_us: s.now.saturating_sub(record.at),
                holds_slot: s.slots.holders.contains(&record.id),
            });
        }
        Ok(Verdict::Own(0))
    }

    fn rows(&self, s: &Snapshot, all: &[Live]) -> Result<Vec<ps::Cells>, ControlError> {
        let info = self.caller.target.info();
        match info.kind {
            TargetKind::Kernel => Ok(kernel::rows(info.short_name(), s.now, &self.records(all)?)),
            _ => Ok(ps::rows(info.short_name(), s.now, all)),
        }
    }

    /// The records of these requests, without those that have ended since the list was read.
    fn records(&self, all: &[Live]) -> Result<Vec<Arc<Record>>, ControlError> {
        let ids: Vec<u64> = all.iter().map(|live| live.id).collect();
        let mut records = pages::records(&*self.caller.target, &self.caller.by, &ids)?;
        records.retain(|record| record.state != State::Ended);
        Ok(records)
    }

    /// `khelper status`.
    pub(super) fn status(&self, json: bool) -> Verdict {
        let (s, info) = match snapshot(&self.caller) {
            Ok(s) => (s, self.caller.target.info()),
            Err(error) => return fail(&error),
        };
        // A reader may not compare, and an engine without configuration files has nothing to compare with.
        let compared = match self.caller.ask(Command::Diff) {
            Ok(Reply::Diff(compared)) => Some(compared),
            _ => None,
        };
        if let (true, TargetKind::Kernel, Some(watch)) = (json, info.kind, &s.kernel) {
            self.answers.line(&kernel_json::status(&info, &s, watch));
        } else if json {
            self.json(&StateOf { drift: compared.map(|compared| compared.drift.len()), ..StateOf::of(&info, &s) });
        } else {
            let lines = status::lines(&info, &s).into_iter();
            lines.chain(compared.map(|compared| status::drift(&compared))).for_each(|line| self.answers.line(&line));
        }
        Verdict::Own(0)
    }

    /// `khelper metrics`.
    pub(super) fn metrics(&self, textfile: Option<&Path>) -> Verdict {
        let (s, info) = match snapshot(&self.caller) {
            Ok(s) => (s, self.caller.target.info()),
            Err(error) => return fail(&error),
        };
        if is_listed(&s) {
            return fail(&not_by_list("counters count since a watch began", "metrics"));
        }
        match textfile {
            None => self.answers.write(metrics::text(&info, &s, Form::OpenMetrics).as_bytes(), b""),
            Some(path) => self.answers.replace(path, metrics::text(&info, &s, Form::Classic).as_bytes()),
        }
        Verdict::Own(0)
    }

    /// Performs acts in their order; a refused one does not stop the others.
    pub(super) fn acts(&self, acts: Vec<Act>) -> Verdict {
        acts.into_iter()
            .map(|act| self.act(act).unwrap_or_else(|error| fail(&error)))
            .fold(Verdict::Own(0), Verdict::and)
    }

    fn on_request(&self, command: Command, what: &str) -> Result<Verdict, ControlError> {
        match self.caller.ask(command)? {
            Reply::ChainEnded(ended) => {
                self.answers.line(&format!("{what}: {}", ps::chain_ended(&ended)));
                // What still runs was not ended.
                Ok(Verdict::Own(u8::from(!ended.is_whole())))
            }
            _ => {
                self.answers.line(what);
                Ok(Verdict::Own(0))
            }
        }
    }

    /// Whether the target is a watch of the kernel by this process.
    fn is_own_watch(&self) -> bool {
        let info = self.caller.target.info();
        info.kind == TargetKind::Kernel && info.name.is_empty()
    }

    fn act(&self, act: Act) -> Result<Verdict, ControlError> {
        match act {
            Act::OnProcess { pid, chain, signal, what } => {
                let all = pages::live(&*self.caller.target, &self.caller.by)?;
                let id = all.iter().find(|live| live.pid == Some(pid)).map(|live| live.id);
                let command = Act::signal(id.ok_or_else(|| no_helper(pid))?, chain, signal);
                return self.on_request(command, &what);
            }
            Act::OnRequest { command: Command::Kill { .. } | Command::KillChain { .. }, .. } if self.is_own_watch() => {
                let why = "the numbers of this watch of the kernel ended with the command that printed them";
                let advice = "name the process, as in `kill pid:4125`; a daemon's numbers last";
                let error = ParseError::invalid(why, advice);
                return Err(ControlError::Value { key: "kill".into(), error });
            }
            Act::OnRequest { command, what } => return self.on_request(command, &what),
            Act::Gate(depth) => {
                let changes = match self.caller.ask(Command::Write(vec![(Key::Gate, depth.into())]))? {
                    Reply::Written(changes) => changes,
                    _ => Vec::new(),
                };
                let info = self.caller.target.info();
                for change in changes {
                    let (name, key) = (info.short_name(), change.key);
                    self.answers.line(&format!("{name} {key}: {} → {}", change.before, change.after));
                }
            }
            // No verb of the shell performs these.
            Act::Write(_) | Act::Persist(_) | Act::Unpersist(_) | Act::Reset(_) | Act::ResetLoopMessages => {
                return Ok(Verdict::Usage);
            }
        }
        Ok(Verdict::Own(0))
    }
}
