//! An engine's handle in a forked child (UMH-8), and which processes may ask an engine of their own (REQ-12). Tests run
//! this program again with `KHELPER_ROLE` set.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use common::{Dir, info, stdout};
use khelper::abi::actor::Origin;
use khelper::abi::depth::Depth;
use khelper::abi::error::{Explain, Stage};
use khelper::abi::path::parse_modprobe;
use khelper::abi::record::Outcome;
use khelper::abi::record::Record;
use khelper::abi::wait::WaitMode;
use khelper::engine::{Caller, Cancel, Engine, KnobWrite, Received, Subscription};
use nix::errno::Errno;

/// What this program is to do instead of testing.
const ROLE: &str = "KHELPER_ROLE";
/// A child that hangs is ended by SIGALRM after so many seconds.
const WATCHDOG: u32 = 60;
const DEAD: Errno = Errno::EOWNERDEAD;

fn engine() -> Engine {
    let engine = Engine::builder().fix_sigchld(true).start().unwrap();
    write_path(&engine).unwrap();
    engine
}

fn write_path(engine: &Engine) -> Result<(), Errno> {
    let path = KnobWrite::Modprobe(parse_modprobe(b"/bin/true").unwrap());
    engine.write(&[path], Origin::Library).map(drop).map_err(|(_, error)| error.errno())
}

/// Runs `child` in a forked child, whose status is 0 if it neither panics, nor hangs, nor is killed.
fn forked(child: impl FnOnce()) -> i32 {
    // SAFETY: the child has only this thread. glibc makes malloc usable in it, everything else that it needs takes no
    // lock that another thread may hold, which is what is tested. It ends by _exit.
    unsafe {
        let pid = libc::fork();
        assert!(pid >= 0);
        if pid == 0 {
            libc::alarm(WATCHDOG);
            let failed = catch_unwind(AssertUnwindSafe(child)).is_err();
            libc::_exit(i32::from(failed));
        }
        let mut status = -1;
        assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
        status
    }
}

