use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::birth;
use super::store::{Ruling, Source, Store};
use super::{Options, record_of};
use crate::abi::actor::{Comm, Origin};
use crate::abi::cap::{CapMask, CapSets};
use crate::abi::error::Stage;
use crate::abi::kernel_helper::{Cause as Of, Doubts, Fact, Unknown};
use crate::abi::place::Attribution;
use crate::abi::record::{Args, Kind, Outcome, Record, State};
use crate::abi::sink::{Changed, RecordSink};
use crate::abi::wait::{WaitMode, WaitStatus};
use crate::kernel::event::ModuleRequest;
use crate::kernel::observation::{Cause, Executed, HelperFacts, Observation, Requester, RequesterFacts, Times};

/// A request for a module whose name and requester try to forge a line.
pub(crate) fn hostile() -> Observation {
    let facts = RequesterFacts {
        pid: 4121,
        inner_pid: Some(7),
        uid: 1000,
        gid: 100,
        comm: Comm::new(b"x\n2 kernel\x1b[2J"),
        attribution: Some(Attribution::parse(b"0::/user.slice/user-1000.slice/cron.service\n", true)),
    };
    let request =
        ModuleRequest { name: b"a\x1b]0;\xff\n\"b"[..].into(), call_site: 0xffff_ffff_8100_0000, waits: true };
    let all = CapMask::up_to(40);
    let sets = CapSets { permitted: all, effective: all, bounding: all, ..CapSets::default() };
    let helper = HelperFacts { arguments: b"/sbin/modprobe\0-q\0--\0a\n\0"[..].into(), sets: Some(sets) };
    Observation {
        pid: 4125,
        worker: Some(31),
        requester: Ok(Requester { tid: 4122, facts: Ok(Box::new(facts)) }),
        cause: Ok(Cause::Module(Box::new(request))),
        executed: Executed::Yes { file: Some(b"/sbin/mod\nprobe"[..].into()), comm: None },
        facts: Ok(Box::new(helper)),
        status: Ok(WaitStatus::from_raw(256)),
        times: Times {
            queued: Some(1_000_000),
            forked: Some(1_250_000),
            executed: Some(1_300_000),
            ended: Some(13_000_000),
        },
        doubts: Doubts::default(),
    }
}

/// Nothing is known but the end.
pub(crate) fn lone_end() -> Observation {
    Observation {
        requester: Err(Unknown::TraceLost),
        cause: Err(Unknown::TraceLost),
        executed: Executed::Unknown(Unknown::TraceLost),
        facts: Err(Unknown::Gone),
        status: Ok(WaitStatus::from_raw(9)),
        times: Times { ended: Some(5000), ..Times::default() },
        doubts: Doubts { requester: false, is_helper: true },
        ..hostile()
    }
}

/// The requester is gone, and the release agent could not be executed.
pub(crate) fn not_executed() -> Observation {
    Observation {
        requester: Ok(Requester { tid: 9, facts: Err(Unknown::Gone) }),
        cause: Ok(Cause::ReleaseAgent),
        executed: Executed::Failed,
        status: Ok(WaitStatus::from_raw(0)),
        doubts: Doubts { requester: true, is_helper: false },
        ..hostile()
    }
}

/// The record with the number 88; times of the kernel begin at the epoch.
pub(crate) fn record(observation: &Observation) -> Record {
    record_of(observation, 88, |time| UNIX_EPOCH + Duration::from_nanos(time))
}

#[test]
fn an_observation_becomes_a_record_with_everything_that_is_known() {
    let r = record(&hostile());
    assert_eq!(
        (r.id, r.kind, r.wait, r.state, r.outcome),
        (88, Kind::Module, WaitMode::PROC, State::Ended, Outcome::Exited)
    );
    assert_eq!((r.module.as_deref(), &*r.path), (Some(&b"a\x1b]0;\xff\n\"b"[..]), &b"/sbin/mod\nprobe"[..]));
    assert_eq!(r.argv(), [&b"/sbin/modprobe"[..], b"-q", b"--", b"a\n"]);
    assert_eq!((r.status.map(WaitStatus::raw), r.result, r.pid, r.enforced), (Some(256), None, Some(4125), None));
    assert_eq!(r.wall.duration_since(UNIX_EPOCH).unwrap(), Duration::from_millis(1));
    assert_eq!((r.at, r.queued_us, r.started_us, r.ended_us), (1000, Some(0), Some(300), Some(12_000)));
    let actor = &r.actor;
    assert_eq!((actor.origin, actor.pid, actor.uid, actor.gid), (Origin::Outside, 4121, 1000, 100));
    let kernel = r.kernel.as_deref().unwrap();
    assert_eq!(
        (kernel.cause, kernel.tid, kernel.inner_pid, kernel.worker),
        (Some(Of::Module), Some(4122), Some(7), Some(31))
    );
    assert_eq!(kernel.place.as_ref().unwrap().to_string(), "claims unit cron.service");
    assert!(kernel.unknown.is_empty() && r.caps.is_some());
}

