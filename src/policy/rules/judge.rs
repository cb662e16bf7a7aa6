//! The first rule that matches a request.

use crate::policy::resolution::Reach;

use super::cited::{Because, Cited, Verdict};
use super::condition::{Known, Requester};
use super::index::Role;
use super::rule::{Action, Object, Rule};
use super::ruleset::Rules;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// A module.
    Module {
        /// The name.
        name: &'a [u8],
        /// What it resolves to.
        resolved: Resolved<'a>,
    },
    /// A helper, by its program.
    Helper(&'a [u8]),
}

/// What a name resolves to.
#[derive(Clone, Copy, Debug)]
pub enum Resolved<'a> {
    /// These modules.
    To(&'a Reach),
    /// It is not known: the files cannot be read.
    Unknown,
}

/// A match: the number of the rule, and why.
type Hit = (usize, Because, bool);
/// As [`conditions`].
type Holds<'a> = &'a dyn Fn(&Rule) -> Option<bool>;

impl Rules {
    /// The first rule that matches.
    pub fn judge(&self, asked: &Asked<'_>, by: &Requester<'_>) -> Verdict {
        self.verdict(self.hit(asked, &|rule| conditions(rule, by)))
    }

    /// Whether the verdict is the same for every requester: the first rule about this has no conditions, or there is none.
    pub fn is_same_for_all(&self, asked: &Asked<'_>) -> bool {
        let has_conditions = |rule: &Rule| Some(!rule.conditions.is_empty());
        self.hit(asked, &has_conditions).is_none_or(|(_, _, has_conditions)| !has_conditions)
    }

    /// The first rule whose conditions hold, as `holds` says, and that matches.
    fn hit(&self, asked: &Asked<'_>, holds: Holds<'_>) -> Option<Hit> {
        let mut best: Option<Hit> = None;
        match *asked {
            Asked::Helper(path) => self.first_of(self.index.helpers(path), holds, &mut best, |_| Some(Because::Any)),
            Asked::Module { name, resolved } => self.judge_module(name, resolved, holds, &mut best),
        }
        let plainly = |rule: &Rule| plainly(rule, asked);
        self.first_of(self.index.others().iter().copied(), holds, &mut best, plainly);
        if matches!(asked, Asked::Module { resolved: Resolved::Unknown, .. }) {
            self.first_of(self.index.denied_modules().iter().copied(), holds, &mut best, plainly);
        }
        best
    }

    /// The same, by trying one rule after the other: the definition that the index must agree with.
    pub fn judge_linearly(&self, asked: &Asked<'_>, by: &Requester<'_>) -> Verdict {
        let all = self.rules.iter().enumerate();
        let hit = all.into_iter().find_map(|(number, rule)| {
            let doubtful = conditions(rule, by)?;
            Some((number, plainly(rule, asked)?, doubtful))
        });
        self.verdict(hit)
    }

    fn verdict(&self, hit: Option<Hit>) -> Verdict {
        match hit {
            None => Verdict::Default,
            Some((number, because, doubtful)) => {
                Verdict::By(Cited { rule: self.rules[number].clone(), number, because, doubtful })
            }
        }
    }

    /// Takes the first of these rules, which are in order, if it comes before the best one.
    fn first_of(
        &self,
        numbers: impl IntoIterator<Item = usize>,
        holds: Holds<'_>,
        best: &mut Option<Hit>,
        matches: impl Fn(&Rule) -> Option<Because>,
    ) {
        let until = best.as_ref().map_or(usize::MAX, |best| best.0);
        for number in numbers.into_iter().take_while(|number| *number < until) {
            let rule = &self.rules[number];
            if let Some(doubtful) = holds(rule)
                && let Some(because) = matches(rule)
            {
                *best = Some((number, because, doubtful));
                return;
            }
        }
    }

