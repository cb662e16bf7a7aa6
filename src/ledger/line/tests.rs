//! Lines: everything that is written is read back, and lines are short.

use std::sync::Arc;

use nix::errno::Errno;
use proptest::prelude::*;

use crate::abi::actor::{Actor, ChainLink, Comm, Origin};
use crate::abi::cap::{CapMask, CapSets};
use crate::abi::depth::Depth;
use crate::abi::error::Stage;
use crate::abi::event::EventKind;
use crate::abi::kernel_helper::{Cause, Doubts, Fact, KernelHelper, Missing, SiteAddress, Unknown};
use crate::abi::launch_spec::{Enforcement, NotEnforced};
use crate::abi::mask::Masks;
use crate::abi::place::{Attribution, Place};
use crate::abi::record::{Args, Kind, Outcome, State};
use crate::abi::subprocess::HELPER_ENV;
use crate::abi::wait::{WaitMode, WaitStatus};
use crate::control::host::tests::{hostile, lone_end, not_executed, record as kernel_record};
use crate::control::testing as fixtures;

use super::*;
use crate::abi::record::Output;

/// A ledger's first line, of an engine of root.
pub(crate) fn head() -> Head {
    let actor = Actor {
        start_time: Some(4711),
        loginuid: Some(1000),
        effective: fixtures::KNOWN,
        ..Actor::new(Origin::Library, 700, 0, 0, b"khelper")
    };
    Head {
        wall: 1_795_662_588_123_456,
        mono: 5_000_000,
        n: 1,
        next_id: 1,
        run: RunId { started: 1_795_662_588_000_000, pid: 700 },
        target: "daemon".into(),
        boot: "0b6c0bd1-77f6-4b8c-a9b1-6a1e3f7a6c11".into(),
        known: fixtures::KNOWN,
        bounding: fixtures::KNOWN,
        actor: Arc::new(actor),
        usual: Usual::default(),
    }
}

/// A process that asks a daemon for something.
fn shell() -> Actor {
    let effective = fixtures::KNOWN;
    Actor { start_time: Some(8_123_456), effective, ..Actor::new(Origin::Outside, 21_900, 0, 0, b"bash") }
}

/// A usual module request, made over a daemon's socket, that ended with `raw`.
pub(crate) fn usual_record(head: &Head, id: u64, raw: i32) -> Record {
    Record {
        actor: Arc::new(shell()),
        wall: time(head.wall + 5_000_000),
        at: 7_123_456_789,
        env: head.usual.env.clone(),
        chain: [usual::first_link(&shell()), link(812, b"sshd"), link(1, b"systemd")].into(),
        // Above any limit of pids (proc_sys_kernel(5), pid_max): no process has it, so none is taken for the helper.
        pid: Some(5_021_905),
        output: Some(Arc::default()),
        ..fixtures::record(id, b"nf_conntrack", raw)
    }
}

fn link(pid: i32, comm: &[u8]) -> ChainLink {
    ChainLink { pid, comm: Comm::new(comm), known: true, helper_of: None }
}

fn bytes() -> impl Strategy<Value = Box<[u8]>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..20),
        "[a-z0-9_/\"\\\\,{}:-]{0,20}".prop_map(String::into_bytes),
        Just(b"\",\"outcome\":\"killed\",\"n\":{".to_vec()),
    ]
    .prop_map(Vec::into_boxed_slice)
}

fn list() -> impl Strategy<Value = Arc<[Box<[u8]>]>> {
    proptest::collection::vec(bytes(), 0..5).prop_map(Arc::from)
}

fn pick<T: Copy + std::fmt::Debug + 'static>(of: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(of)
}

fn mask() -> impl Strategy<Value = CapMask> {
    prop_oneof![Just(fixtures::KNOWN), Just(CapMask::EMPTY), any::<u64>().prop_map(CapMask::from_bits)]
}

fn sets() -> impl Strategy<Value = Option<Arc<CapSets>>> {
    let usual = CapSets {
        permitted: fixtures::KNOWN,
        effective: fixtures::KNOWN,
        bounding: fixtures::KNOWN,
        ..CapSets::default()
    };
    let any =
        [mask(), mask(), mask(), mask(), mask()].prop_map(|[inheritable, permitted, effective, bounding, ambient]| {
            CapSets { inheritable, permitted, effective, bounding, ambient }
        });
    proptest::option::of(prop_oneof![Just(usual), any].prop_map(Arc::new))
}

