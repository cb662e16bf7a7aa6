//! Rehearsals: a helper is run under draft masks and again under the live masks, so that both runs can be compared
//! before the draft is applied ([`crate::control::text::rehearsal`]).

use std::sync::Arc;

use crate::abi::argv_text;
use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::mask::MaskExpr;
use crate::abi::module::ModuleName;
use crate::abi::record::Record;
use crate::abi::wait::WaitMode;

use super::command::{Call, Command, Rehearse, Reply};
use super::text::error::explain;
use super::text::rehearsal::Program;

/// The program that is run twice.
#[derive(Clone, Debug)]
pub enum Run {
    /// The built-in probe.
    Probe,
    /// A program and its arguments, waited for.
    Call(Vec<u8>, Vec<Vec<u8>>),
}

impl Run {
    /// modprobe as a module request calls it; `dry`: with `-n`, so that nothing is loaded.
    pub fn modprobe(path: &[u8], name: &ModuleName, dry: bool) -> Self {
        let options: &[&[u8]] = if dry { &[b"-n", b"-q", b"--"] } else { &[b"-q", b"--"] };
        let args = options.iter().copied().chain([name.as_bytes()]).map(<[u8]>::to_vec).collect();
        Self::Call(path.to_vec(), args)
    }

    /// What is run, escaped.
    pub fn title(&self) -> String {
        match self {
            Self::Probe => "the built-in probe".to_owned(),
            Self::Call(path, args) => argv_text::join(std::iter::once(path).chain(args)),
        }
    }

    /// What it means that both runs are the same; with `as_live` the draft masks are the live ones.
    pub fn no_difference(&self, as_live: bool) -> &'static str {
        match self {
            _ if as_live => "no difference: the draft is the live masks, so this proves nothing",
            _ if self.program() == Program::Dry => {
                "no difference: a dry run needs no privilege, so this proves nothing"
            }
            _ => "no difference",
        }
    }

    /// What it is for a comparison.
    pub fn program(&self) -> Program {
        match self {
            Self::Probe => Program::Probe,
            Self::Call(path, args) if is_dry(path, args) => Program::Dry,
            Self::Call(..) => Program::Other,
        }
    }

    /// The command for both runs: under these masks (bset, inheritable), then under the live ones.
    pub fn whole(&self, [bset, inheritable]: [CapMask; 2]) -> Command {
        let (path, args) = match self {
            Self::Probe => (None, Vec::new()),
            Self::Call(path, args) => (Some(Arc::from(&path[..])), args.clone()),
        };
        let [bset, inheritable] = [bset, inheritable].map(|mask| Some(MaskExpr::Exactly(mask)));
        Command::Rehearse(Rehearse { path, args, bset, inheritable })
    }

    /// The command for a run under these masks (bset, inheritable), or under the live ones for `None`.
    pub fn command(&self, masks: Option<[CapMask; 2]>) -> Command {
        let [bset, inheritable] = match masks {
            Some(masks) => masks.map(|mask| Some(MaskExpr::Exactly(mask))),
            None => [None, None],
        };
        match self {
            Self::Probe => Command::Probe { bset, inheritable },
            Self::Call(path, args) => Command::Call(Call {
                path: path.clone(),
                args: args.clone(),
                env: Vec::new(),
                wait: WaitMode::PROC,
                bset,
                inheritable,
                timeout: None,
                profile: None,
            }),
        }
    }
}

/// Whether this is modprobe(8) told to do nothing.
fn is_dry(path: &[u8], args: &[Vec<u8>]) -> bool {
    let options = args.iter().take_while(|arg| *arg != b"--");
    let dry = |arg: &Vec<u8>| [&b"-n"[..], b"--dry-run", b"--show"].contains(&&arg[..]);
    path.rsplit(|b| *b == b'/').next() == Some(b"modprobe") && options.into_iter().any(dry)
}

/// One of the two runs.
#[derive(Clone, Debug)]
pub enum Rehearsed {
    /// Not submitted yet.
    Waiting,
    /// Submitted with this call id.
    Running(u64),
    /// Answered.
    Ended(Arc<Record>),
    /// The command was refused, with cause and advice.
    Failed(String),
}

impl Rehearsed {
    /// Its record, once it has ended.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Ended(record) => Some(record),
            _ => None,
        }
    }

    fn is_call(&self, call: u64) -> bool {
        matches!(self, Self::Running(running) if *running == call)
    }
}

/// A run under the draft masks, and a run under the live ones. The second is submitted when the first has ended, so
/// that they do not affect each other.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// What is run.
    pub run: Run,
    /// The draft: bset, inheritable.
    pub draft: [CapMask; 2],
    /// The runs under the draft masks and under the live masks, in this order.
    pub runs: [Rehearsed; 2],
}

impl Rehearsal {
    /// A rehearsal whose first run has been submitted as `call`.
    pub const fn started(run: Run, draft: [CapMask; 2], call: u64) -> Self {
        Self { run, draft, runs: [Rehearsed::Running(call), Rehearsed::Waiting] }
    }

    /// Whether this call is one of its runs.
    pub fn has(&self, call: u64) -> bool {
        self.runs.iter().any(|run| run.is_call(call))
    }

    /// Handles the answer to a run. Returns the command of the next run, if there is one; submit it as `next`.
    pub fn answered(&mut self, call: u64, reply: Result<Reply, ControlError>, next: u64) -> Option<Command> {
        let run = self.runs.iter_mut().find(|run| run.is_call(call))?;
        *run = match reply {
            Ok(Reply::Answered(record)) => Rehearsed::Ended(record),
            // The answer to [`Run::whole`].
            Ok(Reply::Rehearsed(both)) => {
                let live = both.live.map_or_else(|| Rehearsed::Failed("it was not started".into()), Rehearsed::Ended);
                self.runs = [Rehearsed::Ended(both.draft), live];
                return None;
            }
            Ok(_) => Rehearsed::Failed("the target's answer was not a record".into()),
            Err(error) => Rehearsed::Failed(explain(&error)),
        };
        if !matches!(self.runs[1], Rehearsed::Waiting) {
            return None;
        }
        self.runs[1] = Rehearsed::Running(next);
        Some(self.run.command(None))
    }
}
