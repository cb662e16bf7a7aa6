//! The differences between the two runs of a rehearsal, in words.

use crate::abi::cap::{CapMask, CapSets};
use crate::abi::launch_spec::Enforcement;
use crate::abi::record::Record;

use super::mask::{list, size};
use super::outcome::ended_in_words;

/// A capability set: its name, and the function that selects it.
pub type Set = (&'static str, fn(&CapSets) -> CapMask);

/// The five sets, as capabilities(7) names them.
pub const SETS: [Set; 5] = [
    ("permitted", |s| s.permitted),
    ("effective", |s| s.effective),
    ("inheritable", |s| s.inheritable),
    ("bounding", |s| s.bounding),
    ("ambient", |s| s.ambient),
];

/// The facts about one run, as names and values: how it ended, its capabilities, and its output.
fn facts(record: &Record, known: CapMask) -> Vec<(&'static str, String)> {
    let enforced = match record.enforced {
        None => "nothing was launched",
        Some(Enforcement::Masks) => "by the masks",
        Some(Enforcement::NoNewPrivs) => "by no_new_privs (the bounding set is not narrowed)",
        Some(Enforcement::Refused) => "refused: the masks cannot be enforced",
    };
    let wrote = record
        .output
        .as_deref()
        .map_or_else(|| "nothing".to_owned(), |o| format!("stdout {} B, stderr {} B", o.stdout.len(), o.stderr.len()));
    let mut facts = vec![("ended", ended_in_words(record).text()), ("enforced", enforced.to_owned())];
    if !record.not_enforced.is_empty() {
        let what: Vec<&str> = record.not_enforced.iter().map(|what| what.name()).collect();
        facts.push(("not set", what.join(", ")));
    }
    for (name, of) in SETS {
        let unknown = if record.pid.is_some() { "unknown" } else { "not seen" };
        facts.push((name, record.caps.as_deref().map_or_else(|| unknown.to_owned(), |sets| size(of(sets), known))));
    }
    facts.push(("output", wrote));
    facts
}

/// The differences between both runs, except their times; empty if there are none. The probe's output is not compared:
/// it contains the pid, and repeats the capabilities.
pub fn differences(draft: &Record, live: &Record, probe: bool) -> Vec<String> {
    let mut out = Vec::new();
    let (under_draft, under_live) = (ended_in_words(draft).text(), ended_in_words(live).text());
    if under_draft != under_live {
        out.push(format!("it ended with {under_draft}, not {under_live}"));
    }
    if draft.enforced != live.enforced {
        out.push("the masks were enforced in another way".to_owned());
    }
    if let (Some(d), Some(l)) = (draft.caps.as_deref(), live.caps.as_deref()) {
        // The missing capabilities, the remaining ones, and the sets that they apply to.
        let mut lacks: Vec<(CapMask, CapMask, Vec<&str>)> = Vec::new();
        for (name, of) in SETS {
            let (missing, left) = (of(l).minus(of(d)), of(l) & of(d));
            match lacks.iter_mut().find(|(mask, kept, _)| (*mask, *kept) == (missing, left)) {
                _ if missing.is_empty() => {}
                Some((.., names)) => names.push(name),
                None => lacks.push((missing, left, vec![name])),
            }
            let more = of(d).minus(of(l));
            if !more.is_empty() {
                out.push(format!("{name} also has {}", list(more)));
            }
        }
        out.extend(lacks.into_iter().map(|(missing, left, names)| {
            let verb = if names.len() > 1 { "lack" } else { "lacks" };
            let what = match (left.is_empty(), missing.len() > left.len()) {
                (true, _) => "everything".to_owned(),
                (_, true) => format!("{}, all but {}", missing.len(), list(left)),
                _ => list(missing),
            };
            format!("{} {verb} {what}", names.join(", "))
        }));
    }
    let wrote = |r: &Record| r.output.as_deref().map(|o| (o.stdout.clone(), o.stderr.clone()));
    if !probe && wrote(draft) != wrote(live) {
        out.push("its output differs".to_owned());
    }
    out
}

/// One fact about both runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Its name.
    pub name: &'static str,
    /// Its value under the draft masks.
    pub draft: String,
    /// Its value under the live masks.
    pub live: String,
}

/// Compares the facts about both runs, one by one.
pub fn compare(draft: &Record, live: &Record, known: CapMask) -> Vec<Compared> {
    let (under_draft, under_live) = (facts(draft, known), facts(live, known));
    let value = |facts: &[(&str, String)], name| {
        facts.iter().find(|(n, _)| *n == name).map_or_else(|| "nothing".to_owned(), |(_, value)| value.clone())
    };
    let mut names: Vec<&'static str> = under_draft.iter().map(|(name, _)| *name).collect();
    names.extend(under_live.iter().map(|(name, _)| *name).filter(|name| !under_draft.iter().any(|(n, _)| n == name)));
    names
        .into_iter()
        .map(|name| Compared { name, draft: value(&under_draft, name), live: value(&under_live, name) })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::abi::record::Output;
    use crate::control::testing::{KNOWN, record};

    #[test]
    fn only_differences_are_listed() {
        let live = record(2, b"x", 0);
        let mut draft = record(1, b"x", 256);
        assert_eq!(differences(&live, &record(3, b"x", 0), false), Vec::<String>::new());
        let cut = KNOWN.minus(CapMask::from_bits(1 << 16));
        draft.caps = Some(Arc::new(CapSets { permitted: cut, effective: cut, bounding: cut, ..CapSets::default() }));
        draft.output = Some(Arc::new(Output { stdout: b"x".to_vec(), ..Output::default() }));
        let wanted = [
            "it ended with ✗ exit 1 (raw 256), not ✓ exit 0",
            "permitted, effective, bounding lack cap_sys_module",
            "its output differs",
        ];
        assert_eq!(differences(&draft, &live, false), wanted);
        assert_eq!(differences(&draft, &live, true), wanted[..2]);
    }

    #[test]
    fn a_fact_about_only_one_run_is_compared_too() {
        use crate::abi::launch_spec::NotEnforced;
        let live = Record { not_enforced: Box::new([NotEnforced::Nice]), ..record(2, b"x", 0) };
        let compared = compare(&record(1, b"x", 256), &live, KNOWN);
        let of = |name| compared.iter().find(|fact| fact.name == name).map(|fact| (&*fact.draft, &*fact.live));
        assert_eq!(of("ended"), Some(("✗ exit 1 (raw 256)", "✓ exit 0")));
        assert_eq!(of("not set"), Some(("nothing", "nice")));
    }
}
