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
    /// Reads the rules of these folders.
    ///
    /// # Errors
    /// Every fault of every file; or the one file or folder that another user could change, or that cannot be read.
    pub fn load(folders: Folders, modules: ModuleTree, mode: Mode) -> Result<Self, Refused> {
        let rules = RwLock::new(Arc::new(read(&folders)?));
        Ok(Self { folders, modules, mode, rules })
    }

    /// Reads them again. With an error the old ones stay, whole. Returns how many there are now.
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn reload(&self) -> Result<usize, Refused> {
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
        if matches!(self.mode, Mode::Off | Mode::Learn) {
            return Verdict::Default.decide(self.mode);
        }
        let rules = self.rules();
        let facts = Facts::of(by.pid, by.start_time);
        let known = Requester::from(by);
        let requester = Requester {
            place: facts.place.as_ref().or(known.place),
            exe: facts.exe.as_deref(),
            in_userns: facts.in_userns,
            ..known
        };
        let reach;
        let asked = match wanted {
            Wanted::Helper(path) => Asked::Helper(path),
            Wanted::Module(name) => {
                let tree = if rules.needs_resolution() { self.modules.get().ok() } else { None };
                reach = tree.and_then(|tree| tree.reach(name).ok());
                Asked::Module { name, resolved: reach.as_ref().map_or(Resolved::Unknown, Resolved::To) }
            }
        };
        rules.judge(&asked, &requester).decide(self.mode)
    }
}

fn read(folders: &Folders) -> Result<Rules, Refused> {
    let files = folders.read().map_err(|error| Refused(vec![error.whole()]))?;
    Rules::parse(&files).map_err(|faults| Refused(faults.iter().map(Fault::whole).collect()))
}
