//! Every kind of event, record, snapshot, command, reply and error is equal after a round trip through JSON.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::activity::outcomes::{Outcomes, Tally, Which};
use super::activity::page::{
    Anchor, Apart, Branch, Fold, IdRange, Moment, PageRequest, RecordDetail, RecordPage, RecordSummary,
};
use super::activity::query::{Query, Sort};
use super::command::{Rehearse, Rehearsed};
use super::ledger_view::{LogPage, LogRequest, Recorded, Running, Told, What, Which as Log, WhyRequest};
use super::provenance::{Comparison, Drift, Knob, Setting, Where};
use super::rules::{Asking, Denied, RuleUse, RulesView};
use super::target_info::RunId;
use super::{Call, Command, KernelWrite, Left, Reply};
use crate::abi::actor::{Actor, ChainLink, Comm, Origin};
use crate::abi::cap::{CapMask, CapSets, ReadSet, ThreadSets};
use crate::abi::depth::Depth;
use crate::abi::era::Era;
use crate::abi::error::{ControlError, EngineError, ParseError, Stage};
use crate::abi::event::{Event, EventKind, Level, LossSource};
use crate::abi::glob::Globs;
use crate::abi::histogram::Histogram;
use crate::abi::kernel_helper::{Cause, Doubts, Fact, KernelHelper, Missing, SiteAddress, Unknown};
use crate::abi::knob::{Key, MaskKnob};
use crate::abi::knob_value::{Change, KnobValue, Provenance, Source};
use crate::abi::launch_spec::{Enforcement, NotEnforced};
use crate::abi::log::{Holdout, LogKind, LogLine};
use crate::abi::mask::MaskExpr;
use crate::abi::place::{Attribution, Place};
use crate::abi::record::{Args, Kind, Outcome, Output, Record, State};
use crate::abi::rules_mode::{Mode, ModeFor, RulesState};
use crate::abi::sink::LedgerState;
use crate::abi::snapshot::{ChainEnded, Knobs, KnownState, LeftProcess, Live, Slots, Snapshot, Totals, WatchState};
use crate::abi::wait::{WaitMode, WaitStatus};

/// The seed of one case's values: its numbers all differ, and its bytes are hostile.
#[derive(Clone, Debug)]
pub(crate) struct Seed {
    bytes: Vec<u8>,
    n: u64,
    some: bool,
}

impl Seed {
    fn bytes(&self, tag: u8) -> Vec<u8> {
        [&[tag], &self.bytes[..]].concat()
    }
    fn shared(&self, tag: u8) -> Arc<[u8]> {
        self.bytes(tag).into()
    }
    fn text(&self, tag: u8) -> String {
        String::from_utf8_lossy(&self.bytes(tag)).into_owned()
    }
    fn n(&self, tag: u64) -> u64 {
        self.n.wrapping_add(tag)
    }
    fn small(&self, tag: u64) -> u32 {
        self.n(tag) as u32
    }
    fn int(&self, tag: u64) -> i32 {
        self.n(tag) as i32
    }
    fn mask(&self, tag: u64) -> CapMask {
        CapMask::from_bits(self.n(tag))
    }
    fn one<T: Clone>(&self, of: &[T]) -> T {
        of[(self.n % of.len() as u64) as usize].clone()
    }
    fn maybe<T>(&self, value: T) -> Option<T> {
        self.some.then_some(value)
    }
    fn time(&self, tag: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(self.n(tag) >> 1)
    }

    fn place(&self) -> Arc<Attribution> {
        let id = || self.shared(b'p');
        let place = self.one(&[Place::Unit(id()), Place::Container { runtime: "docker".into(), id: id() }]);
        Arc::new(Attribution { place, is_believed: self.some })
    }

    fn actor(&self) -> Arc<Actor> {
        let origin = self.one(&[Origin::Library, Origin::CommandLine, Origin::Console, Origin::Outside]);
        Arc::new(Actor {
            start_time: self.maybe(self.n(3)),
            loginuid: self.maybe(self.small(4)),
            effective: self.mask(5),
            place: self.maybe(self.place()),
            ..Actor::new(origin, self.int(0), self.small(1), self.small(2), &self.bytes(b'a'))
        })
    }

