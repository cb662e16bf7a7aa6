//! When two requests are equal, so that a list can show them in one row.

use crate::abi::error::Stage;
use crate::abi::place::Attribution;
use crate::abi::record::{Kind, Outcome, Record, State};
use crate::abi::snapshot::Live;
use crate::control::text::outcome::denied_by;

/// The name of a request and how it stands or ended. Requests with equal values are equal: their words are the same but
/// for a pid, a time and a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Alike<'a> {
    kind: Kind,
    title: &'a [u8],
    standing: Standing<'a>,
}

/// How a request stands or ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Standing<'a> {
    /// It has not ended.
    Open { state: State, abandoned: bool, has_helper: bool },
    /// It has ended.
    Ended(Box<Ended<'a>>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Ended<'a> {
    outcome: Outcome,
    raw_status: Option<i32>,
    stage: Option<Stage>,
    errno: Option<i32>,
    /// Which part of the security hook denied the name.
    denied_by: Option<&'static str>,
    /// The program that could not be executed.
    path: Option<&'a [u8]>,
    /// Why a helper of the kernel was not started.
    why: Option<&'a str>,
    has_helper: bool,
    timed_out: bool,
    abandoned: bool,
}

impl<'a> Alike<'a> {
    /// Of a record.
    pub fn of(record: &'a Record) -> Self {
        let standing = match record.state {
            State::Ended => Standing::Ended(Box::new(Ended::of(record))),
            state => Standing::Open { state, abandoned: record.abandoned, has_helper: record.pid.is_some() },
        };
        Self { kind: record.kind, title: record.title(), standing }
    }

    /// Of a request that has not ended.
    pub fn of_live(live: &'a Live) -> Self {
        let (state, abandoned, has_helper) = (live.state, live.abandoned, live.pid.is_some());
        Self { kind: live.kind, title: &live.title, standing: Standing::Open { state, abandoned, has_helper } }
    }
}

impl<'a> Ended<'a> {
    fn of(r: &'a Record) -> Self {
        let noop = r.outcome == Outcome::Noop;
        Self {
            outcome: r.outcome,
            raw_status: r.status.map(|status| status.raw()),
            stage: r.stage,
            errno: r.errno.map(|errno| errno as i32),
            denied_by: (r.stage == Some(Stage::Hook)).then(|| denied_by(r)),
            path: (r.outcome == Outcome::ExecFailed).then_some(&r.path),
            why: if noop && r.kernel.is_some() { r.said.as_deref() } else { None },
            // How a helper that nobody waits for ended is not in its record.
            has_helper: matches!(r.outcome, Outcome::Running | Outcome::Abandoned) && r.pid.is_some(),
            timed_out: r.timed_out,
            abandoned: r.abandoned,
        }
    }
}

/// The user and the unit or container of the process that made a request. Where a list shows them, equal requests have
/// the same.
pub fn asker(record: &Record) -> (u32, Option<&Attribution>) {
    let place = record.kernel.as_deref().and_then(|kernel| kernel.place.as_ref()).or(record.actor.place.as_deref());
    (record.actor.uid, place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing as fixtures;
    use nix::errno::Errno;

    use crate::control::text::outcome::{kind_of_ending, standing, title};

    fn all() -> Vec<Record> {
        let refused = |(id, (stage, errno)): (u64, (Stage, Errno))| fixtures::refused(id, b"x", stage, errno, "why");
        let mut all: Vec<Record> = (1..).zip(fixtures::REFUSALS).map(refused).collect();
        let denied = |id, why| fixtures::refused(id, b"x", Stage::Hook, Errno::EPERM, why);
        all.extend([denied(20, "khelper.deny has it"), denied(21, "khelper.allow lacks it")]);
        for raw in [0, 256, 512, 9, 15, 0x8b] {
            all.push(fixtures::record(30, b"x", raw));
            all.push(Record { timed_out: true, ..fixtures::record(31, b"x", raw) });
            all.push(Record { abandoned: true, ..fixtures::record(32, b"x", raw) });
        }
        for outcome in Outcome::ALL {
            let ended = |pid| Record { outcome, pid, status: None, ..fixtures::record(40, b"x", 0) };
            all.extend([ended(None), ended(Some(7)), ended(Some(8))]);
            all.push(Record { stage: Some(Stage::Exec), errno: Some(Errno::ENOENT), ..ended(None) });
            all.push(Record { stage: Some(Stage::Process), errno: Some(Errno::EAGAIN), ..ended(None) });
        }
        for (state, pid) in
            [(State::Waiting, None), (State::Queued, None), (State::Running, Some(5)), (State::Running, Some(6))]
        {
            all.push(fixtures::open(50, b"x", state, pid));
            all.push(Record { abandoned: true, ..fixtures::open(51, b"x", state, pid) });
        }
        all.push(fixtures::open(52, b"x", State::Running, None));
        all.push(fixtures::record(60, b"y", 0));
        all
    }

    /// A list that shows equal requests in one row hides no word of any of them.
    #[test]
    fn requests_are_equal_if_and_only_if_their_words_are() {
        let words = |r: &Record| {
            let ending = match r.state {
                State::Ended => kind_of_ending(r),
                _ => standing(r).text().replace(", pid 5", ", pid").replace(", pid 6", ", pid"),
            };
            (title(r), ending.replace("as pid 7", "").replace("as pid 8", ""))
        };
        let all = all();
        for one in &all {
            for other in &all {
                let (is, says) = (Alike::of(one) == Alike::of(other), words(one) == words(other));
                // Equal words of different causes: each may have its own row.
                assert!(
                    is == says || (says && (one.stage, one.outcome) != (other.stage, other.outcome)),
                    "{:?} {:?}",
                    words(one),
                    words(other)
                );
            }
        }
    }

    #[test]
    fn a_request_that_runs_is_as_its_record() {
        let live = fixtures::live(3, b"x", 1);
        let record = fixtures::open(9, b"x", live.state, live.pid);
        assert_eq!(Alike::of_live(&live), Alike::of(&record));
        let gone = Live { abandoned: true, ..live };
        assert_ne!(Alike::of_live(&gone), Alike::of(&record));
    }
}
