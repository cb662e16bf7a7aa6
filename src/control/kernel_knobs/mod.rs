//! The knobs of this machine's kernel: read, written with a guard and read back, kept for the next start, and compared
//! with what the next start would set.

pub mod ask;
mod boot;
mod keep;
mod rehearse;
mod target;
#[cfg(test)]
mod tests;
mod words;
mod write;

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::cap::CapMask;
use crate::abi::error::{ControlError, ParseError};
use crate::abi::event::EventKind;
use crate::abi::kernel_program::{Fact, Part, Value};
use crate::abi::knob::Key;
use crate::abi::knob_value::{Change, KnobValue};
use crate::abi::safe_text::SafeText;
use crate::abi::sink::Changed;
use crate::policy::posture::{self, Finding};
use crate::sys::host::Host;
use crate::sys::linux::LinuxHost;
use crate::sys::linux::kernel_programs;
use crate::sys::linux::trust::Untrusted;

pub(in crate::control) use words::NO_PROFILE;

use super::command::{Command, Reply};
use boot::Boot;
pub use target::Unwatched;

use super::provenance::{Comparison, Drift, Knob, Where};

/// Receives the changes that this process makes to the kernel's knobs.
pub type Recorder = Arc<dyn Fn(&Changed) + Send + Sync>;

/// The knobs of a kernel.
#[derive(Clone, Debug)]
pub struct KernelKnobs {
    root: PathBuf,
    known: CapMask,
    /// Whether a mask is rehearsed before it is written.
    rehearses: bool,
    /// The program that reports what a helper gets, for a rehearsal.
    probe: Option<PathBuf>,
}

impl Default for KernelKnobs {
    /// Those of this machine.
    fn default() -> Self {
        Self { root: "/".into(), known: LinuxHost::new().known(), rehearses: true, probe: None }
    }
}

impl KernelKnobs {
    /// Files below `root` in place of those of this machine: for tests, and for the tree of another machine. `known` are
    /// the capabilities that its kernel knows. Nothing is rehearsed.
    pub fn below(root: impl Into<PathBuf>, known: CapMask) -> Self {
        Self { root: root.into(), known, rehearses: false, probe: None }
    }

    /// The same; this program, khelper itself, can be rehearsed as the built-in probe.
    #[must_use]
    pub fn probing(self, probe: Option<PathBuf>) -> Self {
        Self { probe, ..self }
    }

    /// Every capability that the kernel knows.
    pub const fn known(&self) -> CapMask {
        self.known
    }

    /// Reads one knob.
    ///
    /// # Errors
    /// `EOPNOTSUPP` if this kernel does not have it, or if it is a knob of an engine; `EACCES` if only uid 0 may read it.
    pub fn read(&self, key: Key) -> Result<KnobValue, ControlError> {
        let value = match key {
            Key::Modprobe => kernel_programs::text(&self.root, "proc/sys/kernel/modprobe"),
            Key::ModulesDisabled => kernel_programs::text(&self.root, "proc/sys/kernel/modules_disabled"),
            Key::Bset => kernel_programs::mask(&self.root, "bset"),
            Key::Inheritable => kernel_programs::mask(&self.root, "inheritable"),
            key => return Err(words::engines(key)),
        };
        match (key, value) {
            (_, Value::Absent) => Err(words::absent(key)),
            (_, Value::Unreadable(errno)) => Err(words::unreadable(key, errno)),
            (_, Value::Mask(mask)) => Ok(mask.into()),
            (Key::ModulesDisabled, Value::Text(text)) => key.parse_value(&text, self.known),
            (_, Value::Text(text)) => Ok(KnobValue::Path(text)),
        }
    }

    /// The knobs that this kernel has and this process may read.
    pub fn readable(&self) -> Vec<(Key, KnobValue)> {
        Key::KERNEL.into_iter().filter_map(|key| Some((key, self.read(key).ok()?))).collect()
    }

    /// The masks of now: bset, inheritable. A mask that this kernel does not have, or that cannot be read, counts as full.
    fn live_masks(&self) -> [CapMask; 2] {
        let mask = |key: Key| self.read(key).ok().and_then(|value| value.mask()).unwrap_or(self.known);
        [mask(Key::Bset), mask(Key::Inheritable)]
    }

    /// Performs a command on knobs; `None` if it is another command. It may take seconds: a mask is rehearsed first, and
    /// a rehearsal waits for its program.
    pub fn perform(&self, command: &Command) -> Option<Result<Reply, ControlError>> {
        self.perform_told(command, &mut |_| {})
    }

