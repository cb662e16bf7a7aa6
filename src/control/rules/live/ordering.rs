//! How rules follow the operator's order: its file is the one place where the mode is kept. Somebody may have written it
//! without this process, which notices when it decides or is asked.

use std::sync::{Arc, PoisonError, RwLockWriteGuard};

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::error::{ControlError, Explain, ParseError};
use crate::abi::knob::Key;
use crate::abi::knob_value::{Change, Source};
use crate::abi::rules_mode::{LONGEST_TRIAL, Mode, ModeFor};
use crate::control::rules::order::{LINE, Now, Order, Stamp, publish};
use crate::control::rules::unknown::unknown_requesters;
use crate::policy::rules::Rules;
use crate::sys::linux::waiting::misnamed;

use super::{Followed, Live, Refused, Report, Standing, compiled, is_idle, read};

impl Standing {
    /// What is in force, how long a trial goes on, and what comes back after it. Where the order could not be followed it
    /// is not what was ordered.
    pub(super) fn value(&self, of: &Live) -> (ModeFor, Mode) {
        self.value_at(of, of.followed.as_ref().map(|followed| followed.started.later()).as_ref())
    }

    /// The same at this moment.
    fn value_at(&self, of: &Live, now: Option<&Now>) -> (ModeFor, Mode) {
        let left = || self.order.as_ref().filter(|order| order.mode == self.mode)?.goes_back(now?);
        match left() {
            None => (self.mode.into(), self.mode),
            Some((left, back)) => {
                let seconds = Some(u32::try_from(left).unwrap_or(LONGEST_TRIAL));
                (ModeFor { mode: self.mode, seconds }, back.unwrap_or(of.usual))
            }
        }
    }
}

impl Followed {
    /// A change by the order's file.
    fn ordered(&self, before: ModeFor, after: ModeFor) -> Change {
        let source = Source { file: self.file.shown().into(), line: LINE };
        Change { source: Some(source), ..Change::new(Key::RulesMode, before, after) }
    }
}

