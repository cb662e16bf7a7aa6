//! The command line of the console.

use crate::pty::{Pty, Start};
use crate::steps::{ENTER, ESC, HOLD, QUICK, SIZES, answers, ask, command, everywhere, quits, taken, told};

#[test]
fn commands_are_completed_done_and_remembered() {
    for (columns, rows) in SIZES {
        let folder = tempfile::tempdir().unwrap();
        let start = || {
            let set = ["--set".to_owned(), format!("kernel.modprobe={QUICK}")];
            let mut pty = Start::khelper(columns, rows).args(set).env("XDG_STATE_HOME", folder.path()).start();
            pty.shows("[engine]");
            pty
        };
        let mut pty = start();
        pty.press(":", "Command");
        pty.press("req\t", "request ");
        pty.press("--repeat 3 dummy\r", "3 of 3 answered");
        pty.press(":", "Command");
        pty.press("set khelper.ma\t", "khelper.max_concurrent=");
        pty.press("99\r", "EINVAL");
        // The refused line is still there, to be corrected.
        pty.press("\x7f\x7f7\r", "`50` -> `7`");
        pty.hides("─ Command");
        pty.press("1", "[1 Overview]");
        pty.press(":", "Command");
        pty.press("set khelper.max_concurrent=7\r", "`7` -> `7`");
        // Masks are confirmed as always.
        pty.press(":", "Command");
        pty.press("set kernel.usermodehelper.bset=-cap_sys_module\r", "drop cap_sys_module");
        // After dismissal nothing of it is left.
        pty.send("\x1b");
        pty.hides("Apply the draft");
        pty.hides("draft open");
        pty.press(":get khelper.max_concurrent\r", "khelper.max_concurrent = 7");
        pty.send("q");
        pty.hides("Values of the knobs");
        pty.send("q");
        assert_eq!(pty.ends(), 0);
        // The next start knows them; broken lines of the file are skipped.
        let file = folder.path().join("khelper/history");
        let text = std::fs::read(&file).unwrap();
        std::fs::write(&file, [b"\xff\x1b[2J\n\\x\n", &text[..]].concat()).unwrap();
        let mut pty = start();
        pty.press(":", "Command");
        pty.press("\x1b[A", "get khelper.max_concurrent");
        pty.press("\x1b[A\x1b[A", "set khelper.max_concurrent=7");
        pty.send("\x1b");
        pty.hides("Command");
        pty.send("q");
        assert_eq!(pty.ends(), 0);
    }
}

/// Further keys go into the line and are not actions.
#[test]
fn a_line_that_was_refused_stays() {
    everywhere(QUICK, |pty, _| {
        for (line, says) in [
            ("set khelper.gate=disabled khelper.era=5", "✗ khelper.era: `5` is not 3.4 or current (EINVAL)"),
            ("kill 99", "✗ #99: SIGTERM: not done: there is no request 99 (ESRCH)"),
            ("abandon 99", "✗ #99: abandoned: not done: there is no request 99 (ESRCH)"),
            ("run -- relative", "✗ call: the path `relative` is relative (EINVAL)"),
            ("reset bset", "✗ nothing to reset: kernel.usermodehelper.bset is full already"),
        ] {
            pty.press(":", "─ Command");
            pty.send(format!("{line}\r"));
            pty.says(says);
            pty.send("q");
            // Narrow screens show its end.
            let typed = format!("{}q", &line[line.len().saturating_sub(7)..]);
            pty.shows(&typed);
            // ctrl-c dismisses the line, not the console; the line can be recalled.
            pty.send("\x03");
            pty.hides("─ Command");
            pty.press(":", "─ Command");
            pty.send("\x1b[A");
            pty.shows(&typed);
            pty.send(ESC);
            pty.hides("─ Command");
        }
        quits(pty);
    });
}

#[test]
fn the_errors_of_a_line_have_lines_of_their_own() {
    everywhere(QUICK, |pty, room| {
        pty.press(":", "─ Command");
        pty.send("request --foo x\r");
        pty.shows("✗ unexpected argument '--foo' found");
        if room {
            pty.shows("  tip: to pass '--foo' as a value, use '-- --foo'");
            pty.shows("Usage: request [OPTIONS] <NAME>...");
        }
        pty.send("\x15run --help\r");
        pty.shows("─ What the commands do");
        pty.says("Usage: run [OPTIONS] -- <PATH [ARG]>...");
        pty.send(ESC);
        pty.hides("─ What the commands do");
        quits(pty);
    });
}

/// Esc dismisses warnings, one after another.
#[test]
fn warnings_go_and_come_back() {
    everywhere(HOLD, |pty, room| {
        // On a large screen, the newest lines of the log have the same words.
        let large = pty.screen().size().1 >= 160;
        let gone = |pty: &mut Pty, words: &str| pty.hides(if large { "─ Warnings" } else { words });
        ask(pty, "foo", 51);
        taken(pty, 50);
        pty.shows("runaway loop? 1 refu");
        answers(pty, "foo: 1 of 51 answered");
        pty.send(ESC);
        pty.unsays("foo: 1 of 51");
        if room {
            pty.shows("runaway loop modprobe foo");
        }
        pty.send(ESC);
        gone(pty, "runaway loop");
        ask(pty, "foo", 1);
        pty.shows("runaway loop? 1 more");
        command(pty, "reset loop-messages");
        gone(pty, "runaway loop");
        // Nor does the warning of a failed drain stay after the gate was changed.
        pty.press("g", "The gate");
        pty.press("d", "> disable");
        pty.send(ENTER);
        pty.shows("! ");
        pty.says("the drain gave up");
        pty.press("1", "[1 Overview]");
        command(pty, "gate enabled");
        told(pty, "khelper.gate: enable: done");
        gone(pty, "the drain gave");
        pty.press("q", "Quit?");
        pty.press("k", "> kill");
        pty.send(ENTER);
        assert_eq!(pty.ends(), 0);
    });
}
