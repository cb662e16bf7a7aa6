//! The model: everything that the screen shows.

pub mod activity;
mod at_cursor;
pub mod bulk;
mod clipboard;
pub mod command_line;
pub mod draft_text;
pub mod ending;
pub mod filter;
mod focus;
pub mod forms;
pub mod history;
pub mod link;
pub mod log;
pub mod mask_forms;
pub mod masks;
mod messages;
pub mod modules;
pub mod older;
pub mod overview;
pub mod pending;
pub mod presets;
pub mod read;
pub mod read_only;
pub mod record_row;
pub mod rehearse;
mod requests;
pub mod rules;
mod stack;
mod state;
pub mod tab;
pub mod times;
pub mod tour;
pub mod undo;
pub mod warnings;

use std::any::Any;
use std::fmt::Debug;
use std::time::SystemTime;

use crate::abi::safe_text::SafeText;
use crate::abi::snapshot::Snapshot;
use crate::abi::sorted::SortedMap;
use crate::abi::time::Micros;
use crate::control::alerts::Dismissed;
use crate::control::tally::Tally;
use crate::control::target::TargetInfo;
use crate::sys::local_time::Local;

use super::field::Field;
use super::keymap::{Action, Context, Keymap};
use super::msg::Ticket;
use super::options::Options;
use super::terminal_type::Clipboard;
use super::theme::Theme;
use super::widgets::sheet::Sheet;
use activity::Activity;
use command_line::Line;
use forms::{CallForm, ModuleForm};
use history::SlotHistory;
use link::Link;
use log::Log;
use masks::Masks;
pub use messages::Status;
use overview::Overview;
pub use pending::Pending;
use read::Read;
use rehearse::RehearseForm;
use rules::Rules;
pub use stack::After;
pub use tab::{Tab, TargetTab};
use tour::Tour;

/// The state of the console.
pub struct Model {
    /// Start-up options.
    pub options: Options,
    /// The target, and whether it can be reached.
    pub link: Link,
    /// Every target of this console, if there are several.
    pub targets: Vec<TargetTab>,
    /// The target's state, as read last.
    pub snapshot: Snapshot,
    /// Width in cells.
    pub columns: u16,
    /// Height in cells.
    pub rows: u16,
    /// The theme; [`Theme::ansi`] by default.
    pub theme: Theme,
    /// The terminal has colours.
    pub colours: bool,
    /// The key bindings.
    pub keys: Keymap,
    /// Draw only ASCII.
    pub ascii: bool,
    /// What receives copies: the terminal, tmux or screen.
    pub clipboard: Clipboard,
    /// The time on the engine's clock.
    pub now: Micros,
    /// The screen that is shown.
    pub tab: Tab,
    /// The open dialogs, the last one on top.
    pub dialogs: Vec<Box<dyn Dialog>>,
    /// How far the dialog on top is scrolled away from its focus, until another key is pressed.
    pub peek: isize,
    /// The draft of the masks.
    pub masks: Masks,
    /// The screen Activity.
    pub activity: Activity,
    /// The screen Log.
    pub log: Log,
    /// The screen Rules.
    pub rules: Rules,
    /// The screen Overview.
    pub overview: Overview,
    /// The last minutes of module requests.
    pub history: SlotHistory,
    /// The last message.
    pub status: Option<Status>,
    /// Messages that came since, until the last one has been read.
    pub waiting_messages: messages::Waiting,
    /// Warnings about the modprobe path (SYS-6).
    pub path_warnings: Vec<SafeText>,
    /// When the path was checked.
    pub path_looked: Micros,
    /// The changes of knobs that this console can take back.
    pub changes: undo::Changes,
    /// Knobs that another writer changed and when, newest first.
    pub notices: Vec<(Micros, String)>,
    /// Dismissed warnings.
    pub away: Dismissed,
    /// The wall clock as the operator reads it: `12:03:44`.
    pub local: fn(SystemTime) -> String,
    /// The wall clock, for times that an operator types.
    pub clock: fn() -> SystemTime,
    /// The fields of the dialog Module.
    pub module: ModuleForm,
    /// Completion of module names.
    pub modules: modules::Modules,
    /// The fields of the dialog Call.
    pub call: CallForm,
    /// The command line.
    pub line: Line,
    /// The fields of the dialog Rehearse.
    pub rehearse: RehearseForm,
    /// Commands without a reply so far.
    pub pending: SortedMap<Ticket, Pending>,
    /// Batches that are not completely answered.
    pub batches: SortedMap<u64, Tally>,
    /// Acts on many requests that are not completely answered.
    pub bulks: SortedMap<u64, bulk::Bulk>,
    /// The guided tour; on the screen in a demo alone.
    pub tour: Tour,
    tickets: Ticket,
}

