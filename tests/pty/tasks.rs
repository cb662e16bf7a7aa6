//! The five tasks of a first-time user: with the keys that each takes, and with the row on which the terminal's cursor
//! stands, as a braille display follows it.

use crate::pty::Pty;
use crate::steps::{
    ENTER, ESC, FAILING, HOLD, QUICK, ask, everywhere, has_more, kills_what_is_left, leaves, quits, run_together,
    taken, told, turns,
};

/// The keys of a task.
struct Keys<'a> {
    pty: &'a mut Pty,
    pressed: usize,
}

impl Keys<'_> {
    /// Presses one key, and waits until the row of the cursor has these words.
    fn press(&mut self, key: &str, row: &str) {
        self.pressed += 1;
        self.types(key, row);
    }

    /// The same for text: what is typed is not counted.
    fn types(&mut self, text: &str, row: &str) {
        self.pty.send(text);
        reads(self.pty, row);
    }
}

/// Waits until a braille display that follows the cursor shows these words: the row of the cursor, within its panel.
fn reads(pty: &mut Pty, words: &str) {
    pty.until(words, |s| !s.hide_cursor() && read(s).contains(words));
}

fn read(screen: &vt100::Screen) -> String {
    let (row, column) = screen.cursor_position();
    let text = screen.rows(0, screen.size().1).nth(row.into()).unwrap_or_default();
    let before: String = text.chars().take(column.into()).collect();
    let after: String = text.chars().skip(column.into()).collect();
    let edge = |c: char| c == '│';
    let left = before.rsplit(edge).next().unwrap_or_default();
    format!("{left}{}", after.split(edge).next().unwrap_or_default())
}

#[test]
fn task_1_what_holds_the_slots_is_one_key() {
    everywhere(HOLD, |pty, _| {
        ask(pty, "stuck", 50);
        taken(pty, 50);
        pty.press("4", "[4 Log]");
        let mut keys = Keys { pty, pressed: 0 };
        keys.press("1", "×50 stuck");
        assert_eq!(keys.pressed, 1);
        kills_what_is_left(pty);
    });
}

#[test]
fn task_2_a_failure_and_its_stderr_are_two_keys() {
    everywhere(FAILING, |pty, _| {
        ask(pty, "zfs", 1);
        told(pty, "#1 zfs: ");
        pty.press("2", "[2 Masks]");
        let mut keys = Keys { pty, pressed: 0 };
        keys.press("1", "#1 zfs");
        // The beginning of the page; from there a reader goes on.
        keys.press(ENTER, "exit 1 (raw 256)");
        assert_eq!(keys.pressed, 2);
        // A small screen shows the rest with one key more for a page.
        while !pty.text().contains("failing: no module zfs") {
            turns(pty);
        }
        leaves(pty);
        quits(pty);
    });
}

#[test]
fn task_3_all_that_match_a_filter_are_killed_with_four_keys_and_the_number() {
    everywhere(HOLD, |pty, _| {
        ask(pty, "stuck", 3);
        // Each is a thread of its own: `other` comes after them only if they have slots.
        taken(pty, 3);
        ask(pty, "other", 1);
        taken(pty, 4);
        pty.press("3", "[3 Activity]");
        reads(pty, "other");
        run_together(pty, 3);
        let mut keys = Keys { pty, pressed: 0 };
        keys.press("/", "/ ");
        keys.types("stuck", "/ stuck");
        keys.pty.shows("3 of 4");
        keys.press(ENTER, "stuck");
        keys.press("V", "stuck");
        keys.pty.says("are marked");
        keys.press("k", "type 3:");
        assert_eq!(keys.pressed, 4);
        keys.types("3", "type 3: 3");
        // The whole list has to be read first; on a small screen it is longer than the screen.
        while has_more(keys.pty) {
            turns(keys.pty);
        }
        keys.pty.send(ENTER);
        keys.pty.hides("Kill 3 helpers?");
        keys.pty.send("1");
        taken(keys.pty, 1);
        kills_what_is_left(pty);
    });
}

#[test]
fn task_4_a_capability_is_dropped_and_rehearsed_with_four_keys() {
    everywhere(QUICK, |pty, room| {
        let mut keys = Keys { pty, pressed: 0 };
        keys.press("2", "cap_sys_module");
        keys.press(" ", if room { "· drops" } else { "■→·" });
        keys.press("p", "the built-in probe");
        keys.press(ENTER, "");
        assert_eq!(keys.pressed, 4);
        keys.pty.shows("Rehearsal");
        // An ordinary user's helper has no capabilities, whatever the mask.
        keys.pty.says(match nix::unistd::geteuid().is_root() {
            true => "They differ in their capabilities",
            false => "This proves nothing",
        });
        keys.pty.send(ESC);
        keys.pty.hides("Rehearsal");
        keys.types("z", "cap_sys_module");
        quits(pty);
    });
}

#[test]
fn task_5_the_next_target_is_one_key() {
    everywhere(QUICK, |pty, _| {
        // One key. The machine's kernel may have started helpers meanwhile: the cursor is on a row, whichever it is.
        pty.send("t");
        pty.until("a row of the kernel", |s| {
            let is_kernel = s.contents().lines().next().is_some_and(|line| line.contains("[kernel]"));
            is_kernel && !s.hide_cursor() && s.cursor_position().0 > 1 && !read(s).trim().is_empty()
        });
        quits(pty);
    });
}

/// In each dialog the cursor is in the field, or on the row that is chosen; on a page, at its beginning.
#[test]
fn the_cursor_is_on_the_field_or_the_row_of_every_dialog() {
    everywhere(FAILING, |pty, _| {
        ask(pty, "zfs", 1);
        pty.shows("exit 1");
        for (key, row) in [
            ("m", "name"),
            ("c", "path"),
            ("e", "path"),
            ("g", "freeze and drain"),
            (":", "> "),
            ("?", "search"),
            ("\x10", "action"),
        ] {
            pty.send(key);
            reads(pty, row);
            pty.send(ESC);
            // On the screen again: the row of the record.
            reads(pty, "#1 zfs");
        }
        pty.press("2", "[2 Masks]");
        for (key, row) in [("p", "what"), ("P", "> "), ("y", "> "), ("/", "/ ")] {
            pty.send(key);
            reads(pty, row);
            pty.send(ESC);
            reads(pty, "cap_sys_module");
        }
        pty.press("3", "[3 Activity]");
        reads(pty, "#1");
        for (key, row) in [("o", "every outcome"), ("w", "file"), ("y", "the record"), ("*", "* "), ("/", "/ ")] {
            pty.send(key);
            reads(pty, row);
            pty.send(ESC);
            reads(pty, "#1");
        }
        pty.press("4", "[4 Log]");
        quits(pty);
    });
}
