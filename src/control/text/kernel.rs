//! A helper of this machine's kernel, and the state of its watch, in words.

use std::sync::Arc;

use crate::abi::counted::counted;
use crate::abi::escape::{screen, screen_again};
use crate::abi::event::LossSource;
use crate::abi::kernel_helper::{Cause, Fact, KernelHelper, Missing, Unknown};
use crate::abi::record::{Outcome, Record};
use crate::abi::snapshot::{KnownState, WatchState};
use crate::abi::time::Micros;

use super::pieces::allowed;
use super::ps::{self, quoted};

/// `module "fs-foo"`, `release agent "/bin/agent"`, `run (its program is not known: ..)`.
pub fn what(record: &Record) -> String {
    let release = record.kernel.as_ref().is_some_and(|kernel| kernel.cause == Some(Cause::ReleaseAgent));
    let verb = match (&record.module, release) {
        (Some(_), _) => "module",
        (None, true) => "release agent",
        (None, false) => "run",
    };
    match record.title() {
        b"" => format!("{verb} {}", not_known(record, Fact::Path)),
        title => format!("{verb} {}", quoted(title)),
    }
}

/// `(its program is not known: it happened before the watch began)`.
pub fn not_known(record: &Record, what: Fact) -> String {
    let why = record.kernel.as_ref().and_then(|kernel| kernel.why_unknown(what));
    let why = why.map(|why| format!(": {}", why.words())).unwrap_or_default();
    match what {
        // Its code, 0, means nothing.
        Fact::Path if record.outcome == Outcome::ExecFailed => "(its program could not be executed)".to_owned(),
        what => format!("({} is not known{why})", what.words()),
    }
}

/// The requester: `"mount" pid 4121 uid 0, unit cron.service`; `thread 4121 (gone before it could be read)`.
pub fn requester(record: &Record) -> String {
    let Some(kernel) = record.kernel.as_deref() else { return ps::requester(&record.actor) };
    let (actor, doubt) =
        (&record.actor, if kernel.doubts.requester { " (doubtful: trace events are lost)" } else { "" });
    if actor.is_known() {
        let comm = quoted(actor.comm.as_bytes());
        return format!("{comm} pid {} uid {}, {}{doubt}", actor.pid, actor.uid, place(kernel));
    }
    match (kernel.tid, kernel.why_unknown(Fact::Process)) {
        (Some(tid), why) => {
            let why = why.map(|why| format!(" ({})", why.words())).unwrap_or_default();
            format!("thread {tid}{why}{doubt}")
        }
        (None, _) => not_known(record, Fact::Requester),
    }
}

/// `unit cron.service`, `claims unit cron.service`, `container docker 0123..`, `no unit`; or why it is not known.
fn place(kernel: &KernelHelper) -> String {
    match &kernel.place {
        Some(place) => place.to_string(),
        None => format!("its unit is not known: {}", kernel.why_unknown(Fact::Unit).unwrap_or(Unknown::Gone).words()),
    }
}

/// Whether it may be no helper, in brackets; else empty.
pub fn doubt(record: &Record) -> &'static str {
    match record.kernel.as_deref() {
        Some(kernel) if kernel.doubts.is_helper => " (may be no helper: its parent is not known)",
        _ => "",
    }
}

/// A row for each helper of this machine's kernel.
pub fn rows(target: &str, now: Micros, all: &[Arc<Record>]) -> Vec<ps::Cells> {
    let row = |record: &Arc<Record>| {
        [
            target.to_owned(),
            format!("#{}", record.id),
            record.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            // Of a helper that was found running it may not be known when it was started.
            match record.started_us {
                Some(_) => ps::elapsed(now.saturating_sub(record.at)),
                None => "-".to_owned(),
            },
            what(record),
            requester(record),
        ]
    };
    all.iter().map(row).collect()
}

