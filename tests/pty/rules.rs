//! The screen Rules: which rules are in force, what each decided, what was denied, and the request behind it.

use khelper::control::Key;

use crate::daemon::Daemon;
use crate::line_mode::Lines;
use crate::pty::Start;
use crate::steps::{ENTER, ESC, QUICK, SIZES, page_shows, quits};

const RULES: &str = "allow name good\ndeny name bad*   # never here\ndeny name unused\n";

/// A daemon that has judged three requests.
fn daemon(mode: &str) -> Daemon {
    let daemon = Daemon::with_rules(RULES, mode);
    daemon.set(Key::Modprobe, QUICK.as_bytes());
    for name in ["good", "bad1", "bad1", "other"] {
        daemon.ask(&khelper::control::Command::RequestModule { name: name.into(), wait: true });
    }
    daemon
}

#[test]
fn the_rules_say_what_they_decided_and_lead_to_the_requests_and_to_the_reason() {
    for (columns, rows) in SIZES {
        for (mode, counted, because) in
            [("enforce", "2 denied", "denied by "), ("audit", "2 would be denied", "would be denied by ")]
        {
            let daemon = daemon(mode);
            let state = tempfile::tempdir().unwrap();
            let start = Start::khelper(columns, rows).args(["--target".to_owned(), daemon.target()]);
            let mut pty = start.env("XDG_STATE_HOME", state.path()).start();
            pty.shows("daemon unix:");
            pty.press("5", counted);
            pty.shows(&format!("● {mode}"));
            pty.shows("rules:1     1 allow name good");
            // The second rule, and the last of what it denied.
            pty.press("\x1b[B", "deny name bad*");
            pty.press("\x1b[F", "bad1");
            pty.shows("×2");
            pty.press(ENTER, "[3 Activity]");
            pty.shows("rule:10-a.rules:2 bad1");
            pty.shows(" of 2");
            // 40 columns have no details beside or below.
            pty.press(ENTER, "esc back");
            page_shows(&mut pty, because);
            page_shows(&mut pty, "10-a.rules:2 (deny name bad*)");
            pty.send(ESC);
            pty.hides("esc back");
            // The rule alone: the requests that it let through say so too.
            pty.press("5", counted);
            pty.press("\x1b[H", "allow name good");
            pty.press(ENTER, "rule:10-a.rules:1");
            pty.shows("good");
            pty.shows("1-1 of 1");
            quits(&mut pty);
        }
    }
}

#[test]
fn a_target_without_rules_says_what_to_do() {
    let daemon = Daemon::start();
    for (columns, rows) in SIZES {
        let mut pty = Start::khelper(columns, rows).args(["--target".to_owned(), daemon.target()]).start();
        pty.shows("daemon unix:");
        pty.press("5", "● off");
        pty.says("`khelper serve --rules audit`");
        quits(&mut pty);
        // An engine of its own is there, and has none.
        let mut pty = Start::khelper(columns, rows).args(["--demo"]).start();
        pty.shows("[demo]");
        pty.press("5", "no rules are in force");
        pty.says("or learn, or enforce");
        assert!(!pty.text().contains("(E"), "{}", pty.text());
        pty.send("q");
        assert_eq!(pty.ends(), 0, "{}", pty.text());
    }
}

#[test]
fn the_rules_in_line_mode() {
    let daemon = daemon("audit");
    let mut lines = Lines::with(&["--target".to_owned(), daemon.target()]);
    let said = lines.says("rules", "2 would be denied");
    assert!(said.contains("1. [chosen] 10-a.rules:1  1 allow name good"), "{said}");
    assert!(said.contains("3. 10-a.rules:3 never deny name unused"), "{said}");
    assert!(said.contains("4. 10-a.rules:2  2 times bad1, went on"), "{said}");
    assert!(lines.says("details", "written at").contains("10-a.rules:1"));
    let said = lines.says("open 4", "Activity:");
    assert!(said.contains("rule:10-a.rules:2 bad1"), "{said}");
    lines.says("open 1", "would be denied by ");
    lines.types("back");
    lines.quits();
}
