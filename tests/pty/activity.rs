//! The screens Activity and Log, from the first request to the saved file, in three sizes at once.

use std::fs;

use crate::over::BY;
use crate::steps::{
    ENTER, ESC, FAILING, HOLD, QUICK, answers, ask, everywhere, has_more, kills_what_is_left, leaves, on, opens,
    page_shows, press_until, quits, run_together, taken, taken_of, told, turns, with,
};

const DOWN: &str = "\x1b[B";
const END: &str = "\x1b[F";

#[test]
fn a_request_is_found_and_read_whole() {
    everywhere(FAILING, |pty, room| {
        pty.press("3", "no requests yet");
        ask(pty, "foo", 1);
        pty.shows("exit 1");
        ask(pty, "bar", 1);
        on(pty, "#2");
        pty.shows(if room { "2 requests so far, 0 still running" } else { "1-2 of 2" });
        told(pty, "#2 bar: ");
        pty.press(DOWN, "not following");
        on(pty, "#1");
        opens(pty);
        pty.shows("#1 module foo");
        pty.shows("exit 1 (raw 256)");
        for what in
            ["failing: no module foo", "-- foo", "requested 20", "CPU ", "full (41)", "by masks", "HOME=/", "chain"]
        {
            page_shows(pty, what);
        }
        leaves(pty);
        on(pty, "#1");
        pty.press("f", "follows the first row");
        on(pty, "#2");
        quits(pty);
    });
}

#[test]
fn records_are_filtered_sorted_and_paused() {
    everywhere(FAILING, |pty, room| {
        for (id, name) in [(1, "usb-a"), (2, "usb-b"), (3, "snd")] {
            ask(pty, name, 1);
            answers(pty, &format!("#{id} {name}: "));
        }
        pty.press("3", "of 3");
        pty.press("/", "/ ");
        pty.send("usb-b");
        pty.shows("1 of 3");
        pty.send(ENTER);
        pty.shows("filter usb-b");
        on(pty, "#2");
        pty.press("*", "* ");
        pty.send("snd*");
        pty.shows("0 of 3");
        pty.press(ENTER, "none of 3 records matches");
        // As the screen promises, even while a message is shown that this key would dismiss.
        pty.press(ESC, "all records are shown again");
        // Several outcomes, each with its number.
        pty.press("o", "> [x]   every outcome");
        pty.press("\x1b[B", "> [ ] ✗ exit 1 to 255");
        pty.until("three of them", |s| s.contents().lines().any(|l| l.contains("exit 1 to 255") && l.contains(" 3 ")));
        pty.press("\x1b[B", "> [ ] † killed");
        pty.press(" ", "> [x] † killed");
        pty.press(ENTER, "outcome killed");
        pty.shows("none of 3 records");
        pty.press("o", "> [x] † killed");
        pty.press("\x1b[A", "> [ ] ✗ exit 1");
        pty.press(" ", "> [x] ✗ exit 1");
        pty.shows("2 of 13 chosen: 3 records");
        pty.send(ENTER);
        pty.hides("2 of 13");
        pty.shows("1-3 of 3");
        pty.press("O", "outcome failed");
        pty.press("O", "1-3 of 3");
        pty.hides("outcome failed");
        // A time, typed wrong and right.
        pty.press("i", "enter shows all");
        pty.press("1x", "✗ give a time");
        pty.press("\x7fh", "enter shows 1h: since");
        pty.press(ENTER, "time 1h: since");
        pty.shows("1-3 of 3");
        pty.press("\x7f", "the time of the filter");
        pty.hides("time 1h");
        pty.press("s", if room { "longest first" } else { "longest" });
        pty.press("S", "shortest");
        pty.press(" ", "PAUSED, 0 new since");
        ask(pty, "other", 1);
        answers(pty, "#4 other: ");
        pty.shows("PAUSED, 1 new since");
        assert!(!pty.text().lines().any(|line| line.contains("#4 ") && line.contains("12:")));
        pty.press(" ", "no longer paused");
        pty.shows("of 4");
        quits(pty);
    });
}

#[test]
fn equal_requests_share_a_row_and_are_marked_together() {
    everywhere(FAILING, |pty, room| {
        ask(pty, "foo", 3);
        pty.says("foo: 3 of 3 answered");
        ask(pty, "bar", 1);
        answers(pty, "#4 bar: ");
        pty.press("3", "1-2 of 2 rows of 4");
        pty.shows("×3");
        pty.press(DOWN, "#3 ");
        on(pty, "#3");
        pty.send("v");
        pty.says("3 requests are marked now");
        pty.shows("*#3");
        press_until(pty, "k", "none of them has a helper that runs");
        pty.press("+", "every request has a row");
        pty.shows(if room { "1-4 of 4" } else { "of 4" });
        on(pty, "#3");
        pty.press("+", "equal requests share a row");
        pty.shows("×3");
        // A filter is applied before requests are folded.
        pty.press("/", "/ ");
        pty.send("foo");
        pty.shows("3 of 4");
        pty.send(ENTER);
        pty.shows("1-1 of 1 rows of 3");
        quits(pty);
    });
}

