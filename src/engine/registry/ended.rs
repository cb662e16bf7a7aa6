//! Ended records, kept small: what a record has in common with an earlier one is kept once. Records of one burst differ in
//! their numbers, times and names, and in little else.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::SystemTime;

use crate::abi::actor::{Actor, ChainLink};
use crate::abi::record::{Output, Record};
use crate::abi::time::Micros;

/// How many different forms are compared with a record.
const FORMS: usize = 8;

/// The ended records, oldest first.
pub(in crate::engine) struct Ended {
    all: VecDeque<Kept>,
    most: usize,
    /// Forms of records, the last found first. Without output, which has its budget.
    forms: VecDeque<Arc<Record>>,
    /// The name in the last record.
    name: Option<Arc<[u8]>>,
}

/// An ended record.
#[derive(Clone)]
pub(in crate::engine) enum Kept {
    Whole(Arc<Record>),
    Like(Arc<Record>, Own),
}

/// What a record does not have in common with others of its form.
#[derive(Clone)]
pub(in crate::engine) struct Own {
    id: u64,
    asked_by: Option<NonZeroU64>,
    wall: SystemTime,
    at: Micros,
    module: Option<Arc<[u8]>>,
    actor: Arc<Actor>,
    output: Option<Arc<Output>>,
    words: Option<Box<Words>>,
    pid: Option<i32>,
    /// In microseconds or KiB; the largest number stands for none, and for more.
    queued: u32,
    started: u32,
    ended: u32,
    cpu: u32,
    max_rss: u32,
}

/// The reason and the chain of requesters, where they are not those of the form.
#[derive(Clone)]
struct Words {
    said: Option<Box<str>>,
    chain: Box<[ChainLink]>,
}

impl Ended {
    /// Room for this many records.
    pub(super) fn new(most: usize) -> Self {
        Self { all: VecDeque::new(), most, forms: VecDeque::new(), name: None }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The newest first.
    pub(super) fn newest(&self) -> impl ExactSizeIterator<Item = &Kept> {
        self.all.iter().rev()
    }

    /// From this place on, oldest first.
    pub(super) fn from(&self, place: usize) -> impl Iterator<Item = &Kept> {
        self.all.range(place.min(self.all.len())..)
    }

    /// Adds the newest.
    pub(super) fn push(&mut self, record: Arc<Record>) {
        if self.all.len() == self.all.capacity() {
            // Never more than will be used: the list is a megabyte in the end.
            self.all.reserve_exact(self.all.len().max(16).min(self.most - self.all.len().min(self.most)));
        }
        let like = |form: &Arc<Record>| Some((form.clone(), Own::of(&record, form, &self.name)?));
        let kept = match self.forms.iter().find_map(like) {
            Some((form, own)) => {
                self.name.clone_from(&own.module);
                Kept::Like(form, own)
            }
            None => {
                self.forms.truncate(FORMS - 1);
                self.forms.push_front(Arc::new(Record { output: None, ..(*record).clone() }));
                Kept::Whole(record)
            }
        };
        self.all.push_back(kept);
    }

    pub(super) fn pop_oldest(&mut self) {
        self.all.pop_front();
    }

    /// Drops the output of the record at this place. Returns how many bytes it had.
    pub(super) fn drop_output(&mut self, place: usize) -> usize {
        let output = match self.all.get_mut(place) {
            None => None,
            Some(Kept::Like(_, own)) => own.output.take(),
            Some(Kept::Whole(record)) => Arc::make_mut(record).output.take(),
        };
        output.map_or(0, |output| output.bytes())
    }
}

impl Kept {
    pub(in crate::engine) fn id(&self) -> u64 {
        match self {
            Self::Whole(record) => record.id,
            Self::Like(_, own) => own.id,
        }
    }

    pub(in crate::engine) fn asked_by(&self) -> Option<u64> {
        match self {
            Self::Whole(record) => record.asked_by,
            Self::Like(_, own) => own.asked_by.map(NonZeroU64::get),
        }
    }

