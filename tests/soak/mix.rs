//! The mix: what a caller does next, and what it may be answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use khelper::abi::Errno;
use khelper::abi::actor::Origin;
use khelper::abi::cap::{CapMask, Capability};
use khelper::abi::depth::Depth;
use khelper::abi::error::Stage;
use khelper::abi::mask::{MaskExpr, Masks};
use khelper::abi::record::{Outcome, Record};
use khelper::abi::subprocess::{HELPER_ENV, InitHook, SubprocessInfo};
use khelper::abi::wait::WaitMode;
use khelper::engine::{CallOptions, Caller, Cancel, Engine, KnobWrite};

use crate::dice::Dice;
use crate::machine::Programs;

/// Every panic of the soak's own hooks says this, so that it is not shown.
pub const PANIC: &str = "a hook of the soak panics";

#[derive(Clone, Copy, Debug)]
enum Deed {
    Exit(u8),
    Exec,
    NoWait,
    NotKillable,
    Module(bool),
    NoSuchFile,
    HookFails,
    HookPanics,
    HookNarrows,
    CleanupPanics,
    OwnMasks,
    Cancelled(WaitMode),
    Sleeps(WaitMode),
    TimesOut,
    Floods,
    EmptyPath,
    Dropped,
    Narrow,
    Reset,
    Flick,
    Drain,
    Reader,
    Limit,
}

const DEEDS: [(u64, Deed); 26] = [
    (250, Deed::Exit(0)),
    (100, Deed::Exit(7)),
    (100, Deed::Exec),
    (120, Deed::NoWait),
    (20, Deed::NotKillable),
    (150, Deed::Module(true)),
    (50, Deed::Module(false)),
    (60, Deed::NoSuchFile),
    (20, Deed::HookFails),
    (15, Deed::HookPanics),
    (25, Deed::HookNarrows),
    (10, Deed::CleanupPanics),
    (20, Deed::OwnMasks),
    (40, Deed::Cancelled(WaitMode::PROC)),
    (20, Deed::Cancelled(WaitMode::EXEC)),
    (20, Deed::Sleeps(WaitMode::PROC)),
    (10, Deed::Sleeps(WaitMode::NoWait)),
    (6, Deed::TimesOut),
    (6, Deed::Floods),
    (10, Deed::EmptyPath),
    (10, Deed::Dropped),
    (8, Deed::Narrow),
    (8, Deed::Reset),
    (6, Deed::Flick),
    (5, Deed::Reader),
    (4, Deed::Limit),
];

/// What is counted on the callers' side.
#[derive(Default)]
pub struct Registry {
    pub asked: AtomicU64,
    pub answered: AtomicU64,
    cleanups_due: AtomicU64,
    cleanups: Arc<AtomicU64>,
    /// Cleanups of calls whose end the worker owns: they may run later.
    later: Mutex<Vec<Arc<AtomicU32>>>,
    /// Callers that wait, to be cancelled by somebody else.
    cancels: Mutex<Vec<Cancel>>,
}

impl Registry {
    /// When nothing is under way: each cleanup has run once.
    pub fn settle(&self) {
        // A worker runs the cleanup that it owes after it has told the end, and tells nobody when it has.
        let done = || self.cleanups.load(Ordering::SeqCst) == self.cleanups_due.load(Ordering::SeqCst);
        let patience = Instant::now() + Duration::from_secs(20);
        while !done() && Instant::now() < patience {
            std::thread::yield_now();
        }
        for ran in lock(&self.later).drain(..) {
            assert_eq!(ran.load(Ordering::SeqCst), 1, "cleanups of one call whose end the worker owned");
        }
        lock(&self.cancels).clear();
        let (asked, answered) = (self.asked.load(Ordering::SeqCst), self.answered.load(Ordering::SeqCst));
        assert_eq!(asked, answered, "calls asked and answered");
        assert_eq!(self.cleanups.load(Ordering::SeqCst), self.cleanups_due.load(Ordering::SeqCst), "cleanups");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub struct Mix<'a> {
    pub engine: &'a Engine,
    pub programs: &'a Programs,
    pub books: &'a Registry,
}

/// How a call is asked for.
#[derive(Default)]
struct How {
    options: CallOptions,
    init: Option<InitHook>,
    cleanup_panics: bool,
}

impl Mix<'_> {
    /// One deed of a caller.
    pub fn act(&self, dice: &mut Dice) {
        if dice.below(20) == 0 {
            let cancel = lock(&self.books.cancels).pop();
            if let Some(cancel) = cancel {
                cancel.cancel();
            }
        }
        if dice.below(2000) == 0 {
            // Rare: it waits for everybody, and everybody else is refused meanwhile.
            return self.deed(Deed::Drain, dice);
        }
        let weights = DEEDS.map(|(weight, _)| weight);
        self.deed(DEEDS[dice.weighed(&weights)].1, dice);
    }