/// The sentences of `why`: who asked, what ran, how it ended, and what is not known and why. `with` are its
/// capabilities, in words.
pub fn story(record: &Record, kernel: &KernelHelper, asked: &str, with: &str, ended: Option<String>) -> Vec<String> {
    let mut lines =
        vec![format!("#{} {}, {asked}. {}{}", record.id, what(record), asked_by(record, kernel), doubt(record))];
    if kernel.cause == Some(Cause::ReleaseAgent) {
        lines.push(
            "The requester emptied a cgroup of version 1; its hierarchy has this program as release agent.".into(),
        );
    }
    let pid = record.pid.map(|pid| format!(" as pid {pid}")).unwrap_or_default();
    let line = match (record.outcome, &*record.path) {
        (Outcome::Refused, _) => format!("Not run: {}.", screen_again(&record.why().unwrap_or_default())),
        (Outcome::ExecFailed, _) => "The kernel could not execute the program.".to_owned(),
        (_, b"") => format!("A program ran{pid}{with}."),
        (_, path) => {
            let args: Vec<String> = record.argv().iter().skip(1).map(|arg| format!(" {}", quoted(arg))).collect();
            format!("{}{} ran{pid}{with}.", screen(path), args.concat())
        }
    };
    lines.push(match allowed(record) {
        Some(allowed) => format!("{allowed} {line}"),
        None => line,
    });
    lines.extend(ended);
    if kernel.doubts.requester {
        lines.push("Who asked is doubtful: trace events of that time are lost.".to_owned());
    }
    lines.extend(unknown(record, kernel));
    lines
}

fn asked_by(record: &Record, kernel: &KernelHelper) -> String {
    let actor = &record.actor;
    if actor.is_known() {
        let inner = kernel.inner_pid.map(|pid| format!(", {pid} in its own namespace")).unwrap_or_default();
        let comm = quoted(actor.comm.as_bytes());
        let place = match &kernel.place {
            Some(place) => format!(", {place}"),
            None => String::new(),
        };
        return format!("Asked by {comm} (pid {}{inner}, uid {}{place}).", actor.pid, actor.uid);
    }
    match (kernel.tid, kernel.why_unknown(Fact::Process)) {
        (Some(tid), Some(Unknown::KernelThread)) => format!("Asked by thread {tid} of the kernel."),
        (Some(tid), _) => format!("Asked by thread {tid}."),
        (None, _) => "Who asked is not known.".to_owned(),
    }
}

/// `Unknown: its command line (gone before it could be read).`
fn unknown(record: &Record, kernel: &KernelHelper) -> Option<String> {
    // What was denied has no command line and no end.
    let is_denied = record.outcome == Outcome::Refused;
    let hidden = |missing: &Missing| match missing.what {
        Fact::Path | Fact::Arguments | Fact::Status if is_denied => true,
        _ => matches!(missing.why, Unknown::KernelThread | Unknown::StillRunning),
    };
    let shown = |missing: &&Missing| !hidden(missing);
    let words = |Missing { what, why }: &Missing| format!("{} ({})", what.words(), why.words());
    let all: Vec<String> = kernel.unknown.iter().filter(shown).map(words).collect();
    (!all.is_empty()).then(|| format!("Unknown: {}.", all.join(", ")))
}

/// One state of what can be known: `known: ..; not known: ..; to change that: ..`.
pub fn state(state: &KnownState) -> String {
    let parts = [("known: ", &state.known), ("not known: ", &state.unknown), ("to change that: ", &state.change)];
    let parts = parts.iter().filter(|(_, text)| !text.is_empty()).map(|(head, text)| format!("{head}{text}"));
    screen(parts.collect::<Vec<_>>().join("; ").as_bytes())
}

/// What is said instead of the watch where there is none.
const NOT_WATCHED: &str = "kernel watcher: none, since this command only lists what runs: `khelper watch -t kernel` watches, \
                           and `khelper serve --watch-kernel` records";

/// The watch in one line: `kernel watcher: since 14:02:11, 310 helpers, requester known of 98 %, 0 events lost, 0 missed`.
/// `since` is when it began, in words; `None` if nothing is watched.
pub fn watch(watch: &WatchState, since: Option<&str>) -> String {
    let Some(since) = since else { return NOT_WATCHED.to_owned() };
    let known = match (watch.requesters * 100).checked_div(watch.helpers) {
        Some(percent) => format!("requester known of {percent} %"),
        None => "none has ended yet".to_owned(),
    };
    let failed = watch.failed.as_ref().map(|why| format!("; the watch has ended: {why}")).unwrap_or_default();
    format!(
        "kernel watcher: since {since}, {}, {known}, {} lost, {} missed{failed}",
        counted(watch.helpers, "helper"),
        counted(watch.lost, "event"),
        watch.missed
    )
}

/// What the watch cannot know, in few words; `None` if it knows everything.
pub fn partial(watch: &WatchState) -> Option<String> {
    if watch.failed.is_some() {
        return Some("the watch has ended".to_owned());
    }
    let missing = |name: &str| watch.states.iter().any(|state| state.name.starts_with(name) && state.known.is_empty());
    let all = [("trace", "starts"), ("requesters", "requesters"), ("exits", "ends")];
    let all: Vec<&str> = all.into_iter().filter(|(name, _)| missing(name)).map(|(_, what)| what).collect();
    (!all.is_empty()).then(|| format!("not known: {}", all.join(", ")))
}

