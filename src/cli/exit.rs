//! Exit codes, chosen by the stage that failed.

use nix::errno::Errno;

use crate::abi::error::{ControlError, EngineError, Explain, Stage};
use crate::abi::record::Outcome;
use crate::abi::record::Record;

/// Usage: an unknown option or key, a malformed value or name.
pub const USAGE: u8 = 64;
/// The target cannot be reached.
pub const UNAVAILABLE: u8 = 69;
/// A helper's wait status was lost.
pub const LOST: u8 = 70;
/// stdout could not be written.
pub const OUTPUT: u8 = 74;
/// Refused for now.
pub const REFUSED: u8 = 75;
/// The daemon is of another version.
pub const VERSION: u8 = 76;
/// Not permitted.
pub const NOT_PERMITTED: u8 = 77;
/// No terminal for the console.
pub const NO_TERMINAL: u8 = 2;

/// Every exit code and its meaning, for `--help` and the manual page.
pub const CODES: &[(&str, &str)] = &[
    ("0 to 255", "the helper's own exit code, unchanged"),
    (
        "1",
        "diff: drift; rules: a fault or a change; profile: a fault, no such profile, or no result; why: nothing is known; set -p, --system: a line failed; kill, abandon: there is no such request, \
         or it has ended, or something of its chain still runs",
    ),
    ("2", "the console: no terminal"),
    ("64", "usage: unknown option or key, malformed value or name (EINVAL, ENAMETOOLONG)"),
    ("69", "the target cannot be reached, or does not support this"),
    ("70", "a status was lost (ECHILD)"),
    ("74", "the answer, or a file of the configuration, could not be written, and nothing worse happened (ENOSPC)"),
    ("75", "refused for now: limit, gate, empty path, engine within an engine (ENOMEM, ETIME, EBUSY, ENOENT, ELOOP)"),
    ("76", "the daemon speaks another version"),
    ("77", "not permitted: EPERM, denied by khelper.deny or a hook, or the masks cannot be enforced"),
    ("101", "the console: a panic"),
    ("124", "--timeout ran out: the helper got TERM, and KILL 2 s later"),
    ("126", "the helper could not be executed, or no process could be created"),
    ("127", "the helper was not found (ENOENT)"),
    ("128 + n", "the helper or khelper was killed by signal n; 129 also if the console's terminal is gone"),
    ("130", "interrupted: ctrl-c ends the wait"),
];

/// Which code several requests give.
pub const COMBINED: &str = "\
Of several results, the first of 130, 64, 77, 75, 70, 69, 76, 74, 127, 126, 128 + n, 124 that occurred, else the highest
own code. The stage that failed decides, not the errno alone. A closed pipe on stdout is not an error.";

/// The result of one request, for the exit code. Of several results the smallest one wins, in the order of this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// ctrl-c.
    Interrupted,
    /// A usage error.
    Usage,
    /// Denied by the security hook or the init hook, or the masks could not be enforced.
    NotPermitted,
    /// Refused by the limit or the gate, because the path is empty, or as an engine within an engine.
    Refused,
    /// The status was lost.
    Lost,
    /// The target cannot be reached.
    Unavailable,
    /// The daemon is of another version.
    Version,
    /// A file of the configuration could not be written, or the ledger could not be read.
    Unwritten,
    /// The program was not found.
    NotFound,
    /// The program could not be executed, or no process could be created.
    NotExecuted,
    /// A signal killed the helper.
    Killed(u8),
    /// `--timeout` expired.
    TimedOut,
    /// The helper's exit code; 0 if it still runs.
    Own(u8),
}

