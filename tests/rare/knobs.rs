//! Knobs that someone else writes while the operator is at them.

use khelper::abi::depth::Depth;
use khelper::engine::KnobWrite;
use khelper::policy::authorize::Globs;
use khelper::sys::host::Host;
use khelper::sys::linux::LinuxHost;

use crate::pty::Pty;
use crate::steps::{ESC, quits};
use crate::{Act, FIRST, SECOND, bset, everywhere, is_warning, log_says, nothing, write};

/// The field keeps what was typed; below it stands what is live now.
#[test]
fn a_knob_that_someone_else_writes_is_told_while_it_is_edited() {
    let acts: &[Act] = &[
        |engine| write(engine, &[KnobWrite::Modprobe(b"/bin/false"[..].into())]),
        |engine| write(engine, &[KnobWrite::Deny(Globs::parse(b"bad*").unwrap())]),
        |engine| engine.disable(Depth::Freezing).unwrap(),
    ];
    everywhere("knobs::a_knob_that_someone_else_writes_is_told_while_it_is_edited", nothing, acts, |pty, room| {
        pty.press("e", "─ Edit kernel.modprobe");
        pty.says("live: `/bin/true`");
        pty.send("\x15/bin/ec");
        pty.says("path /bin/ec");
        pty.send(FIRST);
        pty.says("live: `/bin/false`");
        pty.says("path /bin/ec");
        pty.send(ESC);
        pty.hides("─ Edit kernel.modprobe");
        pty.shows(" kernel.modprobe was changed");
        if room {
            pty.says("kernel.modprobe was changed by another writer: `/bin/true` -> `/bin/false`");
        }
        // What is written now goes over it.
        pty.press("e", "─ Edit kernel.modprobe");
        pty.says("path /bin/false");
        pty.send("\x15/bin/echo\r\r");
        pty.hides("─ Edit kernel.modprobe");
        pty.says("kernel.modprobe: `/bin/false` -> `/bin/echo`");
        pty.send(SECOND);
        pty.shows(" khelper.deny was chang");
        if room {
            pty.says("khelper.deny was changed by another writer: (empty) -> `bad*`");
            pty.shows("deny         bad*");
        }
        pty.press("g", "─ The gate");
        pty.says("now enabled");
        pty.send("\x1bOS");
        pty.says("now freezing");
        pty.send(ESC);
        pty.hides("─ The gate");
        pty.shows("freezing");
        pty.press("4", "[4 Log]");
        for (words, line) in [
            ("true", "kernel.modprobe: `/bin/true` -> `/bin/false`, by the library"),
            ("echo", "kernel.modprobe: `/bin/false` -> `/bin/echo`, by the console"),
            ("deny", "khelper.deny: (empty) -> `bad*`, by the library"),
            ("gate", "khelper.gate: enabled -> freezing"),
        ] {
            log_says(pty, words, line);
        }
        quits(pty);
    });
}

/// The draft goes on changing what it changes; a confirmation that is open asks again.
#[test]
fn a_mask_that_someone_else_writes_is_told_while_there_is_a_draft() {
    let acts: &[Act] = &[
        |engine| bset(engine, "-cap_chown"),
        |engine| bset(engine, "-cap_kill"),
        |engine| bset(engine, "-cap_sys_module"),
        |engine| write(engine, &[KnobWrite::ResetBset]),
    ];
    let all = LinuxHost::new().known().len();
    everywhere("knobs::a_mask_that_someone_else_writes_is_told_while_there_is_a_draft", nothing, acts, |pty, room| {
        let notice = |pty: &mut Pty, what: &str| {
            pty.press("1", "[1 Overview]");
            pty.shows(" kernel.usermodehelper.b");
            if room {
                pty.says(&format!("kernel.usermodehelper.bset was changed by another writer: {what}"));
            }
            // Read, it goes; the next one has its rows.
            while pty.text().lines().any(is_warning) {
                pty.frame_after(|pty| pty.send(ESC));
            }
            pty.press("2", "[2 Masks");
        };
        pty.press("2", "> cap_sys_module");
        let drops = if room { "· drops  " } else { "[■→·]" };
        pty.press(" ", drops);
        pty.send(FIRST);
        pty.shows("! kernel.usermodehelper.bset was");
        if room {
            pty.says("it lost cap_chown; the");
            pty.says("drops cap_sys_module");
        }
        pty.shows(drops);
        notice(pty, "it lost cap_chown");
        // A confirmation, half typed.
        pty.press("w", "type `drop cap_sys_module`");
        // Names where there is room for them; what is dropped is named anyhow.
        let after = if room { "~cap_chown cap_sys_module".to_owned() } else { format!("{} of {all}", all - 2) };
        pty.says(&format!("~cap_chown -> {after}"));
        pty.press("drop cap", "drop cap");
        pty.send(SECOND);
        pty.says_broken("✗ another writer changed the live masks: read the list again");
        pty.says(&match room {
            true => "~cap_chown cap_kill -> ~cap_chown cap_kill cap_sys_module".to_owned(),
            false => format!("{} of {all} -> {} of {all}", all - 2, all - 3),
        });
        // In the smallest size that takes some pages.
        while pty.text().contains("down)") {
            pty.frame_after(|pty| pty.send("\x1b[6~"));
        }
        pty.send("_sys_module\r");
        pty.says_broken("not done: type `drop cap_sys_module`");
        // Nothing is left to be confirmed.
        pty.send("\x1bOS");
        pty.hides("Apply the draft");
        pty.hides("draft open");
        pty.shows("[·]");
        notice(pty, "it lost cap_sys_modul");
        pty.send("\x1b[15~");
        pty.shows("[■]");
        notice(pty, "it got back cap_chown");
        pty.press("4", "[4 Log]");
        for words in ["lost cap_chown", "lost cap_kill", "lost cap_sys_module"] {
            log_says(pty, words, &format!("kernel.usermodehelper.bset: {words}, by the library"));
        }
        log_says(pty, "regained", "bset: regained cap_chown, cap_kill, cap_sys_module, by the library");
        quits(pty);
    });
}