fn actor() -> impl Strategy<Value = Arc<Actor>> {
    let origin = pick(&[Origin::Library, Origin::CommandLine, Origin::Console, Origin::Outside]);
    let other = (any::<i32>(), any::<u32>(), any::<u32>(), any::<Option<u64>>(), any::<Option<u32>>(), bytes(), mask());
    let other = other.prop_map(|(pid, uid, gid, start_time, loginuid, comm, effective)| {
        let actor = Actor { start_time, loginuid, effective, ..Actor::new(Origin::Outside, pid, uid, gid, &comm) };
        if uid % 2 == 0 { Actor { gid: uid, ..actor } } else { actor }
    });
    (origin, prop_oneof![other, Just(shell()), Just(Actor::clone(&head().actor))])
        .prop_map(|(origin, actor)| Arc::new(actor.by(origin)))
}

fn request() -> impl Strategy<Value = Record> {
    let args = prop_oneof![Just(Args::Module), list().prop_map(Args::List)];
    let env = prop_oneof![list(), Just(head().usual.env)];
    let path = prop_oneof![bytes(), Just(b"/sbin/modprobe"[..].into()), Just(b"/bin/sleep"[..].into())];
    let wait = pick(&[WaitMode::NoWait, WaitMode::EXEC, WaitMode::PROC, WaitMode::Proc { killable: false }]);
    let kind = pick(&[Kind::Module, Kind::Helper]);
    let parts = (any::<u64>(), kind, proptest::option::of(bytes()), path, args, env, wait, actor());
    let wall = prop_oneof![Just(1_795_662_588_123_000i64), any::<i32>().prop_map(i64::from)];
    (parts, wall, any::<u64>()).prop_map(|((id, kind, module, path, args, env, wait, actor), wall, at)| {
        let module = module.map(Arc::from);
        let path = path.into();
        Record { id, module, path, args, env, ..Record::new(kind, wait, actor, (time(wall), at)) }
    })
}

fn outcome(r: Record) -> impl Strategy<Value = Record> {
    let all = &[
        Outcome::Running,
        Outcome::Exited,
        Outcome::Killed,
        Outcome::ExecFailed,
        Outcome::Refused,
        Outcome::Abandoned,
        Outcome::Noop,
        Outcome::Lost,
    ];
    let state = pick(&[State::Ended, State::Running, State::Queued]);
    let stage = proptest::option::of(pick(&[Stage::Exec, Stage::Limit, Stage::Gate]));
    let errno = proptest::option::of(pick(&[Errno::ENOENT, Errno::ENOMEM]));
    let raw = proptest::option::of(prop_oneof![Just(0), Just(256), any::<i32>()]);
    let result = proptest::option::of(prop_oneof![Just(0), Just(256), any::<i32>()]);
    let flags = (any::<bool>(), any::<bool>());
    (pick(all), state, stage, errno, raw, result, flags, proptest::option::of(any::<String>())).prop_map(
        move |(outcome, state, stage, errno, raw, result, flags, said)| {
            let mut r = r.clone();
            (r.outcome, r.state, r.stage, r.errno) = (outcome, state, stage, errno);
            (r.status, r.result, r.said) = (raw.map(WaitStatus::from_raw), result, said.map(Box::from));
            (r.abandoned, r.timed_out) = flags;
            r
        },
    )
}

