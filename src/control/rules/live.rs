//! The rules that are in force: read from their files, asked for each request, read again as a whole or not at all.

use std::sync::{Arc, PoisonError, RwLock};

use crate::abi::actor::Actor;
use crate::abi::error::Explain;
use crate::control::module_tree::ModuleTree;
use crate::engine::RuleHook;
use crate::policy::rules::{Asked, Decision, Fault, Mode, Requester, Resolved, Rules, Verdict, Wanted};
use crate::sys::linux::requester::Facts;

use super::files::Folders;

/// Why rules were not taken: sentences, one for each fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub Vec<String>);

/// Rules in force.
#[derive(Debug)]
pub struct Live {
    folders: Folders,
    modules: ModuleTree,
    mode: Mode,
    rules: RwLock<Arc<Rules>>,
}

impl Live {
    /// Reads the rules of these folders, unless they are off.
    ///
    /// # Errors
    /// Every fault of every file; or the one file or folder that another user could change, or that cannot be read.
    pub fn load(folders: Folders, modules: ModuleTree, mode: Mode) -> Result<Self, Refused> {
        let rules = RwLock::new(Arc::new(if mode == Mode::Off { Rules::default() } else { read(&folders)? }));
        Ok(Self { folders, modules, mode, rules })
    }

    /// Reads them again. With an error the old ones stay, whole. Returns how many there are now.
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn reload(&self) -> Result<usize, Refused> {
        if self.mode == Mode::Off {
            return Ok(0);
        }
        let rules = Arc::new(read(&self.folders)?);
        let count = rules.rules().len();
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
        Ok(count)
    }

    /// The rules that are in force now.
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What they do.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What an engine's builder takes.
    pub fn hook(self: &Arc<Self>) -> RuleHook {
        let live = self.clone();
        Arc::new(move |wanted, by| live.decide(wanted, by))
    }

    /// What happens to a request.
    pub fn decide(&self, wanted: Wanted<'_>, by: &Actor) -> Decision {
        if self.is_idle() {
            return Verdict::Default.decide(self.mode);
        }
        let facts = Facts::of(by.pid, by.start_time);
        let known = Requester::from(by);
        let requester = Requester {
            place: facts.place.as_ref().or(known.place),
            exe: facts.exe.as_deref(),
            in_userns: facts.in_userns,
            ..known
        };
        self.strictest(wanted, &[requester])
    }

    /// What happens to a request that one of these has made, and it is not known which: what is denied to one of them is
    /// denied. Without any, nothing is known of the requester.
    pub fn strictest(&self, wanted: Wanted<'_>, candidates: &[Requester<'_>]) -> Decision {
        if self.is_idle() {
            return Verdict::Default.decide(self.mode);
        }
        let rules = self.rules();
        let reach;
        let asked = match wanted {
            Wanted::Helper(path) => Asked::Helper(path),
            Wanted::Module(name) => {
                let tree = if rules.needs_resolution() { self.modules.get().ok() } else { None };
                reach = tree.and_then(|tree| tree.reach(name).ok());
                Asked::Module { name, resolved: reach.as_ref().map_or(Resolved::Unknown, Resolved::To) }
            }
        };
        let unknown = [Requester::default()];
        let candidates = if candidates.is_empty() { &unknown } else { candidates };
        let mut verdicts = candidates.iter().map(|requester| rules.judge(&asked, requester));
        let first = verdicts.next().unwrap_or(Verdict::Default);
        verdicts
            .fold(first, |worst, next| if worst.is_denied() { worst } else { stricter(worst, next) })
            .decide(self.mode)
    }

    /// Whether a decision depends on who asks.
    pub fn asks_who(&self) -> bool {
        !self.is_idle() && self.rules().asks_who()
    }

    /// Whether the rules are not looked at.
    fn is_idle(&self) -> bool {
        matches!(self.mode, Mode::Off | Mode::Learn)
    }
}

/// The second one, if it denies; the first one is no denial.
fn stricter(first: Verdict, second: Verdict) -> Verdict {
    if second.is_denied() { second } else { first }
}

fn read(folders: &Folders) -> Result<Rules, Refused> {
    let files = folders.read().map_err(|error| Refused(vec![error.whole()]))?;
    Rules::parse(&files).map_err(|faults| Refused(faults.iter().map(Fault::whole).collect()))
}
