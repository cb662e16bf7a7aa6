//! The facts about both runs of a rehearsal, as labels and values: those in which they differ, and those that are the
//! same.

use ratatui::style::Style;

use crate::abi::cap::CapMask;
use crate::abi::counted::counted;
use crate::abi::escape::screen_again;
use crate::abi::launch_spec::Enforcement;
use crate::abi::record::Record;
use crate::control::text::mask::shortest;
use crate::control::text::outcome::{ended_in_words, took};
use crate::control::text::rehearsal::SETS;
use crate::tui::model::Model;
use crate::tui::text;

/// Of how many missing capabilities it is said what breaks.
pub const BREAKS: usize = 6;
/// What a helper writes.
pub const STREAMS: [&str; 2] = ["stderr", "stdout"];

/// One fact: its name, and its value under the draft and under the live masks, each with its style.
pub struct Fact {
    /// Its name.
    pub name: &'static str,
    /// The values.
    pub values: [(String, Style); 2],
}

/// The facts in which the runs differ, and those that are the same. How long each took always counts as different,
/// because it tells something; it comes last.
pub fn facts(model: &Model, draft: &Record, live: &Record) -> (Vec<Fact>, Vec<Fact>) {
    let theme = &model.theme;
    let runs = [draft, live];
    let mut all: Vec<Fact> = Vec::new();
    let mut add = |name, values: [String; 2], styles: [Style; 2]| {
        let [draft, live] = values;
        all.push(Fact { name, values: [(draft, styles[0]), (live, styles[1])] });
    };
    let plain = [theme.text; 2];
    add("ended", runs.map(|r| ended_in_words(r).text()), runs.map(|r| theme.mood(ended_in_words(r).mood)));
    let why = |r: &Record| r.why().filter(|_| r.caps.is_none()).map_or("none".to_owned(), |why| screen_again(&why));
    if runs.iter().any(|r| why(r) != "none") {
        add("why", runs.map(why), [theme.bad; 2]);
    }
    add("confined", runs.map(confined), plain);
    for (at, (name, _)) in SETS.into_iter().enumerate() {
        let differs = draft.caps.as_deref().map(SETS[at].1) != live.caps.as_deref().map(SETS[at].1);
        add(name, runs.map(|r| set(model, r, at)), [if differs { theme.draft } else { theme.text }, theme.text]);
    }
    for stream in STREAMS {
        add(stream, runs.map(|r| size(r, stream)), plain);
    }
    let took = |r: &Record| r.took_us().map_or("not known".to_owned(), took);
    let (mut differ, same): (Vec<Fact>, Vec<Fact>) =
        all.into_iter().partition(|fact| fact.values[0].0 != fact.values[1].0);
    differ.push(Fact { name: "took", values: runs.map(|r| (took(r), theme.dim)) });
    (differ, same)
}

/// By what the masks were enforced.
pub(super) fn confined(record: &Record) -> String {
    let how = match record.enforced {
        None => "nothing was launched",
        Some(Enforcement::Masks) => "by the masks",
        Some(Enforcement::NoNewPrivs) => "by no_new_privs: the bounding set is not narrowed",
        Some(Enforcement::Refused) => "refused: the masks cannot be enforced",
    };
    match record.not_enforced.is_empty() {
        true => how.to_owned(),
        false => {
            let names: Vec<&str> = record.not_enforced.iter().map(|what| what.name()).collect();
            format!("{how}; not set: {}", names.join(", "))
        }
    }
}

/// One of [`SETS`] in its shortest form; a set equal to an earlier one is named after it.
fn set(model: &Model, record: &Record, at: usize) -> String {
    let Some(sets) = record.caps.as_deref() else {
        return if record.pid.is_some() { "unknown" } else { "not seen" }.to_owned();
    };
    let mask = |at: usize| (SETS[at].1)(sets);
    let long = |mask: CapMask| !mask.is_empty() && mask != model.snapshot.known;
    match (0..at).find(|earlier| long(mask(at)) && mask(*earlier) == mask(at)) {
        Some(earlier) => format!("as {}", SETS[earlier].0),
        None => shortest(mask(at), model.snapshot.known),
    }
}

fn bytes<'a>(record: &'a Record, stream: &str) -> &'a [u8] {
    let output = record.output.as_deref();
    output.map_or(&[], |output| if stream == "stdout" { &output.stdout } else { &output.stderr })
}

/// How much it wrote.
fn size(record: &Record, stream: &str) -> String {
    let all = bytes(record, stream);
    let lines = all.strip_suffix(b"\n").unwrap_or(all).split(|b| *b == b'\n').count();
    match (all.len(), lines) {
        (0, _) => "none".to_owned(),
        (n, 1) => format!("1 line, {n} B"),
        (n, lines) => format!("{lines} lines, {n} B"),
    }
}

/// The last lines that a run wrote, escaped; more are counted in the first line.
pub fn written(record: Option<&Record>, stream: &str, most: usize) -> Vec<String> {
    let all = record.map_or(&[][..], |record| bytes(record, stream));
    if all.is_empty() {
        return Vec::new();
    }
    let lines: Vec<&[u8]> = all.strip_suffix(b"\n").unwrap_or(all).split(|b| *b == b'\n').collect();
    let skipped = lines.len().saturating_sub(most);
    let more = (skipped > 0).then(|| format!("({} not shown)", counted(skipped, "earlier line")));
    more.into_iter().chain(lines[skipped..].iter().map(|line| text::screen(line))).collect()
}