impl Model {
    /// The model at the start, in a terminal of this size. A `snapshot` that is not the target's own is marked in
    /// `link`.
    pub fn new(options: Options, target: TargetInfo, snapshot: Snapshot, columns: u16, rows: u16) -> Self {
        Self {
            options,
            tour: Tour::of(&target, &snapshot),
            link: Link { info: target, seen: true },
            targets: Vec::new(),
            columns,
            rows,
            theme: Theme::ansi(),
            colours: true,
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
            rules: Rules::default(),
            overview: Overview::default(),
            history: SlotHistory::new(&snapshot),
            status: None,
            waiting_messages: messages::Waiting::new(),
            path_warnings: Vec::new(),
            path_looked: 0,
            changes: undo::Changes::default(),
            notices: Vec::new(),
            away: Dismissed::default(),
            local: |time| Local::of(time).map_or_else(String::new, |local| local.clock()),
            clock: SystemTime::now,
            module: ModuleForm::default(),
            modules: modules::Modules::default(),
            call: CallForm::default(),
            line: Line::default(),
            rehearse: RehearseForm::default(),
            pending: SortedMap::new(),
            batches: SortedMap::new(),
            bulks: SortedMap::new(),
            tickets: 0,
            snapshot,
        }
    }
}

/// A text field, and the place for its error.
pub type TextField<'a> = (&'a mut Field, Option<&'a mut Option<String>>);

/// A dialog: the contexts of its keys, its contents, and what its keys do.
///
/// The dialog on top receives the keys. While a method that takes `&mut Model` runs, the dialog is off the stack
/// `Model::dialogs`, so that it can change both itself and the console; a dialog that it opens is placed above it.
pub trait Dialog: Any + Debug {
    /// The contexts of its keys, the nearest first: one of [`super::keymap::CHAINS`].
    fn contexts(&self, model: &Model) -> &'static [Context];

    /// Its contents at a width of `columns`.
    fn sheet(&self, model: &Model, columns: usize) -> Sheet;

    /// Accepts the dialog.
    fn accept(&mut self, _model: &mut Model) -> After {
        After::STAY
    }

    /// Dismisses the dialog.
    fn dismiss(&mut self, _model: &mut Model) -> After {
        After::CLOSE
    }

    /// The number of its fields.
    fn fields(&self, _model: &Model) -> usize {
        0
    }

    /// The text field that has the focus.
    fn field<'a>(&'a mut self, _model: &'a mut Model) -> Option<TextField<'a>> {
        None
    }

    /// The number of the field with the focus, and the error that is cleared when the focus moves.
    fn focus<'a>(&'a mut self, _model: &'a mut Model) -> Option<(&'a mut usize, &'a mut Option<String>)> {
        None
    }

    /// Selects the next or the previous value, if the field with the focus has a list of values.
    fn pick(&mut self, _model: &mut Model, _forward: bool) {}

    /// Does what a key with a choice of its own does. Returns whether it has such keys.
    fn choose(&mut self, _choice: usize) -> bool {
        false
    }

    /// The selected row of its list, and the number of rows.
    fn choice(&mut self, _model: &Model) -> Option<(&mut usize, usize)> {
        None
    }

    /// Whether it takes the whole screen, as wide as there is room, with a rule and no frame.
    fn fills(&self) -> bool {
        false
    }

    /// How far it is scrolled, if it scrolls.
    fn scroll(&mut self) -> Option<&mut usize> {
        None
    }

    /// Whoever goes on reading has read the error about that: the list gets its lines.
    fn read_on(&mut self) {}

    /// Which of its lines have been on the screen, if all of them must be shown before it is accepted.
    fn read(&mut self) -> Option<&mut Read> {
        None
    }

    /// Whether it waits for the reply to this ticket.
    fn awaits(&self, _ticket: Ticket) -> bool {
        false
    }

    /// The command that it waited for was refused, and why.
    fn refused(&mut self, _why: String) {}
    /// Whether a key of its contexts has an effect now: the footer shows only such keys.
    fn offers(&self, _model: &Model, _action: Action) -> bool {
        true
    }

    /// Whether messages about its keys are shown below it, not behind it.
    fn answers_below(&self) -> bool {
        false
    }
}