fn launched(r: Record) -> impl Strategy<Value = Record> {
    let enforced = proptest::option::of(pick(&[Enforcement::Masks, Enforcement::NoNewPrivs, Enforcement::Refused]));
    let own = proptest::option::of((mask(), mask()).prop_map(|masks| Box::new(Masks::from(masks))));
    let own = (own, pick(&[None, Some("keys"), Some("my_own-1")]));
    let not = proptest::collection::vec(pick(&NotEnforced::ALL), 0..3);
    let us = proptest::option::of(prop_oneof![0u64..1_000_000, any::<u64>()]);
    let times = (us.clone(), us.clone(), us);
    let link = (any::<i32>(), bytes(), any::<bool>(), any::<Option<u64>>());
    let link = link.prop_map(|(pid, comm, known, of)| ChainLink { pid, comm: Comm::new(&comm), known, helper_of: of });
    let requester = Just(usual::first_link(&shell()));
    let chain = proptest::collection::vec(prop_oneof![2 => link, 1 => requester], 0..4);
    let output = proptest::option::of((bytes(), bytes(), 0..3u64));
    let asked_by = proptest::option::of(1..100u64);
    let helper = (any::<Option<i32>>(), enforced, mask(), mask(), own, sets(), sets(), not);
    let used = (any::<u64>(), any::<u64>(), asked_by);
    (helper, times, used, chain, output).prop_map(
        move |((pid, enforced, bset, inheritable, own, caps, started, not), times, used, chain, output)| {
            let mut r = r.clone();
            (r.pid, r.enforced, r.bset, r.inheritable, r.own) = (pid, enforced, bset, inheritable, own.0.clone());
            r.profile = own.1.map(Into::into);
            (r.caps, r.caps_started, r.not_enforced) = (caps, started, not.into());
            (r.queued_us, r.started_us, r.ended_us) = times;
            (r.cpu_us, r.max_rss_kib, r.asked_by) = used;
            r.chain = chain.into();
            r.output = output.map(|(out, err, dropped)| {
                Arc::new(Output { stdout: out.into_vec(), stderr: err.into_vec(), dropped })
            });
            r
        },
    )
}

/// Any record that a line can hold, its output included.
pub(crate) fn any_record() -> impl Strategy<Value = Record> {
    let base = usual_record(&head(), 1, 0);
    (request().boxed(), outcome(base.clone()).boxed(), launched(base).boxed()).prop_map(|(r, o, l)| Record {
        outcome: o.outcome,
        state: o.state,
        stage: o.stage,
        errno: o.errno,
        status: o.status,
        result: o.result,
        said: o.said,
        abandoned: o.abandoned,
        timed_out: o.timed_out,
        id: r.id,
        kind: r.kind,
        module: r.module,
        path: r.path,
        args: r.args,
        env: r.env,
        wait: r.wait,
        actor: r.actor,
        wall: r.wall,
        at: r.at,
        ..l
    })
}

fn back(head: &Head, wall: Wall, item: &Item) -> Line {
    let line = encode(head, (wall, 7, None), item, KeepOutput::All);
    let text = line.strip_suffix(b"\n").unwrap();
    assert!(!text.contains(&b'\n') && line.len() <= MAX_LINE);
    assert_eq!(time_of(text), Some(wall));
    decode(Some(head), text).unwrap_or_else(|e| panic!("{e:?}: {}", String::from_utf8_lossy(text)))
}

#[test]
fn a_helper_of_the_kernel_is_restored_and_its_line_is_short() {
    let head = head();
    for observation in [hostile(), lone_end(), not_executed()] {
        let record = kernel_record(&observation);
        let read = back(&head, head.wall, &Item::Ended(Arc::new(record.clone())));
        let Item::Ended(read) = read.item else { panic!("{:?}", read.item) };
        // The short reading leaves it to the whole one, whose words have more.
        let line = encode(&head, (head.wall, 7, None), &Item::Ended(Arc::new(record.clone())), KeepOutput::All);
        assert!(Brief::default().read(&head, line.trim_ascii_end()).is_none());
        // The times of a line are of microseconds.
        assert_eq!(*read, Record { wall: read.wall, ..record });
    }
    let mut usual = kernel_record(&hostile());
    (usual.module, usual.path, usual.args) = (Some(b"dccp"[..].into()), b"/sbin/modprobe"[..].into(), Args::Module);
    usual.actor = Arc::new(Actor::new(Origin::Outside, 4121, 1000, 1000, b"bash"));
    let line = encode(&head, (head.wall, 7, None), &Item::Ended(Arc::new(usual)), KeepOutput::Failures);
    assert!(line.len() <= 340, "{}: {}", line.len(), String::from_utf8_lossy(&line));
}

