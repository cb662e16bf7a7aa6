//! Lines of the engine's log: what each reports, its level and its text.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::escape::screen;
use super::safe_text::SafeText;
use super::time::Micros;
use super::wire;

/// The level of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For information.
    Info,
    /// An operator should check this.
    Warning,
    /// Something went wrong.
    Error,
}

/// A call that was still running when a drain gave up (GATE-2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdout {
    /// The request.
    pub id: u64,
    /// Module name or path (hostile bytes); `None` if the request had ended when the line was written.
    #[serde(with = "wire::bytes")]
    pub title: Option<Arc<[u8]>>,
    /// Its helper, once there is one.
    pub pid: Option<i32>,
}

impl fmt::Display for Holdout {
    /// `#3 dummy (pid 77)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.id)?;
        if let Some(title) = &self.title {
            write!(f, " {}", screen(title))?;
        }
        self.pid.map_or(Ok(()), |pid| write!(f, " (pid {pid})"))
    }
}

/// What a log line reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogKind {
    /// A module request above the limit, era 3.4 (REQ-4).
    Runaway {
        /// The module's name, hostile bytes.
        #[serde(with = "wire::bytes")]
        module: Arc<[u8]>,
    },
    /// A module request got no slot within 5 s, era current (REQ-5).
    Throttled {
        /// The module's name, hostile bytes.
        #[serde(with = "wire::bytes")]
        module: Arc<[u8]>,
        /// The limit that was in force.
        limit: u32,
    },
    /// The rate limit has suppressed messages about throttled requests (REQ-5).
    Suppressed {
        /// How many.
        count: u64,
    },
    /// A drain gave up after 5 s and the gate is enabled again (GATE-2).
    DrainFailed {
        /// The calls that still ran.
        holdouts: Vec<Holdout>,
    },
    /// Processes of a helper's group still run after the helper ended and its group was signalled (UMH-14).
    GroupLeft {
        /// The request whose helper has ended.
        id: u64,
        /// The processes.
        pids: Vec<i32>,
    },
    /// The time-out of a request is not enforced.
    NoTimeout {
        /// The request.
        id: u64,
        /// Why no thread could be created.
        why: SafeText,
    },
    /// The worker of a request panicked, a bug in the engine.
    WorkerPanicked {
        /// The request.
        id: u64,
    },
    /// The record sink is too slow or fails.
    SinkLost {
        /// Records, starts and changes lost so far.
        lost: u64,
    },
    /// Any other message.
    Note {
        /// The level.
        level: Level,
        /// The line.
        text: SafeText,
    },
}

impl LogKind {
    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Self::Runaway { .. } | Self::NoTimeout { .. } | Self::WorkerPanicked { .. } => Level::Error,
            Self::Throttled { .. }
            | Self::Suppressed { .. }
            | Self::DrainFailed { .. }
            | Self::GroupLeft { .. }
            | Self::SinkLost { .. } => Level::Warning,
            Self::Note { level, .. } => *level,
        }
    }

    /// The line as it is shown.
    pub fn text(&self) -> SafeText {
        SafeText::new(self.to_string())
    }
}

impl fmt::Display for LogKind {
    /// The kernel's own words where the kernel logs the same, with names escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runaway { module } => write!(f, "request_module: runaway loop modprobe {}", screen(module)),
            Self::Throttled { module, limit } => {
                let name = screen(module);
                write!(f, "request_module: modprobe {name} cannot be processed, ")?;
                write!(f, "kmod busy with {limit} threads for more than 5 seconds now")
            }
            // The name of the kernel's function.
            Self::Suppressed { count } => write!(f, "__request_module: {count} callbacks suppressed"),
            Self::DrainFailed { holdouts } => {
                let running = joined(holdouts);
                write!(f, "the drain gave up after 5 s and the gate is enabled again; still running: {running}")
            }
            Self::SinkLost { lost } => {
                write!(f, "the record sink is too slow or fails; records lost so far: {lost}")
            }
            Self::GroupLeft { id, pids } => {
                let pids = joined(pids);
                write!(f, "the helper of request {id} has ended; these processes of its group still run: pid {pids}")
            }
            Self::NoTimeout { id, why } => {
                write!(f, "cannot start a thread for the time-out of request {id}: {why}; the time-out is not enforced")
            }
            Self::WorkerPanicked { id } => {
                write!(f, "the worker of request {id} panicked: this is a bug in khelper")
            }
            Self::Note { text, .. } => f.write_str(text),
        }
    }
}

fn joined<T: fmt::Display>(all: &[T]) -> String {
    all.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written, on the engine's clock.
    pub at: Micros,
    /// What it reports.
    pub kind: LogKind,
}

impl LogLine {
    /// How much it matters.
    pub fn level(&self) -> Level {
        self.kind.level()
    }

    /// The line as it is shown.
    pub fn text(&self) -> SafeText {
        self.kind.text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn req_4_22_names_in_lines_are_escaped() {
        let hostile: Arc<[u8]> = b"a\x1b[2J\\b\n"[..].into();
        let shown = screen(&hostile);
        let holdout = Holdout { id: 3, title: Some(hostile.clone()), pid: Some(77) };
        for (kind, line) in [
            (LogKind::Runaway { module: hostile.clone() }, format!("request_module: runaway loop modprobe {shown}")),
            (
                LogKind::Throttled { module: hostile, limit: 7 },
                format!(
                    "request_module: modprobe {shown} cannot be processed, kmod busy with 7 threads for more than 5 seconds now"
                ),
            ),
            (
                LogKind::DrainFailed { holdouts: vec![holdout, Holdout { id: 4, title: None, pid: None }] },
                format!(
                    "the drain gave up after 5 s and the gate is enabled again; still running: #3 {shown} (pid 77), #4"
                ),
            ),
        ] {
            assert_eq!(kind.text(), line.as_str());
        }
    }
}
