//! Every dialog and overlay: it opens from its screen, names the target, shows its contents, and closes without a
//! trace. A table, in three sizes at once.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use crate::pty::Pty;
use crate::steps::{
    ENTER, ESC, FAILING, QUICK, answers, ask, command, drop_cap_chown, everywhere, leaves, opens, page_shows, quits,
    told,
};

/// A screen, the keys, the dialog's title and its contents, at any size.
const DIALOGS: [(&str, &str, &str, &[&str]); 15] = [
    ("1", "m", "Ask for a module", &["> name", "wait < yes: until modprobe", "how many 1"]),
    ("1", "c", "Call a helper", &["> path", "arguments", "wait < proc: until it has", "inheritable"]),
    ("1", "e", "Edit kernel.modprobe", &["an empty path turns autoload off"]),
    (
        "1",
        "g",
        "The gate: khelper.gate",
        &["now enabled; 0 calls in flight", "> freeze and drain", "enable: let calls pass"],
    ),
    ("1", ":", "Command: tab completes", &["set, get, request, run, probe", "help explains them"]),
    ("1", "?", "Keys: type to search", &["Overview", "open what is", "> search"]),
    ("1", "\x1bOP", "Keys: type to search", &["more down)"]),
    ("2", "P", "Presets: fill the draft", &["> modules only", "modprobe can load modules that root may read", "drops"]),
    ("2", "y", "Copy the draft as", &["> bset sysctl", "enter copies all of it, by OSC 52"]),
    ("2", "f", "Both masks, in every form", &["─ cap_sys_module ─", "allows Load and unload kernel modules"]),
    ("2", "p", "Rehearse: ", &["what < the built-in probe >"]),
    ("3", "\r", "#1 module foo", &["ended ✗ exit 1 (raw 256)", "argv"]),
    ("3", "y", "Copy #1 as", &["> the record, as JSON", "its command line"]),
    ("3", "r", "Repeat the request #1?", &["module foo, wait proc", "enter repeats it, esc goes back"]),
    ("3", "w", "Save records, as JSON lines", &["> file ", "khelper-records.jsonl", "what < all that match (1) >"]),
];

/// Every screen names the target in its first line, whatever covers the rest.
fn names_the_target(pty: &Pty) {
    let first = pty.screen().rows(0, 200).next().unwrap();
    assert!(first.contains("[engine]") && first.contains("untouched"), "{}", pty.text());
}

#[test]
fn every_dialog_opens_says_what_it_is_and_goes() {
    everywhere(FAILING, |pty, _| {
        ask(pty, "foo", 1);
        pty.shows("exit 1");
        for (screen, keys, name, shows) in DIALOGS {
            pty.press(screen, &format!("[{screen} "));
            if screen == "3" {
                pty.until("the record", |s| s.contents().lines().any(|row| row.starts_with(">#1")));
            }
            pty.press(keys, &format!("─ {name}"));
            if name.starts_with('#') {
                // The title also stands above the details.
                pty.shows("esc back");
            }
            shows.iter().for_each(|words| pty.says(words));
            names_the_target(pty);
            if name.starts_with('#') {
                leaves(pty);
                continue;
            }
            pty.send(ESC);
            pty.hides(&format!("─ {name}"));
        }
        quits(pty);
    });
}

#[test]
fn the_help_is_there_within_a_dialog_and_is_searched() {
    everywhere(QUICK, |pty, _| {
        pty.press("m", "Ask for a module");
        pty.send("usb");
        pty.press("\x1bOP", "Keys: type to search");
        pty.send("disable and drain");
        pty.says("> search disable and drain");
        pty.says("g set the gate:");
        pty.send("zzz");
        pty.says("no key matches");
        pty.send(ESC);
        pty.hides("Keys: type to search");
        pty.says("> name usb");
        pty.send(ESC);
        pty.hides("Ask for a module");
        quits(pty);
    });
}

/// Path, arguments and wait mode, with its own masks.
#[test]
fn any_helper_is_called() {
    everywhere(QUICK, |pty, room| {
        pty.press("c", "Call a helper");
        pty.send("/bin/sh\t-c 'exit 3'");
        if room {
            pty.says("argv: /bin/sh -c 'exit 3'");
        }
        pty.send(ENTER);
        answers(pty, "#1 /bin/sh: ✗ exit 3 (raw 768)");
        // Without waiting, under a narrower mask.
        pty.press("c", "Call a helper");
        pty.send("\t\t\x1b[C");
        pty.says("> wait < exec: until exec is");
        pty.send("\tcap_chown");
        pty.says("> bset cap_chown");
        pty.send(ENTER);
        told(pty, "#2 /bin/sh: ▸ running as pid");
        pty.press("3", "[3 Activity]");
        // Equal ones share a row.
        pty.press("+", "every request has a row");
        pty.until("both", |s| ["#1 ", "#2 "].iter().all(|id| s.contents().contains(id)));
        opens(pty);
        pty.shows("#2 helper /bin/sh");
        page_shows(pty, "own bset cap_chown");
        leaves(pty);
        quits(pty);
    });
}

#[test]
fn a_mask_is_reset_after_a_look() {
    everywhere(QUICK, |pty, _| {
        drop_cap_chown(pty);
        pty.says("exactly as asked");
        pty.press("R", "─ Reset ");
        pty.says("gets back cap_chown");
        pty.send(ENTER);
        pty.hides("─ Reset");
        pty.says("kernel.usermodehelper.bset was reset and reads back `");
        quits(pty);
    });
}

/// Each verb of the command line that no other journey uses.
#[test]
fn the_command_line_does_what_the_shells_does() {
    everywhere(FAILING, |pty, _| {
        for (line, says) in [
            ("run -- /bin/sh -c 'exit 4'", "#1 /bin/sh: ✗ exit 4"),
            ("run --timeout 1 -- /bin/sleep 60", "#2 /bin/sleep: † killed by SIGTERM (raw 15), timed out"),
            ("request foo bar", "foo bar: 2 of 2 answered: 2 ✗ exit 1 (raw 256)"),
            ("gate disabled", "khelper.gate: disable and drain: done"),
            ("request foo", "‖ refused by the gate (EBUSY)"),
            ("gate enabled", "khelper.gate: enable: done"),
            ("set khelper.deny=bad*", "khelper.deny: (empty) -> `bad*`"),
            ("reset loop-messages", "khelper.loop_messages: counted from 0 again"),
        ] {
            command(pty, line);
            told(pty, says);
        }
        drop_cap_chown(pty);
        for (line, page, says) in [
            ("probe", "─ What a helper gets now", "bounding 0x"),
            ("mask cap_chown", "─ Masks in every form", "hex 0x0000000000000001"),
            ("get khelper.deny", "─ Values of the knobs", "khelper.deny = bad*"),
            ("help", "─ What the commands do", "Write knobs, all or none"),
            ("reset bset", "bset ─", "gets back cap_chown"),
        ] {
            command(pty, line);
            pty.shows(page);
            pty.says(says);
            pty.send(ESC);
            pty.hides(page);
        }
        quits(pty);
    });
}
