//! Ended records, kept small: what a record has in common with an earlier one is kept once. Records of one burst differ in
//! their numbers, times and names, and in little else.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::abi::record::Record;

use super::kept::{Group, Kept, Own};

/// How many different forms are compared with a record, and how many groups.
const FORMS: usize = 8;

/// The ended records, oldest first.
pub(in crate::engine) struct Ended {
    all: VecDeque<Kept>,
    most: usize,
    /// Forms of records, the last found first. Without output, which has its budget.
    forms: VecDeque<Arc<Record>>,
    /// The groups of the last records, the newest first.
    groups: VecDeque<Arc<Group>>,
}

impl Ended {
    /// Room for this many records.
    pub(super) fn new(most: usize) -> Self {
        Self { all: VecDeque::new(), most, forms: VecDeque::new(), groups: VecDeque::new() }
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
            // Never more than will be used: the list is half a megabyte in the end.
            self.all.reserve_exact(self.all.len().max(16).min(self.most - self.all.len().min(self.most)));
        }
        let kept = match self.in_group(&record).or_else(|| self.in_new_group(&record)) {
            Some(kept) => kept,
            None => {
                let form = Arc::new(Record { output: None, ..(*record).clone() });
                put_first(&mut self.forms, form);
                Kept::Whole(record)
            }
        };
        self.all.push_back(kept);
    }

    /// The record as one of a group of the last records.
    fn in_group(&self, record: &Record) -> Option<Kept> {
        self.groups.iter().find_map(|group| {
            let own = Own::of(record, group)?;
            Some(Kept::Like(group.clone(), own))
        })
    }

    /// The record as the first of a new group of its form.
    fn in_new_group(&mut self, record: &Record) -> Option<Kept> {
        let mut names =
            self.groups.iter().map(|group| group.module()).chain(self.forms.iter().map(|form| &form.module));
        let shared = names.find(|name| **name == record.module);
        let first_of = |form: &Arc<Record>| {
            let group = Group::first(record, form, shared.unwrap_or(&record.module));
            Some((Own::of(record, &group)?, Arc::new(group)))
        };
        let (own, group) = self.forms.iter().find_map(first_of)?;
        put_first(&mut self.groups, group.clone());
        Some(Kept::Like(group, own))
    }

    pub(super) fn pop_oldest(&mut self) {
        self.all.pop_front();
    }

    /// Drops the output of the record at this place. Returns how many bytes it had.
    pub(super) fn drop_output(&mut self, place: usize) -> usize {
        let output = match self.all.get_mut(place) {
            None => None,
            Some(Kept::Like(_, own)) => own.take_output(),
            Some(Kept::Whole(record)) => Arc::make_mut(record).output.take(),
        };
        output.map_or(0, |output| output.bytes())
    }
}

/// Puts one into a list of the last ones.
fn put_first<T>(list: &mut VecDeque<T>, one: T) {
    list.truncate(FORMS - 1);
    list.push_front(one);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::abi::actor::{Actor, ChainLink, Origin};
    use crate::abi::record::{Kind, Outcome, Output, State};
    use crate::abi::wait::{WaitMode, WaitStatus};

    /// The record of a module request, with this number of output bytes.
    fn record(id: u64, name: &[u8], output: usize) -> Record {
        let actor = Arc::new(Actor::new(Origin::Outside, 7 + id as i32 % 3, 0, 0, b"test"));
        let when = SystemTime::UNIX_EPOCH + Duration::from_nanos(id * 1_001);
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
    fn a_record_of_a_burst_takes_a_sixth() {
        assert!(size_of::<Kept>() <= 56 && size_of::<Group>() <= 64, "{} {}", size_of::<Kept>(), size_of::<Group>());
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
        (101..104).for_each(|id| ended.push(record(id, b"again", 0).into()));
        let names: Vec<_> = ended.newest().take(3).map(|kept| kept.record().module.clone().unwrap()).collect();
        assert!(
            Arc::ptr_eq(&names[0], &names[1]) && Arc::ptr_eq(&names[0], &names[2]),
            "one name in a row is kept once"
        );
    }

    /// A clock that is set, or that stood still, makes another group, and never another form.
    #[test]
    fn numbers_far_from_each_other_are_kept_in_groups() {
        let hour = 3_600_000_000;
        let mut ended = Ended::new(100);
        let given: Vec<Record> = (1..=40)
            .map(|id| {
                let mut one = record(id << 30, b"a", 0);
                (one.pid, one.started_us, one.ended_us) = (Some(7), Some(1), Some(2));
                one.at = hour * id;
                let by_clock = Duration::from_micros(one.at) + Duration::from_secs(id / 4 * 1000);
                one.wall = SystemTime::UNIX_EPOCH + by_clock - Duration::from_secs(id / 7 * 900);
                one.asked_by = (id > 4).then_some((id << 30) - id);
                one
            })
            .collect();
        given.iter().for_each(|one| ended.push(one.clone().into()));
        assert_eq!((ended.newest().filter(|kept| is_whole(kept)).count(), ended.forms.len()), (1, 1));
        assert!(ended.from(0).map(Kept::record).eq(given.into_iter().map(Arc::new)));
        let asked: Vec<_> = ended.newest().map(Kept::asked_by).take(2).collect();
        assert_eq!(asked, [Some((40 << 30) - 40), Some((39 << 30) - 39)]);
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
            odd in prop::collection::vec((0usize..20, 0u64..3, prop_oneof![Just(u64::from(u32::MAX)), 0u64..5]), 1..60),
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
                    12 => one.wall -= Duration::from_secs(number),
                    13 => one.wall += Duration::from_nanos(which * 1_500_000_000),
                    14 => one.at = number << (which * 16),
                    15 => one.actor = Arc::new(Actor::new(Origin::Outside, number as i32, 1, 0, b"other")),
                    16 => one.pid = Some(0),
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
