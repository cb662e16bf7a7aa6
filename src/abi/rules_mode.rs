//! What rules do to requests: the value of `khelper.rules.mode`, and the state of an engine's rules.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What rules do to requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing: they are not looked at.
    #[default]
    Off,
    /// Nothing: requests are only counted, so that rules can be learned from them.
    Learn,
    /// What would be denied goes on and is reported.
    Audit,
    /// What is denied does not run.
    Enforce,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Off, Self::Learn, Self::Audit, Self::Enforce];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Learn => "learn",
            Self::Audit => "audit",
            Self::Enforce => "enforce",
        }
    }

    /// The mode of this name.
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name().as_bytes() == name)
    }
}

/// A mode, for good or on trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModeFor {
    /// The mode.
    pub mode: Mode,
    /// In so many seconds the mode before comes back, unless this one is confirmed; `None`: it stays.
    pub seconds: Option<u32>,
}

/// The longest trial: a week.
pub const LONGEST_TRIAL: u32 = 604_800;

/// The form of a time.
pub const TRIAL_FORM: &str = "a time such as 90s, 10m or 2h, of at most a week";

/// The seconds of `90s`, `10m` or `2h`, from 1 to those of a week.
pub fn trial(text: &str) -> Option<u32> {
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1))?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let is_digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let all = number.parse::<u32>().ok().filter(|_| is_digits).and_then(|number| number.checked_mul(factor));
    all.filter(|all| (1..=LONGEST_TRIAL).contains(all))
}

impl ModeFor {
    /// `off`, `learn`, `audit`, `enforce`, `enforce 10m`.
    pub fn parse(text: &str) -> Option<Self> {
        let (mode, seconds) = match text.split_once(' ') {
            None => (text, None),
            Some((mode, time)) => (mode, Some(trial(time.trim_start())?)),
        };
        let all = Self { mode: Mode::parse(mode.as_bytes())?, seconds };
        all.is_possible().then_some(all)
    }

    /// Whether it can be ordered: only enforcing can be tried.
    pub fn is_possible(self) -> bool {
        self.seconds.is_none_or(|seconds| self.mode == Mode::Enforce && (1..=LONGEST_TRIAL).contains(&seconds))
    }

    /// Whether both are the same mode, and both stay or both are on trial.
    pub fn is_like(self, other: Self) -> bool {
        (self.mode, self.seconds.is_some()) == (other.mode, other.seconds.is_some())
    }
}

impl From<Mode> for ModeFor {
    /// It stays.
    fn from(mode: Mode) -> Self {
        Self { mode, seconds: None }
    }
}

impl fmt::Display for ModeFor {
    /// `enforce`, `enforce 412s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mode.name())?;
        self.seconds.map_or(Ok(()), |seconds| write!(f, " {seconds}s"))
    }
}

/// The state of the rules that an engine asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesState {
    /// What they do, and for how long.
    pub mode: ModeFor,
    /// The mode that comes back if it is on trial.
    pub then: Mode,
    /// How many rules are in force.
    pub rules: u32,
    /// Requests that were judged and allowed since the start, by a rule or because none matched.
    pub allowed: u64,
    /// Requests that were denied since the start.
    pub denied: u64,
    /// Requests that would have been denied since the start if the rules had been enforced.
    pub would_deny: u64,
    /// Requests of this machine's kernel since the start whose helpers did not wait for the answer: the shim's compiled rules
    /// decided. Some of them were judged, too.
    #[serde(default)]
    pub late: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_and_an_end() {
        assert_eq!(["90s", "10m", "2h"].map(trial), [Some(90), Some(600), Some(7200)]);
        for text in ["", "s", "10", "0m", "-1m", "+1m", "1.5h", "10d", "169h", "99999999999999999999h", "é"] {
            assert_eq!(trial(text), None, "{text}");
        }
    }

    #[test]
    fn a_mode_reads_back_as_it_is_shown_and_only_enforcing_is_tried() {
        for mode in Mode::ALL {
            assert_eq!(ModeFor::parse(mode.name()), Some(mode.into()));
        }
        let tried = ModeFor { mode: Mode::Enforce, seconds: Some(600) };
        for text in ["enforce 10m", "enforce  600s", &tried.to_string()] {
            assert_eq!(ModeFor::parse(text), Some(tried), "{text}");
        }
        for text in ["", "on", "Enforce", "enforce ", " enforce", "enforce 10", "audit 10m", "off 1s", "enforce 10m x"]
        {
            assert_eq!(ModeFor::parse(text), None, "{text}");
        }
    }
}