impl Live {
    /// Reports changes of the mode from now on, and the order that is in force already. `None`: to nobody.
    pub fn report_to(&self, report: Option<Report>) {
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) = report;
        let standing = self.standing.read().unwrap_or_else(PoisonError::into_inner);
        let Some(followed) = self.followed.as_ref().filter(|_| standing.order.is_some()) else { return };
        let change = followed.ordered(ModeFor::from(self.usual), standing.value(self).0);
        drop(standing);
        self.report(&change, None);
    }

    /// Whether the mode goes back by itself at some time.
    pub fn goes_back(&self) -> bool {
        let Some(followed) = &self.followed else { return false };
        let standing = self.standing.read().unwrap_or_else(PoisonError::into_inner);
        standing.order.as_ref().is_some_and(|order| order.goes_back(&followed.started.later()).is_some())
    }

    /// What is in force at this moment: an order may have come, or its time may be over.
    pub(super) fn look(&self) -> (Mode, Arc<Rules>) {
        let standing = self.standing.read().unwrap_or_else(PoisonError::into_inner);
        let found = (standing.mode, standing.rules.clone());
        let Some(followed) = self.followed.as_ref().filter(|_| !standing.is_ordering) else { return found };
        let stamp = followed.file.stamp();
        let at = |order: &Order| order.at(&followed.started.later()).unwrap_or(self.usual);
        let is_over = |order: &Order| order.until.is_some() && at(order) != standing.wanted;
        if stamp == standing.stamp && !standing.order.as_ref().is_some_and(is_over) {
            return found;
        }
        drop(standing);
        self.follow(followed)
    }

    /// Takes the order of the file.
    fn follow(&self, followed: &Followed) -> (Mode, Arc<Rules>) {
        let standing = self.standing.write().unwrap_or_else(PoisonError::into_inner);
        if standing.is_ordering {
            return (standing.mode, standing.rules.clone());
        }
        // Before the file is read: one that is written meanwhile is read again.
        let stamp = followed.file.stamp();
        let order = match followed.file.read() {
            Ok(order) => order,
            Err(error) => {
                (followed.say)(true, &format!("kept the mode of the rules: {}", error.whole()));
                standing.order.clone()
            }
        };
        self.take(standing, followed, (order, stamp), None, &followed.started.later()).1
    }

    /// Takes an order, as it is at this moment. Rules that cannot be read are not enforced, and the mode stays as it was.
    /// Returns the change of the value and what is in force.
    fn take(
        &self,
        mut standing: RwLockWriteGuard<'_, Standing>,
        followed: &Followed,
        (order, stamp): (Option<Order>, Stamp),
        by: Option<&Actor>,
        now: &Now,
    ) -> (Change, (Mode, Arc<Rules>)) {
        let (before, was) = (standing.value_at(self, Some(now)).0, standing.mode);
        let wanted = order.as_ref().and_then(|order| order.at(now)).unwrap_or(self.usual);
        // Who has written the order has written the compiled rules for it too.
        let came_late = stamp != standing.stamp && order.as_ref().is_some_and(|order| order.is_over(now));
        (standing.order, standing.stamp) = (order, stamp);
        if wanted != standing.wanted {
            standing.wanted = wanted;
            let rules =
                if wanted == Mode::Off { Ok(standing.rules.clone()) } else { read(&self.folders).map(Arc::new) };
            match rules {
                Ok(rules) => (standing.mode, standing.rules) = (wanted, rules),
                Err(Refused(faults)) => {
                    let why = format!("rules refused: kept the mode {}: {}", was.name(), faults.join("; "));
                    (followed.say)(true, &why);
                }
            }
        }
        let after = standing.value_at(self, Some(now)).0;
        let found = (standing.mode, standing.rules.clone());
        drop(standing);
        if found.0 != was {
            let by = by.map_or_else(|| followed.file.shown(), |by| format!("uid {} (pid {})", by.uid, by.pid));
            (followed.say)(false, &format!("the rules: {}, by {by}", found.0.name()));
        }
        if found.0 != was || came_late {
            self.publish(found.0, &found.1);
        }
        let change = match by {
            Some(_) => Change::new(Key::RulesMode, before, after),
            None => followed.ordered(before, after),
        };
        if !before.is_like(after) || by.is_some() {
            self.report(&change, by);
        }
        (change, found)
    }

    fn report(&self, change: &Change, by: Option<&Actor>) {
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner).clone();
        report.iter().for_each(|report| report(change.clone(), by));
    }

    /// Writes the compiled rules for the shim, and says if they cannot do what they say. Rules that are not enforced are none.
    pub(super) fn publish(&self, mode: Mode, rules: &Rules) {
        let Some((followed, at)) = self.followed.as_ref().and_then(|all| Some((all, all.compiled.as_ref()?))) else {
            return;
        };
        if let Err(error) = publish(at, &compiled(mode, rules, &self.modules)) {
            (followed.say)(true, &format!("the shim keeps the compiled rules of before: {}", error.whole()));
        }
        let why = (!is_idle(mode)).then(|| unknown_requesters(rules, misnamed)).flatten();
        why.iter().for_each(|why| (followed.say)(true, why));
    }

    /// Writes the order for this mode, as `khelper rules` does, and follows it. The change has what was read back.
    ///
    /// # Errors
    /// `EINVAL` for a trial of another mode than enforce, and for rules with a fault; `EOPNOTSUPP` if these rules follow no
    /// order, or if they look at who asks and this kernel does not tell the shim; else those of writing the file.
    pub fn order(&self, wanted: ModeFor, by: &Actor) -> Result<Change, ControlError> {
        let Some(followed) = &self.followed else {
            let why = "the mode of these rules is fixed by the program that has loaded them";
            return Err(wrong(Errno::EOPNOTSUPP, why.to_owned(), "use a daemon: `khelper serve --rules audit`"));
        };
        if !wanted.is_possible() {
            let why = "only enforcing can be tried for a time, of at most a week".to_owned();
            return Err(wrong(Errno::EINVAL, why, "give off, learn, audit, enforce, or `enforce 10m`"));
        }
        self.may(followed, wanted.mode)?;
        let _one_at_a_time = self.ordering.lock().unwrap_or_else(PoisonError::into_inner);
        // What was ordered meanwhile counts as the mode of before.
        self.look();
        let standing = || self.standing.write().unwrap_or_else(PoisonError::into_inner);
        // Nobody else takes the order for one without an actor, and no decision waits for the disk: until the file is
        // written, all go by what is in force.
        let now = followed.started.later();
        let order = {
            let mut standing = standing();
            standing.is_ordering = true;
            Order::next(standing.order.as_ref(), wanted, &now)
        };
        let written = followed.file.write(&order);
        let mut standing = standing();
        standing.is_ordering = false;
        written?;
        let (mut change, _) = self.take(standing, followed, (Some(order), followed.file.stamp()), Some(by), &now);
        if let Some(seconds) = wanted.seconds {
            let then = self.state().then.name();
            let keep = "`khelper rules enforce --confirmed` or `khelper set khelper.rules.mode=enforce` keeps them";
            change.warnings.push(format!("the rules are enforced for {seconds} s, then {then} again; {keep}").into());
        }
        Ok(change)
    }

    /// Whether this mode can be ordered: the rules have no fault, and can be enforced.
    fn may(&self, followed: &Followed, mode: Mode) -> Result<(), ControlError> {
        if mode == Mode::Off {
            return Ok(());
        }
        let rules = read(&self.folders).map_err(|Refused(faults)| {
            let more = match faults.len() {
                0 | 1 => String::new(),
                all => format!("; {} more faults", all - 1),
            };
            let first = faults.into_iter().next().unwrap_or_default();
            wrong(Errno::EINVAL, format!("the rules have a fault: {first}{more}"), "see `khelper rules check`")
        })?;
        let unknown = || followed.compiled.as_ref().and_then(|_| unknown_requesters(&rules, misnamed));
        match (mode == Mode::Enforce).then(unknown).flatten() {
            None => Ok(()),
            Some(why) => Err(wrong(
                Errno::EOPNOTSUPP,
                why,
                "remove these rules, use audit, or enforce them with `khelper rules enforce --anyway`",
            )),
        }
    }
}