    fn expr(&self, tag: u64) -> MaskExpr {
        match self.some {
            true => MaskExpr::Exactly(self.mask(tag)),
            false => {
                MaskExpr::Change { from_full: tag.is_multiple_of(2), keep: self.mask(tag), drop: self.mask(tag + 9) }
            }
        }
    }

    /// A value of every kind, each with a knob of that kind.
    fn values(&self) -> Vec<(Key, KnobValue)> {
        let globs = |list: &str| KnobValue::Globs(Globs::parse(list.as_bytes()).unwrap());
        let all = vec![
            (Key::Modprobe, KnobValue::Path(self.shared(b'/'))),
            (Key::Bset, KnobValue::Mask(self.expr(1))),
            (Key::Inheritable, KnobValue::Mask(self.expr(2))),
            (Key::Allow, globs("usb-* snd?")),
            (Key::Deny, globs(self.one(&["", "[a-c]x", "a\\[b"]))),
            (Key::Era, KnobValue::Era(self.one(&[Era::V3_4, Era::Current]))),
            (Key::Gate, KnobValue::Depth(self.one(&[Depth::Enabled, Depth::Freezing, Depth::Disabled]))),
            (Key::Refused, KnobValue::Number(self.n(7))),
            (Key::RulesMode, KnobValue::Rules(ModeFor { mode: Mode::Enforce, seconds: self.maybe(600) })),
        ];
        for (_, value) in &all {
            // A new kind of value has to be added above.
            match value {
                KnobValue::Path(_)
                | KnobValue::Mask(_)
                | KnobValue::Globs(_)
                | KnobValue::Era(_)
                | KnobValue::Depth(_)
                | KnobValue::Rules(_)
                | KnobValue::Number(_) => {}
            }
        }
        all
    }

    fn source(&self, line: u64) -> Source {
        Source { file: self.text(b'/').into(), line: self.small(line) }
    }

    fn settings(&self) -> Vec<Setting> {
        let setting = |(key, value): (Key, KnobValue)| Setting {
            key,
            value,
            source: self.source(1),
            others: vec![self.source(2), self.source(3)],
            ignore: self.some,
        };
        self.values().into_iter().map(setting).collect()
    }

    fn knobs(&self) -> Vec<Knob> {
        let from = [
            Where::Default,
            Where::File { source: self.source(1), others: vec![self.source(2)] },
            Where::Actor { actor: self.actor(), at: self.time(4) },
        ];
        let knob = |((key, value), from)| Knob { key, value, from };
        self.values().into_iter().zip(from).map(knob).collect()
    }

    fn comparison(&self) -> Comparison {
        let drift = |(key, value): (Key, KnobValue)| Drift {
            key,
            running: value.clone(),
            configured: value,
            source: self.maybe(self.source(1)),
        };
        let drift = self.values().into_iter().map(drift).collect();
        Comparison { drift, faults: vec![self.text(b'f').into()] }
    }

    fn changes(&self) -> Vec<Change> {
        let change = |(key, value): (Key, KnobValue)| Change {
            not_granted: self.mask(8),
            warnings: vec![self.text(b'w').into()],
            source: self.maybe(self.source(9)),
            ..Change::new(key, value.clone(), value)
        };
        self.values().into_iter().map(change).collect()
    }

    fn logs(&self) -> Vec<LogKind> {
        let holdout = |id| Holdout { id, title: self.maybe(self.shared(b'h')), pid: self.maybe(self.int(id)) };
        let all = vec![
            LogKind::Runaway { module: self.shared(b'm') },
            LogKind::Throttled { module: self.shared(b'n'), limit: self.small(3) },
            LogKind::Suppressed { count: self.n(4) },
            LogKind::DrainFailed { holdouts: vec![holdout(1), holdout(2)] },
            LogKind::GroupLeft { id: self.n(5), pids: vec![self.int(6), self.int(7)] },
            LogKind::NoTimeout { id: self.n(8), why: self.text(b'y').into() },
            LogKind::WorkerPanicked { id: self.n(9) },
            LogKind::SinkLost { lost: self.n(10) },
            LogKind::Note {
                level: self.one(&[Level::Info, Level::Warning, Level::Error]),
                text: self.text(b't').into(),
            },
        ];
        for kind in &all {
            match kind {
                LogKind::Runaway { .. }
                | LogKind::Throttled { .. }
                | LogKind::Suppressed { .. }
                | LogKind::DrainFailed { .. }
                | LogKind::GroupLeft { .. }
                | LogKind::NoTimeout { .. }
                | LogKind::WorkerPanicked { .. }
                | LogKind::SinkLost { .. }
                | LogKind::Note { .. } => {}
            }
        }
        all
    }

