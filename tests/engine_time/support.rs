//! Shared parts of the scenarios.

use std::sync::Arc;
use std::thread::{Scope, ScopedJoinHandle};

use khelper::abi::Errno;
use khelper::abi::actor::Origin;
use khelper::abi::era::Era;
use khelper::abi::event::{Event, EventKind, Level};
use khelper::abi::record::Record;
use khelper::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use khelper::abi::wait::WaitStatus;
use khelper::engine::{Engine, KnobWrite, Received, Subscription};
use khelper::sys::fake::{FOREVER, FakeHost, Script};

pub const SECOND: u64 = 1_000_000;
pub const MODPROBE: &str = "/sbin/modprobe";

/// A host with these programs: one that ends at once, one that runs 1 s, one that never ends, and modprobe with the
/// given script.
pub fn host(modprobe: Script) -> Arc<FakeHost> {
    let host = FakeHost::new();
    host.script(MODPROBE, modprobe);
    host.script("/bin/true", Script::default());
    host.script("/bin/false", Script { status: Some(WaitStatus::exited(1)), ..Script::default() });
    host.script("/bin/second", runs(SECOND));
    host.script("/bin/forever", runs(FOREVER));
    host
}

pub fn runs(runs: u64) -> Script {
    Script { runs, ..Script::default() }
}

pub fn start(host: &Arc<FakeHost>) -> Engine {
    Engine::builder().host(host.clone()).start().unwrap()
}

pub fn start_current(host: &Arc<FakeHost>) -> Engine {
    let engine = start(host);
    set(&engine, KnobWrite::Era(Era::Current));
    engine
}

pub fn set(engine: &Engine, write: KnobWrite) {
    engine.write(&[write], Origin::Library).unwrap();
}

pub fn info(path: &str) -> SubprocessInfo {
    SubprocessInfo::setup(Some(path.into()), [path], HELPER_ENV).unwrap()
}

/// Like `thread::scope`, but releases its threads if the test fails, so that the test fails instead of hanging.
pub fn scope<'env, T>(host: &FakeHost, f: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T) -> T {
    struct Rescue<'a>(&'a FakeHost);
    impl Drop for Rescue<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.end_the_world();
            }
        }
    }
    std::thread::scope(|s| {
        let _rescue = Rescue(host);
        f(s)
    })
}

pub type Caller<'scope> = ScopedJoinHandle<'scope, Arc<Record>>;

/// Starts `count` callers of request_module, each on a separate thread.
pub fn callers<'scope>(
    s: &'scope Scope<'scope, '_>,
    engine: &'scope Engine,
    count: usize,
    name: &'scope str,
) -> Vec<Caller<'scope>> {
    (0..count).map(|_| s.spawn(move || engine.request_module(name, true))).collect()
}

pub fn join(callers: Vec<Caller<'_>>) -> Vec<Arc<Record>> {
    callers.into_iter().map(|c| c.join().unwrap()).collect()
}

/// Ends every helper that holds a slot.
pub fn kill_holders(engine: &Engine) {
    for id in engine.snapshot().slots.holders {
        engine.kill(id, libc::SIGKILL).unwrap();
    }
}

pub fn errno(errno: Errno) -> Option<i32> {
    Some(-(errno as i32))
}

pub fn subscribe(engine: &Engine) -> Subscription {
    engine.subscribe(1_000_000)
}

/// All events so far.
pub fn received(events: &Subscription) -> Vec<Arc<Event>> {
    events.close();
    let mut all = Vec::new();
    loop {
        match events.recv() {
            Received::Event(event) => all.push(event),
            Received::Missed(n) => panic!("missed {n} events"),
            Received::Closed => return all,
        }
    }
}

/// The lines of the log, with their levels.
pub fn logs(events: &[Arc<Event>]) -> Vec<(Level, String)> {
    let line = |e: &Arc<Event>| match &e.kind {
        EventKind::Log(kind) => Some((kind.level(), kind.to_string())),
        _ => None,
    };
    events.iter().filter_map(line).collect()
}

/// Waits for the event of a request's end.
pub fn finished(events: &Subscription, id: u64) -> Arc<Record> {
    loop {
        match events.recv() {
            Received::Event(event) => match &event.kind {
                EventKind::Finished(record) if record.id == id => return record.clone(),
                _ => {}
            },
            other => panic!("{other:?} before the end of request {id}"),
        }
    }
}
