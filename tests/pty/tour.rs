//! The README's one-minute tour with the demos, played in the real program; a picture is taken at each stop.
//! `tests/pictures.sh` writes the pictures, as text and as SVG.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::picture::{folder, picture as keep_picture};
use crate::pty::{Pty, Start};
use crate::steps::quits_without_the_draft;

/// The demos. For pictures that are written they are the real ones, because a picture may name them; otherwise `slow`
/// ends when it is released, so that all its helpers are alive together on a slow machine too.
struct Demos {
    folder: tempfile::TempDir,
    gate: Option<File>,
}

impl Demos {
    fn new(keep: bool) -> Self {
        if keep {
            let folder = tempfile::Builder::new().prefix("demo").rand_bytes(0).tempdir().unwrap();
            for name in ["quick", "slow", "failing"] {
                let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo").join(name);
                std::fs::copy(from, folder.path().join(name)).unwrap();
            }
            return Self { folder, gate: None };
        }
        let folder = tempfile::tempdir().unwrap();
        symlink(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pty/gated"), folder.path().join("slow")).unwrap();
        let gate = folder.path().join("gate");
        mkfifo(&gate, Mode::S_IRWXU).unwrap();
        // Opened for reading and writing, so that neither side waits for the other to open it. Dropping it releases
        // all.
        let gate = OpenOptions::new().read(true).write(true).open(gate).unwrap();
        Self { folder, gate: Some(gate) }
    }

    /// Lets this many helpers end, even those that do not wait yet.
    fn release(&mut self, helpers: usize) {
        if let Some(gate) = &mut self.gate {
            gate.write_all("\n".repeat(helpers).as_bytes()).unwrap();
        }
    }
}

fn picture(pty: &mut Pty, keep: Option<&Path>, name: &str) {
    pty.whole_frame();
    keep_picture(pty, keep, name);
}

#[test]
fn the_tour_of_one_minute() {
    let keep = folder();
    let keep = keep.as_deref();
    let mut demos = Demos::new(keep.is_some());
    let state = tempfile::tempdir().unwrap();
    let set = ["--set".to_owned(), format!("kernel.modprobe={}/slow", demos.folder.path().display())];
    let mut pty = Start::khelper(100, 30).args(set).env("XDG_STATE_HOME", state.path()).start();
    // 1. Eighty at once.
    pty.shows("[engine]");
    pty.press("m", "Ask for a module");
    pty.send("dummy\t\t\x1580\r");
    pty.shows("live helpers 50");
    pty.shows("runaway loop modprobe dummy (");
    pty.shows("30 refused by the limit");
    picture(&mut pty, keep, "overview");
    demos.release(50);
    pty.shows("· 0 of 50");
    pty.shows("Running 0");
    // 2. A preset, by its risks.
    pty.press("2P", "> modules only");
    pty.press("\x1b[B\x1b[B\x1b[B", "> everything but modules");
    picture(&mut pty, keep, "presets");
    pty.send("\r");
    pty.shows("draft open");
    picture(&mut pty, keep, "masks");
    // 3. Rehearsed before it is applied.
    pty.press("p", "the built-in probe");
    pty.send("\r");
    // An ordinary user's helper has no capability, so there is nothing to list.
    pty.shows(if nix::unistd::geteuid().is_root() {
        "They differ in their capabilities"
    } else {
        "This proves nothing"
    });
    picture(&mut pty, keep, "rehearsal");
    pty.press("q", "draft open");
    pty.press("w", "type `drop cap_sys_module`");
    pty.send("\x1b");
    pty.hides("Apply the draft");
    // 4. The same words as at the shell.
    pty.press(":set khelper.\t", "khelper.max_concurrent=");
    picture(&mut pty, keep, "command");
    pty.send("\x1b");
    pty.hides("Command");
    // 5. Every key.
    pty.press("?", "Keys: type to search");
    picture(&mut pty, keep, "help");
    pty.send("\x1b");
    pty.hides("Keys: type to search");
    quits_without_the_draft(&mut pty);
}
