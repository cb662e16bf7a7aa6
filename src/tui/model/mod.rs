//! Everything the screen shows, and nothing else.

pub mod activity;
mod at_cursor;
mod clipboard;
pub mod command_line;
pub mod draft_text;
mod focus;
pub mod forms;
pub mod link;
pub mod log;
pub mod mask_forms;
pub mod masks;
pub mod pending;
pub mod presets;
pub mod read;
pub mod read_only;
pub mod record_row;
pub mod rehearse;
mod requests;
pub mod sparkline;
mod stack;
mod state;
pub mod tab;
pub mod warnings;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::SystemTime;

use crate::abi::safe_text::SafeText;
use crate::abi::snapshot::Snapshot;
use crate::abi::time::Micros;
use crate::control::alerts::Dismissed;
use crate::control::tally::Tally;
use crate::control::target::TargetInfo;
use crate::control::text::outcome::Severity;
use crate::sys::local_time::Local;

use super::field::Field;
use super::keymap::{Action, Context, Keymap};
use super::msg::{Effect, Ticket};
use super::options::Options;
use super::terminal_type::Clipboard;
use super::theme::Theme;
use super::widgets::sheet::Sheet;
use activity::Activity;
use command_line::Line;
use forms::{CallForm, ModuleForm};
use link::Link;
use log::Log;
use masks::Masks;
pub use pending::Pending;
use read::Read;
use rehearse::RehearseForm;
use sparkline::Spark;
pub use tab::Tab;

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
    /// The target, and whether it can be reached.
    pub link: Link,
    /// The target's state as it was last read.
    pub snapshot: Snapshot,
    /// Cells from left to right.
    pub columns: u16,
    /// Cells from top to bottom.
    pub rows: u16,
    /// The theme; [`Theme::ansi`] by default.
    pub theme: Theme,
    /// What each key does.
    pub keys: Keymap,
    /// Nothing beyond ASCII is drawn.
    pub ascii: bool,
    /// What receives copies: the terminal, tmux or screen.
    pub clipboard: Clipboard,
    /// The time on the engine's clock.
    pub now: Micros,
    /// The screen.
    pub tab: Tab,
    /// What stands in front of it, the last one on top.
    pub dialogs: Vec<Box<dyn Dialog>>,
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
    pub path_warnings: Vec<SafeText>,
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
    pub batches: BTreeMap<u64, Tally>,
    tickets: Ticket,
}

impl Model {
    /// At the start, in a terminal of that size. A `snapshot` that is not the target's own is marked in `link`.
    pub fn new(options: Options, target: TargetInfo, snapshot: Snapshot, columns: u16, rows: u16) -> Self {
        Self {
            options,
            link: Link { info: target, seen: true },
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
}

/// A field of text, and where to say what is wrong with it.
pub type TextField<'a> = (&'a mut Field, Option<&'a mut Option<String>>);

/// What becomes of a dialog after one of its keys.
#[derive(Debug)]
pub enum After {
    /// It stays where it is.
    Stay(Vec<Effect>),
    /// It is closed.
    Close(Vec<Effect>),
}

impl After {
    /// It stays, and nothing else happens.
    pub const STAY: Self = Self::Stay(Vec::new());
    /// It is closed, and nothing else happens.
    pub const CLOSE: Self = Self::Close(Vec::new());
}

/// A dialog: where its keys mean something, what it shows, and what its keys do.
///
/// The dialog on top receives the keys. A method that takes `&mut Model` is called with the dialog off the stack
/// `Model::dialogs`, so that it can change both itself and the console; what it opens stands above it.
pub trait Dialog: Any + Debug {
    /// The contexts of its keys, the nearest first: one of [`super::keymap::CHAINS`].
    fn contexts(&self, model: &Model) -> &'static [Context];

    /// What it shows in so many columns.
    fn sheet(&self, model: &Model, columns: usize) -> Sheet;

    /// Does what it asks for.
    fn accept(&mut self, _model: &mut Model) -> After {
        After::STAY
    }

    /// Goes back.
    fn dismiss(&mut self, _model: &mut Model) -> After {
        After::CLOSE
    }

    /// How many fields it has.
    fn fields(&self, _model: &Model) -> usize {
        0
    }

    /// The field of text that has the focus.
    fn field<'a>(&'a mut self, _model: &'a mut Model) -> Option<TextField<'a>> {
        None
    }

    /// Which field has the focus, and the error that goes when the focus moves.
    fn focus<'a>(&'a mut self, _model: &'a mut Model) -> Option<(&'a mut usize, &'a mut Option<String>)> {
        None
    }

    /// Takes the next value, or the one before, of the field that has the focus and a few values.
    fn pick(&mut self, _model: &mut Model, _forward: bool) {}

    /// Which row of its list is chosen, and how many rows there are.
    fn choice(&mut self, _model: &Model) -> Option<(&mut usize, usize)> {
        None
    }

    /// How far it is scrolled, where it scrolls.
    fn scroll(&mut self) -> Option<&mut usize> {
        None
    }

    /// Which of its lines have been on the screen, where all of them have to be before it is accepted.
    fn read(&mut self) -> Option<&mut Read> {
        None
    }

    /// Whether it waits for the reply to this ticket.
    fn awaits(&self, _ticket: Ticket) -> bool {
        false
    }

    /// What it waited for was refused, and why.
    fn refused(&mut self, _why: String) {}

    /// Whether a key of its contexts does something now: the footer shows no other.
    fn offers(&self, _model: &Model, _action: Action) -> bool {
        true
    }

    /// Whether the message that answers its keys stands below it, not behind it.
    fn answers_below(&self) -> bool {
        false
    }
}