#[test]
fn a_usual_argv_of_a_module_is_computed_and_not_kept() {
    let usual = Observation {
        executed: Executed::Yes { file: Some(b"/sbin/modprobe"[..].into()), comm: None },
        facts: Ok(Box::new(HelperFacts {
            arguments: b"/sbin/modprobe\0-q\0--\0a\x1b]0;\xff\n\"b\0"[..].into(),
            sets: None,
        })),
        ..hostile()
    };
    let r = record(&usual);
    assert_eq!((&r.args, r.argv().len()), (&Args::Module, 4));
}

#[test]
fn what_is_not_known_has_its_reason() {
    let why = |r: &Record, fact| r.kernel.as_ref().unwrap().why_unknown(fact);
    let lone = record(&lone_end());
    assert_eq!((lone.outcome, lone.actor.is_known(), lone.actor.pid), (Outcome::Killed, false, 0));
    assert_eq!((lone.queued_us, lone.started_us, lone.ended_us), (None, None, None));
    for (fact, reason) in [
        (Fact::Requester, Some(Unknown::TraceLost)),
        (Fact::Cause, Some(Unknown::TraceLost)),
        (Fact::Path, Some(Unknown::TraceLost)),
        (Fact::Arguments, Some(Unknown::Gone)),
        (Fact::Status, None),
    ] {
        assert_eq!(why(&lone, fact), reason, "{fact:?}");
    }
    let failed = record(&not_executed());
    assert_eq!((failed.outcome, failed.actor.pid, failed.actor.is_known()), (Outcome::ExecFailed, 9, false));
    assert_eq!((why(&failed, Fact::Process), why(&failed, Fact::Arguments)), (Some(Unknown::Gone), None));
    let running = record(&Observation { status: Err(Unknown::StillRunning), ..hostile() });
    assert_eq!((running.outcome, running.state), (Outcome::Running, State::Running));
    let lost = record(&Observation { status: Err(Unknown::ExitLost), ..hostile() });
    assert_eq!((lost.outcome, lost.state), (Outcome::Lost, State::Ended));
    // Of a kernel before 6.12 only the new name is known, and of one that is gone not even the arguments.
    let old = Executed::Yes { file: None, comm: Some(Comm::new(b"modprobe")) };
    let of = |facts| Observation { executed: old.clone(), facts, ..hostile() };
    assert_eq!(&*record(&of(hostile().facts)).path, b"/sbin/modprobe");
    assert_eq!(&*record(&of(Err(Unknown::Gone))).path, b"modprobe");
    assert!(record(&Observation { times: Times::default(), ..lone_end() }).wall <= SystemTime::now());
}

/// What a ledger would get: `s` for a start, `e` for an end.
#[derive(Default)]
struct Sink(Mutex<Vec<(char, Arc<Record>)>>);

impl RecordSink for Sink {
    fn started(&self, record: &Arc<Record>) {
        self.0.lock().unwrap().push(('s', record.clone()));
    }
    fn finished(&self, record: &Arc<Record>) {
        self.0.lock().unwrap().push(('e', record.clone()));
    }
    fn changed(&self, _: &Changed) {}
}

#[test]
fn what_an_earlier_watch_saw_start_keeps_its_record_and_its_number() {
    let before = record(&Observation { status: Err(Unknown::StillRunning), ..hostile() });
    let (before, sink) = (Arc::new(before), Arc::new(Sink::default()));
    let options = Options {
        sink: Some(sink.clone()),
        left: vec![(before.clone(), 7), (Arc::new(Record { id: 89, pid: Some(5000), ..Record::clone(&before) }), 7)],
        ..Options::new(CapMask::up_to(40), crate::control::testing::actor())
    };
    let (info, _) = options.info();
    let store = Store::new(Source::List(Vec::new()), &info, 90, options);
    let found = || Observation {
        requester: Err(Unknown::BeforeWatch),
        cause: Err(Unknown::BeforeWatch),
        executed: Executed::Unknown(Unknown::BeforeWatch),
        status: Err(Unknown::StillRunning),
        times: Times::default(),
        worker: None,
        ..hostile()
    };
    // One that has the pid of the other, and another start.
    store.started(&Observation { pid: 5000, ..found() }, Some(8));
    store.started(&found(), Some(7));
    assert_eq!(store.live(0, 9).iter().map(|live| live.id).collect::<Vec<_>>(), [88, 90]);
    assert_eq!(store.records(&[88]), std::slice::from_ref(&before));
    store.lose_left();
    let times = Times { ended: Some(13_000_000), ..Times::default() };
    store.finished(&Observation { status: Ok(WaitStatus::from_raw(256)), times, ..found() });
    let written = sink.0.lock().unwrap().clone();
    assert_eq!(written.iter().map(|(what, r)| (*what, r.id)).collect::<Vec<_>>(), [('s', 90), ('e', 89), ('e', 88)]);
    assert_eq!(*written[2].1, record(&hostile()), "as if one watch had seen all of it");
    let lost = &written[1].1;
    assert_eq!((lost.outcome, lost.state, lost.actor.uid), (Outcome::Lost, State::Ended, 1000));
}