/// Right unfolds the row under the cursor, left folds it again. More of its requests change neither.
#[test]
fn one_row_is_unfolded_alone() {
    everywhere(FAILING, |pty, room| {
        ask(pty, "bar", 2);
        pty.says("bar: 2 of 2 answered");
        ask(pty, "foo", 3);
        pty.says("foo: 3 of 3 answered");
        pty.press("3", "1-2 of 2 rows of 5");
        pty.press(DOWN, ">#2 ");
        pty.press("\x1b[A", ">#5 ");
        pty.press("\x1b[C", "3 equal requests, one by one");
        pty.shows("├ foo");
        pty.shows("└ foo");
        pty.shows(if room { "/3" } else { "foo /3" });
        pty.shows(if room { "1-4 of 4 rows of 5" } else { "of 4 rows" });
        // One of them has no row below: the record is read.
        pty.press(DOWN, ">#4 ");
        if room {
            pty.press("\x1b[C", "left goes back");
            pty.send("\x1b[D");
            pty.hides("left goes back");
        }
        ask(pty, "foo", 1);
        pty.says("foo: ✗ exit 1");
        ask(pty, "bar", 1);
        pty.says("bar: ✗ exit 1");
        pty.shows(if room { "of 5 rows of 7" } else { "of 5 rows" });
        on(pty, "#4");
        pty.press("\x1b[D", "4 equal requests, in one row again");
        pty.shows("of 2 rows");
        on(pty, "#6");
        quits(pty);
    });
}

/// The filter, one key, the number and enter; what does not match lives on.
#[test]
fn everything_that_matches_is_killed_by_one_key_and_its_number() {
    everywhere(HOLD, |pty, room| {
        ask(pty, "stuck", 2);
        // Each is a thread of its own: `other` comes after them only if they have slots.
        taken(pty, 2);
        ask(pty, "other", 1);
        taken(pty, 3);
        pty.press("3", "stuck");
        pty.press("/stuck", "2 of 3");
        pty.press(ENTER, "esc shows all");
        run_together(pty, 2);
        pty.press("K", "Kill 2 helpers?");
        if !room {
            while has_more(pty) {
                turns(pty);
            }
        }
        pty.press("3", "type 2: 3");
        pty.press(ENTER, "not done: type 2");
        pty.send("\x152");
        pty.send(ENTER);
        pty.hides("Kill 2 helpers?");
        pty.shows("† killed");
        pty.send("1");
        taken(pty, 1);
        kills_what_is_left(pty);
    });
}

/// Below or beside the rows where there is room; else the key opens the record.
#[test]
fn a_record_is_read_beside_its_row() {
    everywhere(FAILING, |pty, room| {
        ask(pty, "foo", 1);
        answers(pty, "#1 foo: ");
        pty.press("3", "exit 1");
        on(pty, "#1");
        if room {
            pty.press("\x1b[C", "left goes back");
            pty.press(END, "chain");
            pty.send(ESC);
            pty.hides("left goes back");
            on(pty, "#1");
        } else {
            pty.shows("hidden: details");
            pty.press("\x1b[C", "esc back");
            leaves(pty);
        }
        pty.press("a", "who asked whom");
        if room {
            pty.shows("tree, newest first");
        }
        pty.press("a", "a list again");
        quits(pty);
    });
}

#[test]
fn a_helper_is_killed_after_a_look() {
    everywhere(HOLD, |pty, room| {
        ask(pty, "foo", 1);
        taken(pty, 1);
        pty.press("3", "runs");
        on(pty, "#1");
        pty.press("k", "Kill the helper of #1?");
        pty.shows("> TERM");
        leaves(pty);
        pty.press("k", "> TERM");
        pty.press("k", "> KILL");
        pty.press("t", "> TERM");
        pty.send(ENTER);
        pty.hides("Kill the helper");
        on(pty, "† killed");
        if room {
            opens(pty);
            pty.shows("killed by SIGTERM (raw 15)");
            leaves(pty);
        }
        press_until(pty, "k", "nothing to kill");
        quits(pty);
    });
}

