//! UMH-5, UMH-6, UMH-10, UMH-11: ownership of a call's end, the init hook, the capability sets.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use khelper::abi::Errno;
use khelper::abi::cap::{CapMask, CapSets, Capability, ReadSet};
use khelper::abi::depth::Depth;
use khelper::abi::error::{Stage, SysError};
use khelper::abi::launch_spec::{CapPlan, Enforcement, Stdin};
use khelper::abi::mask::MaskExpr;
use khelper::abi::record::Outcome;
use khelper::abi::subprocess::SubprocessInfo;
use khelper::abi::wait::WaitMode;
use khelper::engine::{CallOptions, Engine, KnobWrite};
use khelper::sys::fake::{FakeHost, Panics, Script};
use khelper::sys::host::LaunchFailure;

use crate::support::*;

const KNOWN: CapMask = CapMask::up_to(40);
const MODULE: CapMask = CapMask::only(Capability::SYS_MODULE);

/// A call whose cleanup reports its thread, and the number of calls that were counted at that time.
struct Watched {
    ran: Arc<AtomicU32>,
    reports: Receiver<(ThreadId, u32)>,
}

impl Watched {
    fn new(engine: &Engine, info: SubprocessInfo) -> (Self, SubprocessInfo) {
        let (report, reports) = channel();
        let ran = Arc::new(AtomicU32::new(0));
        let (count, engine) = (ran.clone(), engine.clone());
        let info = info.cleanup(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            // Would hang if a lock of the engine were held here.
            report.send((thread::current().id(), engine.snapshot().running_helpers)).unwrap();
        });
        (Self { ran, reports }, info)
    }

    /// Checks that cleanup ran once, on the caller's thread or on a worker, while this many calls were counted.
    fn ended(self, on_caller: bool, counted: u32, way: &str) {
        let (thread, running) = self.reports.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!((thread == thread::current().id(), running), (on_caller, counted), "{way}");
        assert_eq!(self.ran.load(Ordering::SeqCst), 1, "{way}");
    }
}

/// Makes the call and checks how it ended.
fn ends(engine: &Engine, info: SubprocessInfo, wait: WaitMode, on_caller: bool, counted: u32, way: &str) {
    let (watched, info) = Watched::new(engine, info);
    engine.call_usermodehelper(info, wait);
    watched.ended(on_caller, counted, way);
}

#[test]
fn umh_5_cleanup_runs_once_on_every_path_before_the_call_is_uncounted() {
    let host = host(Script::default());
    let failure = LaunchFailure::Process(SysError::new("clone", Errno::EAGAIN));
    host.script("/no/process", Script { fails: Some(failure), ..Script::default() });
    let engine = start(&host);
    let nothing: [&str; 0] = [];

    let (watched, unused) = Watched::new(&engine, info("/bin/true"));
    drop(unused);
    watched.ended(true, 0, "never executed");
    ends(&engine, SubprocessInfo::setup(None, nothing, nothing).unwrap(), WaitMode::PROC, true, 0, "no path");
    for wait in [WaitMode::EXEC, WaitMode::PROC] {
        let empty = SubprocessInfo::setup(Some(Vec::new()), nothing, nothing).unwrap();
        ends(&engine, empty, wait, true, 1, "empty path");
        ends(&engine, info("/bin/true"), wait, true, 1, "a helper");
        ends(&engine, info("/no/such"), wait, true, 1, "exec failed");
        ends(&engine, info("/no/process"), wait, true, 1, "no process");
        ends(&engine, info("/bin/true").init(|_| Err(Errno::ENOMEM)), wait, true, 1, "init failed");
        ends(&engine, info("/bin/true").init(|_| panic!("a hook of a test")), wait, true, 1, "init panicked");
    }
    // A NO_WAIT call leaves the gate once queued: the worker owns the end, and the call may or may not still be
    // counted.
    for path in ["/bin/true", "/no/such", "/no/process"] {
        let (watched, info) = Watched::new(&engine, info(path));
        engine.call_usermodehelper(info, WaitMode::NoWait);
        let (thread, _) = watched.reports.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_ne!(thread, thread::current().id(), "{path}");
    }
    engine.set_depth(Depth::Disabled).unwrap();
    for wait in [WaitMode::NoWait, WaitMode::EXEC, WaitMode::PROC] {
        ends(&engine, info("/bin/true"), wait, true, 1, "the gate");
    }
    engine.enable().unwrap();
    host.change(|m| m.no_worker = Some(Errno::EAGAIN));
    engine.write(&[KnobWrite::Bset(MaskExpr::Exactly(MODULE))], khelper::abi::actor::Origin::Library).unwrap();
    ends(&engine, info("/bin/true"), WaitMode::PROC, true, 1, "no worker");
    assert_eq!(engine.snapshot().running_helpers, 0);
}