    /// The same, and tells of each change that was made, also if a later one has failed.
    pub(in crate::control) fn recorded(
        &self,
        command: &Command,
        by: &Arc<Actor>,
        tell: &mut dyn FnMut(EventKind),
    ) -> Option<Result<Reply, ControlError>> {
        let mut changed =
            |change: &Change| tell(EventKind::KnobChanged { change: Arc::new(change.clone()), actor: by.clone() });
        let reply = self.perform_told(command, &mut changed);
        if let (Command::Unpersist(keys), Some(Ok(_))) = (command, &reply) {
            tell(EventKind::Unpersisted { keys: keys.clone(), actor: by.clone() });
        }
        reply
    }

    fn perform_told(&self, command: &Command, told: &mut dyn FnMut(&Change)) -> Option<Result<Reply, ControlError>> {
        Some(match command {
            Command::Get(key) => self.read(*key).map(Reply::Value),
            Command::Knobs(keys) => self.knobs(keys).map(Reply::Knobs),
            Command::WriteKernel(write) => self.write(write, told).map(Reply::Written),
            Command::Write(_) | Command::Persist(_) | Command::Configure(_) => Err(words::consent()),
            Command::Reset(mask) => Err(words::reset(mask.key())),
            Command::Unpersist(keys) => self.unpersist(keys).map(|()| Reply::Done),
            Command::Rehearse(wanted) => {
                let probe = self.probe.clone();
                rehearse::both(self.live_masks(), self.known, wanted, probe)
            }
            Command::Diff => Ok(Reply::Diff(self.compare())),
            Command::CheckPath(path) => Ok(Reply::Warnings(self.path_warnings(path))),
            _ => return None,
        })
    }

    /// Reads knobs, and where their values come from.
    fn knobs(&self, keys: &[Key]) -> Result<Vec<Knob>, ControlError> {
        // What the start has set, then what may have been set by hand since.
        let all = [self.boot(), self.by_hand()];
        let knob = |key: &Key| {
            let value = self.read(*key)?;
            let of = |boot: &Boot| {
                let (configured, from) = boot.configured(*key, self.known);
                (configured == value).then(|| match from {
                    Some(source) => Where::File { source, others: boot.others(*key) },
                    None => Where::Default,
                })
            };
            let from = all.iter().find_map(of).unwrap_or(Where::Unknown);
            Ok(Knob { key: *key, value, from })
        };
        // One that this kernel does not have is passed over, unless it is asked for by name.
        let asked_for_all = keys.len() > 1;
        let all = keys.iter().map(knob);
        all.filter(|knob| !(asked_for_all && knob.as_ref().is_err_and(words::is_absent))).collect()
    }

    /// What the next start of the machine would change.
    fn compare(&self) -> Comparison {
        let boot = self.boot();
        let differs = |(key, running): (Key, KnobValue)| {
            let (configured, source) = boot.configured(key, self.known);
            (running != configured).then_some(Drift { key, running, configured, source })
        };
        let drift = self.readable().into_iter().filter_map(differs).collect();
        Comparison { drift, faults: boot.faults }
    }

    /// Each knob and each program that the kernel may execute on its own, judged.
    pub fn posture(&self) -> Vec<Finding> {
        let mut facts = kernel_programs::facts(&self.root);
        let file = |path: &Path| {
            let path = path.as_os_str().as_bytes();
            let program = Some(kernel_programs::program(&self.root, path));
            Fact { part: Part::BootFile, value: Value::Text(path.into()), program }
        };
        facts.extend(self.boot().files.iter().map(|path| file(path)));
        posture::judge(facts, self.known)
    }

    fn file_of(&self, key: Key) -> PathBuf {
        self.root.join("proc/sys").join(key.name().replace('.', "/"))
    }
}

/// The error about a file or folder that is not trusted, for the writer of `what`.
pub(in crate::control) fn untrusted(what: &str, error: &Untrusted) -> ControlError {
    let path = SafeText::escape(error.path.as_os_str().as_bytes());
    let advice = match error.errno {
        Errno::EPERM => "the file and its folders must belong to root, and nobody else may write them",
        Errno::EROFS => "the file system is read-only: make it writable",
        Errno::ENOSPC => "the disk is full: free some space",
        _ => "look at the file and its folders",
    };
    // What is said of the file, or the error of a system call.
    let colon = if error.errno == Errno::EPERM { "" } else { ":" };
    let error = ParseError::with(error.errno, format!("{path}{colon} {}", error.why), advice);
    ControlError::Value { key: what.into(), error }
}

/// The error about a knob.
pub(in crate::control) fn wrong(
    key: Key,
    errno: Errno,
    why: impl Into<String>,
    advice: impl Into<String>,
) -> ControlError {
    ControlError::Value { key: key.name().to_owned(), error: ParseError::with(errno, why, advice.into()) }
}