/// Every entry point of an inherited handle.
fn every_entry_point(engine: &Engine, events: &Subscription, id: u64) {
    let refused = |record: Arc<Record>| {
        assert_eq!((record.outcome, record.stage), (Outcome::Refused, Some(Stage::Forked)));
        assert_eq!((record.errno, record.result), (Some(DEAD), Some(-(DEAD as i32))));
        assert!(record.why().unwrap().contains("start another engine"), "{:?}", record.why());
        assert_eq!(record.actor.pid, std::process::id().cast_signed());
    };
    let errno = |answer: Result<(), khelper::abi::error::EngineError>| answer.unwrap_err().errno;
    assert_eq!(errno(engine.check_process()), DEAD);
    refused(engine.request_module("dummy", true));
    refused(engine.request_module("dummy", false));
    let ran = Arc::new(AtomicU32::new(0));
    for wait in [WaitMode::PROC, WaitMode::EXEC, WaitMode::NoWait] {
        let ran = ran.clone();
        let count = move |_: Option<&Record>| {
            ran.fetch_add(1, Ordering::Relaxed);
        };
        refused(engine.call_usermodehelper(info(&["/bin/true"]).cleanup(count), wait));
    }
    assert_eq!(ran.load(Ordering::Relaxed), 3, "UMH-5: cleanup");
    assert_eq!(write_path(engine), Err(DEAD));
    engine.reset_loop_messages();
    assert_eq!(errno(engine.abandon(id)), DEAD);
    assert_eq!(errno(engine.kill(id, libc::SIGKILL)), DEAD);
    assert!(engine.record(id).is_none() && engine.records(9).is_empty());
    assert!(engine.live_after(0, 9).is_empty() && engine.ended_from(0, 9).1.is_empty());
    assert!(engine.chain(1).is_empty());
    let snapshot = engine.snapshot();
    assert_eq!((snapshot.live, snapshot.gate, snapshot.pid), (0, Depth::Disabled, std::process::id().cast_signed()));
    assert!(snapshot.warnings[0].text().contains("EOWNERDEAD"));
    assert_eq!(errno(engine.disable(Depth::Freezing)), DEAD);
    assert_eq!(errno(engine.set_depth(Depth::Disabled)), DEAD);
    assert_eq!(errno(engine.enable()), DEAD);
    assert_eq!(engine.read_trylock().err(), Some(DEAD));
    assert_eq!(engine.read_lock_wait(1_000_000).err(), Some(DEAD));
    assert!(matches!(events.recv(), Received::Closed));
    events.close();
    assert!(matches!(engine.subscribe(1).recv(), Received::Closed));
    assert!(matches!(engine.subscribe_to(1, khelper::abi::event::EventKinds::ALL).recv(), Received::Closed));
    #[cfg(feature = "control")]
    {
        use khelper::control::{Command, dispatch_as};
        let command = Command::RequestModule { name: b"dummy".to_vec(), wait: true, profile: None };
        let answer = dispatch_as(engine, engine.actor(Origin::CommandLine), command, &Cancel::new());
        assert_eq!(answer.unwrap_err().errno(), DEAD);
    }
    assert!(engine.shutdown(Duration::from_secs(600)).is_empty());
    drop(engine.clone());
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Threads that take every lock of the engine, again and again, until they are told to stop.
fn hammer(engine: &Engine, cancel: &Cancel, stop: &AtomicBool, which: usize) {
    while !stop.load(Ordering::Relaxed) {
        match which {
            0 => drop(engine.request_module("dummy", true)),
            1 => drop((engine.snapshot(), engine.records(3), engine.chain(1))),
            2 => drop(write_path(engine)),
            3 => drop((engine.subscribe(4), engine.read_trylock())),
            // A lock of its own.
            _ => drop(engine.request_module_as("", true, &Caller { cancel: cancel.clone(), ..Caller::default() })),
        }
    }
}

#[test]
fn umh_8_a_forked_child_is_answered_at_once_whichever_lock_is_held() {
    let engine = engine();
    let events = engine.subscribe(4);
    let (stop, cancel) = (AtomicBool::new(false), Cancel::new());
    let live = {
        let (engine, asleep) = (engine.clone(), engine.subscribe(100));
        let caller = thread::spawn(move || engine.call_usermodehelper(info(&["/bin/sleep", "1000"]), WaitMode::PROC));
        (common::started(&asleep), caller)
    };
    let ((id, pid), caller) = live;
    thread::scope(|scope| {
        // Also where an assertion fails: the scope waits for these threads.
        let _stopped = Stop(&stop);
        for which in 0..5 {
            let (engine, cancel, stop) = (&engine, &cancel, &stop);
            scope.spawn(move || hammer(engine, cancel, stop, which));
        }
        for round in 0..100 {
            let guard = engine.read_trylock();
            let status = forked(|| {
                every_entry_point(&engine, &events, id);
                // An inherited Cancel counts as fired; neither it nor a guard takes a lock.
                cancel.cancel();
                assert!(cancel.is_cancelled());
                drop(guard.ok());
            });
            assert_eq!(status, 0, "round {round}");
        }
    });
    // Nothing that the children did has reached the parent's engine, or its helper.
    assert!(!cancel.is_cancelled());
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).unwrap();
    assert_eq!(engine.request_module("after", true).result, Some(0));
    engine.kill(id, libc::SIGKILL).unwrap();
    assert_eq!(caller.join().unwrap().result, Some(9));
}

#[test]
fn umh_8_the_last_handle_dropped_in_a_forked_child_changes_nothing() {
    let engine = engine();
    let events = engine.subscribe(100);
    let mut handle = Some(engine);
    assert_eq!(forked(|| drop(handle.take())), 0);
    let engine = handle.unwrap();
    assert_eq!(engine.request_module("dummy", true).result, Some(0));
    drop(engine);
    while !matches!(events.recv(), Received::Closed) {}
}

