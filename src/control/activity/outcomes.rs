//! How requests end, as a list to choose from: each request is in exactly one class.

use serde::{Deserialize, Serialize};

use crate::abi::record::{Outcome, Record, State};
use crate::abi::stage::Stage;

/// The class of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "`name` says in words what each one is")]
pub enum Which {
    Exited,
    Killed,
    Core,
    ExecFailed,
    TimedOut,
    Lost,
    Fine,
    Open,
    Limit,
    Gate,
    Refused,
    Abandoned,
    Noop,
}

impl Which {
    /// All of them; failures come first.
    pub const ALL: [Self; 13] = [
        Self::Exited,
        Self::Killed,
        Self::Core,
        Self::ExecFailed,
        Self::TimedOut,
        Self::Lost,
        Self::Fine,
        Self::Open,
        Self::Limit,
        Self::Gate,
        Self::Refused,
        Self::Abandoned,
        Self::Noop,
    ];

    /// The class of a record, as it is now.
    pub fn of(r: &Record) -> Self {
        match (r.outcome, r.status) {
            _ if r.state != State::Ended && r.abandoned => Self::Abandoned,
            _ if r.state != State::Ended => Self::Open,
            (Outcome::Exited | Outcome::Killed, _) if r.timed_out => Self::TimedOut,
            (Outcome::Exited, Some(status)) if status.exit_code() == Some(0) => Self::Fine,
            (Outcome::Killed, Some(status)) if status.core() => Self::Core,
            (Outcome::Exited, _) => Self::Exited,
            (Outcome::Killed, _) => Self::Killed,
            (Outcome::ExecFailed, _) => Self::ExecFailed,
            (Outcome::Refused, _) => match r.stage {
                Some(Stage::Limit | Stage::Throttle) => Self::Limit,
                Some(Stage::Gate) => Self::Gate,
                _ => Self::Refused,
            },
            (Outcome::Running, _) => Self::Open,
            (Outcome::Abandoned, _) => Self::Abandoned,
            (Outcome::Noop, _) => Self::Noop,
            (Outcome::Lost, _) => Self::Lost,
        }
    }

    /// Its symbol and its name on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exited => "✗ exit 1 to 255",
            Self::Killed => "† killed by a signal",
            Self::Core => "‡ killed, core dumped",
            Self::ExecFailed => "! cannot exec",
            Self::TimedOut => "◷ timed out",
            Self::Lost => "? lost: status unknown",
            Self::Fine => "✓ exit 0",
            Self::Open => "▸ still running",
            Self::Limit => "∞ refused by the limit",
            Self::Gate => "‖ refused by the gate",
            Self::Refused => "⊘ refused otherwise",
            Self::Abandoned => "↷ abandoned",
            Self::Noop => "∅ no-op: path is empty",
        }
    }

    /// Whether it is a failure of a helper. A refusal is none: no helper was started.
    pub const fn failed(self) -> bool {
        (self as usize) < Self::Fine as usize
    }
}

/// A set of classes. The empty set stands for all of them, since nobody asks for no record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Which>", into = "Vec<Which>")]
pub struct Outcomes(u16);

impl Outcomes {
    /// Every class.
    pub const ALL: Self = Self(0);

    /// The failures.
    pub fn failures() -> Self {
        Which::ALL.into_iter().filter(|which| which.failed()).collect()
    }

    /// Whether no class is left out.
    pub fn is_all(self) -> bool {
        self.0 == 0
    }

    /// Whether the class itself was chosen.
    pub fn has(self, which: Which) -> bool {
        self.0 & 1 << which as u16 != 0
    }

    /// Whether records of this class are shown.
    pub fn fits(self, which: Which) -> bool {
        self.is_all() || self.has(which)
    }

    /// Chooses a class, or takes it out.
    pub fn toggle(&mut self, which: Which) {
        self.0 ^= 1 << which as u16;
    }

    /// The classes that were chosen.
    pub fn chosen(self) -> impl Iterator<Item = Which> {
        Which::ALL.into_iter().filter(move |which| self.has(*which))
    }

    /// In a few words: `every outcome`, `failed`, `exit 0, abandoned`.
    pub fn words(self) -> String {
        if self.is_all() {
            return "every outcome".to_owned();
        }
        if self == Self::failures() {
            return "failed".to_owned();
        }
        // Without the symbol, and without what explains the name.
        let word = |which: Which| which.name()[which.name().find(' ').map_or(0, |at| at + 1)..].to_owned();
        let words: Vec<String> =
            self.chosen().map(word).map(|name| name.split(':').next().unwrap_or_default().to_owned()).collect();
        words.join(", ")
    }
}

impl FromIterator<Which> for Outcomes {
    fn from_iter<T: IntoIterator<Item = Which>>(all: T) -> Self {
        Self(all.into_iter().fold(0, |set, which| set | 1 << which as u16))
    }
}

