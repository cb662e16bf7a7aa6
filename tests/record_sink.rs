//! A record sink on the real machine: what it gets and in which order, also beside forked children. `engine_time` has what
//! takes time: a sink that is stuck.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use common::{Dir, info};
use khelper::abi::actor::Origin;
use khelper::abi::depth::Depth;
use khelper::abi::event::EventKind;
use khelper::abi::path::parse_modprobe;
use khelper::abi::record::{Outcome, Record, State};
use khelper::abi::sink::{Changed, RecordSink};
use khelper::abi::wait::WaitMode;
use khelper::engine::{Builder, Engine, KnobWrite};
use khelper::sys::fake::FakeHost;

/// What a sink was given.
enum Got {
    Started(Arc<Record>),
    Finished(Arc<Record>),
    Changed(Changed),
}

/// Sends on what it is given. The channel is disconnected when the sink is dropped.
struct Forward {
    to: Mutex<Sender<Got>>,
}

impl Forward {
    fn new() -> (Arc<Self>, Receiver<Got>) {
        let (to, got) = channel();
        (Arc::new(Self { to: Mutex::new(to) }), got)
    }
    fn send(&self, got: Got) {
        self.to.lock().unwrap().send(got).unwrap();
    }
}

impl RecordSink for Forward {
    fn started(&self, record: &Arc<Record>) {
        self.send(Got::Started(record.clone()));
    }
    fn finished(&self, record: &Arc<Record>) {
        self.send(Got::Finished(record.clone()));
    }
    fn changed(&self, change: &Changed) {
        self.send(Got::Changed(change.clone()));
    }
}

/// Does not return from its first call until the test allows it, and counts its calls.
struct Stuck {
    allowed: Mutex<Receiver<()>>,
    entered: Mutex<Sender<()>>,
    calls: AtomicUsize,
}

impl Stuck {
    /// The sink, what says that it has been called, and what allows it to go on when dropped.
    fn new() -> (Arc<Self>, Receiver<()>, Sender<()>) {
        let ((allow, allowed), (entered, is_entered)) = (channel(), channel());
        let sink = Self { allowed: Mutex::new(allowed), entered: Mutex::new(entered), calls: AtomicUsize::new(0) };
        (Arc::new(sink), is_entered, allow)
    }
    fn call(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let _ = self.entered.lock().unwrap().send(());
        // Nothing is ever sent: this returns once the test has dropped its end.
        let _ = self.allowed.lock().unwrap().recv();
    }
}

impl RecordSink for Stuck {
    fn started(&self, _: &Arc<Record>) {
        self.call();
    }
    fn finished(&self, _: &Arc<Record>) {
        self.call();
    }
    fn changed(&self, _: &Changed) {
        self.call();
    }
}

fn start(builder: Builder) -> Engine {
    let engine = builder.fix_sigchld(true).start().unwrap();
    let path = KnobWrite::Modprobe(parse_modprobe(b"/bin/true").unwrap());
    engine.write(&[path], Origin::Library).unwrap();
    engine
}

/// Names of this process's threads.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.filter_map(|t| std::fs::read_to_string(t.unwrap().path().join("comm")).ok()).collect()
}

