//! The draft: presets, undo, the filter, copies.

use crate::pty::Start;
use crate::steps::{SIZES, quits_without_the_draft};

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
        let set = ["--set".to_owned(), format!("kernel.modprobe={FAILING}")];
        let mut pty = Start::khelper(columns, rows).args(set).start();
        pty.shows("[engine]");
        pty.press("2", "> cap_sys_module");
        pty.press(" ", "draft open");
        pty.press("p", "the built-in probe");
        pty.press("\x1b[C", "modprobe, for a");
        pty.press("\tdummy", "dummy");
        pty.press("\r", "Rehearsal");
        pty.until("both runs", |s| s.contents().matches("exit 1").count() >= 2);
        if columns >= 80 {
            // The differences are named, and the demo's own output is at the end of the page.
            pty.shows("under draft:");
            pty.send("\x1b[6~\x1b[6~\x1b[6~\x1b[6~");
            pty.shows("stderr:");
        }
        pty.press("q", "> cap_sys_module");
        // A program that does not exist: the error names it.
        pty.press("p", "modprobe, for a");
        pty.press("\x1b[C", "any program");
        pty.press("\t/nowhere/x", "/nowhere/x");
        pty.press("\r", if columns >= 80 { "exec failed (ENOENT)" } else { "under draft:" });
        pty.send("q");
        pty.hides("Rehearsal");
        // The second run may still be running; then quitting would ask.
        pty.send("1");
        pty.until("nothing runs", |s| s.contents().contains(" 0 running"));
        quits_without_the_draft(&mut pty);
    }
}
