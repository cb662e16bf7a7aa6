//! The daemon's side of the shim: its socket and its answers.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::SysError;
use crate::abi::event::Level;
use crate::abi::profile::Profile;
use crate::cli::serve::Serve;
use crate::control::Change;
use crate::control::host::{HostKernel, Ruling};
use crate::control::module_tree::ModuleTree;
use crate::control::profiles::{self, Live as Profiles};
use crate::control::rules::text::{counted, remark};
use crate::control::rules::{Answers, Folders, Judge, Live, Open, OrderFile, Refused, Report};
use crate::control::shim::{self, Shim};
use crate::daemon::journal::Journal;
use crate::daemon::mailbox::Reloaded;
use crate::daemon::socket::Listener;
use crate::daemon::verdict::{Parts, Unanswered, Verdicts};
use crate::engine::{Engine, ProfileHook};
use crate::policy::asker::may_ask;
use crate::policy::rules::Decision;

/// The socket of the shim. Root's daemon at its usual socket has one, and who names one.
pub fn listen(args: &Serve) -> Result<Option<Listener>, SysError> {
    let usual = || nix::unistd::geteuid().is_root() && args.socket.is_none();
    let path = args.shim_socket.clone().or_else(|| usual().then(|| PathBuf::from(shim::SOCKET)));
    path.map(|path| Listener::verdicts(&path)).transpose()
}

/// The rules. They follow the operator's orders; where there is a shim, its compiled rules do, too.
pub fn rules(args: &Serve, socket: Option<&Listener>, state: &Path, journal: &Arc<Journal>) -> Result<Live, Refused> {
    let (mode, modules) = (args.rules.unwrap_or_default(), ModuleTree::default());
    let folders = args.config.as_ref().map_or_else(Folders::default, |folder| Folders::only(folder.join("rules.d")));
    let order = OrderFile::beside(state);
    let rules = Live::load_by(&order, folders, modules, mode)?;
    let journal = journal.clone();
    let say =
        move |is_fault: bool, line: &str| journal.line(if is_fault { Level::Error } else { Level::Warning }, line);
    Ok(rules.following(order, socket.map(|socket| compiled_at(Some(&socket.path))), Arc::new(say)))
}

/// Changes of the mode are events of the engine; one of the order's file is a change by this process.
pub fn reporting(rules: &Arc<Live>, engine: &Engine) -> Reporting {
    let engine = engine.clone();
    let report: Report = Arc::new(move |change: Change, by: Option<&Actor>| match by {
        Some(by) => engine.report_changed(change, by),
        None => engine.report_changed(change, &engine.actor(Origin::Library)),
    });
    rules.report_to(Some(report));
    Reporting(rules.clone())
}

/// Ends the reports when it is dropped: the engine has the rules, which must not have the engine for ever.
pub struct Reporting(Arc<Live>);

impl Drop for Reporting {
    fn drop(&mut self) {
        self.0.report_to(None);
    }
}

/// The compiled rules are beside the socket.
pub fn compiled_at(socket: Option<&Path>) -> PathBuf {
    let beside = socket.and_then(Path::parent).filter(|folder| *folder != Path::new(""));
    beside.map_or_else(|| PathBuf::from(shim::RULES), |folder| folder.join("rules.bin"))
}

/// The answers to the shim, and their number.
pub struct Answering {
    judge: Arc<Judge>,
    verdicts: Verdicts,
}

impl Answering {
    /// What was answered so far, if anything was asked.
    pub fn report(&self) -> Option<String> {
        report(self.judge.counted(), self.verdicts.unanswered())
    }
}

fn report(answers: Answers, unanswered: Unanswered) -> Option<String> {
    let Answers { allowed, denied, would_deny } = answers;
    let Unanswered { strangers, malformed, dropped, late } = unanswered;
    [allowed, denied, would_deny, strangers, malformed, dropped, late].iter().any(|count| *count > 0).then(|| {
        format!(
            "verdicts for the shim since the start: {allowed} allowed, {denied} denied, {would_deny} would be denied; \
             without one: {strangers} not started by the kernel, {malformed} malformed, {dropped} without a question in \
             time, {late} by the compiled rules, because the answer came too late"
        )
    })
}