    fn link(&self) -> ChainLink {
        ChainLink {
            pid: self.int(1),
            comm: Comm::new(&self.bytes(b'c')),
            known: self.some,
            helper_of: self.maybe(self.n(2)),
        }
    }

    fn sets(&self, tag: u64) -> CapSets {
        let [inheritable, permitted, effective, bounding, ambient] = [1, 2, 3, 4, 5].map(|n| self.mask(n + tag));
        CapSets { inheritable, permitted, effective, bounding, ambient }
    }

    fn fold(&self) -> Box<Fold> {
        let ids = vec![IdRange { first: self.n(51), last: self.n(52) }];
        Box::new(Fold { ids, since: self.maybe(Moment { wall: self.time(55), at: self.n(56) }) })
    }

    fn record(&self) -> Arc<Record> {
        let modes = [
            WaitMode::NoWait,
            WaitMode::EXEC,
            WaitMode::PROC,
            WaitMode::Exec { killable: false },
            WaitMode::Proc { killable: false },
        ];
        let outcomes = [
            Outcome::Running,
            Outcome::Exited,
            Outcome::Killed,
            Outcome::ExecFailed,
            Outcome::Refused,
            Outcome::Abandoned,
            Outcome::Noop,
            Outcome::Lost,
        ];
        let list: Arc<[Box<[u8]>]> = vec![Box::from(self.bytes(b'1')), Box::from(self.bytes(b'2'))].into();
        let new = Record::new(Kind::Module, self.one(&modes), self.actor(), (self.time(1), self.n(2)));
        let mut record = Record {
            id: self.n(3),
            kind: self.one(&[Kind::Module, Kind::Helper]),
            module: self.maybe(self.shared(b'm')),
            path: self.shared(b'/'),
            args: if self.some { Args::List(list.clone()) } else { Args::Module },
            env: list,
            asked_by: self.maybe(self.n(37)),
            state: self.one(&[State::Waiting, State::Queued, State::Running, State::Ended]),
            outcome: self.one(&outcomes),
            result: self.maybe(self.int(4)),
            status: self.maybe(WaitStatus::from_raw(self.int(5))),
            abandoned: self.some,
            timed_out: !self.some,
            enforced: self.maybe(self.one(&[Enforcement::Masks, Enforcement::NoNewPrivs, Enforcement::Refused])),
            bset: self.mask(6),
            inheritable: self.mask(7),
            own: self.maybe(Box::new((self.mask(8), self.mask(9)).into())),
            profile: self.maybe("keys".into()),
            caps: self.maybe(self.sets(10).into()),
            caps_started: self.maybe(self.sets(20).into()),
            not_enforced: vec![NotEnforced::Nice, NotEnforced::Groups].into(),
            pid: self.maybe(self.int(30)),
            queued_us: self.maybe(self.n(31)),
            started_us: self.maybe(self.n(32)),
            ended_us: self.maybe(self.n(33)),
            cpu_us: self.n(34),
            max_rss_kib: self.n(35),
            output: self
                .maybe(Output { stdout: self.bytes(b'o'), stderr: self.bytes(b'e'), dropped: self.n(36) }.into()),
            chain: vec![self.link()].into(),
            kernel: self.maybe(self.kernel().into()),
            ..new
        };
        if self.some {
            record.fail(&self.engine_error());
        }
        Arc::new(record)
    }

