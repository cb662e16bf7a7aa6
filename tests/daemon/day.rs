//! `assets/demo/day`: what it shows, and the story that `log` and `why` tell from the ledger, line by line.

use std::process::{Command, Stdio};

use crate::common::Dir;

/// The whole story, as [`normal`] leaves it.
const STORY: &str = include_str!("day.txt");

/// Replaces each number that follows `before`, and what is left of it by `keep`.
fn replaced(line: &str, before: &str, by: &str) -> String {
    let mut parts = line.split(before);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        out.push_str(before);
        out.push_str(if rest.len() < part.len() { by } else { "" });
        out.push_str(rest);
    }
    out
}

/// Replaces what differs from run to run and from machine to machine: `T` is a time, `P` a pid, `U` a user, `D` a
/// duration, `C` capabilities. Paths begin at the demo's folder, and chains end with the demo.
fn normal(line: &str, dir: &str) -> String {
    let mut line = line.replace(dir, "");
    if let Some((before, rest)) = line.split_once(" < day (") {
        // The script's own parents are those of the test.
        let end = rest.rfind(')').map_or("", |at| &rest[at + 1..]);
        line = format!("{before} < day{end}");
    }
    for ran in [" ran with ", " the masks allowed "] {
        if let Some((before, _)) = line.split_once(ran) {
            line = format!("{before}{ran}C.");
        }
    }
    for (before, by) in [("pid ", "P"), ("khelper (", "P"), ("uid ", "U")] {
        line = replaced(&line, before, by);
    }
    let words: Vec<&str> = line.split(' ').collect();
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let is_unit = |at: usize| {
        words.get(at).is_some_and(|unit| matches!(unit.trim_end_matches([',', '.']), "µs" | "ms" | "s" | "m"))
    };
    let is_time = |word: &str| word.ends_with('Z') && word.matches(':').count() == 2;
    let mut out: Vec<String> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let bare = word.trim_end_matches([',', '.']);
        if is_number(bare) && is_unit(at + 1) {
            out.push("D".to_owned());
        } else if at > 0 && is_unit(at) && is_number(words[at - 1]) {
            out.extend(word.ends_with('.').then(|| ".".to_owned()));
        } else if is_time(bare) {
            out.push(word.replace(bare, "T"));
        } else {
            out.push((*word).to_owned());
        }
    }
    out.join(" ").replace("D .", "D.").trim_end().to_owned()
}

/// The members of the chain that is ended have the ids 9 to 13. Each of 9 to 12 ends by the signal, or because its own
/// request has been answered, whichever comes first; so the lines about them come in any order, and some need not come.
fn of_chain(line: &str) -> Option<u32> {
    line.strip_prefix("T daemon #")?.split(' ').next()?.parse().ok().filter(|id| (9..=13).contains(id))
}

fn is_certain(line: &str) -> bool {
    let uncertain = |id| id < 13 && [" abandoned by ", " SIGTERM sent to "].iter().any(|what| line.contains(what));
    !of_chain(line).is_some_and(uncertain)
}

/// Words each end of a member alike.
fn told(line: String) -> String {
    if of_chain(&line).is_some_and(|id| id < 13)
        && let Some((before, _)) = ENDS.iter().find_map(|how| line.split_once(how))
    {
        return format!("{before}has ended");
    }
    match line.split_once(" to its chain: ") {
        Some((before, _)) => format!("{before} to its chain"),
        None => line,
    }
}

/// How a member of the chain may end.
const ENDS: [&str; 3] = ["exit 143", "exit 130", "killed by SIGTERM"];

/// What `why` tells about the end of request 9, which may end in any of these ways, and whose helper tells the same.
fn is_end(line: &str) -> bool {
    let line = line.to_lowercase();
    ENDS.iter().any(|how| line.starts_with(how)) || line.starts_with("the last line on its stderr")
}

#[test]
fn the_ledger_tells_the_story_of_a_day() {
    let dir = Dir::new();
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo/day");
    let mut demo = Command::new(demo);
    let ran = demo.arg(env!("CARGO_BIN_EXE_khelper")).arg(dir.path()).stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success() && stderr.is_empty(), "{stderr}");
    let folder = dir.path().display().to_string();
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    let mut all: Vec<String> =
        text.lines().map(|line| normal(line, &folder)).filter(|l| is_certain(l)).map(told).collect();
    let why = all.iter().position(|line| line == "$ khelper why '#9'").unwrap();
    let mut at = 0..;
    all.retain(|line| !(at.next() > Some(why) && is_end(line)));
    let asked = all.iter_mut().find(|line| line.starts_with("The request ended")).unwrap();
    *asked = asked.replace("143", "E").replace("130", "E");
    // The lines of the chain stand in the log in any order, and the end of another helper may stand among them.
    let first = all.iter().position(|line| of_chain(line).is_some()).unwrap();
    let end = first + all[first..].iter().position(|line| line.starts_with("$ ")).unwrap();
    let (mut chain, others): (Vec<_>, Vec<_>) = all.drain(first..end).partition(|line| of_chain(line).is_some());
    chain.sort();
    all.splice(first..first, chain.into_iter().chain(others));
    let wanted: Vec<&str> = STORY.lines().collect();
    for (at, (line, wanted)) in all.iter().zip(&wanted).enumerate() {
        assert_eq!(line, wanted, "line {}:\n{}", at + 1, all.join("\n"));
    }
    assert_eq!(all.len(), wanted.len(), "{}", all.join("\n"));
}
