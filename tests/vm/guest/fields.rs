//! From what was observed to fields: the same words for both sides, and nothing that differs from run to run.

use std::collections::BTreeMap;

use khelper::abi::cap::CapMask;
use khelper::sys::probe::Report;

use super::helper::Facts;
use super::talk::Outcome;
use super::trace::{Event, What, lives};
use crate::compared::{RequestField, StartField};

/// Everything about one side of a scenario.
pub struct Raw {
    pub facts: Vec<Facts>,
    pub outcomes: Vec<Outcome>,
    pub events: Vec<Event>,
    /// When the helpers that were held were let go.
    pub released: Option<u64>,
    /// Whether callers are killed while they wait for a slot, and not while their helpers run.
    pub waits_for_slot: bool,
    pub log: Vec<String>,
}

impl Raw {
    /// How long the last who asked had to wait until what they waited for was done.
    pub fn longest_wait(&self) -> u64 {
        let last = self.outcomes.iter().map(|o| o.group).max();
        let of_last = self.outcomes.iter().filter(|o| Some(o.group) == last);
        of_last.filter_map(|o| Some(o.killed.or(self.released)?.saturating_sub(o.start))).max().unwrap_or(0)
    }
}

/// Pid 1, which a helper is held against.
pub struct Here {
    pub report: Report,
    pub namespaces: BTreeMap<String, String>,
}

pub type Fields = BTreeMap<String, String>;

/// What the helpers found when they started: one value, or one for each helper if they differ.
pub fn start(facts: &[Facts], here: &Here, fields: &mut Fields) {
    for field in StartField::ALL {
        let mut values: Vec<String> = facts.iter().map(|f| start_value(*field, f, here)).collect();
        values.dedup();
        if !values.is_empty() {
            fields.insert(field.name().into(), values.join(" | "));
        }
    }
}

fn start_value(field: StartField, facts: &Facts, here: &Here) -> String {
    let report = &facts.report;
    let set = |set: CapMask| format!("{:#x}", set.bits());
    match field {
        StartField::Argv => list(&report.argv),
        StartField::Env => list(&report.env),
        StartField::Cwd => report.cwd.clone(),
        StartField::Root => report.root.clone(),
        StartField::Umask => report.umask.clone(),
        StartField::Nice => report.nice.to_string(),
        StartField::Scheduler => report.scheduler.clone(),
        StartField::Affinity => format!("{:?}", report.affinity),
        StartField::SignalsBlocked => list(&report.signals.blocked),
        StartField::SignalsIgnored => list(&report.signals.ignored),
        StartField::SignalsCaught => list(&report.signals.caught),
        StartField::SignalsPending => list(&report.signals.pending),
        StartField::Session => whose(report.session, report),
        StartField::Group => whose(report.pgid, report),
        StartField::Terminal => report.terminal.to_string(),
        StartField::Parent => if facts.kernel_parent { "a kernel thread" } else { "a process" }.into(),
        StartField::Fds => fds(report),
        StartField::CapInh => set(report.caps.inheritable),
        StartField::CapPrm => set(report.caps.permitted),
        StartField::CapEff => set(report.caps.effective),
        StartField::CapBnd => set(report.caps.bounding),
        StartField::CapAmb => set(report.caps.ambient),
        StartField::NoNewPrivs => report.no_new_privs.to_string(),
        StartField::Uid => ids(&report.uid),
        StartField::Gid => ids(&report.gid),
        StartField::Groups => format!("{:?}", report.groups),
        StartField::OomScoreAdj => report.oom_score_adj.to_string(),
        StartField::Limits => limits(report, &here.report),
        StartField::Cgroup => facts.cgroup.clone(),
        StartField::Namespaces => namespaces(facts, here),
        other => facts.attributes.get(other.name()).unwrap_or_else(|| panic!("{} is not read", other.name())).clone(),
    }
}

