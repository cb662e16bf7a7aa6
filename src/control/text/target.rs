//! The name of a target in texts, and the error for a lost connection.

use crate::abi::error::ControlError;
use crate::control::target_info::{TargetInfo, TargetKind};

/// The sentence that names the target, followed by ever shorter versions for less room.
pub fn sentences(info: &TargetInfo) -> [String; 4] {
    let pid = info.pid;
    match info.kind {
        TargetKind::Embedded if info.is_demo() => [
            format!("a demo (pid {pid}): its helpers are built in; this machine's kernel is untouched"),
            "a demo with built-in helpers: kernel untouched".to_owned(),
            "a demo: kernel untouched".to_owned(),
            "demo".to_owned(),
        ],
        TargetKind::Embedded => [
            format!("embedded engine (pid {pid}): this machine's kernel is untouched"),
            format!("embedded engine (pid {pid}): kernel untouched"),
            format!("engine (pid {pid}): kernel untouched"),
            format!("engine (pid {pid})"),
        ],
        TargetKind::Kernel if info.host().is_some() => {
            let kernel = object(info);
            [
                format!("{kernel}: watched by khelper there (pid {pid}), which changes nothing by watching"),
                format!("{kernel}: watched, not changed"),
                kernel.clone(),
                kernel,
            ]
        }
        TargetKind::Kernel => [
            format!("this machine's kernel: watched by khelper (pid {pid}), which changes nothing by watching"),
            "this machine's kernel: watched, not changed".to_owned(),
            "this machine's kernel".to_owned(),
            "kernel".to_owned(),
        ],
        TargetKind::Daemon => {
            let daemon = daemon(info);
            let its = if info.host().is_some() { "that machine's" } else { "the" };
            [
                format!("{daemon} (pid {pid}): an engine in another process; {its} kernel is untouched"),
                format!("{daemon} (pid {pid}): kernel untouched"),
                format!("{daemon}: kernel untouched"),
                daemon,
            ]
        }
    }
}

/// `daemon`, with the name that the operator gave it.
fn daemon(info: &TargetInfo) -> String {
    if info.name.is_empty() { "daemon".to_owned() } else { format!("daemon {}", info.name) }
}

/// The target as part of a sentence.
pub fn object(info: &TargetInfo) -> String {
    match info.kind {
        TargetKind::Embedded if info.is_demo() => format!("the demo (pid {})", info.pid),
        TargetKind::Embedded => format!("the embedded engine (pid {})", info.pid),
        TargetKind::Kernel => match info.host() {
            Some(_) => format!("the kernel of {}", info.name.strip_suffix("/kernel").unwrap_or(&info.name)),
            None => "this machine's kernel".to_owned(),
        },
        TargetKind::Daemon => format!("the {} (pid {})", daemon(info), info.pid),
    }
}

/// The error for a command that was not sent because the connection is lost.
pub fn not_sent(info: &TargetInfo, why: &str) -> ControlError {
    ControlError::Unavailable(format!("no connection to {}: {why}; nothing was sent", object(info)))
}