    /// The record, whole.
    pub(in crate::engine) fn record(&self) -> Arc<Record> {
        match self {
            Self::Whole(record) => record.clone(),
            Self::Like(form, own) => Arc::new(own.filled(form)),
        }
    }
}

impl Own {
    /// What is left of the record without the form; `None` if the two together are not exactly the record.
    /// `name` is what it may share, if it is its own.
    fn of(record: &Record, form: &Record, name: &Option<Arc<[u8]>>) -> Option<Self> {
        let end = |r: &Record| (r.kind, r.outcome, r.stage, r.status, r.result);
        if end(record) != end(form) {
            return None;
        }
        let short = |number: Option<u64>| number.and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX);
        let of_form = record.said == form.said && record.chain == form.chain;
        let words = || Box::new(Words { said: record.said.clone(), chain: record.chain.clone() });
        let own = Self {
            id: record.id,
            asked_by: record.asked_by.and_then(NonZeroU64::new),
            wall: record.wall,
            at: record.at,
            module: [&form.module, name]
                .into_iter()
                .find(|name| **name == record.module)
                .unwrap_or(&record.module)
                .clone(),
            actor: record.actor.clone(),
            output: record.output.clone(),
            words: (!of_form).then(words),
            pid: record.pid,
            queued: short(record.queued_us),
            started: short(record.started_us),
            ended: short(record.ended_us),
            cpu: short(Some(record.cpu_us)),
            max_rss: short(Some(record.max_rss_kib)),
        };
        (own.filled(form) == *record).then_some(own)
    }