/// Quoted as JSON, so that every byte shows.
fn list(items: &[String]) -> String {
    serde_json::to_string(items).unwrap()
}

fn whose(id: i32, report: &Report) -> String {
    match id {
        0 => "0".into(),
        id if id == report.pid => "its own".into(),
        _ => "another's".into(),
    }
}

fn fds(report: &Report) -> String {
    let kind = |target: &String| target.split(":[").next().unwrap_or_default().to_owned();
    let all: Vec<String> = report.fds.iter().map(|(fd, target)| format!("{fd} {}", kind(target))).collect();
    if all.is_empty() { "none".into() } else { all.join(", ") }
}

fn ids(ids: &khelper::sys::probe::Ids) -> String {
    format!("{} {} {} {}", ids.real, ids.effective, ids.saved, ids.fs)
}

fn limits(report: &Report, here: &Report) -> String {
    let other: Vec<String> = report
        .limits
        .iter()
        .filter(|(name, limit)| here.limits.get(*name) != Some(limit))
        .map(|(name, limit)| format!("{name} {:?}:{:?}", limit.soft, limit.hard))
        .collect();
    if other.is_empty() { "pid 1's".into() } else { other.join(", ") }
}

fn namespaces(facts: &Facts, here: &Here) -> String {
    let other = facts.namespaces.iter().filter(|(name, link)| here.namespaces.get(*name) != Some(link));
    let other: Vec<&str> = other.map(|(name, _)| name.as_str()).collect();
    if other.is_empty() { "pid 1's".into() } else { format!("not pid 1's: {}", other.join(" ")) }
}

/// What became of the requests.
pub fn requests(raw: &Raw, results: &dyn Fn(&Outcome) -> Vec<i32>, fields: &mut Fields) {
    let lives = lives(&raw.events);
    let groups = 1 + raw.outcomes.iter().map(|o| o.group).max().unwrap_or(0);
    let by_group = |of: &dyn Fn(&Outcome) -> Vec<String>| {
        let group = |g| count(raw.outcomes.iter().filter(|o| o.group == g).flat_map(of));
        (0..groups).map(group).collect::<Vec<_>>().join("; then ")
    };
    let result = |o: &Outcome| results(o).iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
    for field in RequestField::ALL {
        let value = match field {
            RequestField::Result => by_group(&|o| vec![result(o)]),
            RequestField::Caller => by_group(&|o| vec![caller(raw, o, results, &lives)]),
            RequestField::Helpers => lives.len().to_string(),
            RequestField::AtOnce => at_once(&lives).to_string(),
            RequestField::Logged => logged(&raw.log),
            RequestField::Bset | RequestField::Inheritable => continue,
        };
        fields.insert(field.name().into(), value);
    }
}

/// The masks as they read afterwards, which are compared also where nothing is asked for.
pub fn masks(bset: &str, inheritable: &str, fields: &mut Fields) {
    fields.insert(RequestField::Bset.name().into(), bset.to_owned());
    fields.insert(RequestField::Inheritable.name().into(), inheritable.to_owned());
}