    fn kernel(&self) -> KernelHelper {
        let unit = Place::Unit(self.shared(b'u'));
        let container = Place::Container { runtime: "docker".into(), id: self.shared(b'i') };
        KernelHelper {
            cause: self.maybe(self.one(&[Cause::Module, Cause::ReleaseAgent, Cause::Other])),
            call_site: self.maybe(SiteAddress(self.n(71))),
            worker: self.maybe(self.int(72)),
            tid: self.maybe(self.int(73)),
            inner_pid: self.maybe(self.int(74)),
            place: Some(Attribution { place: self.one(&[unit, container, Place::None]), is_believed: self.some }),
            doubts: Doubts { requester: self.some, is_helper: !self.some },
            unknown: vec![Missing { what: Fact::Unit, why: Unknown::Gone }],
        }
    }

    fn engine_error(&self) -> EngineError {
        let stages = [
            Stage::Name,
            Stage::Path,
            Stage::Loop,
            Stage::Hook,
            Stage::Limit,
            Stage::Throttle,
            Stage::Gate,
            Stage::Cancel,
            Stage::Init,
            Stage::Enforce,
            Stage::Process,
            Stage::Exec,
            Stage::Lost,
            Stage::Forked,
        ];
        EngineError::new(
            self.one(&stages),
            self.one(&[Errno::ENOENT, Errno::EAGAIN, Errno::UnknownErrno]),
            self.text(b'r'),
            self.text(b'v'),
        )
    }

    pub(crate) fn errors(&self) -> Vec<ControlError> {
        let value = ParseError::with(Errno::ENAMETOOLONG, self.text(b'p'), Cow::Owned(self.text(b'q')));
        let unreached = ParseError::with(Errno::EHOSTUNREACH, self.text(b'h'), Cow::Owned(self.text(b's')));
        let all = vec![
            ControlError::UnknownKey(self.text(b'k')),
            ControlError::ReadOnly(self.text(b'r')),
            ControlError::Denied(self.text(b'd')),
            ControlError::Value { key: self.text(b'x'), error: value },
            ControlError::Busy(self.text(b'b')),
            ControlError::Unavailable(self.text(b'u')),
            ControlError::NoDaemon(self.text(b'n'), Errno::ENOENT),
            ControlError::Unreached(unreached),
            ControlError::Unsupported(self.text(b's')),
            ControlError::Version(self.text(b'z')),
            ControlError::Engine(self.engine_error()),
        ];
        for error in &all {
            match error {
                ControlError::UnknownKey(_)
                | ControlError::ReadOnly(_)
                | ControlError::Denied(_)
                | ControlError::Value { .. }
                | ControlError::Busy(_)
                | ControlError::Unavailable(_)
                | ControlError::NoDaemon(..)
                | ControlError::Unreached(_)
                | ControlError::Unsupported(_)
                | ControlError::Version(_)
                | ControlError::Engine(_) => {}
            }
        }
        all
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        let (id, actor) = (self.n(1), self.actor());
        let mut all = vec![
            EventKind::ModuleRequest { id, name: self.shared(b'n'), wait: self.some, actor: actor.clone() },
            EventKind::Waiting { id },
            EventKind::Queued { id },
            EventKind::Started { id, pid: self.int(2) },
            EventKind::Finished(self.record()),
            EventKind::Released { id },
            EventKind::Abandoned { id, actor: actor.clone() },
            EventKind::Signalled { id, pid: self.int(3), signal: self.int(4), actor: actor.clone() },
            EventKind::GateChanged { from: Depth::Freezing, to: Depth::Disabled, actor: actor.clone() },
            EventKind::DrainFailed { holdouts: vec![self.n(5), self.n(6)], actor: actor.clone() },
            EventKind::Unpersisted { keys: vec![Key::Deny, self.one(&Key::ALL)], actor: self.actor() },
            EventKind::Denied {
                method: "Kill".into(),
                why: self.text(b'y').into(),
                more: self.n(40),
                actor: self.actor(),
            },
            EventKind::Lost { source: LossSource::Helpers, count: self.maybe(self.n(7)) },
        ];
        let change = |change: Change| EventKind::KnobChanged { change: change.into(), actor: actor.clone() };
        all.extend(self.changes().into_iter().map(change));
        all.extend(self.logs().into_iter().map(EventKind::Log));
        for kind in &all {
            match kind {
                EventKind::ModuleRequest { .. }
                | EventKind::Waiting { .. }
                | EventKind::Queued { .. }
                | EventKind::Started { .. }
                | EventKind::Finished(_)
                | EventKind::Released { .. }
                | EventKind::Abandoned { .. }
                | EventKind::Signalled { .. }
                | EventKind::KnobChanged { .. }
                | EventKind::GateChanged { .. }
                | EventKind::DrainFailed { .. }
                | EventKind::Unpersisted { .. }
                | EventKind::Denied { .. }
                | EventKind::Lost { .. }
                | EventKind::Log(_) => {}
            }
        }
        all.into_iter().map(|kind| Event { seq: self.n(7), at: self.n(8), kind }).collect()
    }