/// A loss, as a line.
pub fn lost(source: LossSource, count: Option<u64>) -> String {
    let number = count.map_or_else(|| "an unknown number of".to_owned(), |count| count.to_string());
    match source {
        LossSource::Requests => {
            format!(
                "lost {number} trace events about requests: the kernel's buffer was full; requesters of that time are doubtful"
            )
        }
        LossSource::Helpers => {
            format!(
                "lost {number} trace events about starts of helpers: the kernel's buffer was full; joins of that time are doubtful"
            )
        }
        LossSource::Ends => "lost an unknown number of ends: the socket's buffer was full".to_owned(),
        LossSource::Trace => "lost a page of trace events: it has not the format that the kernel describes".to_owned(),
        LossSource::Reader => format!("missed {number} helpers or losses: this program was too slow"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::CapMask;
    use crate::abi::event::{Event, EventKind};
    use crate::control::host::tests::{hostile, lone_end, not_executed, record};
    use crate::control::text::{log, watch as events, why};
    use crate::kernel::observation::Observation;

    fn ended(observation: &Observation) -> String {
        let kind = EventKind::Finished(Arc::new(record(observation)));
        events::line("kernel", &Event { seq: 3, at: 0, kind }, "T")
    }

    #[test]
    fn a_helper_is_one_line_whatever_names_it_has() {
        let by = "\"x\\x0a2 kernel\\x1b[2J\" pid 4121 uid 1000, claims unit cron.service";
        assert_eq!(
            ended(&hostile()),
            format!("3 T kernel #88 pid 4125 module \"a\\x1b]0;\\xff\\x0a\\x22b\" ✗ exit 1 (raw 256) · 12 ms, by {by}")
        );
        let mut line = String::new();
        log::request(&mut line, "T", "kernel", &record(&hostile()));
        assert_eq!(line, format!("T kernel #88 module \"a\\x1b]0;\\xff\\x0a\\x22b\"  exit 1  12 ms  by {by}"));
        let lost = "it happened";
        assert!(!ended(&lone_end()).contains(lost));
        assert_eq!(
            ended(&lone_end()),
            "3 T kernel #88 pid 4125 run (its program is not known: trace events of that time are lost) † killed by SIGKILL \
             (raw 9), by (who asked is not known: trace events of that time are lost) (may be no helper: its parent is not \
             known)"
        );
        assert_eq!(
            ended(&not_executed()),
            "3 T kernel #88 pid 4125 release agent (its program could not be executed) ! exec failed · 12 ms, by thread 9 \
             (gone before it could be read) (doubtful: trace events are lost)"
        );
    }

    #[test]
    fn the_story_says_who_asked_what_ran_how_it_ended_and_what_is_not_known() {
        let story = |observation: &Observation| why::story(&record(observation), "T", CapMask::up_to(40));
        assert_eq!(
            story(&hostile()),
            [
                "#88 module \"a\\x1b]0;\\xff\\x0a\\x22b\", T. Asked by \"x\\x0a2 kernel\\x1b[2J\" (pid 4121, 7 in its own namespace, \
                 uid 1000, claims unit cron.service).",
                "/sbin/mod\\x0aprobe \"-q\" \"--\" \"a\\x0a\" ran as pid 4125 with all capabilities.",
                "Exit 1 after 12 ms.",
            ]
        );
        assert_eq!(
            story(&lone_end()),
            [
                "#88 run (its program is not known: trace events of that time are lost), T. Who asked is not known. (may be no \
                 helper: its parent is not known)",
                "A program ran as pid 4125.",
                "Killed by SIGKILL.",
                "Unknown: who asked (trace events of that time are lost), what it was started for (trace events of that time \
                 are lost), its program (trace events of that time are lost), its command line (gone before it could be read).",
            ]
        );
        assert_eq!(
            story(&not_executed())[1..],
            [
                "The requester emptied a cgroup of version 1; its hierarchy has this program as release agent.",
                "The kernel could not execute the program.",
                "Who asked is doubtful: trace events of that time are lost.",
                "Unknown: the process, user and name of the thread that asked (gone before it could be read).",
            ]
        );
    }

    #[test]
    fn the_story_cites_the_rule_that_decided() {
        let ruled = |said: &str, outcome| {
            let unknown = vec![Missing { what: Fact::Arguments, why: Unknown::Gone }];
            let stage = (outcome == Outcome::Refused).then_some(crate::abi::error::Stage::Hook);
            let mut record = Record { said: Some(said.into()), outcome, stage, ..record(&hostile()) };
            if let Some(kernel) = record.kernel.as_mut() {
                kernel.unknown = unknown;
            }
            record
        };
        let story = |record: &Record| why::story(record, "T", CapMask::up_to(40))[1..].to_vec();
        let denied = ruled("denied by /r:7 (deny name *): asked a\\x1b", Outcome::Refused);
        assert_eq!(story(&denied), ["Not run: denied by /r:7 (deny name *): asked a\\x1b."]);
        let mut line = String::new();
        log::request(&mut line, "T", "kernel", &denied);
        assert!(line.contains("  denied by a rule  12 ms  by "), "{line}");
        let lines = story(&ruled("would be denied by /r:7 (deny name *): asked a", Outcome::Exited));
        let audit = "Would be denied by /r:7 (deny name *): asked a; the rules were not enforced. /sbin/mod\\x0aprobe ";
        assert!(lines[0].starts_with(audit) && lines[1] == "Exit 1 after 12 ms.", "{lines:?}");
        let lines = story(&ruled("allowed by /r:1 (allow name a): asked a", Outcome::Exited));
        assert!(lines[0].starts_with("Allowed by /r:1 (allow name a): asked a. /sbin/mod\\x0aprobe "), "{lines:?}");
    }

    #[test]
    fn what_runs_is_a_table_of_what_is_known() {
        let running = |observation: Observation| {
            Arc::new(record(&Observation {
                status: Err(crate::abi::kernel_helper::Unknown::StillRunning),
                ..observation
            }))
        };
        let table = ps::aligned(rows("kernel", 2_101_000, &[running(hostile()), running(lone_end())]));
        assert!(table[1].starts_with("kernel  #88  4125  0:02.1   module \"a\\x1b"), "{}", table[1]);
        assert!(table[1].ends_with("uid 1000, claims unit cron.service"), "{}", table[1]);
        assert!(table[2].starts_with("kernel  #88  4125  -        run (its program"), "{}", table[2]);
        assert!(table.iter().all(|line| !line.chars().any(char::is_control)));
    }

    #[test]
    fn a_watch_says_what_it_counted_and_what_it_cannot_know() {
        let state = |name: &'static str, known: &'static str| KnownState {
            name: name.into(),
            known: known.into(),
            unknown: if known.is_empty() { "who\x1b asked".into() } else { "".into() },
            change: "".into(),
        };
        let mut of = WatchState {
            since: Some(std::time::UNIX_EPOCH),
            states: vec![state("trace", "x"), state("requesters_unsupported", ""), state("exits", "y")],
            helpers: 310,
            requesters: 305,
            lost: 11,
            missed: 12,
            failed: None,
        };
        let words = "kernel watcher: since T, 310 helpers, requester known of 98 %, 11 events lost, 12 missed";
        assert_eq!((watch(&of, Some("T")).as_str(), partial(&of).as_deref()), (words, Some("not known: requesters")));
        assert_eq!(super::state(&of.states[1]), "not known: who\\x1b asked");
        of.states[1].known = "z".into();
        assert_eq!(partial(&of), None);
        (of.helpers, of.failed) = (0, Some("read: x".into()));
        assert_eq!(partial(&of).as_deref(), Some("the watch has ended"));
        assert!(
            watch(&of, Some("T")).contains("none has ended yet")
                && watch(&of, Some("T")).ends_with("the watch has ended: read: x")
        );
    }

    #[test]
    fn a_list_without_a_watch_counts_nothing_and_says_what_watches() {
        let listed =
            WatchState { since: None, states: vec![], helpers: 0, requesters: 0, lost: 0, missed: 0, failed: None };
        let said = watch(&listed, None);
        assert!(said.contains("watcher: none") && !said.contains(" 0 "), "{said}");
    }

    #[test]
    fn each_loss_says_what_is_lost_and_how_much() {
        let all = [LossSource::Requests, LossSource::Helpers, LossSource::Ends, LossSource::Trace, LossSource::Reader];
        let words: std::collections::BTreeSet<String> =
            all.into_iter().map(|source| lost(source, Some(8773))).collect();
        assert_eq!((words.len(), words.iter().filter(|words| words.contains("8773")).count()), (5, 3));
        assert!(lost(LossSource::Requests, None).starts_with("lost an unknown number of trace events"));
    }
}
