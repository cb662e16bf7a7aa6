//! A core dump handler, started as the kernel starts the program in `kernel.core_pattern` (core(5)): its stdin is the
//! read end of a pipe that the init hook creates, and the core is written to the other end while the handler runs.
//! `cargo run --example core_handler`

use std::io::{PipeWriter, Write, pipe};
use std::sync::mpsc::channel;
use std::time::Duration;

use khelper::abi::Errno;
use khelper::abi::event::EventKind;
use khelper::abi::launch_spec::{Rlimit, Stdin};
use khelper::abi::record::Outcome;
use khelper::abi::subprocess::SubprocessInfo;
use khelper::abi::wait::WaitMode;
use khelper::engine::{Engine, Received};

/// Starts `handler` with its arguments, writes `core` to its stdin, and returns what it wrote to stdout.
pub fn dump(engine: &Engine, handler: &[&str], core: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let (give, given) = channel::<PipeWriter>();
    let (tell, told) = channel();
    let info = SubprocessInfo::setup(Some(handler[0].into()), handler.iter().copied(), ["PATH=/usr/bin:/bin"])?
        .init(move |setup| {
            // If the handler dumps core, that must not start another handler: the kernel sets this limit to 1
            // (core(5)).
            setup.rlimits.push(Rlimit { resource: libc::RLIMIT_CORE, soft: 1, hard: 1 });
            let (reader, writer) = pipe().map_err(|_| Errno::EMFILE)?;
            // The engine closes this read end once the handler has it, so writing fails if the handler ends.
            setup.stdin = Stdin::file(reader);
            give.send(writer).map_err(|_| Errno::ECANCELED)
        })
        .cleanup(move |record| {
            let _ = tell.send(record.map(|r| (r.outcome, r.output.clone())));
        });
    // The init hook sends the writer; the call returns when the handler has ended.
    std::thread::scope(|scope| {
        let call = scope.spawn(|| engine.call_usermodehelper(info, WaitMode::PROC));
        // Without a writer the hook has not run, and the record says why.
        let written = given.recv().map(|mut writer| writer.write_all(core));
        let record = call.join().map_err(|_| "the caller panicked")?;
        if record.outcome != Outcome::Exited {
            return Err(record.why().map_or_else(|| record.outcome.name().into(), String::from).into());
        }
        written??;
        let (_, output) = told.recv()?.ok_or("the call was never made")?;
        Ok(output.map(|o| o.stdout.clone()).unwrap_or_default())
    })
}

#[cfg_attr(test, allow(dead_code, reason = "a test includes this file and calls `dump`"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::builder().fix_sigchld(true).start()?;
    let events = engine.subscribe(64);
    // The caller replaces `%p` and similar specifiers, as the kernel does.
    let handler = ["/bin/sh", "-c", "echo \"core of pid $1, signal $2\"; wc -c", "handler", "4242", "11"];
    let said = dump(&engine, &handler, &vec![0x7f; 1 << 20])?;
    print!("{}", String::from_utf8_lossy(&said));
    engine.shutdown(Duration::from_secs(1));
    events.close();
    while let Received::Event(event) = events.recv() {
        if let EventKind::Finished(record) = &event.kind {
            println!("#{} ended after {} us", record.id, record.ended_us.unwrap_or_default());
        }
    }
    Ok(())
}
