//! The console over the kernel, in a pseudo-terminal: every byte that it writes is checked.

use crate::asker::Asker;
use crate::pty::{Pty, Start};
use crate::{Fixture, verbs};

/// What an engine does and a kernel does not, with the words of the refusal.
const REFUSED: [(&str, &str); 3] = [
    ("gate disabled", "the kernel has no knobs of an engine"),
    ("run -- /bin/true", "the kernel starts no program for another process's call"),
    ("abandon 1", "the kernel waits for its helpers itself"),
];

fn command(pty: &mut Pty, line: &str) {
    pty.press(":", "─ Command");
    pty.send(format!("{line}\r"));
}

/// The helper runs when the console begins, and its requester tries to forge a line.
fn journey(pty: &mut Pty, folder: &str) {
    pty.shows("[kernel]");
    pty.until("the helper runs", |s| s.contents().lines().any(|row| row.starts_with(" ▸") && row.contains(folder)));
    for (line, words) in REFUSED {
        command(pty, line);
        pty.says(words);
        pty.send("\x1b");
        pty.send("\x1b");
        pty.shows("[kernel]");
    }
    pty.press("3", "[3 Activity]");
    // Its row is cut, and its record is below it.
    pty.shows("/tmp/k");
    pty.shows("▸ runs, pid ");
    pty.press("4", "[4 Log]");
    pty.press("1", "[1 Overview]");
    pty.send("q");
    assert_eq!(pty.ends(), 0);
    pty.is_restored();
}

#[test]
fn the_console_shows_helpers_of_the_kernel_and_refuses_what_only_an_engine_does() {
    let Some(fixture) = Fixture::new() else { return };
    let folder = fixture.hierarchy.agent().parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let _asker = Asker::start(&fixture.hierarchy, 65534, None, verbs::HOSTILE, "6-w1000");
    let started =
        |said: &str| said.contains("started, pid") && said.contains(fixture.hierarchy.agent().to_str().unwrap());
    fixture.until(&["log", "--outcome", "running"], |said| said.lines().any(started));
    let target = fixture.target();
    for (columns, rows) in [(80, 24), (120, 40)] {
        for target in ["kernel", &target] {
            let mut pty = Start::khelper(columns, rows).args(["--target", target]).start();
            journey(&mut pty, &folder);
        }
    }
    // Nothing of it was ended by the console.
    let rows = crate::text(&fixture.over(&["ps", "--json"]));
    let row = rows.lines().find(|row| row.contains("/6-w1000")).unwrap_or_else(|| panic!("{rows}"));
    let id = serde_json::from_str::<serde_json::Value>(row).unwrap()["id"].to_string();
    assert!(fixture.over(&["kill", "-s", "KILL", &id]).status.success());
}
