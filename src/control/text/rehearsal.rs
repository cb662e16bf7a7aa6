//! The differences between the two runs of a rehearsal, in words.

use crate::abi::cap::{CapMask, CapSets, Capability};
use crate::abi::launch_spec::Enforcement;
use crate::abi::record::{Outcome, Record};

use super::mask::{list, size};
use super::outcome::{OutcomeText, Severity, ended_in_words};

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

/// What was run, as far as a comparison depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The built-in probe.
    Probe,
    /// modprobe, told to do nothing.
    Dry,
    /// Any other program.
    Other,
}

/// What a comparison of both runs tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// One cell: `≠` they differ, `=` they do not, `?` it proves nothing.
    pub sign: char,
    /// The sentence.
    pub words: String,
    /// Its severity.
    pub mood: Severity,
    /// What to run instead, if it proves nothing or little.
    pub instead: Option<&'static str>,
    /// The capabilities that the helper has under the live masks and not under the draft.
    pub missing: Vec<Capability>,
}

/// What a comparison of both runs tells. `as_live`: the draft masks are the live ones.
pub fn conclusion(program: Program, draft: &Record, live: &Record, as_live: bool) -> Conclusion {
    let missing = match (draft.caps.as_deref(), live.caps.as_deref()) {
        (Some(d), Some(l)) => {
            let of = |set: &Set| set.1(l).minus(set.1(d));
            SETS.iter().map(of).fold(CapMask::EMPTY, |all, missing| all | missing).iter().collect()
        }
        _ => Vec::new(),
    };
    let (sign, mood, words, instead) = match nothing_proved(program, draft, live, as_live) {
        Some((why, instead)) => ('?', Severity::Warned, format!("This proves nothing: {why}"), Some(instead)),
        None => {
            let (sign, mood, words, instead) = told(program, draft, live);
            (sign, mood, words.to_owned(), instead)
        }
    };
    Conclusion { sign, words, mood, instead, missing }
}

/// Why the comparison proves nothing, and what to run instead.
fn nothing_proved(
    program: Program,
    draft: &Record,
    live: &Record,
    as_live: bool,
) -> Option<(&'static str, &'static str)> {
    let ran = |r: &Record| matches!(r.outcome, Outcome::Exited | Outcome::Killed);
    let equal_sets = matches!((draft.caps.as_deref(), live.caps.as_deref()), (Some(d), Some(l)) if d == l);
    if !ran(draft) && !ran(live) {
        Some(("the program ran under neither of them", "a program that exists and may be executed"))
    } else if ended_in_words(draft).words != ended_in_words(live).words {
        None
    } else if as_live {
        let instead = "the same program, after a capability is dropped in the draft";
        Some(("the draft is the same as the live masks", instead))
    } else if program == Program::Dry {
        let why = "a dry run needs no privilege and ends the same under every mask";
        Some((why, "modprobe without -n: it really loads the module"))
    } else if equal_sets {
        let instead = "the same program, with a draft that drops what khelper itself has";
        Some(("the helper had the same capabilities in both runs", instead))
    } else {
        None
    }
}

/// What a comparison that proves something tells: its sign, its severity, the sentence, and what to run next.
fn told(program: Program, draft: &Record, live: &Record) -> (char, Severity, &'static str, Option<&'static str>) {
    let (under_draft, under_live) = (ended_in_words(draft), ended_in_words(live));
    let failed = |o: &OutcomeText| o.mood >= Severity::Warned;
    if under_draft.words != under_live.words {
        let words = match (failed(&under_draft), failed(&under_live)) {
            (true, false) => "They differ: under the draft it fails, under the live masks it works",
            (false, true) => {
                "They differ: under the draft it works, under the live masks it fails; the second run sees what the \
                 first one has changed"
            }
            _ => "They differ in how the program ended",
        };
        return ('≠', Severity::Bad, words, None);
    }
    if program == Program::Probe {
        let words = "They differ in their capabilities. The probe only reports them: it needs none";
        return ('≠', Severity::Quiet, words, Some("a program that must go on working"));
    }
    let wrote = |r: &Record| r.output.as_deref().map(|o| (o.stdout.clone(), o.stderr.clone()));
    let same = wrote(draft) == wrote(live);
    let instead = Some("whatever else must go on working: this is one program, once");
    match (same, failed(&under_live)) {
        (_, true) => {
            let words = "The same in both: it fails under the live masks too, so this proves little";
            ('=', Severity::Warned, words, instead)
        }
        (false, _) => ('≠', Severity::Warned, "It ends the same in both, but what it wrote differs", instead),
        _ => ('=', Severity::Good, "The same in both: this run did not need what the draft drops", instead),
    }
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
    fn a_comparison_that_proves_nothing_says_why_and_what_to_run_instead() {
        let (run, dry) = (Program::Other, Program::Dry);
        let with = |id, raw, mask| {
            let sets = CapSets { permitted: mask, effective: mask, bounding: mask, ..CapSets::default() };
            Record { caps: Some(Arc::new(sets)), ..record(id, b"x", raw) }
        };
        let cut = KNOWN.minus(CapMask::from_bits(1 << 16));
        let (same, fewer, fails) = (with(1, 0, KNOWN), with(2, 0, cut), with(3, 256, cut));
        let of = |run: Program, draft: &Record, as_live| {
            let told = conclusion(run, draft, &same, as_live);
            (told.sign, told.words, told.instead.is_some(), told.missing.len())
        };
        let nothing = |(sign, words, instead, _): (char, String, bool, usize), why: &str| {
            assert!(sign == '?' && instead && words.contains(why), "{words}");
        };
        nothing(of(run, &fewer, true), "the draft is the same");
        nothing(of(dry, &fewer, false), "a dry run needs no privilege");
        nothing(of(run, &same, false), "the same capabilities in both");
        let missing = |id| Record { outcome: Outcome::ExecFailed, status: None, caps: None, ..record(id, b"x", 0) };
        let told = conclusion(run, &missing(4), &missing(5), false);
        assert!(told.words.contains("ran under neither") && told.instead.is_some(), "{told:?}");
        // The differences come first, whatever was run.
        for program in [run, dry] {
            let told = conclusion(program, &fails, &same, true);
            assert!(told.sign == '≠' && told.mood == Severity::Bad && told.words.contains("under the draft it fails"));
            assert_eq!(told.missing, [Capability::SYS_MODULE]);
        }
        assert!(conclusion(run, &same, &fails, false).words.contains("sees what the first one has changed"));
        let (sign, words, ..) = of(run, &fewer, false);
        assert!(sign == '=' && words.contains("did not need what the draft drops"), "{words}");
        let (sign, words, instead, missing) = of(Program::Probe, &fewer, false);
        assert!(sign == '≠' && words.contains("only reports") && instead && missing == 1, "{words}");
        let too = conclusion(run, &fails, &with(6, 256, KNOWN), false);
        assert!(too.words.contains("fails under the live masks too") && too.mood == Severity::Warned, "{too:?}");
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