#[test]
fn a_wait_is_abandoned_and_the_helper_lives_on() {
    everywhere(HOLD, |pty, _| {
        ask(pty, "foo", 1);
        taken(pty, 1);
        pty.press("3", "runs");
        on(pty, "#1");
        pty.send("x");
        pty.shows("caller gone");
        press_until(pty, "x", "not done: no caller waits");
        opens(pty);
        pty.shows("caller gone, runs");
        pty.press("k", "> TERM");
        pty.press("k", "> KILL");
        pty.send(ENTER);
        pty.says("ended † killed by SIGKILL (raw 9), caller gone");
        leaves(pty);
        quits(pty);
    });
}

/// A caller that never got a slot: nothing was started for it, and no message claims so.
#[test]
fn a_wait_for_a_slot_is_abandoned() {
    with(&["--set", "khelper.era=current", "--set", "khelper.max_concurrent=1"], HOLD, |pty, room| {
        ask(pty, "foo", 1);
        taken_of(pty, 1, 1);
        pty.press("3", "runs");
        ask(pty, "bar", 1);
        // Directly before the key: the wait ends by itself after five seconds.
        pty.until("it waits", |s| s.contents().lines().any(|row| row.starts_with(">#2") && row.contains("◷ waits")));
        pty.send("x");
        on(pty, "↷ aband");
        opens(pty);
        pty.shows("#2 module bar");
        pty.says("ended ↷ abandoned (EINTR)");
        pty.says("why the wait for a slot was ended (EINTR); nothing was started");
        for what in ["returned -4", "nothing was launched"] {
            page_shows(pty, what);
        }
        leaves(pty);
        pty.press("4", "[4 Log]");
        if room {
            pty.says("#2 the caller stopped waiting; its helper, if started, keeps running");
        }
        pty.says("#2 bar: ↷ abandoned (EINTR)");
        pty.press("1", "#2 bar");
        taken_of(pty, 1, 1);
        pty.until("its end", |s| {
            s.contents().lines().any(|row| row.contains("↷") && row.contains("#2 bar") && row.contains("abandoned"))
        });
        kills_what_is_left(pty);
    });
}

#[test]
fn the_same_is_asked_for_again() {
    everywhere(QUICK, |pty, _| {
        ask(pty, "foo", 1);
        pty.press("3", "exit 0");
        on(pty, "#1");
        opens(pty);
        pty.shows("#1 module foo");
        pty.press("r", "Repeat the request #1?");
        pty.send(ESC);
        pty.hides("Repeat the request");
        pty.press("r", "Repeat the request");
        pty.send(ENTER);
        pty.hides("Repeat the request");
        leaves(pty);
        pty.shows("#2");
        pty.until("a row of two", |s| s.contents().lines().any(|row| row.starts_with(">#2") && row.contains("×2")));
        quits(pty);
    });
}

/// Decodes base64.
fn base64(text: &[u8]) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("{c} is no base64"),
    };
    let of = |four: &[u8]| {
        let said = four.iter().filter(|c| **c != b'=').map(|c| digit(*c));
        let bits = said.clone().fold(0u32, |bits, d| bits << 6 | u32::from(d));
        let digits = said.count();
        (bits << (6 * (4 - digits))).to_be_bytes()[1..digits].to_vec()
    };
    text.chunks(4).flat_map(of).collect()
}

#[test]
fn a_record_is_copied_and_nothing_of_it_is_seen() {
    everywhere(QUICK, |pty, _| {
        ask(pty, "foo", 1);
        answers(pty, "#1 foo: ");
        pty.press("3", "exit 0");
        on(pty, "#1");
        opens(pty);
        pty.shows("#1 module foo");
        pty.press("y", "> the record, as JSON");
        pty.press(DOWN, "> its command line");
        pty.send(ENTER);
        pty.hides("> its command line");
        // The answer is below the record, and is gone with the next key.
        pty.shows("was sent to the");
        leaves(pty);
        // The bytes sent to the terminal: `PATH -q -- foo`, in base64.
        let begin = b"\x1b]52;c;";
        let at = pty.wrote.windows(begin.len()).position(|w| w == begin).expect("a copy") + begin.len();
        let end = pty.wrote[at..].iter().position(|b| *b == 0x1b).unwrap();
        let copied = String::from_utf8(base64(&pty.wrote[at..at + end])).unwrap();
        assert!(copied.starts_with("/tmp/k") && copied.ends_with("/quick -q -- foo"), "{copied}");
        quits(pty);
    });
}