/// What version 1 wrote, byte for byte.
#[test]
fn a_line_of_the_version_before_is_read_and_one_of_this_version_is_half_as_long() {
    let old = br#"{"v":1,"t":1760000000000000,"n":7,"id":88,"module":"dccp","argv":[],"requester":{"pid":4121,"uid":1000,"comm":"bash","unit":"cron.service"},"raw":256,"kernel":{"cause":"module","call_site":"0xffffffff81000000","worker":31,"tid":4121,"place":{"unit":"cron.service","believed":true},"unknown":[{"what":"argv","why":"gone"}]},"pid":4125,"at":1000,"queued_us":0,"started_us":300,"ended_us":12000,"lag":812}"#;
    let head = head();
    let read = |line: &[u8]| match decode(Some(&head), line).unwrap().item {
        Item::Ended(record) => record,
        other => panic!("{other:?}"),
    };
    let record = read(old);
    let kernel = record.kernel.as_deref().unwrap();
    assert_eq!((kernel.tid, kernel.unknown.len(), record.queued_us), (Some(4121), 1, Some(0)));
    let line = encode(&head, (1_760_000_000_000_000, 7, None), &Item::Ended(record.clone()), KeepOutput::None);
    let line = line.trim_ascii_end();
    assert!(line.starts_with(b"{\"v\":2,"), "an older program passes over it and counts it");
    assert_eq!(read(line), record);
    assert!(line.len() < 260 && old.len() > 400, "{}: {}", line.len(), String::from_utf8_lossy(line));
    let newer = String::from_utf8_lossy(line).replacen("\"v\":2", "\"v\":3", 1);
    assert_eq!(decode(Some(&head), newer.as_bytes()).unwrap_err(), super::Unread::Newer);
}

fn any_kernel() -> impl Strategy<Value = KernelHelper> {
    let cause = prop_oneof![Just(Cause::Module), Just(Cause::ReleaseAgent), Just(Cause::Other)];
    let why = prop_oneof![Just(Unknown::Gone), Just(Unknown::BeforeWatch), Just(Unknown::StillRunning)];
    let what = prop_oneof![Just(Fact::Process), Just(Fact::Arguments), Just(Fact::Status), Just(Fact::Unit)];
    let missing = (what, why).prop_map(|(what, why)| Missing { what, why });
    let place = (0..4u8, any::<bool>()).prop_map(|(kind, is_believed)| {
        let place = match kind {
            0 => Place::None,
            1 => Place::Unit(b"a\n.service"[..].into()),
            2 => Place::Unit(b""[..].into()),
            _ => Place::Container { runtime: "docker".into(), id: b"0f"[..].into() },
        };
        Attribution { place, is_believed }
    });
    let maybe = || proptest::option::of(prop_oneof![Just(0), Just(31), any::<i32>()]);
    let site = proptest::option::of(prop_oneof![any::<u64>(), Just(u64::MAX), Just(0xffff_ffff_8100_0000)]);
    let doubts = any::<(bool, bool)>().prop_map(|(requester, is_helper)| Doubts { requester, is_helper });
    let all = (proptest::option::of(cause), site, maybe(), maybe(), maybe(), proptest::option::of(place), doubts);
    (all, proptest::collection::vec(missing, 0..4)).prop_map(
        |((cause, site, worker, tid, inner_pid, place, doubts), unknown)| KernelHelper {
            cause,
            call_site: site.map(SiteAddress),
            worker,
            tid,
            inner_pid,
            place,
            doubts,
            unknown,
        },
    )
}

proptest! {
    #[test]
    fn everything_of_a_helper_of_the_kernel_is_restored_whatever_is_usual(
        kernel in any_kernel(), r in any_record(), base in 0..3u8, pid in any::<bool>(), known in any::<bool>()
    ) {
        let head = head();
        let observation = [hostile(), lone_end(), not_executed()][usize::from(base)].clone();
        let ours = kernel_record(&observation);
        let pid = if pid { 31 } else { 0 };
        let actor = if known { Actor::new(Origin::Outside, pid, 7, 7, b"a") } else { Actor::unknown(pid) };
        let record = Record {
            kernel: Some(Box::new(kernel)), actor: Arc::new(actor), args: r.args, module: r.module, kind: r.kind, path: r.path,
            outcome: r.outcome, status: r.status, caps: r.caps, queued_us: r.queued_us, ..ours
        };
        for item in [Item::Ended(Arc::new(record.clone())), Item::Open(Running { record: Arc::new(record.clone()), start_time: None })] {
            let (Item::Ended(read) | Item::Open(Running { record: read, .. })) = back(&head, head.wall, &item).item else { panic!() };
            prop_assert_eq!(&*read, &Record { wall: read.wall, ..record.clone() });
        }
    }
}