fn wrong(errno: Errno, why: String, advice: &'static str) -> ControlError {
    ControlError::Value { key: Key::RulesMode.name().to_owned(), error: ParseError::with(errno, why, advice) }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::abi::actor::Origin;
    use crate::control::module_tree::ModuleTree;
    use crate::control::rules::{Folders, OrderFile};

    fn live(dir: &tempfile::TempDir) -> (Live, OrderFile) {
        let file = OrderFile::beside(dir.path());
        let (folders, modules) =
            (Folders::only(dir.path().join("rules.d")), ModuleTree::new("/nowhere".into(), vec![]));
        let live = Live::load(folders, modules, Mode::Audit).unwrap();
        (live.following(file.clone(), None, Arc::new(|_, _| {})), file)
    }

    fn is_ordering(live: &Live, now: bool) {
        live.standing.write().unwrap().is_ordering = now;
    }

    #[test]
    fn while_an_order_is_written_nobody_follows_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let (live, file) = live(&dir);
        is_ordering(&live, true);
        file.write(&Order { mode: Mode::Off, until: None }).unwrap();
        assert_eq!(live.mode(), Mode::Audit);
        is_ordering(&live, false);
        assert_eq!(live.mode(), Mode::Off);
    }

    /// A command was so slow that its trial is over when it has written the compiled rules.
    #[test]
    fn a_trial_that_is_over_before_it_is_followed_leaves_no_compiled_rules() {
        for usual in [Mode::Audit, Mode::Enforce] {
            let dir = tempfile::tempdir().unwrap();
            let rules = dir.path().join("rules.d");
            std::fs::create_dir(&rules).unwrap();
            std::fs::write(rules.join("10-a.rules"), "deny name usual\n").unwrap();
            let (file, compiled) = (OrderFile::beside(dir.path()), dir.path().join("rules.bin"));
            let live = Live::load(Folders::only(rules), ModuleTree::new("/nowhere".into(), vec![]), usual).unwrap();
            let live = live.following(file.clone(), Some(compiled.clone()), Arc::new(|_, _| {}));
            let own = std::fs::read(&compiled).unwrap();
            let until = live.followed.as_ref().unwrap().started.after(0);
            while live.followed.as_ref().unwrap().started.later().until(&until).is_some() {
                std::thread::yield_now();
            }
            for wrong in [&b"khrules1\x01n\x05trial"[..], b"khrules1"] {
                file.write(&Order { mode: Mode::Enforce, until: Some((until.clone(), None)) }).unwrap();
                std::fs::write(&compiled, wrong).unwrap();
                assert_eq!(live.mode(), usual);
                assert_eq!(std::fs::read(&compiled).unwrap(), own, "{usual:?}");
            }
        }
    }

    #[test]
    fn an_order_that_others_see_being_made_has_its_actor() {
        let dir = tempfile::tempdir().unwrap();
        let (live, _) = live(&dir);
        let (nobody, done) = (Arc::new(Mutex::new(0)), AtomicBool::new(false));
        let count = nobody.clone();
        live.report_to(Some(Arc::new(move |_, by| *count.lock().unwrap() += u32::from(by.is_none()))));
        let by = crate::control::actor(Origin::Library);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    live.mode();
                }
            });
            for mode in [Mode::Learn, Mode::Audit, Mode::Enforce, Mode::Off].into_iter().cycle().take(40) {
                live.order(mode.into(), &by).unwrap();
                assert_eq!(live.mode(), mode);
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(*nobody.lock().unwrap(), 0);
    }
}
