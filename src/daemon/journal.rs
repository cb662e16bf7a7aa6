//! The daemon's log: the journal with fields, if stderr is the journal, else lines on stderr. It never contains argv,
//! environment or output (AUTH-4). A thread writes it, since the reader of a pipe may be slow.

use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::errno::Errno;

use crate::abi::counted::{counted, plural};
use crate::abi::error::SysError;
use crate::abi::escape::screen_again;
use crate::abi::event::{Event, EventKind, Level};
use crate::control::text::event::event as in_words;
use crate::control::withheld;
use crate::sys::channel::{Receiver, Sender, bounded};
use crate::sys::service::stderr_is_the_journal;
use crate::sys::thread::spawn;

/// The journal's socket (systemd-journald.service(8)).
const SOCKET: &str = "/run/systemd/journal/socket";

/// The most lines that may wait to be written.
const WAITING: usize = 1024;
/// How long the end of the daemon waits for its last lines to be written.
const FLUSH: Duration = Duration::from_secs(1);

/// The log.
pub struct Journal {
    lines: Sender<Entry>,
    /// Lines that did not fit.
    lost: AtomicU64,
}

enum Entry {
    Line(Level, String, Vec<(&'static str, String)>),
    /// Everything before it has been written.
    Written(Sender<()>),
}

impl Journal {
    /// The log of this process.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn new() -> Result<Self, SysError> {
        let (lines, entries) = bounded(WAITING);
        let failed = |e: std::io::Error| {
            SysError::new("a thread for the log", Errno::from_raw(e.raw_os_error().unwrap_or(Errno::EAGAIN as i32)))
        };
        let work = move || write_all(&entries);
        spawn("daemon-log", work).map_err(failed)?;
        Ok(Self { lines, lost: AtomicU64::new(0) })
    }

    /// Waits up to a second until everything is written.
    pub fn flush(&self) {
        let (written, done) = bounded(1);
        if self.lines.try_send(Entry::Written(written)).is_ok() {
            // A reader that does not read must not stop the daemon from ending.
            let _ = done.recv_timeout(FLUSH);
        }
    }

    /// Logs a sentence.
    pub fn line(&self, level: Level, text: &str) {
        self.log(level, text.to_owned(), Vec::new());
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
            | EventKind::Unpersisted { actor, .. }
            | EventKind::Denied { actor, .. }
            | EventKind::Abandoned { actor, .. } => Some(actor),
            EventKind::Finished(record) => Some(&record.actor),
            _ => None,
        };
        let mut fields = vec![("KHELPER_SEQ", event.seq.to_string())];
        fields.extend(number.map(|id| ("KHELPER_REQUEST", id)));
        if let EventKind::KnobChanged { change, .. } = &event.kind {
            fields.push(("KHELPER_KNOB", change.key.name().to_owned()));
        }
        if let Some(actor) = actor {
            fields.push(("KHELPER_ACTOR_PID", actor.pid.to_string()));
            fields.push(("KHELPER_ACTOR_UID", actor.uid.to_string()));
        }
        self.log(words.level, text, fields);
    }

    fn log(&self, level: Level, text: String, fields: Vec<(&'static str, String)>) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let told = |lost: &u64| {
            let (lines, were) = (counted(*lost, "line"), plural(lost, "was", "were"));
            let text = format!("{lines} of this log {were} lost: its reader is too slow");
            self.lines.try_send(Entry::Line(Level::Warning, text, Vec::new())).is_ok()
        };
        let owed = if lost > 0 && told(&lost) { 0 } else { lost };
        let added = self.lines.try_send(Entry::Line(level, text, fields)).is_err();
        self.lost.fetch_add(owed + u64::from(added), Ordering::Relaxed);
    }
}

