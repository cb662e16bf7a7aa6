//! The daemon's log: the journal with fields, if stderr is the journal, else lines on stderr. It never contains argv,
//! environment or output (AUTH-4).

use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use crate::abi::escape::screen_again;
use crate::abi::event::{Event, EventKind, Level};
use crate::control::text::event::event as in_words;
use crate::control::withheld;
use crate::sys::service::stderr_is_the_journal;

/// The journal's socket (systemd-journald.service(8)).
const SOCKET: &str = "/run/systemd/journal/socket";

/// The log.
pub struct Journal {
    socket: Option<UnixDatagram>,
}

impl Journal {
    /// The log of this process.
    pub fn new() -> Self {
        let connected = || {
            let socket = UnixDatagram::unbound().ok()?;
            socket.connect(SOCKET).ok()?;
            Some(socket)
        };
        Self { socket: if stderr_is_the_journal() { connected() } else { None } }
    }

    /// Logs a sentence.
    pub fn line(&self, level: Level, text: &str) {
        self.log(level, text, &[]);
    }

    /// Logs an event.
    pub fn event(&self, event: &Arc<Event>) {
        let event = withheld::event(event);
        let words = in_words(&event.kind);
        let number = words.id.map(|id| id.to_string());
        let text = number.as_ref().map_or_else(|| words.text.clone(), |id| format!("#{id} {}", words.text));
        let actor = match &event.kind {
            EventKind::KnobChanged { actor, .. }
            | EventKind::GateChanged { actor, .. }
            | EventKind::DrainFailed { actor, .. }
            | EventKind::Signalled { actor, .. }
            | EventKind::Abandoned { actor, .. } => Some(actor),
            EventKind::Finished(record) => Some(&record.actor),
            _ => None,
        };
        let (pid, uid) = actor.map(|actor| (actor.pid.to_string(), actor.uid.to_string())).unzip();
        let key = match &event.kind {
            EventKind::KnobChanged { change, .. } => Some(change.key.name().to_owned()),
            _ => None,
        };
        let fields = [
            ("KHELPER_SEQ", Some(event.seq.to_string())),
            ("KHELPER_REQUEST", number),
            ("KHELPER_KNOB", key),
            ("KHELPER_ACTOR_PID", pid),
            ("KHELPER_ACTOR_UID", uid),
        ];
        self.log(words.level, &text, &fields);
    }

    fn log(&self, level: Level, text: &str, fields: &[(&str, Option<String>)]) {
        // The text is escaped already; a line break would begin another field.
        let text = screen_again(text);
        let Some(socket) = &self.socket else {
            return stderr(&text);
        };
        let priority = match level {
            Level::Info => 6,
            Level::Warning => 4,
            Level::Error => 3,
        };
        let mut entry = format!("MESSAGE={text}\nPRIORITY={priority}\nSYSLOG_IDENTIFIER=khelper\n");
        for (name, value) in fields {
            if let Some(value) = value {
                entry.push_str(&format!("{name}={value}\n"));
            }
        }
        if socket.send(entry.as_bytes()).is_err() {
            stderr(&text);
        }
    }
}

fn stderr(text: &str) {
    // There is no other place to report to.
    let _ = writeln!(std::io::stderr().lock(), "khelper: {text}");
}
