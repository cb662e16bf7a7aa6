//! The table: scenario, field, kernel, engine, and whether that is the same, declared, or DIFFERENT.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::boot::Booted;
use super::kernels::Kernel;
use crate::compared::{StartField, Varied, is_listed};
use crate::deviation::Deviation;
use crate::observation::{Seen, Side};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Same,
    /// By this deviation; whether it is the same in every scenario.
    Declared(usize, bool),
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
    /// Fields of which some caller would have passed on another value than a helper of the kernel got.
    varied: BTreeSet<String>,
}

impl<'a> Table<'a> {
    pub fn new(deviations: &'a [Deviation]) -> Self {
        Self {
            deviations,
            rows: Vec::new(),
            failed: Vec::new(),
            used: BTreeSet::new(),
            series: BTreeSet::new(),
            varied: BTreeSet::new(),
        }
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
        self.varied.extend(varied(theirs, ours));
        let (theirs, ours) = (&theirs.fields, &ours.fields);
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
                    // A knob's text is a field of one scenario.
                    let everywhere = seen.scenario == "*" && seen.kernels.is_empty() && !field.contains('`');
                    return Verdict::Declared(at, everywhere);
                }
            }
        }
        Verdict::Different
    }

    /// Every row if `all`; else one line for all that is the same in a scenario, and what differs everywhere only once.
    pub fn render(&self, all: bool) -> String {
        let mut text = String::from("kernel | scenario | field | by the kernel | by the engine | verdict\n");
        let mut told = BTreeSet::new();
        let mut at = 0;
        while let Some(first) = self.rows.get(at) {
            let of = |r: &&Row| r.scenario == first.scenario && r.series == first.series;
            let rows: Vec<&Row> = self.rows[at..].iter().take_while(of).collect();
            at += rows.len();
            let everywhere = |r: &Row| matches!(r.verdict, Verdict::Declared(_, true));
            if !all {
                let (series, scenario) = (&first.series, &first.scenario);
                // Writing to a String cannot fail.
                let _ =
                    writeln!(text, "{series} | {scenario} | {} | same", fields(&rows, |r| r.verdict == Verdict::Same));
                if rows.iter().any(|r| everywhere(r)) {
                    let fields = fields(&rows, everywhere);
                    let _ = writeln!(text, "{series} | {scenario} | {fields} | declared deviations, as everywhere");
                }
            }
            for row in rows {
                let once = |told: &mut BTreeSet<_>| told.insert((&row.series, &row.field, &row.kernel, &row.engine));
                if all || (row.verdict != Verdict::Same && (!everywhere(row) || once(&mut told))) {
                    text += &self.row(row, !all && everywhere(row));
                }
            }
        }
        text
    }

    fn row(&self, row: &Row, everywhere: bool) -> String {
        let verdict = match row.verdict {
            Verdict::Same => "same".to_owned(),
            Verdict::Declared(at, _) => {
                format!("declared deviation {} ({})", self.deviations[at].rule, self.deviations[at].title)
            }
            Verdict::Different => "DIFFERENT".to_owned(),
        };
        let Row { series, scenario, field, kernel, engine, .. } = row;
        let scenario = if everywhere { "(everywhere)" } else { scenario };
        format!("{series} | {scenario} | {field} | {kernel} | {engine} | {verdict}\n")
    }

    /// What makes the run fail.
    pub fn wrong(&self, whole: bool) -> Vec<String> {
        let mut wrong = self.failed.clone();
        for row in self.rows.iter().filter(|r| r.verdict == Verdict::Different) {
            wrong.push(format!("{} {}: {} is DIFFERENT", row.series, row.scenario, row.field));
        }
        for row in self.rows.iter().filter(|r| !is_listed(&r.field)) {
            wrong.push(format!("{}: {} is compared, but compared.rs does not list it", row.scenario, row.field));
        }
        if whole {
            wrong.extend(self.not_varied());
            for (at, deviation) in self.deviations.iter().enumerate() {
                for (which, seen) in deviation.seen.iter().enumerate() {
                    let could = seen.kernels.is_empty() || seen.kernels.iter().any(|k| self.series.contains(k));
                    if could && !seen.rare && !self.used.contains(&(at, which)) {
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

    /// Fields that no scenario gives anything to notice.
    fn not_varied(&self) -> impl Iterator<Item = String> {
        let missing = |f: &&StartField| f.varied() == Varied::ByCaller && !self.varied.contains(f.name());
        let text = |f: &StartField| {
            format!(
                "no caller has another `{}` than a helper of the kernel: a helper that kept it would pass",
                f.name()
            )
        };
        StartField::ALL.iter().filter(missing).map(text)
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
                count(&|r| matches!(r.verdict, Verdict::Declared(..))),
                count(&|r| r.verdict == Verdict::Different)
            )
        };
        self.series.iter().map(of).collect::<Vec<_>>().join("\n")
    }
}

/// Of which fields both callers would have passed on another value than the kernel gave its helper.
fn varied(theirs: &Seen, ours: &Seen) -> Vec<String> {
    let differs = |seen: &Seen, field: &str, given: &String| seen.caller.get(field).is_some_and(|value| value != given);
    // Several helpers with several values are in one field.
    let single = theirs.fields.iter().filter(|(_, value)| !value.contains(" | "));
    single.filter(|(f, v)| differs(theirs, f, v) && differs(ours, f, v)).map(|(f, _)| f.clone()).collect()
}

/// `3 fields: a, b, c`.
fn fields(rows: &[&Row], which: impl Fn(&Row) -> bool) -> String {
    let names: Vec<&str> = rows.iter().filter(|r| which(r)).map(|r| r.field.as_str()).collect();
    format!("{} fields: {}", names.len(), names.join(", "))
}
