//! The rules that are in force: read from their files, asked for each request, read again as a whole or not at all.

mod ordering;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::abi::actor::Actor;
use crate::abi::error::Explain;
use crate::abi::knob_value::Change;
use crate::abi::rules_mode::RulesState;
use crate::control::module_tree::ModuleTree;
use crate::engine::RuleHook;
use crate::policy::rules::{Asked, Compiled, Decision, Fault, Mode, Requester, Resolved, Rules, Verdict, Wanted};
use crate::sys::linux::requester::Facts;

use super::counts::Counts;
use super::files::Folders;
use super::order::{Now, Order, OrderFile, Stamp};
use super::strictest::Strictest;
use crate::control::rules_view::{Asking, RulesView};

/// Why rules were not taken: sentences, one for each fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub Vec<String>);

/// Says something to the operator; whether it is a fault.
pub type Say = Arc<dyn Fn(bool, &str) + Send + Sync>;

/// Told of each change of the mode, and who made it; `None`: the order's file did, or the end of a trial.
pub type Report = Arc<dyn Fn(Change, Option<&Actor>) + Send + Sync>;

/// Rules in force.
pub struct Live {
    folders: Folders,
    modules: ModuleTree,
    /// What they do without an order.
    usual: Mode,
    standing: RwLock<Standing>,
    followed: Option<Followed>,
    report: Mutex<Option<Report>>,
    /// Held by the one who gives an order, from the order of before to the new one.
    ordering: Mutex<()>,
    counts: Counts,
}

struct Standing {
    mode: Mode,
    rules: Arc<Rules>,
    order: Option<Order>,
    stamp: Stamp,
    /// What the order says; the mode is another one if the rules cannot be read.
    wanted: Mode,
    /// The file of the order is being written by this process: what it says is not in force before that has ended.
    is_ordering: bool,
}

/// The operator's order, and who must know what is in force.
struct Followed {
    file: OrderFile,
    /// Where the compiled rules go, if there is a shim that goes by them.
    compiled: Option<PathBuf>,
    say: Say,
    started: Now,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("folders", &self.folders).finish_non_exhaustive()
    }
}

impl Live {
    /// Reads the rules of these folders, unless they are off.
    ///
    /// # Errors
    /// Every fault of every file; or the one file or folder that another user could change, or that cannot be read.
    pub fn load(folders: Folders, modules: ModuleTree, mode: Mode) -> Result<Self, Refused> {
        let rules = Arc::new(if mode == Mode::Off { Rules::default() } else { read(&folders)? });
        let counts = Counts::default();
        counts.begin(&rules);
        let standing =
            RwLock::new(Standing { mode, rules, order: None, stamp: None, wanted: mode, is_ordering: false });
        let (report, ordering) = (Mutex::default(), Mutex::default());
        Ok(Self { folders, modules, usual: mode, standing, followed: None, report, ordering, counts })
    }

    /// The same, in the mode that an order gives instead of the usual one: rules that were ordered off are not read.
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn load_by(file: &OrderFile, folders: Folders, modules: ModuleTree, usual: Mode) -> Result<Self, Refused> {
        // An order that cannot be read is reported when it is followed.
        let mode = file.read().ok().flatten().and_then(|order| order.at(&Now::read())).unwrap_or(usual);
        Ok(Self { usual, ..Self::load(folders, modules, mode)? })
    }

    /// Follows an operator's order from now on, and writes the compiled rules, if the shim needs them, whenever something
    /// changes.
    #[must_use]
    pub fn following(mut self, file: OrderFile, compiled: Option<PathBuf>, say: Say) -> Self {
        self.followed = Some(Followed { file, compiled, say, started: Now::read() });
        let loaded = self.standing.get_mut().map_or(self.usual, |standing| standing.mode);
        let (mode, rules) = self.look();
        if let Some(followed) = self.followed.as_ref().filter(|_| loaded != self.usual) {
            (followed.say)(false, &format!("the rules: {}, by {}", mode.name(), followed.file.shown()));
        }
        self.publish(mode, &rules);
        self
    }

    /// Reads them again. With an error the old ones stay, whole. Returns how many there are now.
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn reload(&self) -> Result<usize, Refused> {
        let (mode, _) = self.look();
        if mode == Mode::Off {
            return Ok(0);
        }
        let rules = Arc::new(read(&self.folders)?);
        let count = rules.rules().len();
        self.counts.begin(&rules);
        self.standing.write().unwrap_or_else(PoisonError::into_inner).rules = rules.clone();
        self.publish(mode, &rules);
        Ok(count)
    }

    /// The rules that are in force now.
    pub fn rules(&self) -> Arc<Rules> {
        self.look().1
    }

