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
fn journey(pty: &mut Pty, pid: &str, own: bool) {
    pty.shows("[kernel]");
    pty.until("the helper runs", |s| s.contents().lines().any(|row| row.starts_with(" ▸") && row.contains(pid)));
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
    pty.shows("▸ runs");
    pty.press("4", "[4 Log]");
    rehearses(pty, own);
    pty.press("1", "[1 Overview]");
    pty.send("q");
    assert_eq!(pty.ends(), 0);
    pty.is_restored();
}

/// A rehearsal runs in an engine of the console's own process; a daemon runs none on the kernel for other processes.
fn rehearses(pty: &mut Pty, own: bool) {
    pty.press("2", "> cap_sys_module");
    pty.send(" ");
    pty.says("drops cap_sys_module");
    pty.press("p", "─ Rehearse: ");
    pty.says("the kernel itself runs nothing");
    pty.send("\r");
    if own {
        pty.shows("≠ They differ in their capabilities");
        pty.says("runs on an engine of this khelper, under the kernel's masks and the draft");
        pty.says("cap_sys_module without it: modprobe cannot insert or remove any module");
    } else {
        pty.says("a daemon does not act on this machine's kernel for other processes");
    }
    pty.send("\x1b");
    pty.hides("Rehearsal");
    // What would be lost is lost until the machine starts again: it is typed out, and nothing is written here.
    pty.press("w", "─ Apply the draft to this machine's kernel");
    pty.says("type `drop cap_sys_module until reboot`");
    pty.says("undo ✗ not before this machine starts again");
    pty.send("\r");
    pty.says("not done: type `drop cap_sys_module until reboot`");
    pty.send("\x1b");
    pty.hides("Apply the draft");
    pty.send("z");
    pty.says("the draft was discarded");
}

#[test]
fn the_console_shows_helpers_of_the_kernel_and_refuses_what_only_an_engine_does() {
    let Some(fixture) = Fixture::new() else { return };
    let _asker = Asker::start(&fixture.hierarchy, 65534, None, verbs::HOSTILE, "6-w1000");
    let started =
        |said: &str| said.contains("started, pid") && said.contains(fixture.hierarchy.agent().to_str().unwrap());
    fixture.until(&["log", "--outcome", "running"], |said| said.lines().any(started));
    let rows = crate::text(&fixture.over(&["ps", "--json"]));
    let row = rows.lines().find(|row| row.contains("/6-w1000")).unwrap_or_else(|| panic!("{rows}"));
    let row: serde_json::Value = serde_json::from_str(row).unwrap();
    let (id, pid) = (row["id"].to_string(), format!("pid {}", row["pid"]));
    let target = fixture.target();
    for (columns, rows) in [(80, 24), (120, 40)] {
        for target in ["kernel", &target] {
            let mut pty = Start::khelper(columns, rows).args(["--target", target]).start();
            journey(&mut pty, &pid, target == "kernel");
        }
    }
    // The console has not ended it.
    assert!(fixture.over(&["kill", "-s", "KILL", &id]).status.success());
}