    fn live(&self) -> Live {
        Live {
            id: self.n(1),
            kind: Kind::Helper,
            title: self.shared(b't'),
            state: State::Queued,
            abandoned: self.some,
            at: self.n(2),
            pid: self.maybe(self.int(3)),
            actor: self.actor(),
            asked_by: self.maybe(self.n(4)),
        }
    }

    fn snapshot(&self) -> Snapshot {
        let sets = |mask| if self.some { ReadSet::Known(mask) } else { ReadSet::Unreadable };
        let provenance = |change: Change| Provenance {
            change: change.into(),
            actor: self.actor(),
            at: self.n(1),
            wall: self.time(2),
        };
        Snapshot {
            seq: self.n(3),
            now: self.n(4),
            wall: self.time(5),
            pid: self.int(6),
            uid: self.small(7),
            knobs: Knobs {
                modprobe: self.shared(b'/'),
                bset: self.mask(8),
                inheritable: self.mask(9),
                era: Era::Current,
                max_concurrent: self.small(10),
                allow: Globs::parse(b"a*").unwrap(),
                deny: Globs::parse(b"b? c").unwrap(),
            },
            known: self.mask(11),
            host: ThreadSets {
                inheritable: sets(self.mask(12)),
                bounding: sets(self.mask(13)),
                ..ThreadSets::UNREADABLE
            },
            gate: Depth::Freezing,
            draining: self.some,
            slots: Slots {
                limit: self.small(14),
                concurrent: self.small(15),
                waiting: self.small(16),
                peak: self.small(17),
                holders: vec![self.n(18), self.n(19)],
                loop_messages: self.small(20),
                suppressed: self.n(21),
            },
            running_helpers: self.small(22),
            live: self.small(23),
            queued: self.small(24),
            running: vec![self.live()],
            live_total: 25,
            watchers: self.small(33),
            last: vec![self.record()],
            totals: Totals {
                requests: self.n(26),
                launched: self.n(27),
                by_outcome: [1, 2, 3, 4, 5, 6, 7, 8].map(|n| self.n(n)),
                refused_limit_at: self.maybe(self.n(28)),
                throttled: self.n(29),
                records_lost: self.n(31),
                events_missed: self.n(32),
                refused_by_stage: Stage::ALL.map(|stage| self.n(40 + stage as u64)),
                run_times: Histogram { buckets: [self.n(34); 17], sum_us: self.n(35) },
                queue_times: Histogram { buckets: [self.n(36); 17], sum_us: self.n(37) },
                ..Totals::default()
            },
            warnings: self.logs().into_iter().map(|kind| LogLine { at: self.n(30), kind }).collect(),
            provenance: self.changes().into_iter().map(provenance).collect(),
            ledger: Some(LedgerState {
                lag_us: self.n(41),
                bytes: self.n(42),
                written: self.n(43),
                lost: self.n(44),
                failures_lost: self.n(45),
                error: self.maybe("full".into()),
            }),
            rules: self.maybe(RulesState {
                mode: ModeFor { mode: self.one(&Mode::ALL), seconds: self.maybe(self.small(50)) },
                then: self.one(&Mode::ALL),
                rules: self.small(51),
                allowed: self.n(52),
                denied: self.n(53),
                would_deny: self.n(54),
                late: self.n(99),
            }),
            kernel: self.maybe(Box::new(WatchState {
                since: self.maybe(self.time(45)),
                states: vec![KnownState {
                    name: self.text(b'n').into(),
                    known: self.text(b'k').into(),
                    unknown: self.text(b'u').into(),
                    change: self.text(b'c').into(),
                }],
                helpers: self.n(46),
                requesters: self.n(47),
                lost: self.n(48),
                missed: self.n(49),
                failed: self.maybe("failed".into()),
            })),
        }
    }

