//! The README's one-minute tour with the demos, played in the real program; a picture is taken at each stop.
//! `tests/pictures.sh` writes the pictures, as text and as SVG.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::path::Path;

use tempfile::TempDir;

use crate::picture::{folder, picture as keep_picture};
use crate::pty::{Pty, Start};
use crate::steps::{Gate, quits_without_the_draft};

/// The demos. For pictures that are written they are the real ones, because a picture may name them; otherwise `slow`
/// ends when it is released, so that all its helpers are alive together on a slow machine too.
enum Demos {
    Real(TempDir),
    Gated(Gate),
}

impl Demos {
    fn new(keep: bool) -> Self {
        if !keep {
            return Self::Gated(Gate::new("slow"));
        }
        let folder = tempfile::Builder::new().prefix("demo").rand_bytes(0).tempdir().unwrap();
        for name in ["quick", "slow", "failing"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo").join(name);
            std::fs::copy(from, folder.path().join(name)).unwrap();
        }
        Self::Real(folder)
    }

    fn slow(&self) -> String {
        match self {
            Self::Real(folder) => folder.path().join("slow").to_str().unwrap().to_owned(),
            Self::Gated(gate) => gate.modprobe().to_owned(),
        }
    }

    /// Lets this many helpers end, even those that do not wait yet.
    fn release(&mut self, helpers: usize) {
        if let Self::Gated(gate) = self {
            gate.release(helpers);
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
    let set = ["--set".to_owned(), format!("kernel.modprobe={}", demos.slow())];
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