    fn deed(&self, deed: Deed, dice: &mut Dice) {
        let programs = self.programs;
        let tiny = [programs.tiny.as_str()];
        let how = How::default();
        match deed {
            Deed::Exit(code) if programs.codes => {
                let argv = [&programs.tiny, &*code.to_string()];
                self.call(&argv, WaitMode::PROC, how, |r| ended(r, Outcome::Exited, i32::from(code) << 8));
            }
            Deed::Exit(_) => self.call(&tiny, WaitMode::PROC, how, exited),
            Deed::NotKillable => self.call(&tiny, WaitMode::Proc { killable: false }, how, exited),
            Deed::Exec => self.call(&tiny, WaitMode::EXEC, how, |r| ended(r, Outcome::Running, 0)),
            Deed::NoWait => self.call(&tiny, WaitMode::NoWait, how, |r| ended(r, Outcome::Running, 0)),
            Deed::EmptyPath => self.call(&[""], WaitMode::PROC, how, |r| ended(r, Outcome::Noop, 0)),
            Deed::NoSuchFile => self.call(&["/nonexistent/helper"], WaitMode::EXEC, how, |r| {
                ended(r, Outcome::ExecFailed, -(Errno::ENOENT as i32));
            }),
            Deed::Module(wait) => self.module(wait, dice),
            Deed::HookFails => self.refused_by_hook(Errno::ENOSPC, Box::new(|_| Err(Errno::ENOSPC))),
            Deed::HookPanics => self.refused_by_hook(Errno::ECANCELED, Box::new(|_| std::panic::panic_any(PANIC))),
            Deed::HookNarrows => self.narrowed(),
            Deed::CleanupPanics => self.call(&tiny, WaitMode::PROC, How { cleanup_panics: true, ..how }, exited),
            Deed::OwnMasks => {
                let options = CallOptions { own: Some(Masks::default()), ..CallOptions::default() };
                self.call(&tiny, WaitMode::PROC, How { options, ..how }, exited);
            }
            Deed::Cancelled(wait) => {
                let ask = Caller { cancel: self.to_be_cancelled(dice), ..Caller::default() };
                let options = CallOptions { ask, ..CallOptions::default() };
                self.call(&tiny, wait, How { options, ..how }, |r| assert_eq!(r.result, Some(0), "{r:?}"));
            }
            Deed::Sleeps(wait) => self.call(&[&programs.sleeper, programs.sleeps], wait, how, |r| {
                let expected = if wait == WaitMode::NoWait { Outcome::Running } else { Outcome::Killed };
                assert_eq!(r.outcome, expected, "{r:?}");
            }),
            Deed::TimesOut => {
                let timeout = Some(Duration::from_micros(dice.below(20_000)));
                let options = CallOptions { timeout, ..CallOptions::default() };
                let argv = [&programs.slow, programs.sleeps];
                self.call(&argv, WaitMode::PROC, How { options, ..how }, |r| {
                    assert!(r.outcome == Outcome::Killed && r.timed_out, "{r:?}");
                });
            }
            Deed::Floods => self.flooded(),
            Deed::Dropped => drop(self.info(&tiny, false).0),
            Deed::Narrow | Deed::Reset | Deed::Limit => self.knobs(deed, dice),
            Deed::Flick | Deed::Drain | Deed::Reader => self.gate(deed, dice),
        }
    }

    /// A call's question, and how often its cleanup has run.
    fn info(&self, argv: &[&str], panics: bool) -> (SubprocessInfo, Arc<AtomicU32>) {
        let ran = Arc::new(AtomicU32::new(0));
        let (once, all) = (ran.clone(), self.books.cleanups.clone());
        self.books.cleanups_due.fetch_add(1, Ordering::SeqCst);
        let info = SubprocessInfo::setup(Some(argv[0].into()), argv.iter().copied(), HELPER_ENV).unwrap();
        let info = info.cleanup(move |_| {
            once.fetch_add(1, Ordering::SeqCst);
            all.fetch_add(1, Ordering::SeqCst);
            if panics {
                std::panic::panic_any(PANIC);
            }
        });
        (info, ran)
    }

