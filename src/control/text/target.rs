//! How a target is named, and what is said when it cannot be reached.

use crate::abi::error::ControlError;
use crate::control::target_info::{TargetInfo, TargetKind};

/// The sentence that says whose knobs these are; then shorter ones, each for less room.
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

/// The target within a sentence.
pub fn object(info: &TargetInfo) -> String {
    match info.kind {
        TargetKind::Embedded => format!("the embedded engine (pid {})", info.pid),
        TargetKind::Daemon => format!("the daemon {} (pid {})", info.name, info.pid),
    }
}

/// The error of a command that was not sent, since the connection is lost.
pub fn not_sent(info: &TargetInfo, why: &str) -> ControlError {
    ControlError::Unavailable(format!("no connection to {}: {why}; nothing was sent", object(info)))
}
