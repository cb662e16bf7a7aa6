//! What a request costs: the kernel's own round trip and the engine's, of the same tiny helper, one after the other.

use std::process::{Command, ExitCode, Stdio};

use khelper::abi::actor::Origin;
use khelper::abi::era::Era;
use khelper::abi::path::parse_modprobe;
use khelper::engine::{Engine, KnobWrite};

use super::{COST, OTHER, knobs, now};
use crate::observation::Line;

/// Pairs that count, after as many as warm up.
const PAIRS: usize = 300;
const WARM: usize = 30;

/// From pid 1.
pub fn measure() -> Line {
    knobs::write("modprobe", b"/h/tiny").unwrap();
    let output = Command::new(OTHER).arg(COST).stdin(Stdio::null()).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// In a process of its own.
pub fn main() -> ExitCode {
    let engine = Engine::builder().fix_sigchld(true).start().unwrap();
    let path = KnobWrite::Modprobe(parse_modprobe(b"/h/tiny").unwrap());
    engine.write(&[KnobWrite::Era(Era::Current), path], Origin::Library).unwrap();
    let (mut kernel, mut ours) = (Vec::new(), Vec::new());
    for round in 0..WARM + PAIRS {
        let start = now();
        // SAFETY: integers only.
        unsafe { libc::socket(37, libc::SOCK_STREAM, 0) };
        let middle = now();
        let record = engine.request_module("net-pf-37", true);
        let end = now();
        assert_eq!(record.result, Some(0));
        if round >= WARM {
            kernel.push(middle - start);
            ours.push(end - middle);
        }
    }
    println!("{}", serde_json::to_string(&Line::Cost { kernel, engine: ours }).unwrap());
    ExitCode::SUCCESS
}