    /// Calls, and judges the answer unless the gate was shut or the caller was cancelled.
    fn call(&self, argv: &[&str], wait: WaitMode, how: How, judge: impl FnOnce(&Record)) {
        let (mut info, ran) = self.info(argv, how.cleanup_panics);
        if let Some(init) = how.init {
            info = info.init(init);
        }
        self.books.asked.fetch_add(1, Ordering::SeqCst);
        let record = self.engine.call_usermodehelper_with(info, wait, &how.options);
        self.books.answered.fetch_add(1, Ordering::SeqCst);
        let ran_now = ran.load(Ordering::SeqCst);
        if record.abandoned || record.result == Some(0) && wait == WaitMode::NoWait {
            assert!(ran_now <= 1, "{record:?}");
            lock(&self.books.later).push(ran);
        } else {
            assert_eq!(ran_now, 1, "the caller owns the end: {record:?}");
        }
        match (record.outcome, record.stage) {
            (Outcome::Refused, Some(Stage::Gate)) => assert_eq!(record.errno, Some(Errno::EBUSY)),
            (Outcome::Abandoned, _) => {
                assert!(wait.killable() && record.errno == Some(Errno::EINTR), "{record:?}");
            }
            _ => judge(&record),
        }
    }

    fn module(&self, wait: bool, dice: &mut Dice) {
        let mut ask = Caller::default();
        if dice.below(8) == 0 {
            ask.cancel = self.to_be_cancelled(dice);
        }
        self.books.asked.fetch_add(1, Ordering::SeqCst);
        let record = self.engine.request_module_as("soak", wait, &ask);
        self.books.answered.fetch_add(1, Ordering::SeqCst);
        match (record.outcome, record.errno) {
            (Outcome::Refused, Some(errno)) => {
                assert!(matches!(errno, Errno::EBUSY | Errno::ENOMEM | Errno::ETIME), "{record:?}");
            }
            (Outcome::Abandoned, errno) => assert_eq!(errno, Some(Errno::EINTR)),
            _ => ended(&record, if wait { Outcome::Exited } else { Outcome::Running }, 0),
        }
    }

    /// Fired before the call, or left for another caller to fire.
    fn to_be_cancelled(&self, dice: &mut Dice) -> Cancel {
        let cancel = Cancel::new();
        if dice.below(4) == 0 {
            cancel.cancel();
        } else {
            lock(&self.books.cancels).push(cancel.clone());
        }
        cancel
    }

    fn refused_by_hook(&self, errno: Errno, init: InitHook) {
        let how = How { init: Some(init), ..How::default() };
        self.call(&[&self.programs.tiny], WaitMode::PROC, how, |record| {
            ended(record, Outcome::Refused, -(errno as i32));
            assert_eq!(record.stage, Some(Stage::Init));
        });
    }

    fn narrowed(&self) {
        let init: InitHook = Box::new(|birth| {
            birth.narrow_bounding(CapMask::EMPTY);
            Ok(())
        });
        let how = How { init: Some(init), ..How::default() };
        self.call(&[&self.programs.tiny], WaitMode::PROC, how, |record| {
            exited(record);
            assert!(record.caps.as_ref().is_none_or(|caps| caps.permitted.is_empty()), "{record:?}");
        });
    }

    fn flooded(&self) {
        let argv: Vec<_> = self.programs.flood.iter().map(String::as_str).collect();
        self.call(&argv, WaitMode::PROC, How::default(), |record| {
            exited(record);
            let output = record.output.as_ref().unwrap();
            assert_eq!((output.stdout.len() + output.stderr.len()) as u64 + output.dropped, 256 * 1024);
        });
    }

    fn knobs(&self, deed: Deed, dice: &mut Dice) {
        let bit = u8::try_from(dice.below(41)).unwrap();
        let drop = CapMask::only(Capability::from_bit(bit).unwrap());
        let less = MaskExpr::Change { from_full: false, keep: CapMask::EMPTY, drop };
        let writes = match deed {
            Deed::Narrow if dice.below(2) == 0 => vec![KnobWrite::Inheritable(less)],
            Deed::Narrow => vec![KnobWrite::Bset(less)],
            Deed::Reset => vec![KnobWrite::ResetBset, KnobWrite::ResetInheritable],
            _ => vec![KnobWrite::MaxConcurrent(dice.one_of(&[2, 5, 20, 50]))],
        };
        self.engine.write(&writes, Origin::Library).unwrap();
    }

    /// Whoever shuts the gate opens it again.
    fn gate(&self, deed: Deed, dice: &mut Dice) {
        let shut = dice.one_of(&[Depth::Freezing, Depth::Disabled]);
        match deed {
            Deed::Flick => self.engine.set_depth(shut).unwrap(),
            Deed::Drain => {
                if let Err(error) = self.engine.disable(shut) {
                    assert_eq!(error.errno, Errno::EAGAIN);
                }
            }
            _ => {
                if let Ok(guard) = self.engine.read_trylock() {
                    assert_eq!(self.engine.snapshot().gate, Depth::Enabled);
                    drop(guard);
                }
                return;
            }
        }
        self.engine.enable().unwrap();
    }
}

fn ended(record: &Record, outcome: Outcome, result: i32) {
    assert_eq!((record.outcome, record.result), (outcome, Some(result)), "{record:?}");
}

fn exited(record: &Record) {
    ended(record, Outcome::Exited, 0);
}