#[test]
fn umh_5_a_worker_that_panics_still_answers_its_caller() {
    let host = host(Script::default());
    host.script("/in/launch", Script { panics: Some(Panics::InLaunch), ..Script::default() });
    host.script("/in/wait", Script { panics: Some(Panics::InWait), ..Script::default() });
    let engine = start(&host);
    for (path, outcome, errno) in
        [("/in/launch", Outcome::ExecFailed, Errno::ECANCELED), ("/in/wait", Outcome::Lost, Errno::ECHILD)]
    {
        let (watched, info) = Watched::new(&engine, info(path));
        let record = engine.call_usermodehelper(info, WaitMode::PROC);
        assert_eq!((record.outcome, record.errno, record.result), (outcome, Some(errno), Some(-(errno as i32))));
        let (_, counted) = watched.reports.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!((counted, watched.ran.load(Ordering::SeqCst)), (1, 1), "{path}");
        let now = engine.snapshot();
        assert_eq!((now.running_helpers, now.live, now.queued, now.live_total), (0, 0, 0, 0), "{path}");
    }
    assert_eq!(engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC).result, Some(0), "other calls still work");
}

#[test]
fn umh_5_an_engine_within_an_engine_runs_cleanup_too() {
    let host = host(Script::default());
    host.change(|m| m.above = Some(7));
    let engine = start(&host);
    ends(&engine, info("/bin/true"), WaitMode::NoWait, true, 0, "ELOOP");
}

#[test]
fn umh_5_of_an_abandoned_call_the_worker_owns_the_end() {
    let host = host(Script::default());
    let engine = start(&host);
    scope(&host, |s| {
        let (watched, info) = Watched::new(&engine, info("/bin/second"));
        let caller = s.spawn(|| {
            let record = engine.call_usermodehelper(info, WaitMode::PROC);
            (record.result, thread::current().id())
        });
        host.wait_for("a helper", |now| now.running == 1);
        engine.abandon(1).unwrap();
        let (result, callers_thread) = caller.join().unwrap();
        assert_eq!((result, watched.ran.load(Ordering::SeqCst)), (errno(Errno::EINTR), 0), "the helper still runs");
        host.advance(SECOND);
        let (thread, running) = watched.reports.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(thread != callers_thread && thread != thread::current().id());
        assert_eq!((running, watched.ran.load(Ordering::SeqCst)), (0, 1));
    });
}

#[test]
fn umh_5_a_cleanup_that_panics_breaks_nothing_else() {
    let host = host(Script::default());
    let engine = start(&host);
    for wait in [WaitMode::NoWait, WaitMode::EXEC, WaitMode::PROC] {
        let record = engine.call_usermodehelper(info("/bin/true").cleanup(|_| panic!("a hook of a test")), wait);
        assert_eq!(record.result, Some(0));
    }
    assert_eq!(engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC).result, Some(0));
    assert_eq!(engine.snapshot().running_helpers, 0);
}

#[test]
fn umh_6_init_narrows_this_helper_alone() {
    let host = host(Script::default());
    let engine = start(&host);
    let caller = thread::current().id();
    let seen = Arc::new(Mutex::new(None));
    let note = seen.clone();
    let call = info("/bin/true").init(move |setup| {
        *note.lock().unwrap() = Some((thread::current().id() != caller, setup.bounding(), setup.envp.len()));
        setup.narrow_bounding(MODULE);
        setup.envp.push(c"MORE=1".to_owned());
        setup.stdin = Stdin::Data(b"core".to_vec());
        Ok(())
    });
    assert_eq!(engine.call_usermodehelper(call, WaitMode::PROC).result, Some(0));
    engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC);
    assert_eq!(*seen.lock().unwrap(), Some((true, KNOWN, 3)), "on a worker, with the sets that the helper will get");
    let launches = host.launches();
    assert_eq!((launches[0].sets.bounding, launches[1].sets.bounding), (MODULE, KNOWN));
    assert_eq!(launches[0].envp.last().unwrap(), b"MORE=1");
    assert_eq!((&launches[0].stdin, &launches[1].stdin), (&Stdin::Data(b"core".to_vec()), &Stdin::Null));
}

#[test]
fn umh_6_its_error_and_its_panic_start_nothing() {
    let host = host(Script::default());
    let engine = start(&host);
    let failed = engine.call_usermodehelper(info("/bin/true").init(|_| Err(Errno::EKEYEXPIRED)), WaitMode::EXEC);
    assert_eq!((failed.result, failed.stage), (errno(Errno::EKEYEXPIRED), Some(Stage::Init)));
    let panicked = engine.call_usermodehelper(info("/bin/true").init(|_| panic!("a hook of a test")), WaitMode::PROC);
    assert_eq!((panicked.result, panicked.stage), (errno(Errno::ECANCELED), Some(Stage::Init)));
    assert_eq!((panicked.outcome, host.counts().launched), (Outcome::Refused, 0));
    let now = engine.snapshot();
    assert_eq!((now.queued, now.live, now.running_helpers, now.live_total), (0, 0, 0, 0));
    assert_eq!(engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC).result, Some(0));
}

