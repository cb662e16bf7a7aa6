//! Whole sessions of an operator, from the first key to the last, in three sizes at once.

use nix::sys::signal::{Signal, kill};

use crate::over::{FIRST, OWN};
use crate::plain::styles;
use crate::pty::{Start, pid_after};
use crate::steps::{
    ENTER, ESC, FAILING, HOLD, QUICK, TARGET, ask, compared, everywhere, gated, kills_what_is_left, quits, runs, taken,
};

#[test]
fn the_knobs_are_read() {
    everywhere("/nowhere/modprobe", |pty, room| {
        pty.shows("enabled");
        taken(pty, 0);
        if room {
            for knob in ["modprobe     /nowhere/modprobe", "bset         full (", "inheritable  full ("] {
                pty.shows(knob);
            }
        }
        // The warning about the path comes after the first frame, from another thread.
        // An engine of this process has done nothing yet, so its first screen says what can be done instead.
        pty.shows(match (OWN, room) {
            (false, _) => "! kernel.modprobe",
            (true, true) => "This machine has no /nowhere/modprobe",
            (true, false) => "no modprobe: d takes a tour",
        });
        quits(pty);
    });
}

#[test]
fn a_capability_is_dropped_in_the_draft_rehearsed_and_applied() {
    if !OWN && !nix::unistd::geteuid().is_root() {
        // Over a socket a mask is only written with the capabilities of SYS-3.
        return;
    }
    everywhere(QUICK, |pty, room| {
        pty.press("2", "> cap_sys_module");
        pty.shows("[■]");
        pty.press(" ", if room { "· drops  " } else { "[■→·]" });
        pty.says("drops cap_sys_module");
        pty.shows("draft open");
        pty.press("p", "the built-in probe");
        pty.press(ENTER, "Rehearsal");
        compared(pty);
        pty.send(ESC);
        pty.hides("Rehearsal");
        pty.press("w", "type `drop cap_sys_module`");
        // Enter alone does not confirm.
        pty.send(ENTER);
        if room {
            pty.shows("not done: type `drop cap_sys_module`");
        }
        pty.send("drop cap_sys_module");
        pty.send(ENTER);
        pty.hides("Apply the draft");
        pty.says("reads back `~cap_sys_module`, exactly as asked");
        pty.shows("[·]");
        pty.hides("draft open");
        let lost = if room { "✗ lost   " } else { "[·→✗]" };
        pty.press(" ", lost);
        pty.send("z");
        pty.hides(lost);
        quits(pty);
    });
}

#[test]
fn a_module_is_asked_for_runs_and_ends() {
    gated(|pty, room, gate| {
        pty.press("m", "Ask for a module");
        pty.press("dummy", "dummy");
        pty.send(ENTER);
        taken(pty, 1);
        pty.shows("#1 dummy");
        pty.shows("pid ");
        if room {
            pty.shows("live helpers 1");
        }
        gate.release(1);
        pty.shows("✓ exit 0");
        taken(pty, 0);
        quits(pty);
    });
}

#[test]
fn a_module_that_is_not_found_is_told_as_its_exit() {
    everywhere(FAILING, |pty, _| {
        pty.press("m", "Ask for a module");
        pty.send("dummy\r");
        pty.shows("exit 1");
        quits(pty);
    });
}

#[test]
fn eighty_at_once_fill_the_slots_and_the_warning_appears() {
    everywhere(HOLD, |pty, room| {
        ask(pty, "foo", 80);
        taken(pty, 50);
        pty.shows("FULL");
        pty.shows("refused 30");
        if room {
            pty.shows("runaway loop modprobe foo");
            pty.shows("live helpers 50");
        }
        pty.shows("runaway loop");
        // Keys work meanwhile; then all fifty are killed.
        kills_what_is_left(pty);
        assert!(!pty.text().contains("left running"), "{}", pty.text());
    });
}

#[test]
fn the_gate_is_frozen_and_drained_and_opened_again() {
    gated(|pty, room, gate| {
        ask(pty, "foo", 2);
        taken(pty, 2);
        pty.press("g", "The gate");
        pty.press("f", "> freeze");
        pty.send(ENTER);
        pty.shows(if room { "freezing, draining" } else { "gate freezing" });
        // The two end before the drain gives up.
        gate.release(2);
        pty.until("the end of the drain", |s| {
            let text = s.contents();
            let ended = text.contains("live 0") || text.contains("live helpers 0");
            ended && text.contains("freezing") && !text.contains("draining")
        });
        // No new call passes the gate.
        ask(pty, "bar", 1);
        pty.shows("refused 1");
        if room {
            pty.shows("EBUSY");
        }
        pty.press("g", "The gate");
        pty.press("e", "> enable");
        pty.send(ENTER);
        // The record of the refusal still names the cause.
        pty.hides("gate freezing");
        pty.hides("gate         freezing");
        pty.shows("enabled");
        quits(pty);
    });
}