/// `exited` or `refused ELOOP`: how a request of an engine of this process ends.
fn ask() -> String {
    let record = engine().request_module("dummy", true);
    let errno = record.errno.map(|e| format!(" {e:?}")).unwrap_or_default();
    format!("{}{errno}", record.outcome.name())
}

/// Not a test by itself: what this program does when a test has given it a role.
#[test]
fn role() {
    let answer = match std::env::var(ROLE).as_deref() {
        Ok("ask") => ask(),
        // A parent without an engine, whose child leads a session as a helper does.
        Ok("parent") => {
            let mut child = again("ask");
            // SAFETY: one system call, which is safe after fork.
            unsafe { child.pre_exec(|| nix::unistd::setsid().map(drop).map_err(Into::into)) };
            let output = child.output().unwrap();
            answer_in(&String::from_utf8_lossy(&output.stdout))
        }
        _ => return,
    };
    std::io::stdout().write_all(format!("\nANSWER {answer}\n").as_bytes()).unwrap();
}

fn myself() -> String {
    std::env::current_exe().unwrap().to_str().unwrap().to_owned()
}

fn again(role: &str) -> Command {
    let mut command = Command::new(myself());
    command.args(["role", "--exact", "--nocapture"]).env(ROLE, role);
    command
}

fn answer_in(output: &str) -> String {
    let answer = output.lines().find_map(|line| line.strip_prefix("ANSWER "));
    answer.unwrap_or_else(|| panic!("no answer in {output:?}")).to_owned()
}

/// This program as a helper, started through these others.
fn as_helper(through: &[&str]) -> String {
    let (me, role) = (myself(), format!("{ROLE}=ask"));
    let argv: Vec<&str> = through.iter().copied().chain([me.as_str(), "role", "--exact", "--nocapture"]).collect();
    let call = khelper::abi::subprocess::SubprocessInfo::setup(
        Some(argv[0].into()),
        argv.iter().copied(),
        ["PATH=/usr/bin:/bin", &role],
    );
    answer_in(&stdout(&engine().call_usermodehelper(call.unwrap(), WaitMode::PROC)))
}

#[test]
fn req_12_a_helper_that_starts_an_engine_of_the_same_program_is_refused() {
    assert_eq!(as_helper(&[]), "refused ELOOP");
    assert_eq!(as_helper(&["/bin/sh", "-c", "\"$@\"; true", "sh"]), "refused ELOOP");
    // A session of its own below the helper.
    assert_eq!(as_helper(&["/usr/bin/setsid", "--wait"]), "refused ELOOP");
}

#[test]
fn req_12_a_process_that_no_engine_started_is_served() {
    assert_eq!(answer_in(&String::from_utf8_lossy(&again("ask").output().unwrap().stdout)), "exited");
    // Its parent runs the same program, and it leads a session, but that parent has no engine.
    assert_eq!(answer_in(&String::from_utf8_lossy(&again("parent").output().unwrap().stdout)), "exited");
}

#[test]
fn req_12_a_forked_worker_with_an_engine_of_its_own_is_served() {
    let parent = engine();
    assert_eq!(parent.request_module("dummy", true).result, Some(0));
    let status = forked(|| {
        assert_eq!(ask(), "exited");
        // The inherited handle stays unusable beside it.
        assert_eq!(parent.request_module("dummy", true).errno, Some(DEAD));
    });
    assert_eq!(status, 0);
    assert_eq!(parent.request_module("dummy", true).result, Some(0));
}

/// A program whose main thread is called `khelper` is no engine for that.
#[test]
fn req_12_the_name_of_a_main_thread_is_no_engine() {
    let dir = Dir::new();
    let copy = dir.path().join("khelper");
    // By another process: a file that this one has open for writing is busy in the children of other tests.
    assert!(Command::new("/bin/cp").arg(myself()).arg(&copy).status().unwrap().success());
    let mut command = Command::new(copy);
    command.args(["role", "--exact", "--nocapture"]).env(ROLE, "parent");
    assert_eq!(answer_in(&String::from_utf8_lossy(&command.output().unwrap().stdout)), "exited");
}