impl Verdict {
    /// The verdict on an answered request.
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
            // The kernel has what was asked for.
            Outcome::Noop if record.kernel.is_some() => Self::Own(0),
            // Nothing ran, and nothing will while the path is empty: "never ok" (REQ-10).
            Outcome::Noop => Self::Refused,
            Outcome::Refused => record.stage.map_or(Self::Refused, |stage| Self::at(stage, record.errno)),
        }
    }

    /// The verdict on a command that failed, whether it was not authorized or the engine refused it.
    pub fn of_error(error: &ControlError) -> Self {
        match error {
            ControlError::Value { error, .. } => Self::of_value(error.errno()),
            ControlError::UnknownKey(_) | ControlError::ReadOnly(_) => Self::Usage,
            ControlError::Denied(_) => Self::NotPermitted,
            ControlError::Unreached(error) if error.errno() == Errno::EPERM => Self::NotPermitted,
            ControlError::Unreached(_) => Self::Unavailable,
            ControlError::Busy(_) => Self::Refused,
            ControlError::Unavailable(_) | ControlError::NoDaemon(..) | ControlError::Unsupported(_) => {
                Self::Unavailable
            }
            // An act on a request: there is no such request, or it has ended; kill(2) was not permitted.
            ControlError::Engine(EngineError { errno: Errno::ESRCH, .. }) => Self::Own(1),
            ControlError::Engine(EngineError { stage: Stage::Lost, errno: Errno::EPERM, .. }) => Self::NotPermitted,
            ControlError::Version(_) => Self::Version,
            ControlError::Engine(EngineError { stage, errno, .. }) => Self::at(*stage, Some(*errno)),
        }
    }

    /// A value or a file of the configuration was refused.
    fn of_value(errno: Errno) -> Self {
        match errno {
            // A mask from outside (SYS-3), or a file that others can change (AUTH-6).
            Errno::EPERM | Errno::EACCES => Self::NotPermitted,
            // The kernel does not have it, or it cannot be written here.
            Errno::EOPNOTSUPP | Errno::EROFS => Self::Unavailable,
            // A short write, or another value was read back.
            Errno::EIO => Self::Own(1),
            Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG => Self::Unwritten,
            Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE => Self::Refused,
            _ => Self::Usage,
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

    /// The verdict of a command that ended with this exit code.
    pub fn of_code(code: u8) -> Self {
        let all = [Self::Interrupted, Self::Usage, Self::NotPermitted, Self::Refused, Self::Lost, Self::Unavailable];
        let more = [Self::Version, Self::Unwritten, Self::NotFound, Self::NotExecuted, Self::TimedOut];
        let found = all.into_iter().chain(more).find(|verdict| verdict.code() == code);
        // The numbers of signals end at 64.
        let killed = || Self::Killed(code.wrapping_sub(128));
        found.unwrap_or_else(|| if matches!(code, 129..=192) { killed() } else { Self::Own(code) })
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
            Self::Version => VERSION,
            Self::Unwritten => OUTPUT,
            Self::NotFound => 127,
            Self::NotExecuted => 126,
            Self::Killed(signal) => 128 | signal,
            Self::TimedOut => 124,
            Self::Own(code) => code,
        }
    }

    /// Combines two verdicts, `self` being the earlier: the more severe one wins, and of two exit codes the higher.
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
    use super::{ControlError, Errno};
    use crate::abi::error::ParseError;

    #[test]
    fn every_exit_code_has_a_verdict_that_gives_it() {
        assert!((0..=u8::MAX).all(|code| Verdict::of_code(code).code() == code));
        let all = [0, 1, 69, 77, 124, 127, 130, 137, 200].map(Verdict::of_code);
        assert_eq!(all[..3], [Own(0), Own(1), Unavailable]);
        assert_eq!(all[3..], [NotPermitted, TimedOut, NotFound, Interrupted, Killed(9), Own(200)]);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_no_usage_error() {
        let code = |errno| {
            let error = ParseError::with(errno, "changed, but not kept", "look");
            Verdict::of_error(&ControlError::Value { key: "khelper.deny".into(), error }).code()
        };
        let codes =
            [Errno::EINVAL, Errno::EEXIST, Errno::EPERM, Errno::EROFS, Errno::ENOSPC, Errno::EIO, Errno::EMFILE];
        assert_eq!(codes.map(code), [64, 64, 77, 69, 74, 1, 75]);
    }

    #[test]
    fn the_worst_verdict_wins_then_the_highest_exit_code() {
        let code = |all: &[Verdict]| all.iter().copied().fold(Own(0), Verdict::and).code();
        assert_eq!(code(&[Own(3), Own(7), Own(0)]), 7);
        assert_eq!(code(&[Own(200), TimedOut]), 124);
        assert_eq!(code(&[TimedOut, Killed(15), Killed(9)]), 143);
        assert_eq!(code(&[Killed(9), NotExecuted]), 126);
        assert_eq!(code(&[NotExecuted, NotFound]), 127);
        assert_eq!(code(&[NotFound, Unwritten]), 74);
        assert_eq!(code(&[Unwritten, Version]), 76);
        assert_eq!(code(&[Version, Unavailable]), 69);
        assert_eq!(code(&[Unavailable, Lost]), 70);
        assert_eq!(code(&[Lost, Refused]), 75);
        assert_eq!(code(&[Refused, NotPermitted]), 77);
        assert_eq!(code(&[NotPermitted, Usage]), 64);
        assert_eq!(code(&[Usage, Interrupted]), 130);
    }
}
