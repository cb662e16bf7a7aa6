//! Asks this machine's kernel for a module. What the caller gets back never tells how the helper ended: a watch does.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::error::{ControlError, EngineError, Explain, Stage, errno_name};
use crate::abi::escape::screen;
use crate::abi::kernel_ask::Way;
use crate::abi::kernel_helper::KernelHelper;
use crate::abi::knob::Key;
use crate::abi::knob_value::KnobValue;
use crate::abi::record::{Kind, Outcome, Record, State};
use crate::abi::wait::WaitMode;
use crate::policy::kernel_ask::way;
use crate::sys::linux::kernel_ask;

use super::KernelKnobs;

/// A question that was put to the kernel.
#[derive(Clone, Debug)]
pub struct Question {
    /// The module.
    pub name: Arc<[u8]>,
    /// The thread that asked.
    pub tid: i32,
    /// What its call returned; `None` if the kernel asked for nothing.
    pub returned: Option<Errno>,
    way: Way,
    by: Arc<Actor>,
    at: SystemTime,
}

/// Asks for the module, and waits until its helper has ended, if the kernel starts one.
///
/// # Errors
/// `EOPNOTSUPP` for a name that only code of the kernel can ask for, without `wait`, or if the kernel has no modules;
/// `ENOENT` if `kernel.modprobe` is empty; `EPERM` without the capability that the call needs.
pub fn ask(knobs: &KernelKnobs, name: &[u8], wait: bool, by: &Arc<Actor>) -> Result<Question, ControlError> {
    let way = way(name).map_err(|error| ControlError::Value { key: "request".into(), error })?;
    if !wait {
        let why = "every call that makes the kernel ask for a module waits for the helper";
        return Err(ControlError::Unsupported(why.to_owned()));
    }
    let path = knobs.read(Key::Modprobe).map_err(|error| match error.errno() {
        Errno::EOPNOTSUPP => {
            ControlError::Unsupported("this kernel was built without modules: it never asks for one".into())
        }
        _ => error,
    })?;
    if path == KnobValue::Path(Arc::from([])) {
        let why = "kernel.modprobe is empty: the kernel runs nothing for a module";
        return Err(EngineError::new(Stage::Path, Errno::ENOENT, why, "set it with `khelper -t kernel set`").into());
    }
    let at = SystemTime::now();
    let asked = kernel_ask::ask(&way).map_err(|error| match error.errno {
        Errno::EPERM => ControlError::Denied(format!("the kernel was not asked: {}", error.what)),
        errno => {
            let why = format!("the kernel was not asked: {error}");
            EngineError::new(Stage::Process, errno, why, "an engine takes every name: `--target embedded`").into()
        }
    })?;
    Ok(Question { name: name.into(), tid: asked.tid, returned: asked.returned.err(), way, by: by.clone(), at })
}

impl Question {
    /// The record of a question that made the kernel ask for nothing; `None` if the kernel asked.
    pub fn noop(&self) -> Option<Record> {
        self.returned.is_none().then(|| {
            let why = format!("nothing was asked: {} is already there ({})", screen(&self.what()), self.way.noun());
            self.record(Outcome::Noop, why)
        })
    }

    /// The record of a question of whose helper nothing is known.
    pub fn unknown(&self, why: &str) -> Record {
        let returned = self.returned.map_or_else(|| "0".to_owned(), errno_name);
        let said = format!(
            "the kernel was asked by {}, which returned {returned}; how the helper ended is not known: {why}",
            self.way.call()
        );
        Record { stage: Some(Stage::Lost), ..self.record(Outcome::Lost, said) }
    }

    /// What is there already.
    fn what(&self) -> Vec<u8> {
        match &self.way {
            Way::Interface(name)
            | Way::NetDevice(name)
            | Way::FileSystem(name)
            | Way::AlgorithmType(name)
            | Way::Algorithm(name)
            | Way::Congestion(name) => name.clone(),
            Way::Socket { .. } => self.name.to_vec(),
        }
    }

    fn record(&self, outcome: Outcome, said: String) -> Record {
        let since = self.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = (self.at, u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
        let mut record = Record::new(Kind::Module, WaitMode::PROC, self.by.clone(), at);
        record.module = Some(self.name.clone());
        (record.state, record.outcome, record.said) = (State::Ended, outcome, Some(said.into()));
        record.kernel = Some(Box::new(KernelHelper { tid: Some(self.tid), ..KernelHelper::default() }));
        record
    }
}
