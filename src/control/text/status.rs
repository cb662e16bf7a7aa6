//! The state of an engine, in a few lines.

use crate::abi::counted::counted;
use crate::abi::escape::screen;
use crate::abi::rules_mode::RulesState;
use crate::abi::sink::LedgerState;
use crate::abi::snapshot::{Snapshot, WatchState};
use crate::abi::time::Micros;
use crate::control::provenance::Comparison;
use crate::control::target_info::{LinkState, TargetInfo, TargetKind};

use super::kernel;
use super::outcome::took;

/// The target, and what its engine does now.
pub fn lines(info: &TargetInfo, s: &Snapshot) -> Vec<String> {
    if let (TargetKind::Kernel, Some(watch)) = (info.kind, &s.kernel) {
        return of_kernel(info, s, watch);
    }
    let kind = match info.kind {
        TargetKind::Embedded => "embedded",
        TargetKind::Daemon => "daemon",
        TargetKind::Kernel => "kernel",
    };
    let name = if info.name.is_empty() { String::new() } else { format!(" {}", info.name) };
    let version = if info.version.is_empty() { String::new() } else { format!(" {}", screen(info.version.as_bytes())) };
    let up = up_for(info, s).map(|up| format!(", up {up}")).unwrap_or_default();
    let draining = if s.draining { " (draining)" } else { "" };
    let waiting = if s.slots.waiting > 0 { format!(", {} waiting for a slot", s.slots.waiting) } else { String::new() };
    let mut lines = vec![
        format!(
            "{kind}{name}{version} pid {} uid {}{up}; engine: {} running, {} queued{waiting}, gate {}{draining}, era {}",
            info.pid,
            info.uid,
            s.live,
            s.queued,
            s.gate.name(),
            s.knobs.era.name()
        ),
        format!(
            "requests: {} since the start, {} refused; slots: {} of {}; watchers: {}, {} missed",
            s.totals.requests,
            s.totals.refused(),
            s.slots.concurrent,
            s.slots.limit,
            s.watchers,
            counted(s.totals.events_missed, "event")
        ),
    ];
    if s.totals.records_lost > 0 {
        lines.push(format!(
            "records: {} were lost, because the record sink is too slow or fails",
            s.totals.records_lost
        ));
    }
    lines.extend(s.rules.as_ref().map(rules));
    lines.extend(s.ledger.as_ref().map(ledger));
    lines.extend(s.kernel.as_deref().map(of_watch));
    if let LinkState::Lost { why } = &info.link {
        lines.push(format!("connection lost: {why}; this is the last known state"));
    }
    lines
}

fn of_watch(watch: &WatchState) -> String {
    let since = watch.since.map(|since| super::watch::time(since, false));
    kernel::watch(watch, since.as_deref())
}

/// The kernel as a target: what runs, the watch, and what cannot be known.
fn of_kernel(info: &TargetInfo, s: &Snapshot, watch: &WatchState) -> Vec<String> {
    let name = if info.name.is_empty() { String::new() } else { format!(" {}", info.name) };
    let how = if watch.since.is_some() { "watched" } else { "listed" };
    let mut lines = vec![
        format!("kernel{name}: {} running, {how} by pid {} uid {}", counted(s.live, "helper"), info.pid, info.uid),
        of_watch(watch),
    ];
    let states = watch.states.iter().filter(|state| !state.unknown.is_empty());
    lines.extend(states.map(kernel::state));
    lines.extend(s.ledger.as_ref().map(ledger));
    lines
}

/// How the running knobs differ from the configuration files.
pub fn drift(compared: &Comparison) -> String {
    let faults = match compared.faults.len() {
        0 => String::new(),
        1 => ", 1 line cannot be applied".to_owned(),
        n => format!(", {n} lines cannot be applied"),
    };
    format!(
        "configuration: {} drift{faults}{}",
        compared.drift.len(),
        match (compared.drift.len(), &*faults) {
            (0, "") => "",
            _ => " (khelper diff)",
        }
    )
}

/// `rules: enforce for 412 s, then audit; 14 rules; since the start: 1204 allowed, 3 denied, 0 would be denied`.
pub fn rules(state: &RulesState) -> String {
    let trial = state.mode.seconds.map(|left| format!(" for {left} s, then {}", state.then.name())).unwrap_or_default();
    let mode = state.mode.mode.name();
    let plural = if state.rules == 1 { "" } else { "s" };
    format!("rules: {mode}{trial}; {} rule{plural}; since the start: {}", state.rules, decisions(state))
}

