//! Images that the kernel rejects after it has destroyed the old one (UMH-3): how records and results show it.

use nix::errno::Errno;

use crate::abi::error::{EngineError, Stage};
use crate::abi::escape::screen;
use crate::abi::wait::WaitMode;
use crate::sys::host::Loading;

use crate::abi::record::{Outcome, Record};

/// The note in the record of a helper that was killed and that may never have run.
const DOUBTFUL: &str =
    "it was not seen to run: its image may not have been loadable; see whether the program runs from a shell";

/// The error of a program whose image can never be loaded.
pub(super) fn image_error(flaw: &str, path: &[u8]) -> EngineError {
    let why = format!("`{}` could not be executed: the kernel cannot load it: {flaw}", screen(path));
    EngineError::new(
        Stage::Exec,
        Errno::ENOEXEC,
        why,
        "build or install the program again; readelf -lW shows its segments",
    )
}

/// Records whether the image of an ended helper was loaded. `signalled`: an operator or a time-out sent the helper a
/// signal. Returns the call's result: `result`, unless the image was not loaded.
pub(super) fn judge(record: &mut Record, loading: Loading, signalled: bool, result: i32) -> i32 {
    let only_exec = matches!(record.wait, WaitMode::Exec { .. });
    let complete = if only_exec { 0 } else { result };
    match loading {
        Loading::Complete => complete,
        Loading::Impossible(flaw) => {
            record.outcome = Outcome::ExecFailed;
            record.status = None;
            record.fail(&image_error(flaw, &record.path));
            -(Errno::ENOEXEC as i32)
        }
        // The signal explains the end.
        Loading::Doubtful if signalled => complete,
        Loading::Doubtful => {
            record.said = Some(DOUBTFUL.into());
            if only_exec { -(Errno::ENOEXEC as i32) } else { result }
        }
    }
}
