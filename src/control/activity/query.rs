//! Which records are looked at, and in what order.

use serde::{Deserialize, Serialize};

use crate::abi::escape::screen;
use crate::abi::record::{Args, Outcome, Record, State};
use crate::control::text::outcome::ended_in_words;
use crate::policy::authorize::Globs;

/// Which endings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "`name` says in words what each one is")]
pub enum Which {
    #[default]
    All,
    Open,
    Fine,
    Failed,
    Exited,
    Killed,
    ExecFailed,
    Refused,
    Abandoned,
    Noop,
    Lost,
}

impl Which {
    /// All of them, in the order of their key.
    pub const ALL: [Self; 11] = [
        Self::All,
        Self::Open,
        Self::Fine,
        Self::Failed,
        Self::Exited,
        Self::Killed,
        Self::ExecFailed,
        Self::Refused,
        Self::Abandoned,
        Self::Noop,
        Self::Lost,
    ];

    /// As the screen says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "every outcome",
            Self::Open => "still running",
            Self::Fine => "exit 0",
            Self::Failed => "failed",
            Self::Exited => "exit not 0",
            Self::Killed => "killed",
            Self::ExecFailed => "exec failed",
            Self::Refused => "refused",
            Self::Abandoned => "abandoned",
            Self::Noop => "no-op",
            Self::Lost => "lost",
        }
    }

    fn fits(self, r: &Record) -> bool {
        let code = r.status.and_then(|s| s.exit_code());
        let exited = r.outcome == Outcome::Exited && code != Some(0);
        match self {
            Self::All => true,
            Self::Open => r.state != State::Ended,
            Self::Fine => r.outcome == Outcome::Exited && code == Some(0),
            Self::Failed => exited || matches!(r.outcome, Outcome::Killed | Outcome::ExecFailed | Outcome::Lost),
            Self::Exited => exited,
            Self::Killed => r.outcome == Outcome::Killed,
            Self::ExecFailed => r.outcome == Outcome::ExecFailed,
            Self::Refused => r.outcome == Outcome::Refused,
            Self::Abandoned => r.abandoned || r.outcome == Outcome::Abandoned,
            Self::Noop => r.outcome == Outcome::Noop,
            Self::Lost => r.outcome == Outcome::Lost,
        }
    }
}

/// What rows are ordered by; rows that are alike in it are ordered by their number, newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "`name` says in words what each one is")]
pub enum Sort {
    #[default]
    Newest,
    Took,
    Cpu,
    Memory,
    Name,
    Outcome,
}

impl Sort {
    /// All of them, in the order of their key.
    pub const ALL: [Self; 6] = [Self::Newest, Self::Took, Self::Cpu, Self::Memory, Self::Name, Self::Outcome];

    /// As the screen says it.
    pub const fn name(self, reverse: bool) -> &'static str {
        match (self, reverse) {
            (Self::Newest, false) => "newest first",
            (Self::Newest, true) => "oldest first",
            (Self::Took, false) => "longest first",
            (Self::Took, true) => "shortest first",
            (Self::Cpu, false) => "most CPU first",
            (Self::Cpu, true) => "least CPU first",
            (Self::Memory, false) => "most memory first",
            (Self::Memory, true) => "least memory first",
            (Self::Name, false) => "by name",
            (Self::Name, true) => "by name, backwards",
            (Self::Outcome, false) => "by outcome",
            (Self::Outcome, true) => "by outcome, backwards",
        }
    }

    /// Whether the largest comes first.
    pub const fn falls(self) -> bool {
        !matches!(self, Self::Name | Self::Outcome)
    }
}

/// Which records, and in what order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Every one of these stands somewhere in the record; lower case.
    pub words: Vec<String>,
    /// The module's name matches one of these; none: any, and helpers that are no modprobe too.
    pub globs: Globs,
    /// The ending.
    pub which: Which,
    /// The order.
    pub sort: Sort,
    /// The other way round.
    pub reverse: bool,
}

impl Query {
    /// Whether a record is one of those.
    pub fn fits(&self, record: &Record) -> bool {
        self.which.fits(record)
            && (self.globs.text().is_empty() || record.module.as_deref().is_some_and(|m| self.globs.find(m).is_some()))
            && self.has_words(record)
    }

    fn has_words(&self, record: &Record) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let all = searched(record).to_lowercase();
        self.words.iter().all(|word| all.contains(word))
    }
}

/// What words are looked for in: the number, the program and its arguments, who asked, how it waits and ended.
fn searched(r: &Record) -> String {
    let mut all = format!(
        "#{} {} {} {} ({}) {} {} {}",
        r.id,
        screen(r.title()),
        screen(&r.path),
        r.actor.comm,
        r.actor.pid,
        r.actor.origin.name(),
        r.wait.name(),
        ended_in_words(r).words
    );
    if let Args::List(args) = &r.args {
        for arg in args.iter() {
            all.push(' ');
            all.push_str(&screen(arg));
        }
    }
    if let Some(pid) = r.pid {
        all.push_str(&format!(" pid {pid}"));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::error::Stage;
    use crate::control::testing as fixtures;
    use nix::errno::Errno;

    #[test]
    fn words_globs_and_outcomes_all_have_to_fit() {
        let r = fixtures::record(7, b"usb-storage", 256);
        let of = |words: &str, globs: &[u8], which| Query {
            words: words.split_whitespace().map(str::to_owned).collect(),
            globs: Globs::parse(globs).unwrap(),
            which,
            ..Query::default()
        };
        for (words, globs, which, fits) in [
            ("", &b""[..], Which::All, true),
            ("#7 exit modprobe", b"", Which::Failed, true),
            ("khelper 4121 console proc", b"usb-*", Which::Exited, true),
            ("ext4", b"", Which::All, false),
            ("", b"ext? snd", Which::All, false),
            ("", b"", Which::Fine, false),
            ("", b"", Which::Open, false),
        ] {
            assert_eq!(of(words, globs, which).fits(&r), fits, "{words} {globs:?} {which:?}");
        }
        let refused = fixtures::refused(8, b"x\x1b", Stage::Gate, Errno::EBUSY, "why");
        assert!(of("gate x\\x1b", b"", Which::Refused).fits(&refused));
        // A call of a helper has no module's name.
        let mut call = fixtures::record(9, b"x", 0);
        call.module = None;
        assert!(!of("", b"*", Which::All).fits(&call));
        call.args = Args::List(vec![b"/bin/sh"[..].into(), b"--frob"[..].into()].into());
        assert!(of("--frob", b"", Which::Fine).fits(&call));
    }

    #[test]
    fn every_outcome_is_found_by_one_of_the_names() {
        for outcome in [
            Outcome::Exited,
            Outcome::Killed,
            Outcome::ExecFailed,
            Outcome::Refused,
            Outcome::Abandoned,
            Outcome::Noop,
            Outcome::Lost,
        ] {
            let record = Record { outcome, ..fixtures::record(1, b"x", 256) };
            let found = Which::ALL.iter().filter(|which| which.fits(&record)).count();
            assert!(found >= 2, "{outcome:?}");
        }
    }
}