/// `1204 allowed, 3 denied, 0 would be denied; 2 by the compiled rules, because the answer came too late`.
pub fn decisions(state: &RulesState) -> String {
    let RulesState { allowed, denied, would_deny, late, .. } = state;
    let late = match late {
        0 => String::new(),
        late => format!("; {late} by the compiled rules, because the answer came too late"),
    };
    format!("{allowed} allowed, {denied} denied, {would_deny} would be denied{late}")
}

/// The ledger, and why its last write failed.
fn ledger(state: &LedgerState) -> String {
    let error = state.error.as_ref().map(|error| format!("; {error}")).unwrap_or_default();
    let (kib, behind) = (state.bytes / 1024, took(state.lag_us));
    let size = if kib < 1024 { format!("{kib} KiB") } else { format!("{} MiB", kib / 1024) };
    let copies = match state.failures_lost {
        0 => String::new(),
        count => format!(", {count} copies of failures lost"),
    };
    format!("ledger: {size}, {behind} behind, {} lost{copies}{error}", state.lost)
}

/// The time since the start of the engine, in microseconds; `None` if the wall clock was set back since.
pub fn uptime(info: &TargetInfo, s: &Snapshot) -> Option<Micros> {
    let now = s.wall.duration_since(std::time::UNIX_EPOCH).ok()?.as_micros();
    u64::try_from(now).ok()?.checked_sub(info.run.started)
}

fn up_for(info: &TargetInfo, s: &Snapshot) -> Option<String> {
    const DAY: Micros = 86_400_000_000;
    let us = uptime(info, s)?;
    Some(if us < DAY { took(us) } else { format!("{} d", us / DAY) })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::control::target_info::RunId;
    use crate::control::testing::{KNOWN, distinct};

    #[test]
    fn every_number_is_in_its_place() {
        let run = RunId { started: 1_000_000, pid: 700 };
        let link = LinkState::Lost { why: "the cable was cut".into() };
        let up = TargetInfo {
            kind: TargetKind::Daemon,
            name: "box".into(),
            version: "1.2.3".into(),
            pid: 700,
            uid: 3,
            run,
            link: LinkState::Up,
            known: KNOWN,
        };
        let mut s = distinct();
        s.wall = UNIX_EPOCH + Duration::from_secs(3 * 86_400 + 2);
        (s.watchers, s.totals.events_missed, s.totals.records_lost) = (71, 72, 73);
        assert_eq!(
            lines(&TargetInfo { link, ..up.clone() }, &s),
            [
                "daemon box 1.2.3 pid 700 uid 3, up 3 d; engine: 22 running, 23 queued, 32 waiting for a slot, gate enabled, era 3.4",
                "requests: 501 since the start, 64 refused; slots: 31 of 47; watchers: 71, 72 events missed",
                "records: 73 were lost, because the record sink is too slow or fails",
                "connection lost: the cable was cut; this is the last known state",
            ]
        );
        (s.wall, s.slots.waiting, s.draining, s.totals.records_lost) =
            (UNIX_EPOCH + Duration::from_secs(61), 0, true, 0);
        let first = "daemon box 1.2.3 pid 700 uid 3, up 1 m 00 s; engine: 22 running, 23 queued, gate enabled (draining), era 3.4";
        assert_eq!((lines(&up, &s)[0].as_str(), lines(&up, &s).len()), (first, 2));
        s.wall = UNIX_EPOCH;
        assert_eq!(uptime(&up, &s), None, "the clock was set back");
    }

    #[test]
    fn drift_is_counted_and_faults_are_not_hidden() {
        let compared = |faults| Comparison { drift: Vec::new(), faults };
        assert_eq!(drift(&compared(Vec::new())), "configuration: 0 drift");
        let words = "configuration: 0 drift, 1 line cannot be applied (khelper diff)";
        assert_eq!(drift(&compared(vec!["x".into()])), words);
        assert!(drift(&compared(vec!["x".into(); 2])).contains(", 2 lines cannot"));
    }

    #[test]
    fn the_ledger_says_how_large_it_is_how_far_behind_and_why_it_fails() {
        let state =
            LedgerState { lag_us: 300_000, bytes: 41 << 20, written: 9, lost: 0, failures_lost: 0, error: None };
        assert_eq!(ledger(&state), "ledger: 41 MiB, 300 ms behind, 0 lost");
        let full = LedgerState { bytes: 5_000, lost: 3, error: Some("full (ENOSPC); free some".into()), ..state };
        assert_eq!(ledger(&full), "ledger: 4 KiB, 300 ms behind, 3 lost; full (ENOSPC); free some");
    }
}