impl From<Vec<Which>> for Outcomes {
    fn from(all: Vec<Which>) -> Self {
        all.into_iter().collect()
    }
}

impl From<Outcomes> for Vec<Which> {
    fn from(set: Outcomes) -> Self {
        set.chosen().collect()
    }
}

/// How many records there are of each class, in the order of [`Which::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<u64>", into = "Vec<u64>")]
pub struct Tally([u64; Which::ALL.len()]);

impl Tally {
    /// Of this class.
    pub const fn of(&self, which: Which) -> u64 {
        self.0[which as usize]
    }

    /// One more.
    pub fn add(&mut self, which: Which) {
        self.0[which as usize] += 1;
    }

    /// One less.
    pub fn take(&mut self, which: Which) {
        let count = &mut self.0[which as usize];
        *count = count.saturating_sub(1);
    }

    /// Both together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at].saturating_add(other.0[at])))
    }
}

impl From<Vec<u64>> for Tally {
    /// Counts of classes that are not known here are left out.
    fn from(counts: Vec<u64>) -> Self {
        Self(std::array::from_fn(|at| counts.get(at).copied().unwrap_or(0)))
    }
}

impl From<Tally> for Vec<u64> {
    fn from(tally: Tally) -> Self {
        tally.0.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::wait::WaitStatus;
    use crate::control::testing as fixtures;

    #[test]
    fn a_request_is_in_one_class() {
        let ended = |raw: i32| fixtures::record(1, b"x", raw);
        let refused = |stage| Record { outcome: Outcome::Refused, stage: Some(stage), status: None, ..ended(0) };
        let other = |outcome| Record { outcome, status: None, ..ended(0) };
        let killed = |raw| Record { outcome: Outcome::Killed, status: Some(WaitStatus::from_raw(raw)), ..ended(0) };
        let live = |abandoned| Record { state: State::Running, abandoned, ..other(Outcome::Running) };
        for (record, which) in [
            (ended(0), Which::Fine),
            (ended(256), Which::Exited),
            (killed(9), Which::Killed),
            (killed(139), Which::Core),
            (Record { timed_out: true, ..killed(15) }, Which::TimedOut),
            (Record { timed_out: true, ..ended(256) }, Which::TimedOut),
            (refused(Stage::Limit), Which::Limit),
            (refused(Stage::Throttle), Which::Limit),
            (refused(Stage::Gate), Which::Gate),
            (refused(Stage::Hook), Which::Refused),
            (other(Outcome::ExecFailed), Which::ExecFailed),
            (other(Outcome::Abandoned), Which::Abandoned),
            (other(Outcome::Noop), Which::Noop),
            (other(Outcome::Lost), Which::Lost),
            (live(false), Which::Open),
            (live(true), Which::Abandoned),
            // Its caller left, and then it failed: that is what counts.
            (Record { abandoned: true, ..ended(256) }, Which::Exited),
        ] {
            assert_eq!(Which::of(&record), which, "{record:?}");
        }
        for (at, which) in Which::ALL.into_iter().enumerate() {
            assert_eq!(which as usize, at, "the order of `Which::ALL`");
        }
    }

    #[test]
    fn a_set_is_a_list_on_the_wire_and_words_on_the_screen() {
        let mut set = Outcomes::failures();
        assert_eq!((set.words(), set.chosen().count(), set.has(Which::Lost)), ("failed".to_owned(), 6, true));
        assert!(!set.fits(Which::Fine) && Outcomes::ALL.fits(Which::Fine) && !Outcomes::ALL.has(Which::Fine));
        set.toggle(Which::Lost);
        assert_eq!(set.words(), "exit 1 to 255, killed by a signal, killed, core dumped, cannot exec, timed out");
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(text, r#"["exited","killed","core","exec_failed","timed_out"]"#);
        assert_eq!(serde_json::from_str::<Outcomes>(&text).unwrap(), set);
        assert!(serde_json::from_str::<Outcomes>(r#"["odd"]"#).is_err());
        assert_eq!(Outcomes::ALL.words(), "every outcome");
        assert_eq!([Which::Lost, Which::Noop].into_iter().collect::<Outcomes>().words(), "lost, no-op");
    }

    #[test]
    fn counts_are_added_and_read_back() {
        let mut tally = Tally::default();
        tally.add(Which::Noop);
        tally.add(Which::Noop);
        tally.add(Which::Lost);
        tally.take(Which::Noop);
        tally.take(Which::Fine);
        let both = tally.and(&tally);
        assert_eq!((both.of(Which::Noop), both.of(Which::Lost), both.of(Which::Fine)), (2, 2, 0));
        let text = serde_json::to_string(&tally).unwrap();
        assert_eq!(serde_json::from_str::<Tally>(&text).unwrap(), tally);
        assert_eq!(serde_json::from_str::<Tally>("[]").unwrap(), Tally::default());
    }
}