    fn query(&self) -> Query {
        Query {
            words: vec![self.text(b'w')],
            scattered: !self.some,
            globs: Globs::parse(b"x*").unwrap(),
            which: Outcomes::from(vec![self.one(&Which::ALL)]),
            since: self.maybe(self.int(50).into()),
            until: self.maybe(self.int(51).into()),
            unit: self.maybe(self.text(b'u')),
            sort: self.one(&Sort::ALL),
            reverse: self.some,
        }
    }

    pub(crate) fn commands(&self) -> Vec<Command> {
        let call = Call {
            path: self.bytes(b'/'),
            args: vec![self.bytes(b'1'), self.bytes(b'2')],
            env: vec![self.bytes(b'3')],
            wait: WaitMode::Exec { killable: self.some },
            bset: self.maybe(self.expr(1)),
            inheritable: self.maybe(self.expr(2)),
            timeout: self.maybe(Duration::from_micros(self.small(3).into())),
            profile: self.maybe("keys".into()),
        };
        let anchor = self.one(&[Anchor::First, Anchor::Last, Anchor::Near { id: self.n(4), index: 5, by: -6 }]);
        let all = vec![
            Command::RequestModule { name: self.bytes(b'n'), wait: self.some, profile: self.maybe("keys".into()) },
            Command::Call(call),
            Command::Probe { bset: self.maybe(self.expr(4)), inheritable: self.maybe(self.expr(5)) },
            Command::Rehearse(Rehearse {
                path: self.maybe(self.shared(b'/')),
                args: vec![self.bytes(b'a')],
                bset: self.maybe(self.expr(6)),
                inheritable: self.maybe(self.expr(7)),
            }),
            Command::Get(self.one(&Key::ALL)),
            Command::Knobs(vec![self.one(&Key::ALL), Key::Deny]),
            Command::Configure(self.settings()),
            Command::WriteKernel(KernelWrite {
                writes: self.values(),
                until_reboot: self.some,
                force: !self.some,
                persist: self.some,
            }),
            Command::Persist(self.values()),
            Command::Unpersist(vec![self.one(&Key::ALL), Key::Deny]),
            Command::Diff,
            Command::Write(self.values()),
            Command::SetDepth(self.one(&[Depth::Enabled, Depth::Freezing, Depth::Disabled])),
            Command::Reset(self.one(&[MaskKnob::Bset, MaskKnob::Inheritable])),
            Command::ResetLoopMessages,
            Command::Abandon(self.n(6)),
            Command::Kill { id: self.n(7), signal: self.int(8) },
            Command::KillChain { id: self.n(18), signal: self.int(19) },
            Command::Status,
            Command::Record(self.n(9)),
            Command::Chain(self.int(10)),
            Command::CheckPath(self.shared(b'/')),
            Command::Live { after: self.n(11), most: 12 },
            Command::Activity(Box::new(PageRequest {
                query: self.query(),
                still: self.some,
                folded: !self.some,
                apart: vec![self.n(7), self.n(8)],
                tree: self.some,
                anchor,
                around: 13,
            })),
            Command::Matching { query: Box::new(self.query()), newest: self.maybe(self.n(14)) },
            Command::Records(vec![self.n(15), self.n(16)]),
            Command::Log(Box::new(LogRequest {
                since: self.maybe(-self.int(20).abs() as i64),
                until: self.maybe(self.int(21).into()),
                outcome: self.maybe(self.one(&[Outcome::Killed, Outcome::Running])),
                module: self.query().globs,
                uid: self.maybe(self.small(22)),
                unit: self.maybe(self.text(b'u')),
                from: self.maybe(self.text(b'f')),
                most: 23,
                query: self.maybe(Box::new(self.query())),
                newest_first: self.some,
                of: None,
            })),
            Command::Why(WhyRequest {
                which: self.one(&[Log::Name(self.bytes(b'n')), Log::Id(self.n(24)), Log::Pid(self.int(25))]),
                of: None,
            }),
            Command::Rules,
            Command::Shutdown { patience: Duration::from_micros(self.small(17).into()) },
        ];
        for command in &all {
            match command {
                Command::RequestModule { .. }
                | Command::Call(_)
                | Command::Probe { .. }
                | Command::Rehearse(_)
                | Command::Get(_)
                | Command::Knobs(_)
                | Command::Configure(_)
                | Command::WriteKernel(_)
                | Command::Persist(_)
                | Command::Unpersist(_)
                | Command::Diff
                | Command::Write(_)
                | Command::SetDepth(_)
                | Command::Reset(_)
                | Command::ResetLoopMessages
                | Command::Abandon(_)
                | Command::Kill { .. }
                | Command::KillChain { .. }
                | Command::Status
                | Command::Record(_)
                | Command::Chain(_)
                | Command::CheckPath(_)
                | Command::Live { .. }
                | Command::Activity(_)
                | Command::Matching { .. }
                | Command::Records(_)
                | Command::Log(_)
                | Command::Why(_)
                | Command::Rules
                | Command::Shutdown { .. } => {}
            }
        }
        all
    }

