//! Conditions on the requester, and what is known of it.

use crate::abi::glob::Glob;
use crate::abi::place::{Attribution, Place};

/// What is known of a requester. `None`: it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requester<'a> {
    /// Its real user id.
    pub uid: Option<u32>,
    /// Its real group id.
    pub gid: Option<u32>,
    /// Its unit or container.
    pub place: Option<&'a Attribution>,
    /// Its program.
    pub exe: Option<&'a [u8]>,
    /// Whether it is in another user namespace than the first one.
    pub in_userns: Option<bool>,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// What it is about is not known.
    Unknown,
}

impl Known {
    fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
    fn negated(self, negated: bool) -> Self {
        match self {
            Self::Yes if negated => Self::No,
            Self::No if negated => Self::Yes,
            same => same,
        }
    }
}

/// One condition. A rule with several needs all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub subject: Subject,
    /// `!=`.
    pub negated: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// One of these ranges, ends included.
    Uid(Vec<(u32, u32)>),
    Gid(Vec<(u32, u32)>),
    Unit(Vec<Glob>),
    Container(Vec<Glob>),
    Exe(Vec<Glob>),
    /// In another user namespace than the first one.
    Userns,
    /// Its user is known.
    Known,
}

impl Condition {
    /// Whether it holds for this requester.
    pub fn holds(&self, of: &Requester<'_>) -> Known {
        let within = |id: Option<u32>, ranges: &[(u32, u32)]| match id {
            None => Known::Unknown,
            Some(id) => Known::of(ranges.iter().any(|(low, high)| (*low..=*high).contains(&id))),
        };
        let known = match &self.subject {
            Subject::Uid(ranges) => within(of.uid, ranges),
            Subject::Gid(ranges) => within(of.gid, ranges),
            Subject::Unit(globs) => unit(of.place, globs),
            Subject::Container(globs) => container(of.place, globs),
            Subject::Exe(globs) => of.exe.map_or(Known::Unknown, |exe| Known::of(any(globs, exe))),
            Subject::Userns => of.in_userns.map_or(Known::Unknown, Known::of),
            Subject::Known => Known::of(of.uid.is_some()),
        };
        known.negated(self.negated)
    }
}

fn any(globs: &[Glob], text: &[u8]) -> bool {
    globs.iter().any(|glob| glob.matches(text))
}

/// A unit counts only if nobody but the system manager could have put the process there. A name that is merely claimed
/// cannot make another unit of it: a process that claims one is in that unit or in none.
fn unit(place: Option<&Attribution>, globs: &[Glob]) -> Known {
    let Some(at) = place else { return Known::Unknown };
    match &at.place {
        Place::Unit(name) if any(globs, name) => {
            if at.is_believed {
                Known::Yes
            } else {
                Known::Unknown
            }
        }
        Place::Unit(_) => Known::No,
        Place::Container { .. } | Place::None if at.is_believed => Known::No,
        Place::Container { .. } | Place::None => Known::Unknown,
    }
}

/// A container is named by its id, or as RUNTIME:ID.
fn container(place: Option<&Attribution>, globs: &[Glob]) -> Known {
    let Some(at) = place.filter(|at| at.is_believed) else { return Known::Unknown };
    let Place::Container { runtime, id } = &at.place else { return Known::No };
    let whole = [runtime.as_bytes(), b":", id].concat();
    Known::of(any(globs, id) || any(globs, &whole))
}
