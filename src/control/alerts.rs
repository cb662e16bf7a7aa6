//! Alerts: conditions in a snapshot that an operator should act on. A dismissed alert returns when its cause recurs.

use crate::abi::counted::counted;
use crate::abi::event::Level;
use crate::abi::launch_spec::Enforcement;
use crate::abi::log::{LogKind, LogLine};
use crate::abi::safe_text::SafeText;
use crate::abi::snapshot::Snapshot;
use crate::abi::time::Micros;

use super::text::outcome::{Severity, title};

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// How urgent it is.
    pub severity: Severity,
    /// When it last happened, on the engine's clock.
    pub at: Micros,
    /// What happened.
    pub kind: AlertKind,
}

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertKind {
    /// The masks of a helper could not be enforced, or not by themselves (UMH-11).
    NotEnforced {
        /// How they were enforced: [`Enforcement::Refused`] or [`Enforcement::NoNewPrivs`].
        how: Enforcement,
        /// The newest such request.
        id: u64,
        /// Its module or path, escaped.
        title: String,
    },
    /// The limit refused requests (REQ-4).
    Runaway {
        /// The number of refusals since this alert was dismissed.
        refused: u64,
        /// Whether this alert was dismissed before.
        again: bool,
    },
    /// The last write to the ledger failed, as on a full disk.
    Ledger {
        /// Lines that could not be written so far.
        lost: u64,
        /// Why, with advice.
        error: SafeText,
    },
    /// A log line of level warning or above.
    Logged {
        /// The line.
        line: LogKind,
        /// How often it occurs among the lines that the engine keeps.
        times: u32,
    },
}

impl AlertKind {
    /// The alert in one sentence, escaped, without the time.
    pub fn text(&self) -> String {
        match self {
            Self::NotEnforced { how: Enforcement::Refused, id, .. } => {
                format!("#{id}: the masks could not be enforced, so nothing was started")
            }
            Self::NotEnforced { id, title, .. } => {
                format!(
                    "#{id} {title}: masks enforced by no_new_privs, but CapBnd is not narrowed (no CAP_SETPCAP here)"
                )
            }
            Self::Runaway { refused, again } => {
                let more = if *again { " more" } else { "" };
                format!("runaway loop? {refused}{more} refused by the limit: too many requests at once")
            }
            Self::Ledger { lost, error } => {
                format!("{} could not be written to the ledger: {error}", counted(*lost, "line"))
            }
            Self::Logged { line, times } => {
                let times = if *times > 1 { format!(" (×{times})") } else { String::new() };
                format!("{}{times}", line.text())
            }
        }
    }
}

/// The kinds of enforcement that raise an alert, and their severity.
const NOT_ENFORCED: [(Enforcement, Severity); 2] =
    [(Enforcement::Refused, Severity::Bad), (Enforcement::NoNewPrivs, Severity::Warned)];

/// The alerts that the operator has dismissed.
#[derive(Clone, Debug, Default)]
pub struct Dismissed {
    /// The number of refusals by the limit when they were dismissed.
    refused: u64,
    /// Log lines; occurrences up to this time are dismissed.
    lines: Vec<(LogKind, Micros)>,
    /// The newest dismissed request for each of [`NOT_ENFORCED`].
    not_enforced: [u64; NOT_ENFORCED.len()],
    /// The number of lines that the ledger had lost.
    ledger: u64,
}

impl Dismissed {
    /// Dismisses an alert of this snapshot.
    pub fn dismiss(&mut self, kind: &AlertKind, snapshot: &Snapshot) {
        match kind {
            AlertKind::NotEnforced { how, id, .. } => {
                for (newest, _) in self.not_enforced.iter_mut().zip(NOT_ENFORCED).filter(|(_, (of, _))| of == how) {
                    *newest = *id;
                }
            }
            AlertKind::Runaway { .. } => self.dismiss_runaway(snapshot),
            AlertKind::Ledger { lost, .. } => self.ledger = *lost,
            AlertKind::Logged { line: LogKind::Runaway { .. }, .. } => self.dismiss_runaway(snapshot),
            AlertKind::Logged { line: kind, .. } => self.hide(snapshot, |line| line.kind == *kind),
        }
    }

