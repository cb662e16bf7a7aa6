//! Errors of calls that ended before their program ran.

use std::borrow::Cow;
use std::io;

use nix::errno::Errno;

use crate::abi::error::{EngineError, Explain, Stage, SysError};
use crate::abi::record::{Outcome, exec_error};
use crate::sys::host::{Host, LaunchFailure};

use super::loading::image_error;

/// The outcome of a call that ended before its program ran, and the error that its caller gets.
pub(super) struct Failure {
    pub(super) outcome: Outcome,
    pub(super) error: EngineError,
}

impl Failure {
    pub(super) fn new(
        outcome: Outcome,
        stage: Stage,
        errno: Errno,
        why: impl Into<String>,
        advice: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { outcome, error: EngineError::new(stage, errno, why, advice) }
    }
}

/// Turns a failed launch of the program at `path` into the outcome and error for its record.
pub(super) fn failure_of(host: &dyn Host, failure: LaunchFailure, path: &[u8]) -> Failure {
    match failure {
        LaunchFailure::Exec(errno) => {
            let error = exec_error(errno, path, host.exec_failure(path, errno));
            Failure { outcome: Outcome::ExecFailed, error }
        }
        LaunchFailure::Image(flaw) => Failure { outcome: Outcome::ExecFailed, error: image_error(flaw, path) },
        LaunchFailure::NotConfined => not_confined(),
        LaunchFailure::Profile(e) => not_applied(&e),
        LaunchFailure::Process(e) => Failure { outcome: Outcome::ExecFailed, error: no_process(&e) },
    }
}

/// The error when neither way of enforcing the masks could be verified (UMH-11).
pub(super) fn not_confined() -> Failure {
    let why = "the masks can be enforced neither by narrowing the bounding set nor by no_new_privs";
    let advice = "nothing was started: prctl(2), capset(2) or reading the sets back is forbidden here, most likely by a \
                  seccomp filter";
    Failure::new(Outcome::Refused, Stage::Enforce, Errno::EPERM, why, advice)
}

/// The error when a part of a helper's profile could not be applied.
fn not_applied(e: &SysError) -> Failure {
    let errno = if e.errno == Errno::from_raw(0) { Errno::EPERM } else { e.errno };
    let why = format!("the helper's profile cannot be applied: {}: {}", e.what, errno.desc());
    let advice = "nothing was started: give this process the privilege for it, or change the profile";
    Failure::new(Outcome::Refused, Stage::Enforce, errno, why, advice)
}

/// The error when the thread `what` could not be started.
pub(super) fn no_thread(what: &'static str, error: &io::Error) -> Failure {
    if error.raw_os_error() != Some(Errno::EINVAL as i32) {
        let error = no_process(&SysError::new(what, Errno::EAGAIN));
        return Failure { outcome: Outcome::ExecFailed, error };
    }
    // clone(2) refuses to create a thread if the caller's children would be in another pid or time namespace.
    let why = "the calling thread cannot start a thread: it has left its pid or time namespace (unshare(2), setns(2))";
    let advice = "call from a thread that has not, or fork a child after the change and start an engine there";
    Failure::new(Outcome::ExecFailed, Stage::Process, Errno::EAGAIN, why, advice)
}

/// The error when no process could be created.
fn no_process(e: &SysError) -> EngineError {
    let why = format!("no process could be created: {}: {}", e.what, e.errno.desc());
    EngineError::new(Stage::Process, e.errno, why, e.advice())
}

/// The failure when the program at `path` could not be executed.
pub(super) fn exec_failure(errno: Errno, path: &[u8]) -> Failure {
    Failure { outcome: Outcome::ExecFailed, error: exec_error(errno, path, None) }
}
