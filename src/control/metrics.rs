//! An engine's counters as text for Prometheus, in two forms that are not interchangeable: OpenMetrics, and the classic
//! text form that node_exporter reads from files. Labels are bounded: no module names, no paths.

use std::fmt::Write as _;

use crate::abi::depth::Depth;
use crate::abi::error::Stage;
use crate::abi::histogram::{BOUNDS, Histogram};
use crate::abi::record::Outcome;
use crate::abi::rules_mode::{Mode, RulesState};
use crate::abi::snapshot::{Snapshot, WatchState};
use crate::abi::time::Micros;

use super::target_info::{TargetInfo, TargetKind};

/// The form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// OpenMetrics 1.0: a counter's family has no `_total`, and `# EOF` ends the text.
    OpenMetrics,
    /// The text form of Prometheus 0.0.4, for the textfile collector of node_exporter.
    Classic,
}

/// The outcomes of requests that have ended.
const OUTCOMES: [Outcome; 7] = [
    Outcome::Exited,
    Outcome::Killed,
    Outcome::ExecFailed,
    Outcome::Refused,
    Outcome::Abandoned,
    Outcome::Noop,
    Outcome::Lost,
];

/// The whole text for one engine.
pub fn text(info: &TargetInfo, s: &Snapshot, form: Form) -> String {
    let mut out = Text { out: String::new(), form };
    about(&mut out, info);
    match (info.kind, &s.kernel) {
        (TargetKind::Kernel, Some(watch)) => of_kernel(&mut out, s, watch),
        _ => {
            requests(&mut out, s);
            now(&mut out, s);
            s.rules.iter().for_each(|state| rules(&mut out, state));
        }
    }
    ledger(&mut out, s);
    out.histogram("khelper_duration_seconds", "How long helpers ran, from the exec to the end.", &s.totals.run_times);
    let help = "How long calls waited, from the request to the exec: for a slot, a worker and the launch.";
    out.histogram("khelper_queueing_seconds", help, &s.totals.queue_times);
    if form == Form::OpenMetrics {
        out.out.push_str("# EOF\n");
    }
    out.out
}

fn about(out: &mut Text, info: &TargetInfo) {
    let kind = if out.form == Form::Classic { "gauge" } else { "info" };
    let name = if out.form == Form::Classic { "khelper_build_info" } else { "khelper_build" };
    out.head(name, kind, "The version of the program that runs the engine.");
    out.line("khelper_build_info", &[("version", &label(&info.version))], "1");
    let started = info.run.started;
    out.gauge("khelper_start_time_seconds", "When the engine started, in seconds since the epoch.", &seconds(started));
}

/// The helpers of the kernel, since the watch began. What only an engine has (slots, a gate, refusals) is left out.
fn of_kernel(out: &mut Text, s: &Snapshot, watch: &WatchState) {
    let t = &s.totals;
    out.counter("khelper_launched", "Helpers that were started.", t.launched);
    let outcomes = [Outcome::Exited, Outcome::Killed, Outcome::ExecFailed, Outcome::Lost];
    let ends = outcomes.map(|outcome| (outcome.name(), t.of(outcome)));
    out.counters("khelper_ends", "Helpers that ended, by outcome.", "outcome", &ends);
    out.counter(
        "khelper_requesters",
        "Helpers that ended and of which the user that asked is known.",
        watch.requesters,
    );
    out.counter(
        "khelper_trace_lost",
        "Trace events that were lost; a loss of an unknown number counts as 1.",
        watch.lost,
    );
    out.counter("khelper_trace_missed", "Helpers and losses that were not recorded, for lack of time.", watch.missed);
    out.counter("khelper_watch_missed", "Events that watchers lost because they read too slowly.", t.events_missed);
    out.gauge("khelper_helpers_running", "Helper processes that run now.", &s.live.to_string());
    out.gauge("khelper_watchers", "Subscribers to the events of the watch.", &s.watchers.to_string());
    let runs = if watch.failed.is_some() { "0" } else { "1" };
    out.gauge("khelper_watching", "1 as long as the kernel is watched.", runs);
}

/// Counts since the engine started.
fn requests(out: &mut Text, s: &Snapshot) {
    let t = &s.totals;
    out.counter("khelper_requests", "Requests of every kind.", t.requests);
    out.counter("khelper_launched", "Helpers that were executed.", t.launched);
    let ends = OUTCOMES.map(|outcome| (outcome.name(), t.of(outcome)));
    out.counters("khelper_ends", "Requests that ended, by outcome.", "outcome", &ends);
    let refusals = Stage::ALL.map(|stage| (stage.name(), t.refused_at(stage)));
    out.counters("khelper_refusals", "Requests that were refused, by stage.", "stage", &refusals);
    let help = "Module requests above the limit, era 3.4: the sign of a runaway loop.";
    out.counter("khelper_runaways", help, t.refused_limit);
    out.counter("khelper_watch_missed", "Events that watchers lost because they read too slowly.", t.events_missed);
    let help = "Records and changes that the record sink, such as a ledger, did not get.";
    out.counter("khelper_records_lost", help, t.records_lost);
}