/// A store whose ledger is a sink, and a helper that was forked at its start in clock ticks.
fn ruled_place() -> (Store, Arc<Sink>, Observation, u64) {
    let sink = Arc::new(Sink::default());
    let options =
        Options { sink: Some(sink.clone()), ..Options::new(CapMask::up_to(40), crate::control::testing::actor()) };
    let store = Store::new(Source::List(Vec::new()), &options.info().0, 1, options);
    let ticks = 5_000_000;
    let forked = birth::made_at(ticks);
    let times = Times {
        queued: Some(forked - 1_000_000),
        forked: Some(forked),
        executed: Some(forked + 50_000),
        ended: Some(forked + 2_000_000),
    };
    (store, sink, Observation { times, ..hostile() }, ticks)
}

fn ruling(is_denied: bool) -> Ruling {
    let verb = if is_denied { "denied by" } else { "allowed by" };
    let sentence = Some(format!("{verb} /r:7 (rule): asked x").into());
    let profile = (!is_denied).then(|| Arc::from("modprobe"));
    Ruling { is_denied, sentence, profile, program: (*b"/bin/it").into() }
}

#[test]
fn the_rule_that_decided_is_in_the_record_whether_it_or_the_helper_is_told_first() {
    let running = |helper: &Observation| Observation {
        status: Err(Unknown::StillRunning),
        times: Times { ended: None, ..helper.times },
        ..helper.clone()
    };
    for told_first in [true, false] {
        for (is_denied, raw) in [(true, 256), (false, 256), (false, 0)] {
            let (store, sink, helper, ticks) = ruled_place();
            let helper = Observation { status: Ok(WaitStatus::from_raw(raw)), ..helper };
            if told_first {
                store.started(&running(&helper), Some(ticks));
            }
            store.ruled(helper.pid, ticks, ruling(is_denied));
            if told_first {
                let record = store.records(&[1])[0].clone();
                let (is_ruled, is_confined) = (record.ruled().is_some(), record.profile.is_some());
                assert_eq!((is_ruled, is_confined, record.caps.is_some()), (!is_denied, !is_denied, is_denied));
            }
            store.finished(&helper);
            let (_, record) = sink.0.lock().unwrap().last().unwrap().clone();
            let expected = if is_denied { (Outcome::Refused, Some(Stage::Hook)) } else { (Outcome::Exited, None) };
            assert_eq!((record.outcome, record.stage), expected);
            assert_eq!((record.why().as_deref(), record.actor.uid), (ruling(is_denied).sentence.as_deref(), 1000));
            // The shim, and its path as argv[0], stand for it.
            assert_eq!((&*record.path, &*record.argv().concat()), (&b"/bin/it"[..], &b"/bin/it-q--a\n"[..]));
            assert_eq!(record.status.unwrap().raw(), raw);
            // What was read of its sets is the shim's, which the profile narrows.
            assert_eq!(
                (record.profile.as_deref(), record.caps.is_some()),
                (ruling(is_denied).profile.as_deref(), is_denied)
            );
            // The next process with this number is another one.
            store.finished(&helper);
            assert_eq!(sink.0.lock().unwrap().last().unwrap().1.why(), None);
        }
    }
}

#[test]
fn a_rule_is_not_cited_for_another_process_nor_for_an_answer_that_was_not_taken() {
    let last = |sink: &Sink| sink.0.lock().unwrap().last().unwrap().1.clone();
    let (store, sink, helper, ticks) = ruled_place();
    // A process that had the number before.
    store.ruled(helper.pid, ticks - 100, ruling(true));
    store.finished(&helper);
    assert_eq!((last(&sink).outcome, last(&sink).why()), (Outcome::Exited, None));
    store.ruled(helper.pid, ticks, ruling(true));
    store.unruled(helper.pid);
    store.finished(&helper);
    assert_eq!((last(&sink).outcome, last(&sink).why()), (Outcome::Exited, None));
    // It ran all the same.
    store.ruled(helper.pid, ticks, ruling(true));
    store.finished(&Observation { status: Ok(WaitStatus::from_raw(0)), ..helper.clone() });
    assert_eq!((last(&sink).outcome, last(&sink).why()), (Outcome::Exited, None));
    // Where only ends are told, and where they are not.
    let lone = Observation { times: Times { ended: helper.times.ended, ..Times::default() }, ..lone_end() };
    store.ruled(helper.pid, ticks, ruling(true));
    store.finished(&Observation { status: Ok(WaitStatus::from_raw(256)), ..lone });
    assert_eq!(last(&sink).outcome, Outcome::Refused);
    store.ruled(helper.pid, ticks, ruling(true));
    store.finished(&Observation { status: Err(Unknown::NotTold), ..helper.clone() });
    assert_eq!(last(&sink).outcome, Outcome::Refused);
    // Those of helpers that are never told are bounded: the newest stay.
    for pid in 0..10_000 {
        store.ruled(pid, ticks, ruling(true));
    }
    for (pid, expected) in [(10, Outcome::Exited), (9_999, Outcome::Refused)] {
        store.finished(&Observation { pid, ..helper.clone() });
        assert_eq!(last(&sink).outcome, expected);
    }
}
