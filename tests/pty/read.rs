//! Text that does not fit can still be read, in the smallest size as in the largest.

use std::collections::BTreeSet;

use crate::pty::Pty;
use crate::steps::{
    ENTER, ESC, FAILING, HOLD, QUICK, ask, everywhere, has_more, leaves, opens, page_shows, quits, runs, taken, told,
    turns,
};

const DOWN: &str = "\x1b[B";
const HOME: &str = "\x1b[H";
const END: &str = "\x1b[F";

/// The capabilities whose full names are on the screen.
fn named(pty: &Pty) -> BTreeSet<String> {
    let words = pty.flat();
    words.split([' ', ',', '`', ';']).filter(|word| word.starts_with("cap_")).map(str::to_owned).collect()
}

/// A draft can be applied only after the last of what it drops was on the screen, however fast the keys are.
#[test]
fn a_draft_is_read_to_its_end_before_it_is_applied() {
    everywhere(QUICK, |pty, _| {
        pty.press("2P", "> modules only");
        pty.press(DOWN, "> modules and firmware");
        pty.press(DOWN, "> core dumps");
        pty.send(ENTER);
        pty.says("draft `core dumps`");
        pty.press("w", "type `drop cap_sys_module`");
        pty.send("drop cap_sys_module");
        pty.until("what was typed", |s| s.contents().matches("drop cap_sys_module").count() >= 2);
        let mut seen = named(pty);
        while has_more(pty) {
            pty.send(ENTER);
            pty.says("not done: read the whole list first");
            seen.append(&mut named(pty));
            turns(pty);
            seen.append(&mut named(pty));
        }
        // What the preset drops; an older kernel has fewer capabilities to drop.
        for cap in
            ["cap_fsetid", "cap_kill", "cap_net_raw", "cap_sys_module", "cap_sys_boot", "cap_setfcap", "cap_syslog"]
        {
            assert!(seen.contains(cap), "{cap}: {seen:?}");
        }
        pty.send(ENTER);
        pty.hides("Apply the draft");
        quits(pty);
    });
}

/// A field's error is below it, and the rest of a form is one page away.
#[test]
fn a_form_says_all_of_what_is_wrong() {
    everywhere(QUICK, |pty, room| {
        pty.press("c", "─ Call a helper");
        pty.send("/bin/true\t'x");
        pty.says("the quote ' is not closed");
        pty.send("\x15");
        pty.unsays("is not closed");
        pty.send("\t\t\t0x1ffffffffff0000\r");
        pty.says("no capability");
        page_shows(pty, "argv: /bin/true");
        if !room {
            pty.shows("page down scroll");
        }
        pty.send(ESC);
        pty.hides("─ Call a helper");
        // A form with one field has no next one, and a list of values changes in both directions.
        pty.press("e", "─ Edit kernel.modprobe");
        assert!(!pty.text().contains("tab next"), "{}", pty.text());
        pty.send(ESC);
        pty.hides("─ Edit");
        quits(pty);
    });
}

/// The answer to a key on the page of a record is below the page; keys without an effect are not offered.
#[test]
fn a_record_answers_its_keys_where_it_is() {
    everywhere(FAILING, |pty, _| {
        ask(pty, "foo", 1);
        told(pty, "#1 foo: ");
        pty.press("3", ">#1");
        opens(pty);
        pty.shows("─ #1 module foo ");
        pty.until("the record", |s| s.contents().contains("exit 1 (raw 256) ·"));
        assert!(!pty.text().contains("k kill") && !pty.text().contains("x abandon"), "{}", pty.text());
        pty.send("k");
        pty.says("#1 foo: it has ended: nothing to kill");
        pty.shows("─ #1 module foo ");
        page_shows(pty, "requester");
        leaves(pty);
        quits(pty);
    });
}

/// Every awaited helper can be looked at before quitting.
#[test]
fn quitting_shows_every_helper() {
    everywhere(HOLD, |pty, _| {
        ask(pty, "holds", 20);
        taken(pty, 20);
        pty.press("q", "─ Quit? Unfinished: 20, live: 20");
        page_shows(pty, "#20 holds");
        runs(pty, "#20 holds");
        pty.press("k", "> kill: TERM now");
        pty.send(ENTER);
        assert_eq!(pty.ends(), 0);
        pty.is_restored();
    });
}

/// The help begins with the contexts in which it was opened; pages and the help have a beginning and an end.
#[test]
fn the_help_begins_with_what_is_here() {
    everywhere(QUICK, |pty, _| {
        pty.press("2", "> cap_sys_module");
        pty.press("?", "Keys: type to search");
        pty.says("Masks space toggle the capability");
        pty.send(END);
        pty.until("the end", |s| !s.contents().contains("down)"));
        pty.send(HOME);
        pty.says("Masks space toggle the capability");
        pty.send(ESC);
        pty.hides("Keys: type");
        // The page of `f` describes the capability.
        pty.press("f", "Both masks, in every form");
        pty.says("allows Load and unload kernel modules");
        pty.send(END);
        pty.until("the end", |s| !s.contents().contains("down)"));
        pty.send(HOME);
        pty.says("allows Load and unload kernel modules");
        pty.send(ESC);
        pty.hides("Both masks, in every form");
        // Clearing a filter moves the cursor back to its earlier row.
        pty.press("/zzz", "no capability matches");
        pty.send(ESC);
        pty.shows("> cap_sys_module");
        pty.press("/zzz\r", "no capability matches");
        pty.send(ESC);
        pty.says("all capabilities are shown again");
        pty.send(HOME);
        pty.shows("> cap_chown");
        // The message is gone with the next key: the first esc shows all rows again.
        pty.send("/sys_module\r");
        pty.shows("> cap_sys_module");
        pty.unsays("all capabilities are shown again");
        pty.shows("1 of 4");
        pty.send(ESC);
        pty.says("all capabilities are shown again");
        pty.press("/net_raw", "> cap_net_raw");
        pty.send(ESC);
        pty.shows("> cap_sys_module");
        quits(pty);
    });
}
