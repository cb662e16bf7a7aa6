//! Finds the least privilege of a program: runs it through an engine with one set after the other, as [`policy::finder`]
//! says.
//!
//! [`policy::finder`]: crate::policy::finder

mod machine;
pub mod text;

use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::cap::{CapMask, Capability};
use crate::abi::error::{ControlError, EngineError, Stage};
use crate::abi::mask::MaskExpr;
use crate::abi::record::{Outcome, Record};
use crate::kernel::capable::{Checked, Checks};
use crate::policy::finder::{End, Found, How, Next, Plan, Purpose, Run, next};
use crate::sys::host::Host;
use crate::sys::linux::LinuxHost;

use super::command::Call;
use machine::Machine;

/// What is run.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The program itself.
    pub program: Call,
    /// Run after it, with every capability: its exit status and its output belong to the result.
    pub check: Option<Call>,
    /// Run after both, with every capability: it undoes what the program did.
    pub reset: Option<Call>,
}

/// Why the search ended without a result.
#[derive(Debug)]
pub enum Failure {
    /// The caller stopped waiting.
    Interrupted,
    /// A program could not be run, or the reset did not exit with 0.
    Record {
        /// Which of the three.
        what: &'static str,
        /// How it ended.
        record: Arc<Record>,
    },
    /// The target refused.
    Control(ControlError),
}

/// Runs one call to its end; `None` if the caller stopped waiting.
pub trait Runs: FnMut(Call) -> Option<Result<Arc<Record>, ControlError>> {}
impl<F: FnMut(Call) -> Option<Result<Arc<Record>, ControlError>>> Runs for F {}

/// A search.
pub struct Finder {
    programs: Programs,
    plan: Plan,
    checks: Option<Checks>,
    before: Machine,
    runs: Vec<Run>,
}

impl Finder {
    /// A search for the capabilities that these programs need. The engine that will run them has started already.
    ///
    /// # Errors
    /// `EPERM` if this process is not root, or may not take capabilities from its children.
    pub fn new(programs: Programs) -> Result<Self, ControlError> {
        let host = LinuxHost::new();
        let (sets, known) = (host.sets(), host.known());
        let may_narrow = sets.permitted.at_least().has(Capability::SETPCAP);
        if host.actor().uid != 0 || !may_narrow {
            let why = "a capability is taken from a program of root, and this needs CAP_SETPCAP";
            return Err(ControlError::Engine(EngineError::new(Stage::Enforce, Errno::EPERM, why, "run it as root")));
        }
        let plan = Plan { all: sets.bounding.at_most() & known, resets: programs.reset.is_some() };
        Ok(Self { programs, plan, checks: Checks::start(), before: Machine::read(), runs: Vec::new() })
    }

    /// Whether the kernel tells which capabilities are used.
    pub const fn is_traced(&self) -> bool {
        self.checks.is_some()
    }

    /// Whether each run is undone.
    pub const fn resets(&self) -> bool {
        self.plan.resets
    }

    /// How often the program has run.
    pub const fn count(&self) -> usize {
        self.runs.len()
    }

    /// Runs the programs until the result is known. `each` is called before each run of the program, with its number from
    /// 1, its purpose and its set.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn find(
        &mut self,
        run: &mut dyn Runs,
        each: &mut dyn FnMut(usize, Purpose, CapMask),
    ) -> Result<Found, Failure> {
        loop {
            match next(&self.plan, &self.runs) {
                Next::Done(found) => return Ok(found),
                Next::Run(purpose, set) => {
                    each(self.runs.len() + 1, purpose, set);
                    let one = self.one(run, set)?;
                    self.runs.push(one);
                }
            }
        }
    }

    fn one(&self, run: &mut dyn Runs, set: CapMask) -> Result<Run, Failure> {
        let exactly = Some(MaskExpr::Exactly(set));
        let call = Call { bset: exactly, inheritable: exactly, ..self.programs.program.clone() };
        let traced = self.checks.as_ref().filter(|checks| checks.begin());
        let record = ended(run(call))?;
        let checked = record.pid.and_then(|pid| traced?.of(pid));
        let mut end = self.end("the program", &record, set == self.plan.all)?;
        if let Some(check) = &self.programs.check {
            let record = ended(run(check.clone()))?;
            let checked = self.end("the check", &record, true)?;
            end.check = Some(checked.how);
            let [stdout, stderr, ..] = checked.texts;
            [end.texts[2], end.texts[3]] = [stdout, stderr];
        }
        if let Some(reset) = &self.programs.reset {
            let record = ended(run(reset.clone()))?;
            // With less than everything the program may have done nothing that can be undone, as rmmod(8) then says.
            let exited = record.outcome == Outcome::Exited && !record.timed_out;
            if set == self.plan.all || !exited {
                undo(&record)?;
            }
        }
        let Checked { used, refused } = checked.unwrap_or_default();
        let changed = self.before.changes(&Machine::read());
        Ok(Run { end, changed, used: checked.map(|_| used), refused })
    }

    /// How it ended; with everything allowed it must at least have been executed.
    fn end(&self, what: &'static str, record: &Arc<Record>, must_run: bool) -> Result<End, Failure> {
        let status = record.status;
        let how = match (record.outcome, record.errno) {
            (Outcome::Exited | Outcome::Killed, _) if record.timed_out => Some(How::TimedOut),
            (Outcome::Exited, _) => status.and_then(|status| status.exit_code()).map(How::Exited),
            (Outcome::Killed, _) => status.and_then(|status| status.signal()).map(How::Killed),
            (Outcome::ExecFailed, Some(errno)) if !must_run => Some(How::NotExecuted(errno)),
            _ => None,
        };
        let how = how.ok_or_else(|| Failure::Record { what, record: record.clone() })?;
        let output = record.output.as_deref();
        let text = |of: fn(&crate::abi::record::Output) -> &Vec<u8>| output.map(of).cloned().unwrap_or_default();
        Ok(End { how, check: None, texts: [text(|o| &o.stdout), text(|o| &o.stderr), Vec::new(), Vec::new()] })
    }
}

fn ended(reply: Option<Result<Arc<Record>, ControlError>>) -> Result<Arc<Record>, Failure> {
    match reply {
        None => Err(Failure::Interrupted),
        Some(Ok(record)) if record.outcome == Outcome::Abandoned => Err(Failure::Interrupted),
        Some(reply) => reply.map_err(Failure::Control),
    }
}

/// Whether a reset has succeeded.
///
/// # Errors
/// [`Failure::Record`] if it has not.
pub fn undo(record: &Arc<Record>) -> Result<(), Failure> {
    let exited = record.outcome == Outcome::Exited && !record.timed_out;
    match exited && record.status.is_some_and(|status| status.exit_code() == Some(0)) {
        true => Ok(()),
        false => Err(Failure::Record { what: "the reset", record: record.clone() }),
    }
}