proptest! {
    #[test]
    fn every_field_of_a_record_is_restored(r in any_record(), wall in any::<i32>(), start in any::<Option<u64>>()) {
        let (head, wall) = (head(), Wall::from(wall));
        let ended = back(&head, wall, &Item::Ended(Arc::new(r.clone())));
        prop_assert_eq!((ended.wall, ended.n, ended.run, &*ended.target), (wall, 7, head.run, "daemon"));
        let Item::Ended(read) = ended.item else { panic!("{:?}", ended.item) };
        prop_assert_eq!(&*read, &r);
        // Output and chain stand in the line of the end alone.
        let r = Record { output: None, chain: Box::default(), ..r };
        let running = Running { record: Arc::new(r), start_time: start };
        let read = back(&head, wall, &Item::Started(running.clone()));
        let Item::Started(read) = read.item else { panic!("{:?}", read.item) };
        prop_assert_eq!((&*read.record, read.start_time), (&*running.record, start));
    }

    #[test]
    fn hostile_lines_are_unreadable_and_never_a_panic(
        text in proptest::collection::vec(any::<u8>(), 0..300),
        at in any::<proptest::sample::Index>(),
        with in any::<u8>(),
    ) {
        let head = head();
        let _ = (decode(None, &text), decode(Some(&head), &text), time_of(&text));
        // A real line with one byte changed, or cut.
        let record = Item::Ended(Arc::new(usual_record(&head, 3, 9)));
        let mut line = encode(&head, (head.wall, 1, None), &record, KeepOutput::All);
        let at = at.index(line.len());
        let _ = decode(Some(&head), &line[..at]);
        line[at] = with;
        let _ = decode(Some(&head), &line);
    }
}

#[test]
fn a_segment_begins_with_what_its_lines_leave_out() {
    let head = head();
    let line = encode(&head, (head.wall, head.n, None), &Item::Segment(Box::new(head.clone())), KeepOutput::None);
    let read = decode(None, line.strip_suffix(b"\n").unwrap()).unwrap();
    let Item::Segment(read) = read.item else { panic!("{:?}", read.item) };
    assert_eq!(format!("{read:?}"), format!("{head:?}"));
    for missing in ["\"event\":\"segment\",", "\"mono\":5000000,", ",\"known\":\"0x1ffffffffff\""] {
        let text = String::from_utf8(line.clone()).unwrap();
        let without = text.trim_end().replacen(missing, "", 1);
        assert!(without.len() < text.len() - 1, "{missing} is not in {text}");
        assert_eq!(decode(None, without.as_bytes()).err(), Some(Unread::Malformed), "{missing}");
    }
}

#[test]
fn changes_losses_and_the_end_are_restored() {
    let head = head();
    let actor = Arc::new(shell());
    let kind = EventKind::GateChanged { from: Depth::Enabled, to: Depth::Freezing, actor };
    let event = Event { seq: 5, at: 17, kind };
    let Item::Changed(read) = back(&head, 1, &Item::Changed(event.clone())).item else { panic!() };
    assert_eq!(read, event);
    for (count, errno) in [(3, Some(Errno::ENOSPC)), (4, None)] {
        let Item::Lost { count: n, errno: e } = back(&head, 1, &Item::Lost { count, errno }).item else { panic!() };
        assert_eq!((n, e), (count, errno));
    }
    let Item::End { next_id, open } = back(&head, 1, &Item::End { next_id: 9, open: 2 }).item else { panic!() };
    assert_eq!((next_id, open), (9, 2));
}

#[test]
fn a_line_of_another_run_or_target_says_so() {
    let (head, other) = (head(), RunId { started: 16, pid: 3 });
    let line = encode(&head, (1, 2, Some(other)), &Item::Lost { count: 1, errno: None }, KeepOutput::None);
    assert_eq!(decode(Some(&head), line.trim_ascii_end()).unwrap().run, other);
    let of_kernel = br#"{"v":1,"t":5,"n":1,"event":"lost","count":3,"target":"kernel","new":[1]}"#;
    assert_eq!(&*decode(Some(&head), of_kernel).unwrap().target, "kernel", "an unknown key is passed over");
}

#[test]
fn a_line_of_a_newer_version_is_not_taken_for_a_damaged_one() {
    let newer = br#"{"v":3,"t":5,"n":1,"event":"lost","count":3}"#;
    assert_eq!(decode(Some(&head()), newer).err(), Some(Unread::Newer));
    let unknown = br#"{"v":1,"t":5,"n":1,"event":"other"}"#;
    assert_eq!(decode(Some(&head()), unknown).err(), Some(Unread::Malformed));
}