    /// A line of a ledger of each kind.
    fn recorded(&self) -> Vec<Recorded> {
        let running = Running { record: self.record(), start_time: self.maybe(self.n(30)) };
        let mut all = vec![
            What::Ended(self.record()),
            What::Started(running.clone()),
            What::StillRunning(running),
            What::Lost { count: self.n(31), errno: self.maybe(self.int(32)) },
        ];
        all.extend(self.events().into_iter().map(What::Changed));
        let line = |what| Recorded {
            at: self.int(33).into(),
            n: self.n(34),
            run: RunId { started: self.n(35), pid: self.int(36) },
            target: "daemon".into(),
            known: self.mask(37),
            what,
        };
        all.into_iter().map(line).collect()
    }

    fn rules(&self) -> RulesView {
        let asking = |n| Asking {
            at: self.int(n).into(),
            pid: self.int(n + 1),
            uid: self.maybe(self.small(n + 2)),
            comm: self.text(b'c').into(),
            place: self.text(b'p').into(),
        };
        RulesView {
            mode: self.one(&[Mode::Audit, Mode::Enforce]),
            since: self.int(60).into(),
            judged: self.n(61),
            unmatched: self.n(62),
            denied: self.n(63),
            would_deny: self.n(64),
            rules: vec![RuleUse {
                file: self.text(b'f').into(),
                line: self.small(65),
                text: self.text(b't').into(),
                denies: self.some,
                never_after: self.maybe(3),
                times: self.n(66),
                last: self.maybe(asking(67)),
            }],
            more: self.n(70),
            lately: vec![Denied {
                rule: 4,
                enforced: self.some,
                asked: self.text(b'a').into(),
                because: self.text(b'b').into(),
                times: self.n(71),
                last: asking(72),
            }],
        }
    }

