//! Metrics: every number is where its name says, in both text forms.

use std::collections::BTreeMap;

use khelper::abi::cap::CapMask;
use khelper::abi::depth::Depth;
use khelper::abi::error::Stage;
use khelper::abi::snapshot::Snapshot;
use khelper::control::metrics::{Form, text};
use khelper::control::target::{LinkState, RunId, TargetInfo, TargetKind};
use khelper::sys::fake::Script;

fn info() -> TargetInfo {
    TargetInfo {
        kind: TargetKind::Daemon,
        name: "box".into(),
        version: "1.2.3".into(),
        pid: 7,
        uid: 8,
        run: RunId { started: 1_700_000_000_000_017, pid: 7 },
        link: LinkState::Up,
        known: CapMask::up_to(40),
    }
}

/// A state in which all numbers differ.
fn snapshot() -> Snapshot {
    let mut s = super::engine(Script::default()).snapshot();
    (s.live, s.running_helpers, s.queued, s.watchers, s.gate) = (21, 22, 23, 24, Depth::Freezing);
    (s.slots.limit, s.slots.concurrent, s.slots.waiting) = (31, 32, 33);
    (s.totals.requests, s.totals.launched, s.totals.refused_limit) = (41, 42, 43);
    (s.totals.events_missed, s.totals.records_lost) = (44, 45);
    s.totals.by_outcome = [50, 51, 52, 53, 54, 55, 56, 57];
    s.totals.refused_by_stage = Stage::ALL.map(|stage| 60 + stage as u64);
    s.totals.run_times.add(100);
    s.totals.run_times.add(2_000_001);
    s.totals.queue_times.add(999_000_000);
    s
}

/// The samples of a text by name and labels, after a check of its grammar: each family has its HELP and TYPE before its
/// samples, once, and its samples stand together.
fn samples(text: &str, open: bool) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut family = String::new();
    let mut seen = Vec::new();
    let body = if open { text.strip_suffix("# EOF\n").unwrap() } else { text };
    assert!(body.ends_with('\n') && !body.contains("\n\n") && !body.contains("EOF"));
    let mut lines = body.lines();
    while let Some(line) = lines.next() {
        let Some(help) = line.strip_prefix("# HELP ") else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let base = name.split('{').next().unwrap();
            let suffix = base.strip_prefix(&*family).unwrap_or_else(|| panic!("{line} within {family}"));
            assert!(["", "_total", "_info", "_bucket", "_sum", "_count"].contains(&suffix), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert_eq!(all.insert(name.to_owned(), value.to_owned()), None, "{line}");
            continue;
        };
        family = help.split(' ').next().unwrap().to_owned();
        assert!(!seen.contains(&family), "{family}");
        seen.push(family.clone());
        let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {family} ")).unwrap();
        match kind {
            "counter" => assert_eq!(family.ends_with("_total"), !open, "{family}"),
            "info" => assert!(open && !family.ends_with("_info"), "{family}"),
            "gauge" | "histogram" => {}
            other => panic!("{family}: {other}"),
        }
        if open && family.ends_with("_seconds") {
            assert_eq!(lines.next().unwrap(), format!("# UNIT {family} seconds"));
        }
    }
    all
}

#[test]
fn every_number_is_under_its_name_in_both_forms() {
    let open = samples(&text(&info(), &snapshot(), Form::OpenMetrics), true);
    let classic = samples(&text(&info(), &snapshot(), Form::Classic), false);
    assert_eq!(open, classic, "only the lines about the families differ");
    let mut wanted = [
        ("khelper_start_time_seconds", "1700000000.000017"),
        ("khelper_helpers_running", "21"),
        ("khelper_calls_in_flight", "22"),
        ("khelper_calls_queued", "23"),
        ("khelper_watchers", "24"),
        ("khelper_slots_limit", "31"),
        ("khelper_slots_taken", "32"),
        ("khelper_slots_waiting", "33"),
        ("khelper_requests_total", "41"),
        ("khelper_launched_total", "42"),
        ("khelper_runaways_total", "43"),
        ("khelper_watch_missed_total", "44"),
        ("khelper_records_lost_total", "45"),
        ("khelper_ends_total{outcome=\"exited\"}", "51"),
        ("khelper_ends_total{outcome=\"killed\"}", "52"),
        ("khelper_ends_total{outcome=\"exec_failed\"}", "53"),
        ("khelper_ends_total{outcome=\"refused\"}", "54"),
        ("khelper_ends_total{outcome=\"abandoned\"}", "55"),
        ("khelper_ends_total{outcome=\"noop\"}", "56"),
        ("khelper_ends_total{outcome=\"lost\"}", "57"),
        ("khelper_refusals_total{stage=\"name\"}", "60"),
        ("khelper_refusals_total{stage=\"limit\"}", "64"),
        ("khelper_refusals_total{stage=\"gate\"}", "66"),
        ("khelper_refusals_total{stage=\"forked\"}", "73"),
        ("khelper_gate{depth=\"enabled\"}", "0"),
        ("khelper_gate{depth=\"freezing\"}", "1"),
        ("khelper_duration_seconds_bucket{le=\"0.0001\"}", "1"),
        ("khelper_duration_seconds_bucket{le=\"1.0\"}", "1"),
        ("khelper_duration_seconds_bucket{le=\"5.0\"}", "2"),
        ("khelper_duration_seconds_sum", "2.000101"),
        ("khelper_duration_seconds_count", "2"),
        ("khelper_queueing_seconds_bucket{le=\"300.0\"}", "0"),
        ("khelper_queueing_seconds_bucket{le=\"+Inf\"}", "1"),
        ("khelper_queueing_seconds_sum", "999.000000"),
    ]
    .into_iter();
    let wrong = wanted.find(|(name, value)| open.get(*name).map(String::as_str) != Some(value));
    assert_eq!(wrong, None, "{open:#?}");
    let version = "khelper_build_info{version=\"1.2.3\"}";
    assert_eq!(open.get(version).map(String::as_str), Some("1"));
}

#[test]
fn the_two_forms_name_their_counters_differently() {
    let [open, classic] = [Form::OpenMetrics, Form::Classic].map(|form| text(&info(), &snapshot(), form));
    assert!(open.contains("# TYPE khelper_ends counter\n") && open.ends_with("\n# EOF\n"), "{open}");
    assert!(classic.contains("# TYPE khelper_ends_total counter\n") && !classic.contains("EOF"), "{classic}");
}