/// Writes entries until the log is dropped.
fn write_all(entries: &Receiver<Entry>) {
    let connected = || {
        let socket = UnixDatagram::unbound().ok()?;
        socket.connect(SOCKET).ok()?;
        Some(socket)
    };
    let journal = if stderr_is_the_journal() { connected() } else { None };
    for entry in entries.iter() {
        match entry {
            Entry::Line(level, text, fields) => write(journal.as_ref(), level, &text, &fields),
            // The one that waits may have given up.
            Entry::Written(done) => _ = done.try_send(()),
        }
    }
}

fn write(journal: Option<&UnixDatagram>, level: Level, text: &str, fields: &[(&'static str, String)]) {
    // The text is escaped already; a line break would begin another field.
    let text = screen_again(text);
    if let Some(socket) = journal {
        let priority = match level {
            Level::Info => 6,
            Level::Warning => 4,
            Level::Error => 3,
        };
        let mut entry = format!("MESSAGE={text}\nPRIORITY={priority}\nSYSLOG_IDENTIFIER=khelper\n");
        for (name, value) in fields {
            entry.push_str(&format!("{name}={value}\n"));
        }
        if socket.send(entry.as_bytes()).is_ok() {
            return;
        }
    }
    // There is no other place to report to.
    let _ = writeln!(std::io::stderr().lock(), "khelper: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::record::{Args, Output, Record};
    use crate::control::testing as fixtures;

    fn journal(waiting: usize) -> (Journal, Receiver<Entry>) {
        let (lines, entries) = bounded(waiting);
        (Journal { lines, lost: AtomicU64::new(0) }, entries)
    }

    #[test]
    fn an_entry_has_fields_and_no_text_makes_another_one() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let fields = [("KHELPER_SEQ", "7".to_owned())];
        write(Some(&ours), Level::Warning, "a\nPRIORITY=0", &fields);
        let mut buffer = [0; 512];
        let length = theirs.recv(&mut buffer).unwrap();
        let entry = String::from_utf8(buffer[..length].to_vec()).unwrap();
        assert_eq!(entry, "MESSAGE=a\\x0aPRIORITY=0\nPRIORITY=4\nSYSLOG_IDENTIFIER=khelper\nKHELPER_SEQ=7\n");
    }

    #[test]
    fn auth_4_the_log_never_gets_argv_environment_or_output() {
        const SECRET: &str = "hunter2";
        let bytes = || SECRET.as_bytes().to_vec();
        let record = Arc::new(Record {
            args: Args::List(vec![bytes().into_boxed_slice()].into()),
            env: vec![bytes().into_boxed_slice()].into(),
            output: Some(Arc::new(Output { stdout: bytes(), stderr: bytes(), dropped: 0 })),
            ..fixtures::record(7, b"x", 256)
        });
        let (journal, entries) = journal(4);
        journal.event(&Arc::new(Event { seq: 3, at: 1, kind: EventKind::Finished(record) }));
        let Ok(Entry::Line(_, text, fields)) = entries.try_recv() else { panic!() };
        assert!(text.starts_with("#7 ") && !text.contains(SECRET), "{text}");
        assert!(fields.iter().all(|(_, value)| !value.contains(SECRET)), "{fields:?}");
        assert!(fields.contains(&("KHELPER_REQUEST", "7".to_owned())), "{fields:?}");
    }

    #[test]
    fn a_slow_reader_loses_lines_and_learns_how_many() {
        let (journal, entries) = journal(2);
        for n in 0..5 {
            journal.line(Level::Info, &n.to_string());
        }
        let texts = || {
            std::iter::from_fn(|| entries.try_recv().ok()).map(|entry| match entry {
                Entry::Line(_, text, _) => text,
                Entry::Written(_) => String::new(),
            })
        };
        assert_eq!(texts().collect::<Vec<_>>(), ["0", "1"]);
        journal.line(Level::Info, "5");
        assert_eq!(texts().collect::<Vec<_>>(), ["3 lines of this log were lost: its reader is too slow", "5"]);
    }
}