    /// What they do.
    pub fn mode(&self) -> Mode {
        self.look().0
    }

    /// The mode, and what was decided since the start.
    pub fn state(&self) -> RulesState {
        let (_, rules) = self.look();
        let judged = self.counts.judged();
        let (mode, then) = self.standing.read().unwrap_or_else(PoisonError::into_inner).value(self);
        RulesState {
            mode,
            then,
            rules: u32::try_from(rules.rules().len()).unwrap_or(u32::MAX),
            allowed: judged.allowed,
            denied: judged.denied,
            would_deny: judged.would_deny,
            late: self.counts.were_late(),
        }
    }

    /// So many helpers of the kernel have not waited for their answer.
    pub fn late(&self, count: u64) {
        self.counts.late(count);
    }

    /// The rules, and what they have decided since they were read.
    pub fn view(&self) -> RulesView {
        let (mode, rules) = self.look();
        self.counts.view(&rules, mode)
    }

    /// What an engine's builder takes.
    pub fn hook(self: &Arc<Self>) -> RuleHook {
        let live = self.clone();
        Arc::new(move |wanted, by| live.decide(wanted, by))
    }

    /// What happens to a request.
    pub fn decide(&self, wanted: Wanted<'_>, by: &Actor) -> Decision {
        let (mode, rules) = self.look();
        if is_idle(mode) {
            return Verdict::Default.decide(mode);
        }
        let facts = Facts::of(by.pid, by.start_time);
        let known = Requester::from(by);
        let requester = Requester {
            place: facts.place.as_ref().or(known.place),
            exe: facts.exe.as_deref(),
            in_userns: facts.in_userns,
            ..known
        };
        self.strictest_of(mode, &rules, wanted, &[requester], Asking::by(by)).decision
    }

    /// What happens to a request that one of these has made, and it is not known which: what is denied to one of them is
    /// denied. Without any, nothing is known of the requester. The mode is the one by which it was decided.
    pub fn strictest(&self, wanted: Wanted<'_>, candidates: &[Requester<'_>]) -> (Mode, Strictest) {
        let (mode, rules) = self.look();
        if is_idle(mode) {
            return (mode, Strictest { decision: Verdict::Default.decide(mode), is_torn: false });
        }
        (mode, self.strictest_of(mode, &rules, wanted, candidates, Asking::one_of(candidates)))
    }

    fn strictest_of(
        &self,
        mode: Mode,
        rules: &Arc<Rules>,
        wanted: Wanted<'_>,
        candidates: &[Requester<'_>],
        asking: Asking,
    ) -> Strictest {
        let unknown = [Requester::default()];
        let candidates = if candidates.is_empty() { &unknown } else { candidates };
        let strictest = self.resolved(rules, wanted, |asked| {
            Strictest::of(candidates.iter().map(|requester| rules.judge(asked, requester)), mode)
        });
        self.counts.add(rules, wanted.name(), asking, &strictest.decision);
        strictest
    }

    /// What is wanted, with what its name resolves to.
    fn resolved<T>(&self, rules: &Rules, wanted: Wanted<'_>, judge: impl FnOnce(&Asked<'_>) -> T) -> T {
        let name = match wanted {
            Wanted::Helper(path) => return judge(&Asked::Helper(path)),
            Wanted::Module(name) => name,
        };
        let tree = if rules.needs_resolution() { self.modules.get().ok() } else { None };
        let reach = tree.and_then(|tree| tree.reach(name).ok());
        judge(&Asked::Module { name, resolved: reach.as_ref().map_or(Resolved::Unknown, Resolved::To) })
    }

    /// Whether what happens to this request depends on who asks.
    pub fn asks_who(&self, wanted: Wanted<'_>) -> bool {
        let (mode, rules) = self.look();
        !is_idle(mode) && rules.asks_who() && !self.resolved(&rules, wanted, |asked| rules.is_same_for_all(asked))
    }
}

/// Whether the rules are not looked at.
const fn is_idle(mode: Mode) -> bool {
    matches!(mode, Mode::Off | Mode::Learn)
}

/// What the shim goes by in this mode.
pub fn compiled(mode: Mode, rules: &Rules, modules: &ModuleTree) -> Compiled {
    match mode {
        Mode::Enforce => {
            let tree = if rules.needs_resolution() { modules.get().ok() } else { None };
            rules.compiled(tree.as_deref())
        }
        _ => Compiled::default(),
    }
}

fn read(folders: &Folders) -> Result<Rules, Refused> {
    let files = folders.read().map_err(|error| Refused(vec![error.whole()]))?;
    Rules::parse(&files).map_err(|faults| Refused(faults.iter().map(Fault::whole).collect()))
}
