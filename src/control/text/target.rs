//! The name of a target in texts, and the error for a lost connection.

use crate::abi::error::ControlError;
use crate::control::target_info::{TargetInfo, TargetKind};

/// The sentence that names the target, followed by ever shorter versions for less room.
pub fn sentences(info: &TargetInfo) -> [String; 4] {
    let pid = info.pid;
    let name = &info.name;
    match info.kind {
        TargetKind::Embedded => [
            format!("embedded engine (pid {pid}): this machine's kernel is untouched"),
            format!("embedded engine (pid {pid}): kernel untouched"),
            format!("engine (pid {pid}): kernel untouched"),
            format!("engine (pid {pid})"),
        ],
        TargetKind::Daemon => [
            format!("daemon {name} (pid {pid}): an engine in another process; the kernel is untouched"),
            format!("daemon {name} (pid {pid}): kernel untouched"),
            format!("daemon {name}: kernel untouched"),
            format!("daemon {name}"),
        ],
    }
}

/// The name of a kind of target, as the command line and JSON spell it.
pub const fn kind(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Embedded => "embedded",
        TargetKind::Daemon => "daemon",
    }
}

/// The target as part of a sentence.
pub fn object(info: &TargetInfo) -> String {
    match info.kind {
        TargetKind::Embedded => format!("the embedded engine (pid {})", info.pid),
        TargetKind::Daemon => format!("the daemon {} (pid {})", info.name, info.pid),
    }
}

/// The error for a command that was not sent because the connection is lost.
pub fn not_sent(info: &TargetInfo, why: &str) -> ControlError {
    ControlError::Unavailable(format!("no connection to {}: {why}; nothing was sent", object(info)))
}
