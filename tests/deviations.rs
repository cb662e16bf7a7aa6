//! The declared deviations: the page made from their list is up to date and says what is compared, and what they name
//! exists. `tests/vm` shows that each of them is real.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "vm/compared.rs"]
#[expect(dead_code, reason = "what only the comparison uses")]
mod compared;
#[path = "vm/deviation.rs"]
#[expect(dead_code, reason = "what only the comparison uses")]
mod deviation;
#[path = "vm/scenario.rs"]
#[expect(dead_code, reason = "what only the machine uses")]
mod scenario;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use compared::{RequestField, StartField, Varied, is_listed};
use deviation::{Deviation, load, matches};

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn all() -> Vec<Deviation> {
    load(&source("assets/deviations.toml")).unwrap()
}

fn page(all: &[Deviation]) -> String {
    let mut page =
        "# Where the engine differs from Linux\n\nThese differences are deliberate. `tests/vm` runs each of its \
        scenarios on a real kernel and on the engine, and compares\nthe fields listed at the end of this page. The test \
        fails for a difference that is not declared here, and for a declared\none that does not occur, but for those that are rare. Nothing else is \
        compared. This page is made from `assets/deviations.toml` and\n`tests/vm/compared.rs`; each heading begins with \
        the id of its rule.\n"
            .to_owned();
    for d in all {
        let shown = match (d.seen.is_empty(), d.tests.is_empty()) {
            (false, true) => "tests/vm".to_owned(),
            (false, false) => format!("tests/vm, {}", d.tests.join(", ")),
            (true, _) => d.tests.join(", "),
        };
        let (rule, title, kernel, ours, why) = (&d.rule, &d.title, &d.kernel, &d.ours, &d.why);
        writeln!(
            page,
            "\n## {rule}: {title}\n\n- Linux: {kernel}.\n- khelper: {ours}.\n- Why: {why}.\n- Shown by: {shown}."
        )
        .unwrap();
    }
    page + &what_is_compared()
}

/// From the list that the comparison itself uses.
fn what_is_compared() -> String {
    let mut text =
        "\n## What is compared\n\n`tests/vm` compares these fields on Debian's kernels 6.1 and 6.12, era current. \
        \"Caller\" says whether the caller of some\nscenario has another value that fork(2) would pass on, so that a \
        helper that kept it would be noticed; if not, it says why.\n\nWhat a helper finds when it starts:\n\n\
        | field | what it is | caller |\n|---|---|---|\n"
            .to_owned();
    for field in StartField::ALL {
        let caller = match field.varied() {
            Varied::ByCaller => "yes".to_owned(),
            Varied::ByScenario => "no; the scenarios vary it otherwise".to_owned(),
            Varied::Never(why) => format!("no; {why}"),
        };
        writeln!(text, "| {} | {} | {caller} |", field.name(), field.about()).unwrap();
    }
    text += "\nThe requests:\n\n| field | what it is |\n|---|---|\n";
    for field in RequestField::ALL {
        writeln!(text, "| {} | {} |", field.name(), field.about()).unwrap();
    }
    text += "| bset \\`TEXT\\`, inheritable \\`TEXT\\`, modprobe \\`TEXT\\` | for each text that is written to a knob: \
             accepted or refused with which errno, and how the knob reads then |\n";
    text
}

#[test]
fn the_page_is_made_from_the_list() {
    let (file, wanted) = (source("docs/deviations.md"), page(&all()));
    if std::env::var_os("KHELPER_ASSETS").is_some_and(|what| what == "write") {
        std::fs::write(&file, &wanted).unwrap();
    }
    let is = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(is == wanted, "docs/deviations.md is stale: KHELPER_ASSETS=write cargo test --test deviations");
}

#[test]
fn every_deviation_is_shown_somewhere() {
    let scenarios = scenario::load(&source("tests/vm/scenarios")).unwrap();
    for d in all() {
        assert!(!d.seen.is_empty() || !d.tests.is_empty(), "nothing shows {}: {}", d.rule, d.title);
        for test in &d.tests {
            assert_test_exists(test);
        }
        for seen in &d.seen {
            let named = scenarios.iter().any(|s| matches(&seen.scenario, &s.name));
            assert!(named, "{}: no scenario is called {}", d.rule, seen.scenario);
        }
    }
}

#[test]
fn every_field_is_listed_once_and_every_deviation_is_of_a_listed_field() {
    let names: Vec<&str> =
        StartField::ALL.iter().map(|f| f.name()).chain(RequestField::ALL.iter().map(|f| f.name())).collect();
    let unique: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(unique.len(), names.len(), "a name is listed twice");
    for d in all() {
        for seen in &d.seen {
            let listed = seen.field == "*" || is_listed(&seen.field);
            assert!(listed, "{}: `{}` is not compared", d.rule, seen.field);
        }
    }
}

#[test]
fn linux_s_own_cases_have_the_counterparts_that_are_named() {
    let page = std::fs::read_to_string(source("docs/kmod-selftest.md")).unwrap();
    let scenarios = scenario::load(&source("tests/vm/scenarios")).unwrap();
    for case in 1..=11 {
        let row = format!("| {case:04} |");
        let row = page.lines().find(|l| l.starts_with(&row)).unwrap_or_else(|| panic!("case {case:04} is missing"));
        let named: Vec<&str> = row.split('`').skip(1).step_by(2).filter(|n| !n.ends_with("()")).collect();
        for name in &named {
            match name.strip_prefix("vm: ") {
                Some(name) => assert!(scenarios.iter().any(|s| s.name == name), "no scenario is called {name}"),
                None => assert_test_exists(name),
            }
        }
        assert!(!named.is_empty() || case == 7, "case {case:04} has no counterpart");
    }
}

fn assert_test_exists(test: &str) {
    let (file, function) = test.split_once("::").unwrap_or_else(|| panic!("`{test}` is no file::function"));
    let text = std::fs::read_to_string(source(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    assert!(text.contains(&format!("fn {function}(")), "{file} has no test {function}");
}
