//! Everything the screen shows, and nothing else.

pub mod activity;
pub mod argv_text;
mod at_cursor;
mod clipboard;
pub mod command_line;
pub mod dialog;
pub mod draft_text;
pub mod explain;
pub mod field;
mod focus;
pub mod forms;
pub mod log;
pub mod mask_forms;
pub mod masks;
pub mod pending;
pub mod presets;
pub mod query;
pub mod read_only;
pub mod record_page;
pub mod records;
pub mod rehearse;
mod requests;
pub mod sparkline;
pub mod tab;
pub mod warnings;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::abi::snapshot::Snapshot;
use crate::abi::time::Micros;
use crate::control::text::outcome::Severity;
use crate::control::{Command, Key};
use crate::sys::local_time::Local;

use super::Options;
use super::keymap::Keymap;
use super::msg::{Effect, Ticket};
use super::terminal_type::Clipboard;
use super::theme::Theme;
use activity::Activity;
use command_line::Line;
use dialog::Dialog;
use forms::{CallForm, ModuleForm};
use log::Log;
use masks::Masks;
pub use pending::{Batch, Pending};
use rehearse::RehearseForm;
use sparkline::Spark;
pub use tab::Tab;
use warnings::Dismissed;

/// The last thing that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What to make of it.
    pub mood: Severity,
    /// The sentence, escaped.
    pub text: String,
    /// How many dialogs stood in front of the screen when it was said.
    pub depth: usize,
}

/// The state of the console.
pub struct Model {
    /// How it was started.
    pub options: Options,
    /// The engine as it was last seen.
    pub snapshot: Snapshot,
    /// Cells from left to right.
    pub columns: u16,
    /// Cells from top to bottom.
    pub rows: u16,
    /// The looks; [`Theme::ansi`] until told otherwise.
    pub theme: Theme,
    /// What each key does.
    pub keys: Keymap,
    /// Nothing beyond ASCII is drawn.
    pub ascii: bool,
    /// Who gets what is copied.
    pub clipboard: Clipboard,
    /// The time on the engine's clock.
    pub now: Micros,
    /// The screen.
    pub tab: Tab,
    /// What stands in front of it, the last one on top.
    pub dialogs: Vec<Dialog>,
    /// How far the dialog on top is scrolled from where its focus put it, until another key is pressed.
    pub peek: isize,
    /// The draft.
    pub masks: Masks,
    /// The screen Activity.
    pub activity: Activity,
    /// The screen Log.
    pub log: Log,
    /// The last minute.
    pub spark: Spark,
    /// The last thing that was said.
    pub status: Option<Status>,
    /// What is to be said of the modprobe path (SYS-6).
    pub path_warnings: Vec<String>,
    /// When the path was looked at.
    pub path_looked: Micros,
    /// Knobs that somebody else changed and when, newest first.
    pub notices: Vec<(Micros, String)>,
    /// Warnings that were taken away.
    pub away: Dismissed,
    /// The wall clock as the operator reads it: `12:03:44`.
    pub local: fn(SystemTime) -> String,
    /// What was typed to ask for a module.
    pub module: ModuleForm,
    /// What was typed to call a helper.
    pub call: CallForm,
    /// The command line.
    pub line: Line,
    /// What was typed to rehearse.
    pub rehearse: RehearseForm,
    /// What replies are waited for.
    pub pending: BTreeMap<Ticket, Pending>,
    /// Batches that are not wholly answered.
    pub batches: BTreeMap<u64, Batch>,
    tickets: Ticket,
}

impl Model {
    /// At the start, in a terminal of that size.
    pub fn new(options: Options, snapshot: Snapshot, columns: u16, rows: u16) -> Self {
        Self {
            options,
            columns,
            rows,
            theme: Theme::ansi(),
            keys: Keymap::default(),
            ascii: false,
            clipboard: Clipboard::default(),
            now: snapshot.now,
            tab: Tab::Overview,
            dialogs: Vec::new(),
            peek: 0,
            masks: Masks::new(&snapshot),
            activity: Activity::default(),
            log: Log::default(),
            spark: Spark::new(&snapshot),
            status: None,
            path_warnings: Vec::new(),
            path_looked: 0,
            notices: Vec::new(),
            away: Dismissed::default(),
            local: |time| Local::of(time).map_or_else(String::new, |local| local.clock()),
            module: ModuleForm::default(),
            call: CallForm::default(),
            line: Line::default(),
            rehearse: RehearseForm::default(),
            pending: BTreeMap::new(),
            batches: BTreeMap::new(),
            tickets: 0,
            snapshot,
        }
    }

    /// Whether anything on the screen moves by itself: a helper runs, or the minute's sparkline is not flat yet.
    pub fn needs_tick(&self) -> bool {
        self.snapshot.live_total > 0 || !self.spark.is_flat()
    }

    /// A time of the engine's clock as the operator's clock had it.
    pub fn clock(&self, at: Micros) -> String {
        let ago = Duration::from_micros(self.snapshot.now.saturating_sub(at));
        self.snapshot.wall.checked_sub(ago).map_or_else(String::new, self.local)
    }

    /// The whole sentence that says whose knobs these are.
    pub fn target(&self) -> String {
        format!("embedded engine (pid {}): this machine's kernel is untouched", self.snapshot.pid)
    }

    /// Submits a command and remembers what its reply will be an answer to.
    pub fn submit(&mut self, pending: Pending, command: Command) -> Effect {
        self.tickets += 1;
        self.pending.insert(self.tickets, pending);
        Effect::Submit { ticket: self.tickets, command }
    }

    /// A ticket for what is no command.
    pub const fn next_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    /// The ticket that was given last.
    pub fn last_ticket(&self) -> Ticket {
        self.tickets
    }

    /// Says something.
    pub fn say(&mut self, mood: Severity, text: impl Into<String>) {
        let depth = self.dialogs.len();
        self.status = Some(Status { mood, text: warnings::screen_again(&text.into()), depth });
    }

    /// Whether what was said last was said on the page of a record, as the answer to a key: it stands below it.
    pub fn is_answered(&self) -> bool {
        matches!(self.dialogs.last(), Some(Dialog::Detail(_)))
            && self.status.as_ref().is_some_and(|status| status.depth == self.dialogs.len())
    }

    /// Whether a write of ours to this knob is under way.
    pub fn is_writing(&self, key: Key) -> bool {
        self.pending.values().any(|pending| match pending {
            Pending::Path => key == Key::Modprobe,
            Pending::Set(keys) => keys.contains(&key),
            Pending::Masks(asked) => asked.iter().any(|(knob, _)| masks::key(*knob) == key),
            Pending::Reset(knob) => masks::key(*knob) == key,
            _ => false,
        })
    }
}