    /// The form, filled in.
    fn filled(&self, form: &Record) -> Record {
        let long = |number: u32| (number != u32::MAX).then_some(u64::from(number));
        let (said, chain) = match &self.words {
            None => (form.said.clone(), form.chain.clone()),
            Some(words) => (words.said.clone(), words.chain.clone()),
        };
        Record {
            id: self.id,
            kind: form.kind,
            module: self.module.clone(),
            path: form.path.clone(),
            args: form.args.clone(),
            env: form.env.clone(),
            wait: form.wait,
            actor: self.actor.clone(),
            asked_by: self.asked_by.map(NonZeroU64::get),
            wall: self.wall,
            at: self.at,
            state: form.state,
            outcome: form.outcome,
            stage: form.stage,
            errno: form.errno,
            said,
            result: form.result,
            status: form.status,
            abandoned: form.abandoned,
            timed_out: form.timed_out,
            enforced: form.enforced,
            bset: form.bset,
            inheritable: form.inheritable,
            own: form.own.clone(),
            profile: form.profile.clone(),
            caps: form.caps.clone(),
            caps_started: form.caps_started.clone(),
            not_enforced: form.not_enforced.clone(),
            pid: self.pid,
            queued_us: long(self.queued),
            started_us: long(self.started),
            ended_us: long(self.ended),
            cpu_us: u64::from(self.cpu),
            max_rss_kib: u64::from(self.max_rss),
            output: self.output.clone(),
            chain,
            kernel: form.kernel.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::abi::actor::Origin;
    use crate::abi::record::{Kind, Outcome, State};
    use crate::abi::wait::{WaitMode, WaitStatus};

    /// The record of a module request, with this number of output bytes.
    fn record(id: u64, name: &[u8], output: usize) -> Record {
        let actor = Arc::new(Actor::new(Origin::Outside, 7 + id as i32 % 3, 0, 0, b"test"));
        let when = SystemTime::UNIX_EPOCH + std::time::Duration::from_nanos(id * 1_001);
        let mut record = Record::new(Kind::Module, WaitMode::PROC, actor, (when, id * 9));
        (record.id, record.module, record.path) = (id, Some(name.into()), b"/sbin/modprobe"[..].into());
        (record.state, record.outcome) = (State::Ended, Outcome::Exited);
        (record.status, record.result) = (Some(WaitStatus::from_raw(0)), Some(0));
        (record.pid, record.started_us, record.ended_us) = (Some(id as i32), Some(id + 1), Some(id + 2));
        record.output = (output > 0).then(|| Arc::new(Output { stdout: vec![b'x'; output], ..Output::default() }));
        record
    }

    fn is_whole(kept: &Kept) -> bool {
        matches!(kept, Kept::Whole(_))
    }

    #[test]
    fn a_record_of_a_burst_takes_a_third() {
        assert!(size_of::<Kept>() * 3 <= size_of::<Record>() + 40, "{} {}", size_of::<Kept>(), size_of::<Record>());
        let mut ended = Ended::new(100);
        for id in 1..=100 {
            let mut one = record(id, format!("m{}", id % 7).as_bytes(), 0);
            if id % 2 == 0 {
                (one.outcome, one.status, one.result) = (Outcome::Refused, None, Some(-22));
                one.said = Some(format!("m{id} is refused").into());
            }
            ended.push(one.into());
        }
        assert_eq!((ended.newest().filter(|kept| is_whole(kept)).count(), ended.all.capacity()), (2, 100));
        assert_eq!(ended.newest().map(Kept::id).collect::<Vec<_>>(), (1..=100).rev().collect::<Vec<_>>());
        (0..3).for_each(|id| ended.push(record(id, b"again", 0).into()));
        let names: Vec<_> = ended.newest().take(3).map(|kept| kept.record().module.clone().unwrap()).collect();
        assert!(
            Arc::ptr_eq(&names[0], &names[1]) && Arc::ptr_eq(&names[0], &names[2]),
            "one name in a row is kept once"
        );
    }

    #[test]
    fn output_is_dropped_wherever_it_is_kept() {
        let mut ended = Ended::new(2);
        ended.push(record(1, b"one", 5).into());
        ended.push(record(2, b"two", 3).into());
        assert_eq!(ended.newest().map(is_whole).collect::<Vec<_>>(), [false, true]);
        let held: Vec<_> = ended.from(0).map(Kept::record).collect();
        assert_eq!((ended.drop_output(0), ended.drop_output(1), ended.drop_output(2)), (5, 3, 0));
        assert_eq!((ended.drop_output(0), ended.drop_output(1)), (0, 0));
        assert!(ended.newest().all(|kept| kept.record().output.is_none()));
        assert!(held.iter().all(|record| record.output.is_some()), "who has it keeps it");
        assert!(ended.forms.iter().all(|form| form.output.is_none()));
    }

    proptest! {
        #[test]
        fn a_kept_record_is_the_one_that_ended(
            odd in prop::collection::vec((0usize..16, 0u64..3, prop_oneof![Just(u64::from(u32::MAX)), 0u64..5]), 1..60),
        ) {
            let mut ended = Ended::new(1000);
            let mut given = Vec::new();
            for (id, (what, which, number)) in odd.into_iter().enumerate() {
                let mut one = record(id as u64 + 1, if which == 0 { b"a" } else { b"b" }, id % 3);
                match what {
                    0 => one.asked_by = Some(number),
                    1 => one.ended_us = Some(number),
                    2 => one.cpu_us = number,
                    3 => one.max_rss_kib = number,
                    4 => (one.queued_us, one.pid) = (Some(number), None),
                    5 => one.said = Some(format!("why {which}").into()),
                    6 => one.chain = vec![ChainLink { pid: 1, comm: Default::default(), known: true, helper_of: None }].into(),
                    7 => one.abandoned = true,
                    8 => (one.module, one.kind) = (None, Kind::Helper),
                    9 => one.started_us = None,
                    10 => one.path = vec![b'/', which as u8].into(),
                    11 => one.env = vec![b"A=1"[..].into()].into(),
                    _ => {}
                }
                ended.push(one.clone().into());
                given.push(one);
            }
            let kept: Vec<Record> = ended.from(0).map(|kept| (*kept.record()).clone()).collect();
            let numbers = |kept: &Kept| (kept.id(), kept.asked_by());
            prop_assert_eq!(ended.from(0).map(numbers).collect::<Vec<_>>(), given.iter().map(|r| (r.id, r.asked_by)).collect::<Vec<_>>());
            prop_assert_eq!(kept, given);
        }
    }
}