    /// Dismisses all refusals by the limit so far, and the log lines about them.
    pub fn dismiss_runaway(&mut self, snapshot: &Snapshot) {
        self.refused = snapshot.totals.refused_limit;
        self.hide(snapshot, is_runaway);
    }

    /// Dismisses failed drains, since the gate has changed after them.
    pub fn dismiss_drains(&mut self, snapshot: &Snapshot) {
        self.hide(snapshot, |line| matches!(line.kind, LogKind::DrainFailed { .. }));
    }

    /// Hides the log lines that `which` selects, and forgets those that the engine has dropped.
    fn hide(&mut self, snapshot: &Snapshot, which: impl Fn(&LogLine) -> bool) {
        let lines = &snapshot.warnings;
        self.lines.retain(|(kind, _)| lines.iter().any(|line| line.kind == *kind));
        self.lines.extend(lines.iter().filter(|line| which(line)).map(|line| (line.kind.clone(), line.at)));
    }

    fn hides(&self, line: &LogLine) -> bool {
        self.lines.iter().any(|(kind, at)| *kind == line.kind && line.at <= *at)
    }
}

fn is_runaway(line: &LogLine) -> bool {
    matches!(line.kind, LogKind::Runaway { .. })
}

/// Every alert that was not dismissed, in no particular order.
pub fn alerts(snapshot: &Snapshot, dismissed: &Dismissed) -> Vec<Alert> {
    let mut out = not_enforced(snapshot, dismissed);
    out.extend(runaway(snapshot, dismissed));
    out.extend(ledger(snapshot, dismissed));
    out.extend(logged(snapshot, dismissed));
    out
}

fn ledger(snapshot: &Snapshot, dismissed: &Dismissed) -> Option<Alert> {
    let state = snapshot.ledger.as_ref()?;
    let lost = Some(state.lost + state.failures_lost).filter(|lost| *lost > dismissed.ledger)?;
    let kind = AlertKind::Ledger { lost, error: state.error.clone()? };
    Some(Alert { severity: Severity::Bad, at: snapshot.now, kind })
}

fn not_enforced(snapshot: &Snapshot, dismissed: &Dismissed) -> Vec<Alert> {
    let newest = |((how, severity), dismissed): ((Enforcement, Severity), u64)| {
        let record = snapshot.last.iter().find(|record| record.enforced == Some(how))?;
        let kind = AlertKind::NotEnforced { how, id: record.id, title: title(record) };
        let at = record.at + record.ended_us.unwrap_or_default();
        (record.id > dismissed).then_some(Alert { severity, at, kind })
    };
    NOT_ENFORCED.into_iter().zip(dismissed.not_enforced).filter_map(newest).collect()
}

/// The alert for refusals by the limit. Its time is at least that of the newest log line about them, so that the alert
/// can be listed before those lines.
fn runaway(snapshot: &Snapshot, dismissed: &Dismissed) -> Option<Alert> {
    let totals = &snapshot.totals;
    let refused = totals.refused_limit.saturating_sub(dismissed.refused);
    let logged = snapshot.warnings.iter().filter(|line| is_runaway(line)).map(|line| line.at);
    let at = logged.chain(totals.refused_limit_at).max().unwrap_or_default();
    let kind = AlertKind::Runaway { refused, again: dismissed.refused > 0 };
    (refused > 0).then_some(Alert { severity: Severity::Bad, at, kind })
}

