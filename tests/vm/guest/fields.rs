//! From what was observed to fields: the same words for both sides, and nothing that differs from run to run.

use std::collections::BTreeMap;

use khelper::sys::probe::Report;

use super::helper::Facts;
use super::talk::Outcome;
use super::trace::{Event, What, lives};

/// Everything about one side of a scenario.
pub struct Raw {
    pub facts: Vec<Facts>,
    pub outcomes: Vec<Outcome>,
    pub events: Vec<Event>,
    /// When the helpers that were held were let go.
    pub released: Option<u64>,
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

/// How a helper was born: one value, or one for each helper if they differ.
pub fn birth(raw: &Raw, here: &Here, fields: &mut Fields) {
    let mut put = |name: &str, of: &dyn Fn(&Facts) -> String| {
        let mut values: Vec<String> = raw.facts.iter().map(of).collect();
        values.dedup();
        if !values.is_empty() {
            fields.insert(name.into(), values.join(" | "));
        }
    };
    put("argv", &|f| list(&f.report.argv));
    put("env", &|f| list(&f.report.env));
    put("cwd", &|f| f.report.cwd.clone());
    put("root", &|f| f.report.root.clone());
    put("umask", &|f| f.report.umask.clone());
    put("nice", &|f| f.report.nice.to_string());
    put("scheduler", &|f| f.report.scheduler.clone());
    put("affinity", &|f| format!("{:?}", f.report.affinity));
    put("signals blocked", &|f| list(&f.report.signals.blocked));
    put("signals ignored", &|f| list(&f.report.signals.ignored));
    put("signals caught", &|f| list(&f.report.signals.caught));
    put("signals pending", &|f| list(&f.report.signals.pending));
    put("session", &|f| whose(f.report.session, &f.report));
    put("group", &|f| whose(f.report.pgid, &f.report));
    put("terminal", &|f| f.report.terminal.to_string());
    put("parent", &|f| if f.kernel_parent { "a kernel thread" } else { "a process" }.into());
    put("fds", &|f| fds(&f.report));
    put("CapInh", &|f| format!("{:#x}", f.report.caps.inheritable.bits()));
    put("CapPrm", &|f| format!("{:#x}", f.report.caps.permitted.bits()));
    put("CapEff", &|f| format!("{:#x}", f.report.caps.effective.bits()));
    put("CapBnd", &|f| format!("{:#x}", f.report.caps.bounding.bits()));
    put("CapAmb", &|f| format!("{:#x}", f.report.caps.ambient.bits()));
    put("NoNewPrivs", &|f| f.report.no_new_privs.to_string());
    put("uid", &|f| ids(&f.report.uid));
    put("gid", &|f| ids(&f.report.gid));
    put("groups", &|f| format!("{:?}", f.report.groups));
    put("oom_score_adj", &|f| f.report.oom_score_adj.to_string());
    put("limits", &|f| limits(&f.report, &here.report));
    put("cgroup", &|f| f.cgroup.clone());
    put("namespaces", &|f| namespaces(f, here));
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

/// What became of it: results, what the callers saw, how many helpers ran and how many at once, the log.
pub fn course(raw: &Raw, results: &dyn Fn(&Outcome) -> Vec<i32>, fields: &mut Fields) {
    let lives = lives(&raw.events);
    let groups = 1 + raw.outcomes.iter().map(|o| o.group).max().unwrap_or(0);
    let by_group = |of: &dyn Fn(&Outcome) -> Vec<String>| {
        let group = |g| count(raw.outcomes.iter().filter(|o| o.group == g).flat_map(of));
        (0..groups).map(group).collect::<Vec<_>>().join("; then ")
    };
    let result = |o: &Outcome| results(o).iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
    fields.insert("result".into(), by_group(&|o| vec![result(o)]));
    fields.insert("caller".into(), by_group(&|o| vec![caller(raw, o, results, &lives)]));
    fields.insert("helpers".into(), lives.len().to_string());
    fields.insert("at once".into(), at_once(&lives).to_string());
    fields.insert("logged".into(), logged(&raw.log));
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
        return if left(o, killed, raw.released) { "gone when killed" } else { "kept though killed" }.into();
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

/// Whether the kill let it go. What else would have: its helper's end, which is not before the release; and the end of
/// its 5 s. At once is less than either takes, also where the machine is busy.
fn left(o: &Outcome, killed: u64, released: Option<u64>) -> bool {
    let over = o.start + ALL_BUSY;
    released.is_none_or(|at| o.end < at) && (o.end < over || killed > over) && o.end.saturating_sub(killed) < 4 * SECOND
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
