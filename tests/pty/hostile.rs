//! A program, a folder, a comm, arguments and an output that are hostile, in three sizes. The bytes sent to the
//! terminal are checked when the console ends; the screen is checked here, in every place that shows them.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;

use nix::sys::signal::{Signal, kill};

use crate::program::write_program;
use crate::pty::{Start, pid_after};
use crate::steps::{ESC, SIZES, page_shows};

/// Fifteen bytes: the length of a comm.
const COMM: &[u8] = b"\x1b]0;c\x07\xe2\x80\xae\xff\xc2\x9b2";
const SHOWN: &str = r"\x1b]0;c\x07\xe2\x80\xae\xff\xc2\x9b2";

/// Hostile output: it clears the screen, reverses the text, sets the title, changes the character set, fills the
/// clipboard, in both streams; then something harmless.
const SCRIPT: &[u8] = b"#!/bin/sh\nprintf '\\033[2J\\033]0;own\\007\\016\\342\\200\\256\\377\\302\\2332J\\r\\n'\n\
    printf '\\033]52;c;b3du\\033\\\\\\033Pq\\033\\\\\\033c\\t\\n' >&2\nprintf 'the end\\n'\nexit 3\n";

/// This script, one that keeps running, and the console, each under such a name.
fn programs(folder: &Path) -> (OsString, OsString, OsString) {
    let inner = folder.join(OsStr::from_bytes(b"d\x1b[2J\t"));
    fs::create_dir(&inner).unwrap();
    let script = |name: &[u8], text: &[u8]| {
        let script = inner.join(OsStr::from_bytes(name));
        write_program(&script, text);
        script.into_os_string()
    };
    let console = folder.join(OsStr::from_bytes(COMM));
    symlink(env!("CARGO_BIN_EXE_khelper"), &console).unwrap();
    (script(COMM, SCRIPT), script("h\u{202e}".as_bytes(), b"#!/bin/sh\nexec sleep 60\n"), console.into())
}

#[test]
fn a_hostile_program_is_seen_and_not_obeyed() {
    thread::scope(|scope| {
        for (columns, rows) in SIZES {
            scope.spawn(move || journey(columns, rows));
        }
    });
}

fn journey(columns: u16, rows: u16) {
    let folder = tempfile::Builder::new().prefix("h").rand_bytes(3).tempdir_in("/tmp").unwrap();
    let (script, holds, console) = programs(folder.path());
    let mut set = OsString::from("kernel.modprobe=");
    set.push(&script);
    let mut pty = Start::khelper_at(columns, rows, console).args([OsStr::new("--set"), &set]).start();
    pty.shows("[engine]");
    // As modprobe, with a name; its argv, its output, the requester's comm.
    pty.press("m", "Ask for a module");
    pty.send(b"\x1b[200~\x1b[31m\xe2\x80\xaex\x1b[201~\r");
    pty.says(r"#1 \x1b[31m\xe2\x80\xaex: ✗ exit 3");
    pty.press("3", ">#1");
    pty.press("\r", "esc back");
    pty.shows(r"─ #1 module \x1b[31m");
    for what in [r"\x1b[31m\xe2\x80\xaex", r"\x1b]52;c;b3du", r"\x1b[2J\x1b]0;own", "the end", SHOWN] {
        // The beginning of text that may be wrapped.
        page_shows(&mut pty, &what[..what.len().min(15)]);
    }
    pty.send(ESC);
    pty.hides("esc back");
    // As a helper, by a path of the same kind; it keeps running, and the exit report names it.
    pty.press("c", "Call a helper");
    pty.send(b"\x1b[200~");
    pty.send(holds.as_bytes());
    pty.send(b"\x1b[201~\t\x1b[200~-x \x9b31m\x1b[201~\r");
    pty.hides("Call a helper");
    pty.press("1", "[1 Overview]");
    pty.until("the helper", |s| s.contents().lines().any(|row| row.contains("▸    #2 ") && row.contains("pid ")));
    for screen in ["2", "3", "4", "1"] {
        pty.press(screen, &format!("[{screen} "));
    }
    pty.press("q", "Quit?");
    pty.press("l", "> leave");
    pty.send("\r");
    assert_eq!(pty.ends(), 0);
    pty.is_restored();
    let said: String = pty.text().lines().collect();
    assert!(said.contains(r"left running: #2 /tmp/h") && said.contains(r"d\x1b[2J\x09/h\xe2\x80\xae"), "{said}");
    let (_, last) = said.rsplit_once("left running").unwrap();
    kill(pid_after(last, "(pid ").unwrap(), Signal::SIGKILL).unwrap();
}
