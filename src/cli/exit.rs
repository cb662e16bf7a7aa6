//! Exit codes, by the stage that failed.

use nix::errno::Errno;

use crate::abi::error::{ControlError, EngineError, Stage};
use crate::abi::record::Outcome;
use crate::abi::record::Record;

/// Usage: an unknown option or key, a malformed value or name.
pub const USAGE: u8 = 64;
/// The target cannot be reached.
pub const UNAVAILABLE: u8 = 69;
/// A status was lost.
pub const LOST: u8 = 70;
/// The answer could not be written.
pub const OUTPUT: u8 = 74;
/// Refused for now.
pub const REFUSED: u8 = 75;
/// Not permitted.
pub const NOT_PERMITTED: u8 = 77;
/// No terminal for the console.
pub const NO_TERMINAL: u8 = 2;

/// How one request went, for the exit code; in the order in which one of several wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// ctrl-c.
    Interrupted,
    /// Malformed.
    Usage,
    /// Refused by the hook, or nothing could be enforced.
    NotPermitted,
    /// Refused by the limit, the gate, the empty path, or as an engine within an engine.
    Refused,
    /// The status was lost.
    Lost,
    /// The target cannot be reached.
    Unavailable,
    /// The program was not found.
    NotFound,
    /// The program could not be executed, or no process be made.
    NotExecuted,
    /// A signal killed the helper.
    Killed(u8),
    /// `--timeout` ran out.
    TimedOut,
    /// The helper's own code; 0 for one that still runs.
    Own(u8),
}

impl Verdict {
    /// Of a request that was answered.
    pub fn of(record: &Record) -> Self {
        let status = record.status;
        match record.outcome {
            Outcome::Exited | Outcome::Killed if record.timed_out => Self::TimedOut,
            Outcome::Exited => Self::Own(status.and_then(|s| s.exit_code()).unwrap_or(u8::MAX)),
            Outcome::Killed => Self::Killed(status.and_then(|s| s.signal()).unwrap_or_default()),
            Outcome::ExecFailed if record.stage == Some(Stage::Exec) && record.errno == Some(Errno::ENOENT) => {
                Self::NotFound
            }
            Outcome::ExecFailed => Self::NotExecuted,
            Outcome::Running => Self::Own(0),
            Outcome::Abandoned => Self::Interrupted,
            Outcome::Lost => Self::Lost,
            // Nothing ran, and nothing will while the path is empty: "never ok" (REQ-10).
            Outcome::Noop => Self::Refused,
            Outcome::Refused => record.stage.map_or(Self::Refused, |stage| Self::at(stage, record.errno)),
        }
    }

    /// Of a command that was refused at the door, or behind it.
    pub fn of_error(error: &ControlError) -> Self {
        match error {
            ControlError::UnknownKey(_) | ControlError::ReadOnly(_) | ControlError::Value { .. } => Self::Usage,
            ControlError::Denied(_) => Self::NotPermitted,
            ControlError::Busy(_) => Self::Refused,
            ControlError::Unavailable(_) => Self::Unavailable,
            ControlError::Engine(EngineError { stage, errno, .. }) => Self::at(*stage, Some(*errno)),
        }
    }

    fn at(stage: Stage, errno: Option<Errno>) -> Self {
        match stage {
            Stage::Name => Self::Usage,
            // Empty: refused for now; missing or malformed: usage.
            Stage::Path if errno == Some(Errno::ENOENT) => Self::Refused,
            Stage::Path => Self::Usage,
            Stage::Loop | Stage::Limit | Stage::Throttle | Stage::Gate | Stage::Forked => Self::Refused,
            Stage::Hook | Stage::Init | Stage::Enforce => Self::NotPermitted,
            Stage::Cancel => Self::Interrupted,
            Stage::Process | Stage::Exec => Self::NotExecuted,
            Stage::Lost => Self::Lost,
        }
    }

    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Interrupted => 130,
            Self::Usage => USAGE,
            Self::NotPermitted => NOT_PERMITTED,
            Self::Refused => REFUSED,
            Self::Lost => LOST,
            Self::Unavailable => UNAVAILABLE,
            Self::NotFound => 127,
            Self::NotExecuted => 126,
            Self::Killed(signal) => 128 | signal,
            Self::TimedOut => 124,
            Self::Own(code) => code,
        }
    }

    /// Of two requests, the first being the earlier: the graver one, of own codes the higher.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        match (self, later) {
            (Self::Own(a), Self::Own(b)) => Self::Own(a.max(b)),
            (Self::Killed(_), Self::Killed(_)) => self,
            _ => self.min(later),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{self, *};

    #[test]
    fn of_several_the_gravest_then_the_highest_own_code() {
        let code = |all: &[Verdict]| all.iter().copied().fold(Own(0), Verdict::and).code();
        assert_eq!(code(&[Own(3), Own(7), Own(0)]), 7);
        assert_eq!(code(&[Own(200), TimedOut]), 124);
        assert_eq!(code(&[TimedOut, Killed(15), Killed(9)]), 143);
        assert_eq!(code(&[Killed(9), NotExecuted]), 126);
        assert_eq!(code(&[NotExecuted, NotFound]), 127);
        assert_eq!(code(&[NotFound, Unavailable]), 69);
        assert_eq!(code(&[Unavailable, Lost]), 70);
        assert_eq!(code(&[Lost, Refused]), 75);
        assert_eq!(code(&[Refused, NotPermitted]), 77);
        assert_eq!(code(&[NotPermitted, Usage]), 64);
        assert_eq!(code(&[Usage, Interrupted]), 130);
    }
}
