//! The table: scenario, field, kernel, engine, and whether that is the same, declared, or DIFFERENT.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::boot::Booted;
use super::kernels::Kernel;
use crate::deviation::Deviation;
use crate::observation::Side;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Same,
    Declared(usize),
    Different,
}

struct Row {
    series: String,
    scenario: String,
    field: String,
    kernel: String,
    engine: String,
    verdict: Verdict,
}

pub struct Table<'a> {
    deviations: &'a [Deviation],
    rows: Vec<Row>,
    failed: Vec<String>,
    /// Which `seen` of which deviation.
    used: BTreeSet<(usize, usize)>,
    series: BTreeSet<String>,
}

impl<'a> Table<'a> {
    pub fn new(deviations: &'a [Deviation]) -> Self {
        Self { deviations, rows: Vec::new(), failed: Vec::new(), used: BTreeSet::new(), series: BTreeSet::new() }
    }

    pub fn enter(&mut self, kernel: &Kernel, scenario: &str, booted: &Booted) {
        self.series.insert(kernel.series.clone());
        let side = |side| booted.seen.get(&(scenario.to_owned(), side));
        let (Some(theirs), Some(ours)) = (side(Side::Kernel), side(Side::Engine)) else {
            let why = booted.failed.get(scenario).or(booted.broken.as_ref());
            let why = why.map_or("nothing was seen of it", String::as_str);
            self.failed.push(format!("{} {scenario}: {why}", kernel.series));
            return;
        };
        let fields: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
        for field in fields {
            let value = |of: &std::collections::BTreeMap<String, String>| {
                of.get(field).cloned().unwrap_or_else(|| "(not there)".into())
            };
            let (kernel_value, engine_value) = (value(theirs), value(ours));
            let verdict = self.judge(&kernel.series, scenario, field, &kernel_value, &engine_value);
            self.rows.push(Row {
                series: kernel.series.clone(),
                scenario: scenario.to_owned(),
                field: field.clone(),
                kernel: kernel_value,
                engine: engine_value,
                verdict,
            });
        }
    }

    fn judge(&mut self, series: &str, scenario: &str, field: &str, kernel: &str, engine: &str) -> Verdict {
        if kernel == engine {
            return Verdict::Same;
        }
        for (at, deviation) in self.deviations.iter().enumerate() {
            for (which, seen) in deviation.seen.iter().enumerate() {
                if seen.covers(series, scenario, field, kernel, engine) {
                    self.used.insert((at, which));
                    return Verdict::Declared(at);
                }
            }
        }
        Verdict::Different
    }

    /// One line for all that is the same in a scenario, unless `all`; one for each difference.
    pub fn render(&self, all: bool) -> String {
        let mut text = String::new();
        let mut at = 0;
        while at < self.rows.len() {
            let first = &self.rows[at];
            let of = |r: &&Row| r.scenario == first.scenario && r.series == first.series;
            let rows: Vec<&Row> = self.rows[at..].iter().take_while(of).collect();
            at += rows.len();
            let same: Vec<&&Row> = rows.iter().filter(|r| r.verdict == Verdict::Same).collect();
            if !all {
                let fields: Vec<&str> = same.iter().map(|r| r.field.as_str()).collect();
                line(&mut text, first, &format!("same in {} fields: {}", same.len(), fields.join(", ")));
            }
            for row in rows.iter().filter(|r| all || r.verdict != Verdict::Same) {
                let verdict = match row.verdict {
                    Verdict::Same => "same".to_owned(),
                    Verdict::Declared(at) => {
                        format!("declared deviation {} ({})", self.deviations[at].rule, self.deviations[at].title)
                    }
                    Verdict::Different => "DIFFERENT".to_owned(),
                };
                let (field, kernel, engine) = (&row.field, &row.kernel, &row.engine);
                line(&mut text, row, &format!("{field} | {kernel} | {engine} | {verdict}"));
            }
        }
        text
    }

    /// What makes the run fail.
    pub fn wrong(&self, whole: bool) -> Vec<String> {
        let mut wrong = self.failed.clone();
        for row in self.rows.iter().filter(|r| r.verdict == Verdict::Different) {
            wrong.push(format!("{} {}: {} is DIFFERENT", row.series, row.scenario, row.field));
        }
        if whole {
            for (at, deviation) in self.deviations.iter().enumerate() {
                for (which, seen) in deviation.seen.iter().enumerate() {
                    let could = seen.kernels.is_empty() || seen.kernels.iter().any(|k| self.series.contains(k));
                    if could && !self.used.contains(&(at, which)) {
                        let (rule, field) = (&deviation.rule, &seen.field);
                        wrong.push(format!(
                            "{rule} declares a deviation in `{field}` ({}) that was not seen",
                            seen.scenario
                        ));
                    }
                }
            }
        }
        wrong
    }

    pub fn different(&self) -> Vec<String> {
        self.rows.iter().filter(|r| r.verdict == Verdict::Different).map(|r| r.field.clone()).collect()
    }

    pub fn summary(&self) -> String {
        let of = |series: &String| {
            let rows = || self.rows.iter().filter(|r| r.series == *series);
            let scenarios: BTreeSet<&str> = rows().map(|r| r.scenario.as_str()).collect();
            let count = |is: &dyn Fn(&Row) -> bool| rows().filter(|r| is(r)).count();
            format!(
                "{series}: {} scenarios, {} fields: {} same, {} declared deviations, {} DIFFERENT (era current; \
                 era 3.4 is pinned by its rules alone)",
                scenarios.len(),
                count(&|_| true),
                count(&|r| r.verdict == Verdict::Same),
                count(&|r| matches!(r.verdict, Verdict::Declared(_))),
                count(&|r| r.verdict == Verdict::Different)
            )
        };
        self.series.iter().map(of).collect::<Vec<_>>().join("\n")
    }
}

fn line(text: &mut String, row: &Row, rest: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} | {} | {rest}", row.series, row.scenario);
}