fn sets_of(host: &FakeHost) -> Vec<CapPlan> {
    host.launches().iter().map(|l| l.sets).collect()
}

#[test]
fn umh_10_a_calls_own_mask_applies_to_that_call_only() {
    let host = host(Script::default());
    let engine = start(&host);
    let own = CallOptions { own: Some((MODULE, CapMask::EMPTY).into()), ..CallOptions::default() };
    engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC);
    let narrowed = engine.call_usermodehelper_with(info("/bin/true"), WaitMode::PROC, &own);
    engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC);
    let bounding: Vec<_> = sets_of(&host).iter().map(|s| s.bounding).collect();
    assert_eq!(bounding, [KNOWN, MODULE, KNOWN]);
    assert_eq!((narrowed.own.as_deref(), narrowed.bset), (Some(&(MODULE, CapMask::EMPTY).into()), KNOWN));
    assert_eq!(narrowed.caps.as_ref().unwrap().permitted, MODULE);
}

#[test]
fn umh_10_an_inheritable_set_cannot_defeat_bset() {
    let host = host(Script::default());
    host.change(|m| m.sets.inheritable = ReadSet::Known(KNOWN));
    let engine = start(&host);
    set(&engine, KnobWrite::Bset(MaskExpr::Exactly(MODULE)));
    let record = engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC);
    assert_eq!(sets_of(&host), [CapPlan { bounding: MODULE, inheritable: MODULE }]);
    assert_eq!(record.caps.as_ref().unwrap().permitted, MODULE);
    // A helper cannot get a capability that the host lacks.
    host.change(|m| m.sets = CapSets::default().into());
    set(&engine, KnobWrite::ResetBset);
    engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC);
    assert_eq!(sets_of(&host)[1], CapPlan { bounding: CapMask::EMPTY, inheritable: CapMask::EMPTY });
}

#[test]
fn umh_10_a_set_of_the_host_that_cannot_be_read_is_not_an_empty_one() {
    let host = host(Script::default());
    host.change(|m| (m.sets.bounding, m.sets.inheritable) = (ReadSet::Unreadable, ReadSet::Known(KNOWN)));
    let engine = start(&host);
    set(&engine, KnobWrite::Bset(MaskExpr::Exactly(MODULE)));
    engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC);
    assert_eq!(
        sets_of(&host),
        [CapPlan { bounding: MODULE, inheritable: MODULE }],
        "narrowed to the mask, not left unchanged"
    );
    // An inheritable set that cannot be read may have less than the mask, so it is emptied, never raised.
    host.change(|m| (m.sets.bounding, m.sets.inheritable) = (ReadSet::Known(KNOWN), ReadSet::Unreadable));
    set(&engine, KnobWrite::ResetBset);
    engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC);
    assert_eq!(sets_of(&host)[1], CapPlan { bounding: KNOWN, inheritable: CapMask::EMPTY });
    assert_eq!(engine.snapshot().host.inheritable, ReadSet::Unreadable);
}

#[test]
fn umh_11_a_helper_that_cannot_get_no_new_privs_is_refused() {
    let host = host(Script { fails: Some(LaunchFailure::NotConfined), ..Script::default() });
    host.change(|m| m.enforcement = Enforcement::NoNewPrivs);
    let record = start(&host).request_module("dummy", true);
    assert_eq!((record.result, record.stage), (errno(Errno::EPERM), Some(Stage::Enforce)));
    assert_eq!((record.enforced, record.outcome), (Some(Enforcement::Refused), Outcome::Refused));
}

#[test]
fn umh_11_how_the_masks_were_enforced_is_in_the_record() {
    for enforcement in [Enforcement::Masks, Enforcement::NoNewPrivs] {
        let host = host(Script::default());
        host.change(|m| m.enforcement = enforcement);
        let engine = start(&host);
        let record = engine.request_module("dummy", true);
        assert_eq!((record.result, record.enforced), (Some(0), Some(enforcement)));
        assert_eq!(host.launches()[0].no_new_privs, enforcement == Enforcement::NoNewPrivs);
    }
    let host = host(Script::default());
    host.change(|m| m.enforcement = Enforcement::Refused);
    let record = start(&host).request_module("dummy", true);
    assert_eq!((record.result, record.stage), (errno(Errno::EPERM), Some(Stage::Enforce)));
    assert_eq!((record.enforced, record.outcome), (Some(Enforcement::Refused), Outcome::Refused));
    assert_eq!(host.counts().launched, 0);
}