    pub(crate) fn replies(&self) -> Vec<Reply> {
        let detail = RecordDetail { record: self.record(), chain: vec![self.link()], chain_now: self.some };
        let page = RecordPage {
            in_rows: 34,
            matched: 1,
            looked: 2,
            newest: self.n(3),
            first: 4,
            rows: vec![RecordSummary {
                id: self.n(5),
                record: self.maybe(self.record()),
                fold: self.maybe(self.fold()),
                branch: self.maybe(Branch { depth: 57, is_loop: self.some, skips: !self.some }),
                apart: self.maybe(Apart { by: self.n(58), at: self.n(59), of: self.n(60) }),
            }],
            at: self.maybe(6),
            detail: self.maybe(Box::new(detail)),
            tally: Tally::from(vec![self.n(52), 0, self.n(53)]),
            exact: self.some,
        };
        let mut all = vec![
            Reply::Answered(self.record()),
            Reply::Rehearsed(Box::new(Rehearsed {
                draft: self.record(),
                live: self.maybe(self.record()),
                differences: vec![self.text(b'd').into()],
                as_live: self.some,
            })),
            Reply::Knobs(self.knobs()),
            Reply::Diff(self.comparison()),
            Reply::Written(self.changes()),
            Reply::Done,
            Reply::Status(Box::new(self.snapshot())),
            Reply::Record(self.maybe(self.record())),
            Reply::Chain(vec![self.link()]),
            Reply::Warnings(vec![self.text(b'w').into()]),
            Reply::Live(vec![self.live()]),
            Reply::Activity(Box::new(page)),
            Reply::Matching(vec![self.n(7), self.n(8)]),
            Reply::Records(vec![self.record()]),
            Reply::ChainEnded(ChainEnded {
                signalled: vec![self.n(9)],
                processes: 10,
                left: vec![self.n(11)],
                left_processes: vec![LeftProcess {
                    pid: self.int(12),
                    comm: Comm::new(&self.bytes(b'l')),
                    certain: self.some,
                }],
            }),
            Reply::Log(Box::new(LogPage {
                lines: self.recorded(),
                next: self.maybe(self.text(b'p')),
                newer: self.n(12),
                unreadable: self.n(13),
            })),
            Reply::Why(Box::new(Told {
                line: self.maybe(Box::new(self.recorded().remove(0))),
                alive: self.maybe(self.some),
                acts: self.recorded(),
                earlier: self.n(14),
                newer: 15,
                unreadable: 16,
            })),
            Reply::Rules(Box::new(self.rules())),
            Reply::Left(vec![Left { live: self.live(), captured: self.some }]),
        ];
        all.extend(self.values().into_iter().map(|(_, value)| Reply::Value(value)));
        for reply in &all {
            match reply {
                Reply::Answered(_)
                | Reply::Rehearsed(_)
                | Reply::Value(_)
                | Reply::Knobs(_)
                | Reply::Diff(_)
                | Reply::Written(_)
                | Reply::Done
                | Reply::Status(_)
                | Reply::Record(_)
                | Reply::Chain(_)
                | Reply::Warnings(_)
                | Reply::Live(_)
                | Reply::Activity(_)
                | Reply::Matching(_)
                | Reply::Records(_)
                | Reply::ChainEnded(_)
                | Reply::Log(_)
                | Reply::Why(_)
                | Reply::Rules(_)
                | Reply::Left(_) => {}
            }
        }
        all
    }
}

/// Serializes and deserializes each value, and compares.
fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(values: Vec<T>) {
    for value in values {
        let json = serde_json::to_string(&value).unwrap();
        match serde_json::from_str::<T>(&json) {
            Ok(back) => assert_eq!(back, value, "{json}"),
            Err(error) => panic!("{error}: {json}"),
        }
    }
}

pub(crate) fn seed(numbers: impl Strategy<Value = u64>) -> impl Strategy<Value = Seed> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..24);
    (bytes, numbers, any::<bool>()).prop_map(|(bytes, n, some)| Seed { bytes, n, some })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn every_kind_goes_through_json_and_comes_back(seed in seed(any::<u64>())) {
        there_and_back(seed.events());
        there_and_back(vec![(*seed.record()).clone()]);
        there_and_back(vec![seed.snapshot()]);
        there_and_back(seed.commands());
        there_and_back(seed.replies());
        there_and_back(seed.errors());
    }
}

/// Input from another process is rejected if no value serializes to it.
#[test]
fn input_that_no_value_serializes_to_is_refused() {
    let refused = |json: &str| serde_json::from_str::<KnobValue>(json).is_err();
    assert!(refused(r#"{"mask":{"exactly":"0x1ffffffffffffffff"}}"#) && refused(r#"{"mask":{"exactly":"+1"}}"#));
    assert!(refused(r#"{"path":"a\\q"}"#) && refused(r#"{"globs":"["}"#) && refused(r#"{"era":"6.4"}"#));
    assert!(serde_json::from_str::<Key>("\"khelper.nothing\"").is_err());
    assert!(serde_json::from_str::<WaitMode>("\"never\"").is_err());
}