/// The log lines of level warning or above; equal lines are counted.
fn logged(snapshot: &Snapshot, dismissed: &Dismissed) -> Vec<Alert> {
    let mut lines: Vec<(&LogLine, u32)> = Vec::new();
    for line in snapshot.warnings.iter().filter(|line| !dismissed.hides(line)) {
        match lines.iter_mut().find(|(newest, _)| newest.kind == line.kind) {
            Some((_, times)) => *times += 1,
            None => lines.push((line, 1)),
        }
    }
    let alert = |(line, times): (&LogLine, u32)| {
        let severity = if line.level() >= Level::Error { Severity::Bad } else { Severity::Warned };
        Alert { severity, at: line.at, kind: AlertKind::Logged { line: line.kind.clone(), times } }
    };
    lines.into_iter().map(alert).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::abi::sink::LedgerState;
    use crate::control::testing::{drain_failed, overflowing, record};

    fn kinds(snapshot: &Snapshot, dismissed: &Dismissed) -> Vec<AlertKind> {
        alerts(snapshot, dismissed).into_iter().map(|alert| alert.kind).collect()
    }

    #[test]
    fn a_runaway_is_dismissed_with_its_log_lines_and_counted_from_there() {
        let (mut s, mut dismissed) = (overflowing(), Dismissed::default());
        let drain = drain_failed(4);
        s.warnings.push(drain.clone());
        let runaway = AlertKind::Runaway { refused: 30, again: false };
        let kind = LogKind::Runaway { module: b"dummy"[..].into() };
        let line = AlertKind::Logged { line: kind.clone(), times: 5 };
        let drain = AlertKind::Logged { line: drain.kind, times: 1 };
        assert_eq!(kinds(&s, &dismissed), [runaway.clone(), line.clone(), drain.clone()]);
        dismissed.dismiss(&line, &s);
        assert_eq!(kinds(&s, &dismissed), std::slice::from_ref(&drain));
        s.totals.refused_limit += 7;
        assert_eq!(kinds(&s, &dismissed), [AlertKind::Runaway { refused: 7, again: true }, drain.clone()]);
        s.warnings.push(LogLine { at: 9, kind: kind.clone() });
        dismissed.dismiss_drains(&s);
        assert_eq!(alerts(&s, &dismissed)[0].at, 9);
        assert_eq!(kinds(&s, &dismissed)[1..], [AlertKind::Logged { line: kind, times: 1 }]);
    }

    #[test]
    fn a_ledger_that_cannot_be_written_is_an_alert_until_dismissed_or_until_it_can() {
        let (mut s, mut dismissed) = (crate::control::testing::snapshot(), Dismissed::default());
        let state =
            |lost, error: Option<&str>| LedgerState { lost, error: error.map(SafeText::new), ..Default::default() };
        s.ledger = Some(state(0, None));
        assert_eq!(kinds(&s, &dismissed), []);
        s.ledger = Some(state(3, Some("full (ENOSPC); free some space")));
        let [alert] = &kinds(&s, &dismissed)[..] else { panic!() };
        assert_eq!(alert.text(), "3 lines could not be written to the ledger: full (ENOSPC); free some space");
        dismissed.dismiss(alert, &s);
        assert_eq!(kinds(&s, &dismissed), []);
        s.ledger = Some(state(4, Some("full")));
        assert_eq!(kinds(&s, &dismissed).len(), 1);
        let failures = LedgerState { failures_lost: 1, ..state(4, Some("full")) };
        s.ledger = Some(failures);
        assert!(matches!(kinds(&s, &dismissed)[..], [AlertKind::Ledger { lost: 5, .. }]), "a line, too");
        s.ledger = Some(state(4, None));
        assert_eq!(kinds(&s, &dismissed), []);
    }

    #[test]
    fn umh_11_the_newest_helper_whose_masks_were_not_enforced_is_an_alert_until_dismissed() {
        let (mut s, mut dismissed) = (crate::control::testing::snapshot(), Dismissed::default());
        let of = |id, how| Arc::new(crate::abi::record::Record { enforced: Some(how), ..record(id, b"x", 0) });
        s.last = vec![of(5, Enforcement::NoNewPrivs), of(4, Enforcement::NoNewPrivs), of(3, Enforcement::Refused)];
        let kind = |how, id| AlertKind::NotEnforced { how, id, title: "x".into() };
        let (refused, weak) = (kind(Enforcement::Refused, 3), kind(Enforcement::NoNewPrivs, 5));
        assert_eq!(kinds(&s, &dismissed), [refused.clone(), weak.clone()]);
        dismissed.dismiss(&weak, &s);
        assert_eq!(kinds(&s, &dismissed), [refused]);
        s.last.insert(0, of(6, Enforcement::NoNewPrivs));
        assert_eq!(kinds(&s, &dismissed)[1], kind(Enforcement::NoNewPrivs, 6));
    }
}