#[test]
fn a_drain_that_gives_up_names_who_held_out() {
    everywhere(HOLD, |pty, room| {
        ask(pty, "foo", 1);
        taken(pty, 1);
        pty.press("g", "The gate");
        pty.press("d", "> disable");
        pty.send(ENTER);
        pty.shows(if room { "disabled, draining" } else { "gate disabled" });
        pty.shows("gave up");
        pty.shows("enabled");
        if room {
            pty.shows("still running: #1 foo");
        }
        kills_what_is_left(pty);
    });
}

#[test]
fn helpers_are_left_running_and_named() {
    if !OWN {
        // The helpers of a daemon outlive every console.
        return;
    }
    everywhere(HOLD, |pty, _| {
        ask(pty, "foo", 1);
        runs(pty, "#1 foo");
        pty.press("q", "Quit?");
        pty.send(ESC);
        pty.hides("Quit?");
        pty.press("q", "Quit?");
        pty.press("l", "> leave");
        pty.send(ENTER);
        assert_eq!(pty.ends(), 0);
        pty.is_restored();
        let said = pty.text();
        let helper = pid_after(&said, "left running: #1 foo (pid ").expect(&said);
        let (_, rest) = said.split_once("left running: #1 foo (pid ").expect(&said);
        assert!(rest.contains("the next write may end #1") || rest.contains("the next"), "{said}");
        // It is alive, and the test has to end it.
        kill(helper, Signal::SIGKILL).unwrap();
    });
}

#[test]
fn quitting_waits_for_helpers() {
    if !OWN {
        // The helpers of a daemon outlive every console.
        return;
    }
    gated(|pty, _, gate| {
        ask(pty, "foo", 1);
        taken(pty, 1);
        pty.press("q", "Quit?");
        pty.press("w", "> wait");
        pty.send(ENTER);
        pty.says("quits when the last helper has ended");
        gate.release(1);
        assert_eq!(pty.ends(), 0);
        pty.is_restored();
        assert!(!pty.text().contains("left running"), "{}", pty.text());
    });
}

#[test]
fn hostile_bytes_are_shown_escaped() {
    everywhere(QUICK, |pty, _| {
        pty.press("m", "Ask for a module");
        pty.send(b"\x1b[200~\x1b]0;own\x07\xc2\x9b2J\xff\n\x1b[201~");
        pty.shows(r"7\xc2\x9b2J\xff\x0a");
        pty.send(ENTER);
        pty.says("✓ exit 0");
        pty.press("e", "Edit kernel.modprobe");
        pty.send(b"\x15\x1b[200~/no/\x1b[2Jx\x1b[201~");
        pty.shows(r"/no/\x1b[2Jx");
        pty.send(ENTER);
        pty.shows("─ Change kernel.modprobe?");
        pty.send(ENTER);
        pty.hides("─ Change kernel.modprobe?");
        pty.shows(r"/no/\x1b[2Jx");
        quits(pty);
        let raw = |bytes: &[u8]| pty.wrote.windows(bytes.len()).any(|w| w == bytes);
        assert!(!raw(b"\x1b]") && !raw(b"\x07") && !raw(b"\xc2\x9b") && !raw(b"\xff"));
        assert!(!raw(b"\x1b[2Jx"));
    });
}

#[test]
fn the_screen_follows_the_terminal() {
    everywhere(QUICK, |pty, _| {
        for (columns, rows) in [(40, 10), (120, 40), (80, 24), (20, 5)] {
            pty.resize(columns, rows);
            pty.until("the whole line of the target", |s| {
                s.size() == (rows, columns) && s.contents().starts_with(FIRST) && s.contents().contains("1 Overview")
            });
        }
        quits(pty);
    });
}

#[test]
fn no_color_is_honoured() {
    if !OWN {
        // It has nothing to do with the engine.
        return;
    }
    for (value, coloured) in [("1", false), ("", true)] {
        let mut pty = Start::khelper(80, 24).env("NO_COLOR", value).start();
        pty.shows(TARGET);
        assert!(pty.screen().cell(0, 0).unwrap().inverse(), "what is reversed has a meaning");
        quits(&mut pty);
        let found = styles(&pty).concat().iter().any(|code| matches!(code, 30..));
        assert_eq!(found, coloured);
    }
}

#[test]
fn a_flood_of_ends_freezes_no_key_and_loses_no_count() {
    everywhere(QUICK, |pty, room| {
        ask(pty, "foo", 200);
        // Keys work meanwhile.
        pty.press("2", "> cap_sys_module");
        pty.press("1", "[1 Overview]");
        let number = |text: &str| -> u32 {
            let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().unwrap_or_default()
        };
        if !room {
            pty.until("the end of all", |s| {
                let text = s.contents();
                // Those in rows with a count, and those that are hidden.
                let shown: u32 = text.split('×').skip(1).map(number).sum();
                let ended = text.split_once("hidden: knobs, 0 running, ").map_or(0, |(_, rest)| number(rest));
                shown + ended > 190
            });
        }
        if room {
            pty.until("every one of them", |s| {
                let text = s.contents();
                let launched = text.split_once("200 asked, ").map_or(0, |(_, rest)| number(rest));
                let refused = text.lines().find_map(|line| line.split_once(" of 50, ")?.1.split_once("refused "));
                launched + refused.map_or(0, |(_, digits)| number(digits)) == 200
            });
        }
        taken(pty, 0);
        quits(pty);
    });
}