#[test]
fn lines_are_short() {
    let head = head();
    let length = |item: &Item| encode(&head, (head.wall + 5_013_000, 123_456, None), item, KeepOutput::Failures).len();
    let record = |raw| Arc::new(usual_record(&head, 123_456, raw));
    let start = Item::Started(Running { record: Arc::new(started(&record(0))), start_time: Some(8_123_460) });
    // Every end has a start: half of all lines are starts, which are shorter.
    let [start, good, bad] = [start, Item::Ended(record(0)), Item::Ended(record(256))].map(|item| length(&item));
    assert!(start <= 260 && good <= 310 && bad <= 335 && usize::midpoint(start, good) <= 300, "{start} {good} {bad}");
}

/// A record as it is when its helper has just been started.
pub(crate) fn started(r: &Record) -> Record {
    Record {
        state: State::Running,
        outcome: Outcome::Running,
        status: None,
        result: None,
        caps: None,
        ended_us: None,
        cpu_us: 0,
        max_rss_kib: 0,
        output: None,
        ..r.clone()
    }
}

#[test]
fn of_output_the_end_is_kept_and_of_which_helpers_can_be_chosen() {
    let head = head();
    let full = |raw| {
        let stdout = (0..OUTPUT + 10).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let output = Output { stdout, stderr: b"!".to_vec(), dropped: 5 };
        Arc::new(Record { output: Some(Arc::new(output)), ..usual_record(&head, 1, raw) })
    };
    for (keep, raw, kept) in [
        (KeepOutput::None, 256, false),
        (KeepOutput::Failures, 0, false),
        (KeepOutput::Failures, 256, true),
        (KeepOutput::Failures, 9, true),
        (KeepOutput::All, 0, true),
    ] {
        let r = full(raw);
        let line = encode(&head, (1, 1, None), &Item::Ended(r.clone()), keep);
        let Item::Ended(read) = decode(Some(&head), line.trim_ascii_end()).unwrap().item else { panic!() };
        assert_eq!(read.output.is_some(), kept, "{keep:?} {raw}");
        let Some(output) = &read.output else { continue };
        assert_eq!(output.stdout, r.output.as_ref().unwrap().stdout[10..]);
        assert_eq!((&output.stderr[..], output.dropped), (&b"!"[..], 15));
    }
    let timed_out = Record { timed_out: true, ..Record::clone(&full(0)) };
    let line = encode(&head, (1, 1, None), &Item::Ended(Arc::new(timed_out)), KeepOutput::Failures);
    assert!(line.windows(8).any(|w| w == b"\"stdout\""), "one that timed out has failed, whatever its status");
}

#[test]
fn a_line_that_would_be_too_long_loses_its_output_and_then_its_arguments() {
    let head = head();
    let args: Arc<[Box<[u8]>]> = (0..400).map(|n| vec![n as u8; 1000].into_boxed_slice()).collect();
    let escaped: Arc<[Box<[u8]>]> = (0..8).map(|_| vec![1; 1000].into_boxed_slice()).collect();
    let said = Some("\u{1}".repeat(70_000).into());
    for r in [
        Record { args: Args::List(args.clone()), ..usual_record(&head, 1, 256) },
        Record { env: args, ..usual_record(&head, 1, 256) },
        Record { said, ..usual_record(&head, 1, 256) },
        // What JSON escapes takes up to six times as much.
        Record { args: Args::List(escaped.clone()), env: escaped, ..usual_record(&head, 1, 256) },
    ] {
        let r = Arc::new(r);
        let running = Running { record: r.clone(), start_time: None };
        for item in [Item::Ended(r), Item::Started(running.clone()), Item::Open(running)] {
            back(&head, 1, &item);
        }
    }
}

#[test]
fn the_usual_environment_is_that_of_a_module_request() {
    let env: Vec<Vec<u8>> = head().usual.env.iter().map(|e| e.to_vec()).collect();
    assert_eq!(env, HELPER_ENV.map(|e| e.as_bytes().to_vec()));
}

#[test]
fn times_go_both_ways() {
    for wall in [0, 1, -1, 1_795_662_588_123_456, -5_000_000_000_000] {
        assert_eq!(micros(time(wall)), wall);
    }
}