#[test]
fn a_sink_gets_starts_before_ends_and_everything_once_in_the_engines_order() {
    let (before, (sink, got)) = (SystemTime::now(), Forward::new());
    let engine = start(Engine::builder().record_sink(sink));
    engine.write(&[KnobWrite::MaxConcurrent(49)], Origin::Console).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    engine.request_module("dummy", true);
                    engine.call_usermodehelper(info(&["/no/such"]), WaitMode::PROC);
                }
            });
        }
    });
    engine.disable(Depth::Disabled).unwrap();
    assert_eq!(engine.request_module("refused", true).outcome, Outcome::Refused);
    let (_, ended) = engine.ended_from(0, usize::MAX);
    assert_eq!(engine.snapshot().totals.records_lost, 0);
    drop(engine);

    let (mut starts, mut ends, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    // Until the engine's threads have ended and the sink is dropped.
    for got in got {
        match got {
            Got::Started(record) => {
                assert_eq!((record.state, record.outcome), (State::Running, Outcome::Running));
                assert!(record.pid.is_some() && record.started_us.is_some() && &*record.path == b"/bin/true");
                starts.push(record.id);
            }
            Got::Finished(record) => {
                assert_eq!(starts.contains(&record.id), record.outcome == Outcome::Exited, "{}", record.id);
                ends.push(record);
            }
            Got::Changed(change) => changes.push(change),
        }
    }
    let launched = ended.iter().filter(|r| r.outcome == Outcome::Exited).count();
    assert_eq!((launched, starts.len(), ended.len()), (40, 40, 81));
    assert_eq!(ends, ended, "the same records, in the same order");
    let seqs: Vec<_> = changes.iter().map(|c| c.event.seq).collect();
    assert!(seqs.is_sorted(), "{seqs:?}");
    let names: Vec<_> = changes.iter().map(|c| name(&c.event.kind)).collect();
    assert_eq!(names, ["enabled", "kernel.modprobe", "khelper.max_concurrent", "disabled"]);
    assert!(changes.iter().all(|c| (before..=SystemTime::now()).contains(&c.wall)), "{changes:?}");
}

fn name(change: &EventKind) -> &'static str {
    match change {
        EventKind::KnobChanged { change, .. } => change.key.name(),
        EventKind::GateChanged { to, .. } => to.name(),
        _ => "another",
    }
}

#[test]
fn a_helper_that_outlives_the_last_handle_still_reaches_the_sink() {
    let (sink, got) = Forward::new();
    let engine = start(Engine::builder().record_sink(sink));
    let dir = Dir::new();
    let fifo = dir.fifo("go");
    engine.call_usermodehelper(info(&["/bin/sh", "-c", &format!("read x < {fifo}; exit 3")]), WaitMode::EXEC);
    drop(engine);
    while !matches!(got.recv().unwrap(), Got::Started(_)) {}
    std::fs::write(&fifo, "x\n").unwrap();
    let Ok(Got::Finished(record)) = got.recv() else { panic!("its end was expected") };
    assert_eq!(record.status.and_then(|s| s.exit_code()), Some(3));
    assert!(got.recv().is_err(), "then the sink is dropped, and its thread has ended");
}

#[test]
fn what_operators_do_to_a_request_reaches_the_sink_and_numbers_begin_where_they_are_told() {
    let (sink, got) = Forward::new();
    let engine = start(Engine::builder().record_sink(sink).first_id(100));
    let dir = Dir::new();
    let fifo = dir.fifo("never");
    let act = |got: &Got| match got {
        Got::Changed(change) => match change.event.kind {
            EventKind::Abandoned { id, .. } => Some(format!("abandoned {id}")),
            EventKind::Signalled { id, signal, .. } => Some(format!("signal {signal} to {id}")),
            _ => None,
        },
        _ => None,
    };
    let mut acts = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            engine.call_usermodehelper(info(&["/bin/sh", "-c", &format!("read x < {fifo}")]), WaitMode::PROC)
        });
        let id = loop {
            if let Got::Started(record) = got.recv().unwrap() {
                break record.id;
            }
        };
        assert_eq!(id, 100);
        assert_eq!(engine.abandon(99).map_err(|e| e.errno), Err(nix::errno::Errno::ESRCH), "an earlier engine's");
        engine.abandon(id).unwrap();
        // If the helper ended first, nobody would have given up.
        while acts.is_empty() {
            acts.extend(act(&got.recv().unwrap()));
        }
        engine.kill(id, 9).unwrap();
    });
    drop(engine);
    acts.extend(got.iter().filter_map(|got| act(&got)));
    assert_eq!(acts.len(), 2, "{acts:?}");
    assert!(acts.contains(&"abandoned 100".to_owned()) && acts.contains(&"signal 9 to 100".to_owned()), "{acts:?}");
}

