//! The draft: presets, undo, the filter, copies, rehearsals.

use crate::pty::Start;
use crate::steps::{QUICK, SIZES, compared, everywhere, quits_without_the_draft};

#[test]
fn a_preset_is_taken_undone_and_copied() {
    for (columns, rows) in SIZES {
        let mut pty = Start::khelper(columns, rows).start();
        pty.shows("[engine]");
        pty.press("2", "> cap_sys_module");
        pty.press("P", "> modules only");
        pty.send("\r");
        pty.shows("draft open");
        pty.press("u", "undone");
        pty.hides("draft open");
        pty.press("\x12", "redone");
        pty.shows("draft open");
        pty.press("/", "/ ");
        pty.press("sys_mod", "1 of ");
        pty.press("\r", "> cap_sys_module");
        pty.press("yj", "Copy the draft");
        pty.send("\x1b[B\x1b[B\r");
        pty.hides("Copy the draft");
        // The bytes sent to the terminal: the mask as hex, in base64; none of it is on the screen.
        let osc = b"\x1b]52;c;MHgwMDAwMDAwMDAwMDEwMDAw\x1b\\";
        assert!(pty.wrote.windows(osc.len()).any(|window| window == osc), "{:?}", String::from_utf8_lossy(&pty.wrote));
        quits_without_the_draft(&mut pty);
    }
}

const FAILING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo/failing");

#[test]
fn a_module_is_rehearsed_without_loading_it() {
    for (columns, rows) in SIZES {
        // Only modprobe is known to do nothing with `-n`.
        let folder = tempfile::Builder::new().prefix("k").tempdir_in("/tmp").unwrap();
        let modprobe = folder.path().join("modprobe");
        std::os::unix::fs::symlink(FAILING, &modprobe).unwrap();
        let set = ["--set".to_owned(), format!("kernel.modprobe={}", modprobe.display())];
        let mut pty = Start::khelper(columns, rows).args(set).start();
        pty.shows("[engine]");
        pty.press("2", "> cap_sys_module");
        pty.press(" ", "draft open");
        pty.press("p", "the built-in probe");
        pty.press("\x1b[C", "modprobe, for a");
        pty.press("\tdummy", "dummy");
        pty.press("\r", "Rehearsal");
        pty.says("? This proves nothing: a dry run needs no privilege");
        if columns >= 80 {
            pty.shows("stderr, the same in both");
            pty.send("\x1b[6~\x1b[6~\x1b[6~\x1b[6~");
            pty.says("run instead modprobe without -n: it really loads the module");
        }
        pty.press("q", "> cap_sys_module");
        // A program that does not exist: the error names it.
        pty.press("p", "modprobe, for a");
        pty.press("\x1b[C", "any program");
        pty.press("\t/nowhere/x", "/nowhere/x");
        pty.send("\r");
        pty.says("? This proves nothing: the program ran under neither of them");
        pty.send("q");
        pty.hides("Rehearsal");
        // The second run may still be running; then quitting would ask.
        pty.send("1");
        pty.until("nothing runs", |s| s.contents().contains(" 0 running"));
        quits_without_the_draft(&mut pty);
    }
}

/// Four keys: the screen, the capability under the cursor, the rehearsal, the program that is offered.
#[test]
fn one_capability_is_dropped_and_what_would_break_is_shown_in_four_keys() {
    for (columns, rows) in [(200, 60), (120, 40), (80, 24), (40, 10)] {
        let mut pty = Start::khelper(columns, rows).start();
        pty.shows("[engine]");
        pty.press("2", "> cap_sys_module");
        pty.send(" ");
        pty.says("drops cap_sys_module");
        // What will run is shown before it runs.
        pty.send("p");
        pty.says("runs the built-in probe: it only reports what a helper gets");
        pty.send("\r");
        compared(&mut pty);
        if nix::unistd::geteuid().is_root() {
            pty.send("\x1b[F");
            if rows >= 24 {
                pty.says("cap_sys_module without it: modprobe cannot insert or remove any module");
            }
        }
        pty.send("q");
        pty.hides("Rehearsal");
        if columns >= 80 {
            // The screen remembers what this very draft has shown.
            pty.shows("the built-in probe: ✓ exit 0 under");
            pty.press("u", "undone");
            pty.press("\x12", "redone");
            pty.shows("the built-in probe: ✓ exit 0 under");
            pty.send("\x1b[B ");
            pty.shows("rehearsed    not yet: p runs a helper under both");
        }
        quits_without_the_draft(&mut pty);
    }
}

/// From the page of a rehearsal: the same again, another program, and on to the confirmation.
#[test]
fn a_rehearsal_is_repeated_with_another_program_and_leads_to_the_confirmation() {
    everywhere(QUICK, |pty, room| {
        pty.press("2", "> cap_sys_module");
        pty.send(" ");
        pty.says("drops cap_sys_module");
        pty.press("p", "the built-in probe");
        pty.send("\r");
        compared(pty);
        pty.press("c", "─ Rehearse: ");
        pty.press("\x1b[D", "any program");
        pty.says("runs nothing yet: give its path");
        pty.send("\t/bin/sh\t-c 'echo $0 said so; exit 3'");
        pty.send("\r");
        pty.hides("─ Rehearse: ");
        compared(pty);
        pty.says("program /bin/sh -c 'echo $0 said so; exit 3'");
        if room {
            pty.shows("stdout, the same in both");
            pty.shows("/bin/sh said so");
        }
        pty.send("\r");
        compared(pty);
        pty.press("w", "type `drop cap_sys_module`");
        if room {
            pty.says("bset all -> ~cap_sys_module");
            pty.says("drops cap_sys_module: modprobe cannot insert or remove any module: EPERM");
            pty.says("undo ✗ not by a write: only a reset of this engine's mask");
            pty.says("19 letters missing");
            pty.send("drop cap_sys_m");
            pty.says("5 letters missing");
            pty.send("odule");
            pty.says("complete: enter applies, esc goes back");
        }
        pty.send("\x1b");
        pty.hides("Apply the draft");
        pty.shows("> cap_sys_module");
        quits_without_the_draft(pty);
    });
}
