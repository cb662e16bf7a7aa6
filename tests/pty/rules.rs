//! The screen Rules: which rules are in force, what each decided, what was denied, and the request behind it.

use std::time::{Duration, Instant};

use khelper::abi::record::Outcome;
use khelper::control::{Command, Key, Reply};

use crate::daemon::Daemon;
use crate::line_mode::Lines;
use crate::pty::Start;
use crate::steps::{ENTER, ESC, QUICK, SIZES, command, page_shows, quits, told};

const RULES: &str = "allow name good\ndeny name bad*   # never here\ndeny name unused\n";

/// Checks that the terminal's cursor is in a row with these words.
fn cursor_on(pty: &mut crate::pty::Pty, words: &str) {
    pty.until(&format!("the cursor on {words}"), |s| {
        let row = usize::from(s.cursor_position().0);
        s.rows(0, s.size().1).nth(row).is_some_and(|row| row.contains(words))
    });
}

/// A daemon that has judged three requests.
fn daemon(mode: &str) -> Daemon {
    let daemon = Daemon::with_rules(RULES, mode);
    daemon.set(Key::Modprobe, QUICK.as_bytes());
    for name in ["good", "bad1", "bad1", "other"] {
        daemon.ask(&Command::RequestModule { name: name.into(), wait: true, profile: None });
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
            pty.send("\x1b[B");
            cursor_on(&mut pty, "rules:2");
            pty.send("\x1b[F");
            cursor_on(&mut pty, "×2 bad1");
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
            pty.send("\x1b[H");
            cursor_on(&mut pty, "rules:1");
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

/// Enforced for ten minutes and kept; enforced for seconds, after which it is as before.
#[test]
fn the_mode_is_tried_and_kept_or_goes_back_by_itself() {
    std::thread::scope(|scope| {
        for (columns, rows) in SIZES {
            scope.spawn(move || {
                let daemon = daemon("audit");
                let state = tempfile::tempdir().unwrap();
                let start = Start::khelper(columns, rows).args(["--target".to_owned(), daemon.target()]);
                let mut pty = start.env("XDG_STATE_HOME", state.path()).start();
                pty.shows("daemon unix:");
                pty.press("5", "● audit");
                pty.press("s", "> enforce for 10 minutes");
                pty.press("h", "> enforce for an hour");
                pty.press("e", "> enforce for 10 minutes");
                pty.press(ENTER, "─ Enforce the rules");
                pty.says("khelper.rules.mode: audit -> enforce 600s");
                // No rule is enforced before the answer.
                pty.send(ESC);
                pty.hides("─ Enforce the rules");
                pty.shows("● audit");
                pty.press("s", "> enforce for 10 minutes");
                pty.press(ENTER, "─ Enforce the rules");
                pty.press(ENTER, "● enforce for ");
                pty.says("then audit");
                assert!(runs(&daemon, "good") && !runs(&daemon, "bad2"));
                // The first choice is to keep it now, and nothing is asked a second time.
                pty.press("s", "> confirm: enforce");
                pty.send(ENTER);
                pty.hides("then audit");
                pty.shows("● enforce");
                assert!(!runs(&daemon, "bad3"));
                command(&mut pty, "set khelper.rules.mode=audit");
                pty.shows("● audit");
                command(&mut pty, "set khelper.rules.mode=enforce --confirm 3s");
                // The trial may be over before it is drawn; the answer says that it began.
                told(&mut pty, "khelper.rules.mode: `audit` -> `enforce 3s`");
                pty.until("audit again", |s| s.contents().contains("● audit") && !s.contents().contains("then audit"));
                // That may have been the screen of before the trial.
                let late = Instant::now() + Duration::from_secs(60);
                while !runs(&daemon, "bad4") {
                    assert!(Instant::now() < late, "the rules do not go back");
                }
                quits(&mut pty);
            });
        }
    });
}

/// Whether the daemon starts a helper for this name.
fn runs(daemon: &Daemon, name: &str) -> bool {
    match daemon.ask(&Command::RequestModule { name: name.into(), wait: true, profile: None }) {
        Reply::Answered(record) => record.outcome == Outcome::Exited,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_mode_is_tried_and_kept_in_line_mode() {
    let daemon = daemon("audit");
    let mut lines = Lines::with(&["--target".to_owned(), daemon.target()]);
    lines.says("rules", "2 would be denied");
    let said = lines.says("s", "now audit");
    assert!(said.contains("3. [chosen] enforce for 10 minutes, then go back unless confirmed"), "{said}");
    lines.says("3", "khelper.rules.mode: audit -> enforce 600s");
    assert!(runs(&daemon, "bad2"), "it is asked first");
    lines.types("enter");
    let said = lines.until("rules", "enforce for ");
    assert!(said.contains("then audit"), "{said}");
    assert!(!runs(&daemon, "bad3"));
    lines.says("s", "5. [chosen] confirm: enforce for good, nothing goes back");
    lines.types("enter");
    let said = lines.until("rules", "enforce: what");
    assert!(!said.contains("then audit"), "{said}");
    lines.types(":set khelper.rules.mode=audit");
    lines.until("rules", "audit: nothing is denied");
    // The trial may be over before the rules are read; the answer says that it began.
    lines.says(":set khelper.rules.mode=enforce --confirm 3s", "`audit` -> `enforce 3s`");
    lines.until("rules", "audit: nothing is denied");
    assert!(runs(&daemon, "bad4"));
    lines.quits();
}
