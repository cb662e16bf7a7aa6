//! The targets of one console: each keeps its screen, its draft and what was typed.

use crate::over::TARGET;
use crate::pty::{Pty, Start};
use crate::steps::{ENTER, ESC, QUICK, SIZES, answers, ask, everywhere, quits};

/// Waits until this target is shown.
fn shows(pty: &mut Pty, target: &str) {
    let name = format!("[{target}]");
    pty.until(&name, |s| s.contents().lines().next().is_some_and(|line| line.contains(&name)));
}

#[test]
fn one_key_shows_the_next_target_and_nothing_typed_is_lost() {
    everywhere(QUICK, |pty, room| {
        if room {
            pty.shows(if TARGET == "[engine]" { "[engine] kernel" } else { "[daemon] kernel" });
        }
        let first = if TARGET == "[engine]" { "engine" } else { "daemon" };
        // A draft, a filter, and a form that was left.
        pty.press("2", "> cap_sys_module");
        pty.press(" ", "draft open");
        pty.press("/", "/ ");
        pty.press("sys_m", "1 of ");
        pty.send(ENTER);
        pty.press("m", "Ask for a module");
        pty.press("dummy", "dummy");
        pty.send(ESC);
        pty.hides("Ask for a module");
        pty.send("t");
        shows(pty, "kernel");
        pty.hides("draft open");
        pty.press("1", "[1 Overview]");
        if room {
            pty.shows(&format!("{first} [kernel]"));
        }
        pty.send("t");
        shows(pty, first);
        // As it was left: the screen, the draft and the filter.
        pty.shows("[2 Masks");
        pty.shows("draft open");
        pty.shows("> cap_sys_module");
        pty.shows("1 of ");
        pty.press("m", "dummy");
        pty.send(ESC);
        pty.hides("Ask for a module");
        // In a field, the key is a letter.
        pty.press("/", "/ ");
        pty.press("t", "/ t");
        pty.press("\x15sys_m", "1 of ");
        pty.send(ENTER);
        // The draft is not lost by quitting from another target.
        pty.send("t");
        shows(pty, "kernel");
        pty.shows("[1 Overview]");
        pty.press("q", "─ Quit?");
        shows(pty, first);
        pty.says("the draft of bset will be lost");
        pty.send(ESC);
        pty.hides("─ Quit?");
        pty.press("z", "the draft was discarded");
        quits(pty);
    });
}

/// A list has the requests of one target: a target in the filter is turned to, with the rest of the filter.
#[test]
fn a_target_in_the_filter_is_turned_to() {
    everywhere(QUICK, |pty, _| {
        let first = if TARGET == "[engine]" { "engine" } else { "daemon" };
        ask(pty, "foo", 1);
        answers(pty, "#1 foo: ");
        pty.press("3", "[3 Activity]");
        pty.press("/", "/ ");
        pty.press(&format!("foo target:{first}"), "1 of 1");
        pty.send(ENTER);
        pty.says(&format!("every request here is of the target {first}"));
        pty.shows("filter foo");
        pty.press("/\x15target:x", "1 of 1");
        pty.send(ENTER);
        pty.says(&format!("no target is named `x`: the targets are {first}, kernel"));
        pty.press("/\x15zfs target:ker", "0 of 1");
        pty.send(ENTER);
        shows(pty, "kernel");
        pty.shows("[3 Activity]");
        // Neither target has a record with the word, so its letters are looked for.
        pty.shows("letters zfs");
        pty.send("t");
        shows(pty, first);
        pty.shows("letters zfs");
        quits(pty);
    });
}

/// The theme is the console's and not a target's.
#[test]
fn the_next_target_is_shown_in_the_same_theme_and_size() {
    for (columns, rows) in SIZES {
        let mut pty = Start::khelper(columns, rows).args(["--theme", "high-contrast"]).start();
        pty.shows("[engine]");
        pty.send("t");
        shows(&mut pty, "kernel");
        pty.press("T", "theme colour-blind");
        pty.resize(rows * 2 + 40, rows + 1);
        pty.send("t");
        shows(&mut pty, "engine");
        pty.press("T", "theme ansi");
        pty.until("the whole screen", |s| s.contents().lines().last().is_some_and(|line| line.contains("? keys")));
        pty.send("q");
        assert_eq!(pty.ends(), 0, "{}", pty.text());
        pty.is_restored();
    }
}