/// The kernel's results of one caller: what the probes saw it return with.
pub fn kernel_results(events: &[Event], pid: i32, call: bool) -> Vec<i32> {
    let of = |e: &Event| match e.what {
        What::Returned(result) if !call && e.pid == pid => Some(result),
        What::Called(result) if call => Some(result),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// The kernel's calls of helpers that are no modprobe, as their own callers.
pub fn calls(events: &[Event]) -> Vec<Outcome> {
    let returned =
        |e: &Event| events.iter().find(|x| matches!(x.what, What::Called(_)) && x.pid == e.pid && x.at >= e.at);
    let one = |e: &Event| {
        let end = returned(e)?.at;
        Some(Outcome { group: 0, pid: e.pid, start: e.at, end, killed: None, results: Vec::new() })
    };
    events.iter().filter(|e| e.what == What::Calling).filter_map(one).collect()
}

/// The kernel's callers with the kernel's own times, where it can be told when it was asked and when it let them go.
pub fn timed(outcomes: Vec<Outcome>, events: &[Event]) -> Vec<Outcome> {
    let of = |pid: i32| events.iter().filter(move |e| e.pid == pid);
    let one = |o: Outcome| {
        let asked = of(o.pid).find(|e| e.what == What::Asked).map(|e| e.at);
        let let_go =
            |e: &&Event| if o.killed.is_some() { e.what == What::Exit } else { matches!(e.what, What::Returned(_)) };
        let end = of(o.pid).filter(let_go).map(|e| e.at).next_back();
        Outcome { start: asked.unwrap_or(o.start), end: end.unwrap_or(o.end), ..o }
    };
    outcomes.into_iter().map(one).collect()
}

const SECOND: u64 = 1_000_000_000;
/// How long the rule lets a caller wait for a slot, and what the ticks of the kernel's clock may take off.
const ALL_BUSY: u64 = 5 * SECOND - SECOND / 10;
/// The kernel's microseconds are cut.
const CUT: u64 = 1000;

fn caller(raw: &Raw, o: &Outcome, results: &dyn Fn(&Outcome) -> Vec<i32>, lives: &[(u64, Option<u64>)]) -> String {
    let took = o.end - o.start;
    if let Some(killed) = o.killed {
        return if left(o, killed, raw) { "gone when killed" } else { "kept though killed" }.into();
    }
    if results(o).contains(&-libc::ETIME) {
        // The 5 s of the rule, and what a busy machine adds.
        let five = (ALL_BUSY..8 * SECOND).contains(&took);
        return if five { "gave up after 5 s".into() } else { format!("gave up after {} ms", took / 1_000_000) };
    }
    if lives.is_empty() {
        return "back, no helper ran".into();
    }
    let gone = |at: u64| lives.iter().filter(|(_, end)| end.is_some_and(|end| end <= at + CUT)).count();
    if raw.outcomes.len() == 1 {
        let after = gone(o.end) == lives.len();
        return if after { "back after its helper's end" } else { "back before its helper's end" }.into();
    }
    // Nobody can tell whose helper is whose, but at no time are more callers back than helpers gone.
    let served = |x: &&Outcome| x.end <= o.end && x.killed.is_none() && results(x).iter().all(|r| *r >= 0);
    let after = gone(o.end) >= raw.outcomes.iter().filter(served).count();
    if after { "back after a helper's end" } else { "back before a helper's end" }.into()
}

/// Whether the kill ended its wait. Two other things can: its helper's end, which is not before the release; and, if it
/// waits for a slot, the end of its 5 s. Time tells only the second, so a busy machine does not matter for the first.
fn left(o: &Outcome, killed: u64, raw: &Raw) -> bool {
    let over = o.start + ALL_BUSY;
    let in_time = (o.end < over || killed > over) && o.end.saturating_sub(killed) < 4 * SECOND;
    raw.released.is_none_or(|at| o.end < at) && (in_time || !raw.waits_for_slot)
}

fn at_once(lives: &[(u64, Option<u64>)]) -> usize {
    let alive = |at: u64| lives.iter().filter(|(start, end)| *start <= at && end.is_none_or(|end| end > at)).count();
    lives.iter().map(|(start, _)| alive(*start)).max().unwrap_or(0)
}

fn logged(lines: &[String]) -> String {
    let text = count(lines.iter().cloned());
    if text.is_empty() { "nothing".into() } else { text }
}

/// `a ×3, b`.
fn count(items: impl Iterator<Item = String>) -> String {
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for item in items {
        *counted.entry(item).or_default() += 1;
    }
    let one = |(item, n): (&String, &usize)| if *n == 1 { item.clone() } else { format!("{item} ×{n}") };
    counted.iter().map(one).collect::<Vec<_>>().join(", ")
}