/// The profiles. One with a fault is named, and no helper runs with it.
pub fn profiles(args: &Serve, rules: &Live, journal: &Journal) -> Arc<Profiles> {
    let folders = args.config.as_ref().map(|folder| profiles::Folders::only(folder.join("profiles.d")));
    let (profiles, faults) = Profiles::load(folders.unwrap_or_default());
    faults.iter().for_each(|fault| journal.line(Level::Error, fault));
    lacking(&profiles, rules).iter().for_each(|line| journal.line(Level::Error, line));
    Arc::new(profiles)
}

/// Reads them again, as a whole or not at all.
pub fn reload_profiles(profiles: &Profiles, rules: &Live, reloaded: &mut Reloaded) {
    match profiles.reload() {
        Ok(count) => reloaded.lines.extend(count.map(|count| format!("{} read again", counted(count, "profile")))),
        Err(faults) => {
            reloaded.lines.splice(0..0, faults);
            (reloaded.level, reloaded.state) = (Level::Error, "profiles refused: kept the old ones");
        }
    }
    reloaded.lines.extend(lacking(profiles, rules));
}

/// The rules whose profile is not there.
fn lacking(profiles: &Profiles, rules: &Live) -> Vec<String> {
    let (rules, profiles) = (rules.rules(), profiles.profiles());
    let lacking = rules.without_profile(&|name| profiles.get(name).is_some());
    lacking.iter().map(|lacks| remark(&rules, lacks)).collect()
}

/// Answers the shim, by these rules and with these profiles. `kernel` has the records of the helpers.
pub fn answer(
    socket: &Listener,
    rules: Arc<Live>,
    profiles: ProfileHook,
    journal: &Arc<Journal>,
    kernel: Option<Arc<HostKernel>>,
) -> Result<Answering, SysError> {
    let (journal, records) = (journal.clone(), kernel.clone());
    let told = move |open: &Open<'_>, decision: &Decision, sentence: Option<&str>, profile: Option<&Profile>| {
        let level = match decision {
            Decision::Allow(Some(cited)) if cited.rule.log => Some(Level::Info),
            Decision::Allow(_) => None,
            Decision::Deny(_) | Decision::WouldDeny(_) => Some(Level::Warning),
        };
        level.into_iter().zip(sentence).for_each(|(level, sentence)| journal.line(level, sentence));
        if let (Some(records), Some(start_time)) = (&records, open.start_time) {
            let is_denied = matches!(decision, Decision::Deny(_));
            let (sentence, program) = (sentence.map(Box::from), open.question.program().into());
            let profile = profile.map(|profile| profile.name.clone());
            records.ruled(open.pid, start_time, Ruling { is_denied, sentence, profile, program });
        }
    };
    let socket = socket
        .socket
        .try_clone()
        .map_err(|e| SysError::new("dup", Errno::from_raw(e.raw_os_error().unwrap_or(libc::EMFILE))))?;
    let shim = PathBuf::from(OsString::from_vec(Shim::own()));
    let (traced, withdraws) = (kernel.clone(), kernel);
    let untaken = move |pid: i32| withdraws.iter().for_each(|kernel| kernel.unruled(pid));
    let mut judge = Judge::new(rules, Arc::new(told)).telling_untaken(Arc::new(untaken)).profiles(profiles);
    if let Some(kernel) = traced.clone() {
        judge = judge.asking(Arc::new(move |pid, start_time| kernel.waiter(pid, start_time)));
    }
    let judge = Arc::new(judge);
    let verdicts = Verdicts::start(Parts { socket, shim, judge: judge.clone(), admit: may_ask })?;
    traced.iter().for_each(|kernel| kernel.wake(verdicts.wake()));
    Ok(Answering { judge, verdicts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_its_name_and_nothing_asked_is_nothing_said() {
        assert_eq!(report(Answers::default(), Unanswered::default()), None);
        let answers = Answers { allowed: 2, denied: 3, would_deny: 4 };
        let unanswered = Unanswered { strangers: 5, malformed: 6, dropped: 7, late: 8 };
        let said = report(answers, unanswered).unwrap();
        let numbers =
            "2 allowed, 3 denied, 4 would be denied; without one: 5 not started by the kernel, 6 malformed, 7 without";
        assert!(said.contains(numbers) && said.contains("8 by the compiled rules"), "{said}");
        assert!(report(Answers::default(), Unanswered { dropped: 1, ..Unanswered::default() }).is_some());
    }
}