/// What the rules do, and have decided.
fn rules(out: &mut Text, state: &RulesState) {
    let decisions = [("allowed", state.allowed), ("denied", state.denied), ("would_deny", state.would_deny)];
    let help = "Requests that the rules have judged, by decision.";
    out.counters("khelper_rule_decisions", help, "decision", &decisions);
    let help = "Requests that the shim's compiled rules decided, because the answer came too late.";
    out.counter("khelper_rule_answers_late", help, state.late);
    out.gauge("khelper_rules", "Rules that are in force.", &state.rules.to_string());
    out.head("khelper_rules_mode", "gauge", "1 for the mode that the rules have now.");
    for mode in Mode::ALL {
        out.line("khelper_rules_mode", &[("mode", mode.name())], if mode == state.mode.mode { "1" } else { "0" });
    }
    let left = state.mode.seconds.unwrap_or(0).to_string();
    out.gauge("khelper_rules_trial_seconds", "For how long the mode is on trial still; 0: it stays.", &left);
}

/// The ledger, if there is one.
fn ledger(out: &mut Text, s: &Snapshot) {
    let Some(ledger) = &s.ledger else { return };
    out.counter("khelper_ledger_lost", "Lines that could not be written to the ledger.", ledger.lost);
    let help = "Failures that could not be written to the ledger's series of failures.";
    out.counter("khelper_ledger_failures_lost", help, ledger.failures_lost);
    out.counter("khelper_ledger_written", "Lines that were written to the ledger.", ledger.written);
    let lag = seconds(ledger.lag_us);
    out.gauge("khelper_ledger_lag_seconds", "How long the line that is being written has waited.", &lag);
    out.gauge("khelper_ledger_bytes", "The bytes of all segments of the ledger.", &ledger.bytes.to_string());
    let failed = if ledger.error.is_some() { "1" } else { "0" };
    out.gauge("khelper_ledger_failed", "1 if the last write to the ledger failed, as on a full disk.", failed);
}

/// The state at this moment.
fn now(out: &mut Text, s: &Snapshot) {
    let gauges: [(&str, &str, u32); 7] = [
        ("khelper_helpers_running", "Helper processes that run now.", s.live),
        ("khelper_calls_in_flight", "Calls that the gate's drain would wait for.", s.running_helpers),
        ("khelper_calls_queued", "Calls that wait for a worker.", s.queued),
        ("khelper_slots_taken", "Module requests in progress.", s.slots.concurrent),
        ("khelper_slots_limit", "The most module requests in progress at once.", s.slots.limit),
        ("khelper_slots_waiting", "Module requests that wait for a slot, era current.", s.slots.waiting),
        ("khelper_watchers", "Subscribers to the engine's events.", s.watchers),
    ];
    for (name, help, value) in gauges {
        out.gauge(name, help, &value.to_string());
    }
    out.head("khelper_gate", "gauge", "1 for the depth that the gate has now.");
    for depth in [Depth::Enabled, Depth::Freezing, Depth::Disabled] {
        out.line("khelper_gate", &[("depth", depth.name())], if depth == s.gate { "1" } else { "0" });
    }
}

struct Text {
    out: String,
    form: Form,
}

impl Text {
    /// The lines that begin a family of metrics. OpenMetrics wants the unit of a family whose name ends with one.
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        if self.form == Form::OpenMetrics && name.ends_with("_seconds") {
            let _ = writeln!(self.out, "# UNIT {name} seconds");
        }
    }

    /// One sample. The values of labels are constants of this program, or escaped by [`label`].
    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: &str) {
        self.out.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            let _ = write!(self.out, "{}{label}=\"{value}\"", if at == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.out, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn gauge(&mut self, name: &str, help: &str, value: &str) {
        self.head(name, "gauge", help);
        self.line(name, &[], value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let sample = self.counter_head(name, help);
        self.line(&sample, &[], &value.to_string());
    }

    fn counters(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) {
        let sample = self.counter_head(name, help);
        for (of, value) in values {
            self.line(&sample, &[(label, of)], &value.to_string());
        }
    }

    /// Returns the name of the samples.
    fn counter_head(&mut self, name: &str, help: &str) -> String {
        let sample = format!("{name}_total");
        self.head(if self.form == Form::Classic { &sample } else { name }, "counter", help);
        sample
    }

    fn histogram(&mut self, name: &str, help: &str, values: &Histogram) {
        self.head(name, "histogram", help);
        let (bucket, mut below) = (format!("{name}_bucket"), 0);
        let bounds = BOUNDS.iter().map(|bound| bound_seconds(*bound)).chain([String::from("+Inf")]);
        for (bound, count) in bounds.zip(values.buckets) {
            below += count;
            self.line(&bucket, &[("le", &bound)], &below.to_string());
        }
        self.line(&format!("{name}_sum"), &[], &seconds(values.sum_us));
        self.line(&format!("{name}_count"), &[], &below.to_string());
    }
}

/// Another program's text as the value of a label: only the characters of a version.
fn label(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "._-+".contains(*c)).take(64).collect()
}

fn seconds(us: Micros) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// A bound in the form that OpenMetrics demands of `le`: no superfluous zeroes, and one digit after the point.
fn bound_seconds(us: Micros) -> String {
    let text = seconds(us);
    let short = text.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}
