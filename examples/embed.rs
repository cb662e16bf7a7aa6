//! The smallest host program: an engine, a knob, a module request, and a call of another helper. With a folder as
//! argument it then makes the folder its root (chroot(2), as root) and calls again: a helper is started in the root
//! that the caller has at the time of the call, or not at all. `cargo run --example embed -- [FOLDER]`
//!
//! A process that forks must not use the engine in the child, which has none of the engine's threads: requests return
//! `EOWNERDEAD` there. The child may start its own engine.

use std::error::Error;
use std::os::unix::fs::chroot;

use khelper::abi::actor::Origin;
use khelper::abi::escape::screen;
use khelper::abi::path::parse_modprobe;
use khelper::abi::record::Record;
use khelper::abi::subprocess::SubprocessInfo;
use khelper::abi::wait::WaitMode;
use khelper::engine::{Engine, KnobWrite};

fn call(engine: &Engine, argv: &[&str]) -> Result<(), Box<dyn Error>> {
    let info = SubprocessInfo::setup(Some(argv[0].into()), argv.iter().copied(), ["PATH=/bin:/usr/bin"])?;
    print(&engine.call_usermodehelper(info, WaitMode::PROC));
    Ok(())
}

/// The outcome, what the kernel's function would have returned, what the helper wrote, and why it failed.
fn print(record: &Record) {
    let wrote = record.output.as_ref().map(|o| screen(o.stdout.trim_ascii_end())).unwrap_or_default();
    println!("{}: {} {:?} [{wrote}]", screen(record.title()), record.outcome.name(), record.result);
    if let Some(why) = record.why() {
        println!("  {why}");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::builder().fix_sigchld(true).start()?;
    let modprobe = KnobWrite::Modprobe(parse_modprobe(b"/bin/echo")?);
    engine.write(&[modprobe], Origin::Library).map_err(|(key, error)| format!("{key}: {error}"))?;
    print(&engine.request_module("dummy", true));

    let list = ["/bin/sh", "-c", "ls /etc/passwd"];
    call(&engine, &list)?;
    if let Some(folder) = std::env::args_os().nth(1) {
        chroot(folder)?;
        std::env::set_current_dir("/")?;
        call(&engine, &list)?;
    }
    Ok(())
}
