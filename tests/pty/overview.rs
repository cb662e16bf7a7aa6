//! The Overview and the palette: from "what happens?" to a record, in a few keys.

use crate::steps::{ENTER, ESC, FAILING, HOLD, ask, everywhere, kills_what_is_left, leaves, quits, taken, told};

const DOWN: &str = "\x1b[B";

/// Whether the terminal's cursor stands on a row with these words.
fn on(pty: &mut crate::pty::Pty, words: &str) {
    pty.until(words, |s| {
        let (row, _) = s.cursor_position();
        !s.hide_cursor() && s.rows(0, 200).nth(row.into()).is_some_and(|text| text.contains(words))
    });
}

#[test]
fn what_failed_is_one_row_and_enter_opens_its_record() {
    everywhere(FAILING, |pty, room| {
        ask(pty, "zfs", 3);
        pty.shows("×3 zfs");
        told(pty, "zfs: 3 of 3 answered");
        // The first row of what has ended, when nothing runs.
        on(pty, "×3 zfs");
        pty.press(ENTER, " module zfs");
        pty.until("the record", |s| s.contents().contains("exit 1 (raw 256)"));
        leaves(pty);
        pty.shows("[1 Overview]");
        pty.press("+", "every request has a row");
        on(pty, " zfs");
        if room {
            ["#1 zfs", "#2 zfs", "#3 zfs"].iter().for_each(|row| pty.shows(row));
            let row = pty.screen().cursor_position().0;
            pty.send(DOWN);
            pty.until("the row below", |s| s.cursor_position().0 == row + 1);
            pty.press("\x1b[H", "modprobe ");
            on(pty, "modprobe ");
        }
        quits(pty);
    });
}

#[test]
fn what_holds_the_slots_is_seen_at_once() {
    everywhere(HOLD, |pty, room| {
        ask(pty, "stuck", 50);
        taken(pty, 50);
        pty.shows("SLOTS FULL");
        pty.shows("×50 stuck");
        on(pty, "×50 stuck");
        if room {
            pty.shows(", no slot");
            // The graph reaches the limit.
            pty.until("the graph", |s| {
                s.contents().lines().any(|row| {
                    row.starts_with(" 50 ") && row.contains('⣿') || row.starts_with(" 50 ") && row.contains('⢸')
                })
            });
        }
        // The badge stands on every screen.
        for screen in ["2", "3", "4", "1"] {
            pty.press(screen, &format!("[{screen} "));
            assert!(pty.screen().rows(0, 200).next().is_some_and(|row| row.contains("SLOTS FULL")), "{}", pty.text());
        }
        kills_what_is_left(pty);
    });
}

/// What only a large screen shows: the requests that share a row, the ends one by one, what was asked for most.
#[test]
fn a_large_screen_has_three_columns() {
    everywhere(HOLD, |pty, _| {
        let large = pty.screen().size().1 >= 160;
        ask(pty, "stuck", 50);
        taken(pty, 50);
        if !large {
            assert!(!pty.text().contains("Asked most"), "{}", pty.text());
            return kills_what_is_left(pty);
        }
        ask(pty, "more", 3);
        pty.shows("×3 more");
        on(pty, "×50 stuck");
        pty.shows("─ These 50, oldest first ─");
        pty.shows("─ Asked most, of the newest 53 ─");
        pty.until("both names with their counts", |s| {
            let has = |name: &str, n: &str| {
                s.rows(0, 200).any(|row| row.contains(name) && row.split_whitespace().any(|word| word == n))
            };
            has("stuck", "50") && has("more", "3")
        });
        pty.shows("─ One by one, newest first ");
        for row in ["#51 more", "#52 more", "#53 more"] {
            pty.shows(row);
        }
        // On what has ended: its record, and its equals.
        pty.send("\x1b[C");
        on(pty, "×3 more");
        // Which of them ended last is not known.
        pty.shows("─ Under the cursor: #5");
        pty.shows("─ These 3, newest first ─");
        pty.press(ENTER, "module more");
        leaves(pty);
        // Beside the rows of the Activity stands the record.
        pty.press("3", "[3 Activity]");
        pty.until("the record beside", |s| s.rows(0, 200).nth(2).is_some_and(|row| row.contains("│─ #5")));
        kills_what_is_left(pty);
    });
}

#[test]
fn a_knob_under_the_cursor_is_opened() {
    everywhere(FAILING, |pty, room| {
        if room {
            pty.shows("gate         enabled");
            pty.send("\x1b[H");
            on(pty, "modprobe ");
            pty.send(DOWN.repeat(3));
            on(pty, "gate         enabled");
            pty.press(ENTER, "> freeze and drain");
            pty.send(ESC);
            pty.hides("> freeze and drain");
            pty.send(DOWN.repeat(3));
            on(pty, "deny         none");
            pty.press(ENTER, "set khelper.deny=");
            pty.send("evil*\r");
            pty.shows("deny         evil*");
            // The dialog closes with the answer, which may come after the new value.
            pty.hides("─ Command: ");
        }
        quits(pty);
    });
}

#[test]
fn the_palette_finds_an_action_by_a_few_letters() {
    everywhere(FAILING, |pty, _| {
        pty.press("\x10", "─ Every action");
        pty.press("set the ga", "> set the gate");
        pty.press(ENTER, "> freeze and drain");
        pty.send(ESC);
        pty.hides("> freeze and drain");
        // An action of another screen takes the console there.
        pty.press("\x10", "─ Every action");
        pty.press("filling", "no action matches");
        pty.send("\x15");
        pty.press("fill the dr", "> fill the draft");
        pty.press(ENTER, "> modules only");
        pty.send(ESC);
        pty.hides("> modules only");
        pty.shows("[2 Masks]");
        quits(pty);
    });
}

#[test]
fn all_that_match_are_killed_after_their_number_is_typed() {
    everywhere(HOLD, |pty, room| {
        ask(pty, "stuck", 3);
        // Each is a thread of its own: `other` comes after them only if they have slots.
        taken(pty, 3);
        ask(pty, "other", 1);
        taken(pty, 4);
        pty.press("3", "[3 Activity]");
        pty.press("/stuck", "3 of 4");
        pty.send(ENTER);
        pty.send("V");
        pty.says("3 running requests that match are marked");
        pty.press("k", "Kill 3 helpers?");
        // Enter alone does nothing, nor does another number.
        pty.press(ENTER, "not done");
        for _ in 0..4 {
            pty.send("\x1b[6~");
        }
        pty.press("4", "type 3: 4");
        pty.press(ENTER, "not done: type 3");
        pty.send("\x153");
        pty.send(ENTER);
        pty.hides("Kill 3 helpers?");
        pty.send("1");
        taken(pty, 1);
        if room {
            pty.shows("×3 stuck");
            pty.shows("killed by SIGTERM");
        }
        kills_what_is_left(pty);
    });
}
