//! A host program with more of the engine: masks that limit helpers, a security hook, events, and the result of each
//! request. `cargo run --example request -- NAME...`

use std::time::Duration;

use khelper::abi::actor::Origin;
use khelper::abi::cap::{CapMask, Capability};
use khelper::abi::escape::screen;
use khelper::abi::event::EventKind;
use khelper::abi::mask::MaskExpr;
use khelper::abi::path::parse_modprobe;
use khelper::abi::subprocess::SubprocessInfo;
use khelper::abi::wait::WaitMode;
use khelper::engine::{Engine, KnobWrite, Received};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Statuses would be lost if this process ignored SIGCHLD, so the engine may reset it to its default.
    let engine = Engine::builder()
        .fix_sigchld(true)
        .security_hook(|name, _| if name.as_bytes() == b"forbidden" { Err(nix::errno::Errno::EPERM) } else { Ok(()) })
        .start()?;
    let events = engine.subscribe(1024);

    // Writes both knobs under one lock, or neither.
    let writes = [
        KnobWrite::Modprobe(parse_modprobe(b"/bin/echo")?),
        KnobWrite::Bset(MaskExpr::Exactly(CapMask::only(Capability::SYS_MODULE))),
    ];
    engine.write(&writes, Origin::Library).map_err(|(key, error)| format!("{key}: {error}"))?;

    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names = vec!["dummy".into(), "forbidden".into()];
    }
    for name in names {
        let record = engine.request_module(name, true);
        println!("{}: {}, result {:?}", screen(record.title()), record.outcome.name(), record.result);
        if let Some(output) = &record.output {
            println!("  it wrote: {}", screen(&output.stdout));
        }
        if let Some(why) = record.why() {
            println!("  {why}");
        }
    }

    // A call of another helper, with path, argv, envp and hooks.
    let info = SubprocessInfo::setup(Some(b"/bin/sh".to_vec()), ["/bin/sh", "-c", "exit 3"], ["HOME=/"])?
        .cleanup(|record| println!("cleanup ran, once: {:?}", record.map(|r| r.outcome)));
    let record = engine.call_usermodehelper(info, WaitMode::PROC);
    println!("/bin/sh: exit {:?}", record.status.and_then(|s| s.exit_code()));

    // Disables the gate permanently. Returns the helpers that still run after the time-out, which are left running.
    let left = engine.shutdown(Duration::from_secs(5));
    println!("{} helpers left running", left.len());
    events.close();
    let mut finished = 0;
    loop {
        match events.recv() {
            Received::Event(event) => finished += u32::from(matches!(event.kind, EventKind::Finished(_))),
            Received::Missed(n) => println!("{n} events were missed"),
            Received::Closed => break,
        }
    }
    println!("{finished} requests ended");
    Ok(())
}
