//! The order of a call's checks (UMH-2), and the owner of its completion (UMH-4, UMH-5): either the caller or the
//! worker, decided once.

use nix::errno::Errno;

use crate::abi::era::Era;

/// The result of the checks before a call is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Check {
    /// It is queued for a worker.
    Go,
    /// The path is empty: 0, and no process.
    Noop,
    /// `EINVAL`: no path.
    NoPath,
    /// `EBUSY`: the gate is shut, or the engine not ready.
    Busy,
}

/// Checks a call. The order depends on the era: 3.4 checks for an empty path before the gate, current after it (UMH-2).
pub fn check(era: Era, path: Option<&[u8]>, gate: Result<(), Errno>) -> Check {
    let Some(path) = path else { return Check::NoPath };
    match (era, path.is_empty(), gate) {
        (Era::V3_4, true, _) | (Era::Current, true, Ok(())) => Check::Noop,
        (_, _, Err(_)) => Check::Busy,
        (_, false, Ok(())) => Check::Go,
    }
}

/// What the worker does with its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum OnComplete {
    /// The caller waits: it gets the result and runs `cleanup`.
    Deliver,
    /// The caller has stopped waiting: the worker runs `cleanup` and the result is discarded.
    Cleanup,
}

/// What a cancelled caller returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum OnCancel {
    /// The call had completed already: its result.
    Take(i32),
    /// `EINTR`; from now on the worker owns the completion.
    Abandon,
}

/// The completion of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A caller waits.
    Waited,
    /// The result is ready for the caller.
    Completed(i32),
    /// No caller waits: NO_WAIT, or abandoned.
    Unwaited,
    /// The worker has completed an unwaited call.
    Closed,
}

impl End {
    /// The state of a new call, whose caller waits or does not.
    pub fn new(waits: bool) -> Self {
        if waits { Self::Waited } else { Self::Unwaited }
    }

    /// The worker completes the call; `None` if it was completed before.
    pub fn complete(&mut self, result: i32) -> Option<OnComplete> {
        match *self {
            Self::Waited => {
                *self = Self::Completed(result);
                Some(OnComplete::Deliver)
            }
            Self::Unwaited => {
                *self = Self::Closed;
                Some(OnComplete::Cleanup)
            }
            Self::Completed(_) | Self::Closed => None,
        }
    }

    /// The caller stops waiting.
    pub fn cancel(&mut self) -> OnCancel {
        match *self {
            Self::Completed(result) => OnCancel::Take(result),
            Self::Waited => {
                *self = Self::Unwaited;
                OnCancel::Abandon
            }
            // No caller waited; a closed call stays closed.
            Self::Unwaited | Self::Closed => OnCancel::Abandon,
        }
    }

    /// The result, once the call is completed.
    pub fn result(self) -> Option<i32> {
        match self {
            Self::Completed(result) => Some(result),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn umh_2_order_of_checks_by_era() {
        let shut = Err(Errno::EBUSY);
        for era in [Era::V3_4, Era::Current] {
            assert_eq!(check(era, None, shut), Check::NoPath);
            assert_eq!(check(era, Some(b""), Ok(())), Check::Noop);
            assert_eq!(check(era, Some(b"/x"), shut), Check::Busy);
            assert_eq!(check(era, Some(b"/x"), Ok(())), Check::Go);
        }
        assert_eq!(check(Era::V3_4, Some(b""), shut), Check::Noop);
        assert_eq!(check(Era::Current, Some(b""), shut), Check::Busy);
    }

    #[test]
    fn umh_5_exactly_one_side_owns_the_end() {
        let mut end = End::new(true);
        assert_eq!(end.complete(256), Some(OnComplete::Deliver));
        assert_eq!(end.complete(0), None);
        assert_eq!(end.cancel(), OnCancel::Take(256));

        let mut end = End::new(true);
        assert_eq!(end.cancel(), OnCancel::Abandon);
        assert_eq!(end.complete(256), Some(OnComplete::Cleanup));
        assert_eq!(end.result(), None);
        let mut end = End::new(false);
        assert_eq!(end.complete(0), Some(OnComplete::Cleanup));
        assert_eq!(end.cancel(), OnCancel::Abandon);
        assert_eq!(end.complete(0), None, "closed for good");
    }
}