#[test]
fn a_panic_in_a_sink_costs_one_item_and_nothing_else() {
    struct Panics(Mutex<Sender<u64>>);
    impl RecordSink for Panics {
        fn started(&self, _: &Arc<Record>) {
            panic!("a sink that panics, as this test wants");
        }
        fn finished(&self, record: &Arc<Record>) {
            self.0.lock().unwrap().send(record.id).unwrap();
        }
        fn changed(&self, _: &Changed) {}
    }
    let (finished, ends) = channel();
    let engine = start(Engine::builder().record_sink(Arc::new(Panics(Mutex::new(finished)))));
    for id in 1..=3 {
        assert_eq!(engine.request_module("dummy", true).result, Some(0));
        assert_eq!(ends.recv(), Ok(id), "the sink's thread goes on");
        assert_eq!(engine.snapshot().totals.records_lost, id, "each start");
    }
}

#[test]
fn umh_8_a_forked_child_neither_waits_for_the_sink_nor_calls_it() {
    let (sink, entered, allow) = Stuck::new();
    let engine = start(Engine::builder().record_sink(sink.clone()));
    entered.recv().unwrap();
    let stop = AtomicBool::new(false);
    let mut handle = Some(engine.clone());
    thread::scope(|scope| {
        // Holds the queue's lock again and again.
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                engine.request_module("dummy", true);
            }
        });
        for _ in 0..20 {
            let status = forked(|| {
                let engine = handle.take().unwrap();
                assert_eq!(engine.request_module("dummy", true).errno, Some(nix::errno::Errno::EOWNERDEAD));
                assert_eq!(engine.snapshot().totals.records_lost, 0);
                assert!(engine.shutdown(Duration::from_secs(600)).is_empty());
                drop(engine);
                assert_eq!(sink.calls.load(Ordering::SeqCst), 1);
            });
            if status != 0 {
                stop.store(true, Ordering::Relaxed);
            }
            assert_eq!(status, 0);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(sink.calls.load(Ordering::SeqCst), 1);
    drop(allow);
}

#[test]
fn umh_8_the_last_handle_dropped_in_a_forked_child_does_not_wait_for_the_sink() {
    let (sink, entered, allow) = Stuck::new();
    // No time passes on this host: a wait for the sink would never end.
    let builder = Engine::builder().host(FakeHost::new()).record_sink(sink);
    let mut handle = Some(builder.start().unwrap());
    entered.recv().unwrap();
    let status = forked(|| drop(handle.take()));
    // Before anything can fail: the parent's handle would wait for the sink too.
    drop(allow);
    assert_eq!(status, 0);
    drop(handle);
}

/// Runs `child` in a forked child, whose status is 0 if it neither panics, nor hangs, nor is killed.
fn forked(child: impl FnOnce()) -> i32 {
    // SAFETY: the child has only this thread. glibc makes malloc usable in it, everything else that it needs takes no
    // lock that another thread may hold, which is what is tested. It ends by _exit.
    unsafe {
        let pid = libc::fork();
        assert!(pid >= 0);
        if pid == 0 {
            libc::alarm(60);
            let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).is_err();
            libc::_exit(i32::from(failed));
        }
        let mut status = -1;
        assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
        status
    }
}

/// In a process of its own: other tests of this one have sinks at the same time.
#[test]
fn an_engine_without_a_sink_has_no_thread_for_one() {
    const ROLE: &str = "KHELPER_ROLE";
    if std::env::var_os(ROLE).is_none() {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["an_engine_without_a_sink_has_no_thread_for_one", "--exact"]).env(ROLE, "count");
        let output = again.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let without = start(Engine::builder());
    let (sink, got) = Forward::new();
    let with = start(Engine::builder().record_sink(sink));
    // A thread names itself when it starts: now both engines have started all of theirs.
    got.recv().unwrap();
    without.request_module("dummy", true);
    let names = threads();
    assert_eq!(names.iter().filter(|name| name.trim() == "khelper-sink").count(), 1, "{names:?}");
    drop((with, without));
}
