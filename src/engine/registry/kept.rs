//! An ended record as the engine keeps it: what it has in common with others is kept once.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::abi::actor::{Actor, ChainLink};
use crate::abi::record::{Output, Record};
use crate::abi::time::Micros;

/// An ended record.
#[derive(Clone)]
pub(in crate::engine) enum Kept {
    Whole(Arc<Record>),
    Like(Arc<Group>, Own),
}

/// What records of one form, one name and one requester have in common, and what the numbers of each are counted from: those
/// of the first of them. A number that is too far from it makes another group.
pub(in crate::engine) struct Group {
    form: Arc<Record>,
    module: Option<Arc<[u8]>>,
    actor: Arc<Actor>,
    id: u64,
    at: Micros,
    wall: SystemTime,
}

/// What a record does not have in common with others of its group.
#[derive(Clone)]
pub(in crate::engine) struct Own {
    rare: Option<Box<Rare>>,
    /// How many requests after the group's first.
    id: i32,
    /// How many requests before it was the one whose helper asked for it; 0 for none.
    back: u32,
    /// In microseconds after the group's first.
    at: i32,
    /// By how many nanoseconds more than `at` the wall clock went on.
    drift: i32,
    /// 0 for none.
    pid: i32,
    /// In microseconds or KiB; the largest number stands for none, and for more.
    queued: u32,
    started: u32,
    ended: u32,
    cpu: u32,
    max_rss: u32,
}

/// What few records have.
#[derive(Clone, Default)]
struct Rare {
    output: Option<Arc<Output>>,
    words: Option<Words>,
}

/// The reason and the chain of requesters, where they are not those of the form.
#[derive(Clone)]
struct Words {
    said: Option<Box<str>>,
    chain: Box<[ChainLink]>,
}

impl Kept {
    pub(in crate::engine) fn id(&self) -> u64 {
        match self {
            Self::Whole(record) => record.id,
            Self::Like(group, own) => own.id(group),
        }
    }

    pub(in crate::engine) fn asked_by(&self) -> Option<u64> {
        match self {
            Self::Whole(record) => record.asked_by,
            Self::Like(group, own) => own.asked_by(group),
        }
    }

    /// The record, whole.
    pub(in crate::engine) fn record(&self) -> Arc<Record> {
        match self {
            Self::Whole(record) => record.clone(),
            Self::Like(group, own) => Arc::new(own.filled(group)),
        }
    }
}

impl Group {
    /// The group whose first is this record. `name` is the record's, shared with others.
    pub(super) fn first(record: &Record, form: &Arc<Record>, name: &Option<Arc<[u8]>>) -> Self {
        Self {
            form: form.clone(),
            module: name.clone(),
            actor: record.actor.clone(),
            id: record.id,
            at: record.at,
            wall: record.wall,
        }
    }

    /// The name of its requests.
    pub(super) const fn module(&self) -> &Option<Arc<[u8]>> {
        &self.module
    }
}

impl Own {
    /// What is left of the record without the group; `None` if the two together are not exactly the record.
    pub(super) fn of(record: &Record, group: &Group) -> Option<Self> {
        let form = &group.form;
        let end = |r: &Record| (r.kind, r.outcome, r.stage, r.status, r.result);
        if end(record) != end(form) || record.module != group.module || record.actor != group.actor {
            return None;
        }
        let short = |number: Option<u64>| number.and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX);
        let since = i128::from(record.at) - i128::from(group.at);
        let drift = nanos_between(group.wall, record.wall) - 1000 * since;
        let of_form = record.said == form.said && record.chain == form.chain;
        let words = (!of_form).then(|| Words { said: record.said.clone(), chain: record.chain.clone() });
        let rare = Rare { output: record.output.clone(), words };
        let own = Self {
            rare: (!rare.is_empty()).then(|| Box::new(rare)),
            id: i32::try_from(i128::from(record.id) - i128::from(group.id)).ok()?,
            back: record.asked_by.map_or(Some(0), |by| u32::try_from(record.id.checked_sub(by)?).ok())?,
            at: i32::try_from(since).ok()?,
            drift: i32::try_from(drift).ok()?,
            pid: record.pid.unwrap_or_default(),
            queued: short(record.queued_us),
            started: short(record.started_us),
            ended: short(record.ended_us),
            cpu: short(Some(record.cpu_us)),
            max_rss: short(Some(record.max_rss_kib)),
        };
        (own.filled(group) == *record).then_some(own)
    }

    fn id(&self, group: &Group) -> u64 {
        group.id.wrapping_add_signed(self.id.into())
    }

    fn asked_by(&self, group: &Group) -> Option<u64> {
        (self.back > 0).then(|| self.id(group) - u64::from(self.back))
    }

    fn wall(&self, group: &Group) -> SystemTime {
        let nanos = 1000 * i64::from(self.at) + i64::from(self.drift);
        let by = Duration::from_nanos(nanos.unsigned_abs());
        let wall = if nanos < 0 { group.wall.checked_sub(by) } else { group.wall.checked_add(by) };
        wall.unwrap_or(group.wall)
    }

    /// Drops the output.
    pub(super) fn take_output(&mut self) -> Option<Arc<Output>> {
        let rare = self.rare.as_mut()?;
        let output = rare.output.take();
        if rare.is_empty() {
            self.rare = None;
        }
        output
    }

    /// The record.
    fn filled(&self, group: &Group) -> Record {
        let form = &group.form;
        let long = |number: u32| (number != u32::MAX).then_some(u64::from(number));
        let (output, words) =
            self.rare.as_deref().map_or((None, None), |rare| (rare.output.clone(), rare.words.as_ref()));
        let (said, chain) = match words {
            None => (form.said.clone(), form.chain.clone()),
            Some(words) => (words.said.clone(), words.chain.clone()),
        };
        Record {
            id: self.id(group),
            kind: form.kind,
            module: group.module.clone(),
            path: form.path.clone(),
            args: form.args.clone(),
            env: form.env.clone(),
            wait: form.wait,
            actor: group.actor.clone(),
            asked_by: self.asked_by(group),
            wall: self.wall(group),
            at: group.at.wrapping_add_signed(self.at.into()),
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
            pid: (self.pid != 0).then_some(self.pid),
            queued_us: long(self.queued),
            started_us: long(self.started),
            ended_us: long(self.ended),
            cpu_us: u64::from(self.cpu),
            max_rss_kib: u64::from(self.max_rss),
            output,
            chain,
            kernel: form.kernel.clone(),
        }
    }
}

impl Rare {
    const fn is_empty(&self) -> bool {
        self.output.is_none() && self.words.is_none()
    }
}

/// From one time to another, in nanoseconds.
fn nanos_between(from: SystemTime, to: SystemTime) -> i128 {
    let nanos = |by: Duration| i128::try_from(by.as_nanos()).unwrap_or(i128::MAX / 2);
    match to.duration_since(from) {
        Ok(later) => nanos(later),
        Err(earlier) => -nanos(earlier.duration()),
    }
}
