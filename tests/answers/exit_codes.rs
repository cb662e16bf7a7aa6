//! The exit code of every ending, of every refusal by its stage, and of every error of a command (CLI.md).

use khelper::abi::Errno;
use khelper::abi::error::{ControlError, EngineError, ParseError, Stage};
use khelper::abi::record::Outcome;
use khelper::abi::record::Record;
use khelper::abi::wait::WaitStatus;
use khelper::cli::exit::Verdict;

/// The code of a record that ended so.
fn code(change: impl FnOnce(&mut Record)) -> u8 {
    let mut record = super::record();
    change(&mut record);
    Verdict::of(&record).code()
}

#[test]
fn a_helper_that_ended_has_its_own_code_or_that_of_its_signal() {
    for exit in [0, 1, 75, 77, 124, 255] {
        assert_eq!(code(|r| r.status = Some(WaitStatus::exited(exit))), exit);
    }
    for signal in [1, 9, 15, 64] {
        let killed = |core: i32| {
            code(|r| (r.outcome, r.status) = (Outcome::Killed, Some(WaitStatus::from_raw(i32::from(signal) | core))))
        };
        assert_eq!((killed(0), killed(0x80)), (128 + signal, 128 + signal));
    }
}

/// However the helper took the signal: it died of TERM or of KILL, or it caught TERM and exited, even with 0.
#[test]
fn a_time_out_is_124_however_the_helper_ended() {
    for raw in [15, 9, 0, 7 << 8, 124 << 8, 0x8b] {
        let status = WaitStatus::from_raw(raw);
        let outcome = if status.signal().is_some() { Outcome::Killed } else { Outcome::Exited };
        let of = |timed_out| code(|r| (r.outcome, r.status, r.timed_out) = (outcome, Some(status), timed_out));
        assert_eq!(of(true), 124, "{raw:#x}");
        let own = status.exit_code().unwrap_or_else(|| 128 + status.signal().unwrap());
        assert_eq!(of(false), own, "{raw:#x}: in time");
    }
}

#[test]
fn every_other_outcome_has_its_code() {
    let failed = |outcome, stage, errno| {
        code(|r| {
            (r.outcome, r.stage, r.errno, r.status) = (outcome, Some(stage), Some(errno), None);
        })
    };
    assert_eq!(failed(Outcome::ExecFailed, Stage::Exec, Errno::ENOENT), 127);
    assert_eq!(failed(Outcome::ExecFailed, Stage::Exec, Errno::EACCES), 126);
    assert_eq!(failed(Outcome::ExecFailed, Stage::Process, Errno::ENOENT), 126, "no process: nothing was looked for");
    assert_eq!(failed(Outcome::ExecFailed, Stage::Process, Errno::EAGAIN), 126);
    assert_eq!(failed(Outcome::Abandoned, Stage::Cancel, Errno::EINTR), 130);
    assert_eq!(failed(Outcome::Lost, Stage::Lost, Errno::ECHILD), 70);
    assert_eq!(code(|r| r.outcome = Outcome::Noop), 75);
    assert_eq!(code(|r| (r.outcome, r.status) = (Outcome::Running, None)), 0);
}

/// Every stage that refuses. The errnos are those of the stage, and for `Init` and `Hook` any other.
const REFUSALS: [(Stage, Errno, u8); 16] = [
    (Stage::Name, Errno::EINVAL, 64),
    (Stage::Name, Errno::ENAMETOOLONG, 64),
    (Stage::Path, Errno::EINVAL, 64),
    (Stage::Path, Errno::ENOENT, 75),
    (Stage::Loop, Errno::ELOOP, 75),
    (Stage::Limit, Errno::ENOMEM, 75),
    (Stage::Throttle, Errno::ETIME, 75),
    (Stage::Gate, Errno::EBUSY, 75),
    (Stage::Gate, Errno::EAGAIN, 75),
    (Stage::Hook, Errno::EPERM, 77),
    (Stage::Hook, Errno::EBUSY, 77),
    (Stage::Init, Errno::EIO, 77),
    (Stage::Init, Errno::ECANCELED, 77),
    (Stage::Enforce, Errno::EPERM, 77),
    (Stage::Lost, Errno::ECHILD, 70),
    (Stage::Cancel, Errno::EINTR, 130),
];

#[test]
fn a_refusal_has_the_code_of_its_stage() {
    for (stage, errno, wanted) in REFUSALS {
        let refused =
            code(|r| (r.outcome, r.stage, r.errno, r.status) = (Outcome::Refused, Some(stage), Some(errno), None));
        assert_eq!(refused, wanted, "{stage:?} {errno:?}");
        // A command that the engine refuses, such as the drain of the gate.
        let error = ControlError::Engine(EngineError::new(stage, errno, "why", "advice"));
        assert_eq!(Verdict::of_error(&error).code(), wanted, "{stage:?} {errno:?}");
    }
}

#[test]
fn an_error_of_a_command_has_its_code() {
    let value = |error| ControlError::Value { key: "khelper.era".into(), error };
    let engine = |stage, errno| ControlError::Engine(EngineError::new(stage, errno, "why", "advice"));
    for (error, wanted) in [
        // kill(1) has the same code for a process that is not there.
        (engine(Stage::Lost, Errno::ESRCH), 1),
        (engine(Stage::Cancel, Errno::ESRCH), 1),
        (engine(Stage::Lost, Errno::EPERM), 77),
        (ControlError::Unavailable("why".into()), 69),
        (ControlError::Version("why".into()), 76),
        (ControlError::UnknownKey("x".into()), 64),
        (ControlError::ReadOnly("khelper.live".into()), 64),
        (value(ParseError::invalid("why", "advice")), 64),
        (value(ParseError::with(Errno::EBUSY, "the era is fixed", "advice")), 64),
        (ControlError::Denied("why".into()), 77),
    ] {
        assert_eq!(Verdict::of_error(&error).code(), wanted, "{error}");
    }
}
