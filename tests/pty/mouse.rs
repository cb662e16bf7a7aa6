//! The mouse, as a terminal reports it.

use vt100::{MouseProtocolEncoding, MouseProtocolMode};

use crate::pty::{Pty, Start};
use crate::steps::{SIZES, quits, quits_without_the_draft};

/// The left button goes down and up where the screen shows `what`.
fn click(pty: &mut Pty, what: &str) {
    let screen = pty.screen();
    let (_, columns) = screen.size();
    let at = screen.rows(0, columns).enumerate().find_map(|(y, row)| Some((row[..row.find(what)?].chars().count(), y)));
    let (x, y) = at.unwrap_or_else(|| panic!("no {what} in\n{}", pty.text()));
    pty.send(format!("\x1b[<0;{};{}M\x1b[<0;{};{}m", x + 1, y + 1, x + 1, y + 1));
}

#[test]
fn tabs_rows_boxes_and_the_wheel() {
    for (columns, rows) in SIZES {
        let mut pty = Start::khelper(columns, rows).start();
        pty.shows("[engine]");
        assert_eq!(pty.screen().mouse_protocol_mode(), MouseProtocolMode::PressRelease);
        assert_eq!(pty.screen().mouse_protocol_encoding(), MouseProtocolEncoding::Sgr);
        // A small screen has the digits of the other screens alone.
        click(&mut pty, if columns < 60 { "2 3 4" } else { "2 Masks" });
        pty.shows("> cap_sys_module");
        click(&mut pty, "cap_ipc_owner");
        pty.shows("> cap_ipc_owner");
        click(&mut pty, "[■]");
        pty.shows(if columns < 58 { "[■→·]" } else { "· drops  " });
        pty.shows("draft open");
        pty.send("\x1b[<65;5;5M");
        pty.shows("> cap_sys_chroot");
        pty.press("g", "> freeze and drain");
        click(&mut pty, "disable and drain");
        pty.shows("> disable and drain");
        pty.send("\x1b");
        pty.hides("> disable and drain");
        quits_without_the_draft(&mut pty);
    }
}

#[test]
fn no_mouse_leaves_it_to_the_terminal_and_so_does_screen() {
    for start in [Start::khelper(80, 24).args(["--no-mouse"]), Start::khelper(80, 24).env("STY", "1.tty.here")] {
        let mut pty = start.start();
        pty.shows("[engine]");
        assert_eq!(pty.screen().mouse_protocol_mode(), MouseProtocolMode::None);
        pty.send("q");
        assert_eq!(pty.ends(), 0);
    }
}

#[test]
fn rows_of_activity_and_log() {
    for (columns, rows) in SIZES {
        let state = tempfile::tempdir().unwrap();
        let set = ["--set", "kernel.modprobe=/bin/true"];
        let mut pty = Start::khelper(columns, rows).args(set).env("XDG_STATE_HOME", state.path()).start();
        pty.shows("[engine]");
        pty.press(":", "Command");
        pty.send("request first second third\r");
        pty.shows("3 of 3 answered");
        pty.press("3", "[3 Activity]");
        pty.until("every row", |s| s.contents().contains("#1 ") && s.contents().contains("#3 "));
        // The first click selects the row, the second opens its record.
        click(&mut pty, "#2 ");
        pty.until("the cursor on #2", |s| s.rows(0, columns).any(|row| row.starts_with('>') && row.contains("#2 ")));
        // Not where the record beside the rows has its number.
        click(&mut pty, ">#2 ");
        pty.shows("esc back");
        pty.shows("─ #2 module");
        pty.send("\x1b");
        pty.hides("esc back");
        quits(&mut pty);
    }
}