    fn judge_module(&self, name: &[u8], resolved: Resolved<'_>, holds: Holds<'_>, best: &mut Option<Hit>) {
        // The rules whose conditions do not hold, as bits: one rule may be about several of these texts.
        let mut failed: Vec<u64> = Vec::new();
        let mut look = |text: &[u8], role: Role, because: &dyn Fn() -> Because| {
            self.index.each(text, role, &mut |number, glob| {
                if best.as_ref().is_some_and(|best| best.0 <= number) {
                    return false;
                }
                let (rule, word, bit) = (&self.rules[number], number / 64, 1 << (number % 64));
                if failed.get(word).is_some_and(|known| known & bit != 0) {
                    return true;
                }
                let Some(doubtful) = holds(rule) else {
                    failed.resize(self.rules.len().div_ceil(64), 0);
                    failed[word] |= bit;
                    return true;
                };
                if glob.is_none_or(|glob| glob.matches(text)) && (role != Role::First || every(rule, resolved)) {
                    *best = Some((number, because(), doubtful));
                    return false;
                }
                true
            });
        };
        look(name, Role::Name, &|| Because::Asked);
        look(name, Role::Deny, &|| Because::Asked);
        let Resolved::To(reach) = resolved else { return };
        for module in &reach.modules {
            look(module, Role::Deny, &|| Because::Resolves(module.clone()));
        }
        if let Some(first) = reach.modules.first() {
            look(first, Role::First, &|| Because::Resolves(first.clone()));
        }
        for module in &reach.dependencies {
            look(module, Role::Deny, &|| Because::Depends(module.clone()));
        }
    }
}

/// Whether all conditions hold, and whether one of them only because it is not known. `None` if not.
pub(super) fn conditions(rule: &Rule, by: &Requester<'_>) -> Option<bool> {
    let mut doubtful = false;
    for condition in &rule.conditions {
        match (condition.holds(by), rule.action) {
            (Known::Yes, _) => {}
            (Known::Unknown, Action::Deny) => doubtful = true,
            _ => return None,
        }
    }
    Some(doubtful)
}

/// Why the object of a rule matches, looking at that rule alone.
fn plainly(rule: &Rule, asked: &Asked<'_>) -> Option<Because> {
    let (name, resolved) = match (asked, &rule.object) {
        (_, Object::Any) => return Some(Because::Any),
        (Asked::Helper(path), Object::Helper(paths)) => {
            return paths.iter().any(|own| **own == **path).then_some(Because::Any);
        }
        (Asked::Helper(_), _) | (_, Object::Helper(_)) => return None,
        (Asked::Module { name, resolved }, _) => (*name, *resolved),
    };
    let is_denied = rule.action == Action::Deny;
    match (&rule.object, resolved) {
        (Object::Name(globs), _) => globs.iter().any(|glob| glob.matches(name)).then_some(Because::Asked),
        (Object::Unresolved, Resolved::To(reach)) => reach.modules.is_empty().then_some(Because::Unresolved),
        (Object::Module(globs), _) if is_denied && globs.iter().any(|glob| glob.matches(name)) => Some(Because::Asked),
        (Object::Unresolved | Object::Module(_), Resolved::Unknown) => is_denied.then_some(Because::Unknown),
        (Object::Module(globs), Resolved::To(reach)) if is_denied => {
            let matching = |modules: &[Vec<u8>]| {
                modules.iter().find(|module| globs.iter().any(|glob| glob.matches(module))).cloned()
            };
            let depends = || matching(&reach.dependencies).map(Because::Depends);
            matching(&reach.modules).map(Because::Resolves).or_else(depends)
        }
        (Object::Module(_), Resolved::To(reach)) => {
            let first = reach.modules.first().filter(|_| every(rule, resolved))?;
            Some(Because::Resolves(first.clone()))
        }
        (Object::Any | Object::Helper(_), _) => None,
    }
}

/// Whether every module that the name resolves to matches the rule. Of none that is not so.
fn every(rule: &Rule, resolved: Resolved<'_>) -> bool {
    let (Object::Module(globs), Resolved::To(reach)) = (&rule.object, resolved) else { return false };
    !reach.modules.is_empty() && reach.modules.iter().all(|module| globs.iter().any(|glob| glob.matches(module)))
}

/// What the requester of a record or a live request is, as rules see it.
impl<'a> From<&'a crate::abi::actor::Actor> for Requester<'a> {
    fn from(actor: &'a crate::abi::actor::Actor) -> Self {
        let known = actor.is_known();
        Self {
            uid: known.then_some(actor.uid),
            gid: known.then_some(actor.gid),
            place: actor.place.as_deref(),
            exe: None,
            in_userns: None,
        }
    }
}
