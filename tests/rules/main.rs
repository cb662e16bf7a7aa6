//! Rules that the scripted host proves with time and schedules, shown on the real machine too: real programs, real
//! capabilities, the real clock. Nothing sleeps: helpers wait at a named pipe, the tests for the engine's own events.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "../common/at_gate.rs"]
mod at_gate;
#[path = "../common/mod.rs"]
mod common;
mod gate;
#[cfg(feature = "control")]
mod knobs;
mod request;

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use common::Dir;
use khelper::abi::actor::Origin;
use khelper::engine::{Engine, KnobWrite};

/// A named pipe that helpers wait at. It is held open for reading and writing, so that opening it never blocks and
/// nothing is lost between a release and the wait that it is for.
struct Barrier {
    path: PathBuf,
    held: File,
}

impl Barrier {
    fn new(dir: &Dir) -> Self {
        let path = dir.path().join("barrier");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let held = File::options().read(true).write(true).open(&path).unwrap();
        Self { path, held }
    }

    /// A script that waits: `read` takes one line, byte by byte.
    fn script(&self) -> String {
        format!("read line < {}", self.path.display())
    }

    /// Lets so many go, now or when they come.
    fn release(&mut self, helpers: usize) {
        self.held.write_all("\n".repeat(helpers).as_bytes()).unwrap();
    }
}

fn set(engine: &Engine, write: KnobWrite) {
    engine.write(&[write], Origin::Library).unwrap();
}

fn modprobe(engine: &Engine, path: &str) {
    set(engine, KnobWrite::Modprobe(path.as_bytes().into()));
}