#[test]
fn records_are_saved_and_a_file_is_replaced_only_after_a_yes() {
    everywhere(FAILING, |pty, room| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("records");
        let shown = file.to_str().unwrap();
        for (id, name) in [(1, "foo"), (2, "bar")] {
            ask(pty, name, 1);
            answers(pty, &format!("#{id} {name}: "));
        }
        pty.press("3", "of 2");
        pty.press("w", "Save records");
        pty.send("\x15/nowhere/at/all");
        pty.send(ENTER);
        pty.shows("ENOENT");
        pty.send(format!("\x15{shown}"));
        pty.shows("records");
        pty.send(ENTER);
        pty.hides("Save records");
        told(pty, "saved 2 records");
        let lines = |file: &std::path::Path| fs::read_to_string(file).unwrap().lines().count();
        assert_eq!(lines(&file), 2);
        for line in fs::read_to_string(&file).unwrap().lines() {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!((record["exit_code"].as_u64(), record["outcome"].as_str()), (Some(1), Some("exited")));
        }
        // One of them, to the same file: no, then yes.
        opens(pty);
        pty.shows(" module bar");
        pty.press("w", "only #2");
        pty.send(format!("\x15{shown}"));
        pty.send(ENTER);
        pty.shows("Replace the file?");
        pty.send(ESC);
        pty.shows("Save records");
        assert_eq!(lines(&file), 2);
        pty.send(ENTER);
        pty.shows("Replace the file?");
        pty.send(ENTER);
        pty.hides("Replace the file?");
        // The dialog stays open until the file is written.
        pty.hides("Save records");
        pty.shows("saved 1 record");
        assert_eq!((lines(&file), fs::read_dir(dir.path()).unwrap().count()), (1, 1));
        if room {
            pty.shows(shown);
        }
        leaves(pty);
        quits(pty);
    });
}

#[test]
fn hostile_names_and_output_stay_escaped_on_both_screens() {
    everywhere(QUICK, |pty, _| {
        pty.press("m", "Ask for a module");
        pty.send(b"\x1b[200~\x1b]0;own\x07\xc2\x9b2J\xff\n\x1b[201~");
        pty.shows(r"7\xc2\x9b2J\xff\x0a");
        pty.send(ENTER);
        pty.shows("exit 0");
        pty.send("3");
        on(pty, "#1");
        opens(pty);
        pty.shows(r"#1 module \x1b]0;own\x07");
        page_shows(pty, "stdout");
        pty.send(END);
        leaves(pty);
        pty.press("/", "/ ");
        pty.send(b"\x1b[200~\x1b]0;own\x1b[201~");
        pty.shows(r"/ \x1b]0;own");
        pty.send(ENTER);
        pty.shows("1-1 of 1");
        pty.press("4", "the log is empty");
        // A refused name is logged.
        pty.press("m", "Ask for a module");
        pty.send("\x15");
        pty.send(format!("\x1b[200~\x1b[2J{}\x1b[201~", "x".repeat(60)));
        pty.shows("xxx");
        pty.send(ENTER);
        pty.shows("ENAMETOOLONG");
        leaves(pty);
        quits(pty);
        let raw = |bytes: &[u8]| pty.wrote.windows(bytes.len()).any(|w| w == bytes);
        assert!(!raw(b"\x1b]") && !raw(b"\x07") && !raw(b"\xc2\x9b") && !raw(b"\xff"));
    });
}

#[test]
fn the_log_tells_what_is_no_routine() {
    everywhere(QUICK, |pty, room| {
        pty.press("4", "the log is empty");
        pty.press("e", "Edit kernel.modprobe");
        pty.send("\x15/nowhere/modprobe\r\r");
        pty.hides("Edit kernel.modprobe");
        // It stays open until the answer comes.
        pty.hides("esc back");
        pty.shows("kernel.modprobe");
        pty.shows(BY);
        ask(pty, "foo", 1);
        pty.shows("exec failed");
        // The message is shown below the log too; a late answer would replace the next message.
        pty.shows("—");
        pty.press("g", "The gate");
        pty.press("d", "> disable");
        pty.send(ENTER);
        pty.shows("khelper.gate: enabled ->");
        pty.says("khelper.gate: disable and drain: done");
        ask(pty, "bar", 3);
        pty.shows("bar: ‖ refused by");
        pty.says("bar: 3 of 3 answered");
        if room {
            pty.shows("(×3)");
        }
        // The warning about the path stays until it is dismissed.
        pty.frame_after(|pty| pty.send(ESC));
        pty.unsays("3 of 3 answered");
        pty.frame_after(|pty| pty.send(ESC));
        pty.press("l", "warning and above");
        if room {
            pty.hides("kernel.modprobe: ");
        }
        pty.press("/", "/ ");
        pty.send("gate");
        pty.shows("gate");
        pty.press(ENTER, "2 of ");
        pty.press("y", "was sent to the");
        pty.press("f", "keeps its line");
        quits(pty);
    });
}
