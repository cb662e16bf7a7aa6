//! Everything the screen shows, and nothing else.

pub mod args;
pub mod dialog;
pub mod field;
pub mod forms;
pub mod mask_forms;
pub mod masks;
pub mod presets;
pub mod rehearse;
pub mod spark;
pub mod warnings;

use std::collections::BTreeMap;

use crate::control::words::Mood;
use crate::control::{Command, Key, MaskKnob};
use crate::engine::snapshot::Snapshot;
use crate::sys::host::Micros;

use super::Options;
use super::keymap::Context;
use super::msg::{Effect, Ticket};
use super::theme::Theme;
use dialog::{Dialog, Quitting};
use field::Field;
use forms::{CallForm, ModuleForm};
use masks::Masks;
use rehearse::RehearseForm;
use spark::Spark;

/// The screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// What goes on.
    Overview,
    /// Both capability masks.
    Masks,
}

impl Tab {
    /// All of them, in the order of their keys.
    pub const ALL: [Self; 2] = [Self::Overview, Self::Masks];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Masks => "Masks",
        }
    }
}

/// The last thing that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What to make of it.
    pub mood: Mood,
    /// The sentence, escaped.
    pub text: String,
}

/// Requests that were submitted together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// What was asked for, escaped.
    pub title: String,
    /// How many.
    pub asked: u32,
    /// How many were answered.
    pub answered: u32,
    /// How often each ending came.
    pub tally: BTreeMap<String, u32>,
}

/// What a reply will be an answer to.
#[derive(Clone, Debug)]
pub enum Pending {
    /// One request of a batch.
    Request(u64),
    /// The modprobe path.
    Path,
    /// The gate; in words.
    Gate(&'static str),
    /// The masks, and what was asked of each.
    Masks(Vec<(MaskKnob, crate::abi::cap::CapMask)>),
    /// A mask back to full.
    Reset(MaskKnob),
    /// A run of the rehearsal: under the draft, or under the live masks.
    Rehearsal,
    /// A signal, or the gate, on the way out.
    Quitting,
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
    /// The time on the engine's clock.
    pub now: Micros,
    /// The screen.
    pub tab: Tab,
    /// What stands in front of it, the last one on top.
    pub dialogs: Vec<Dialog>,
    /// The draft.
    pub masks: Masks,
    /// The last minute.
    pub spark: Spark,
    /// The last thing that was said.
    pub status: Option<Status>,
    /// What is to be said of the modprobe path (SYS-6).
    pub path_warnings: Vec<String>,
    /// Knobs that somebody else changed, newest first.
    pub notices: Vec<String>,
    /// What was typed to ask for a module.
    pub module: ModuleForm,
    /// What was typed to call a helper.
    pub call: CallForm,
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
            now: snapshot.now,
            tab: Tab::Overview,
            dialogs: Vec::new(),
            masks: Masks::new(&snapshot),
            spark: Spark::new(&snapshot),
            status: None,
            path_warnings: Vec::new(),
            notices: Vec::new(),
            module: ModuleForm::default(),
            call: CallForm::default(),
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

    /// The whole sentence that says whose knobs these are.
    pub fn target(&self) -> String {
        format!("embedded engine (pid {}): this machine's kernel is untouched", self.snapshot.pid)
    }

    /// Where keys mean something now, the nearest context first.
    pub fn chain(&self) -> &'static [Context] {
        use Context::{Anywhere, Choices, Confirm, Filter, Form, Gate, Help, Masks, Page, Pick, Quit, Screens, Text};
        match self.dialogs.last() {
            None if self.tab == Tab::Masks && self.masks.filtering => &[Text, Filter, Anywhere],
            None if self.tab == Tab::Masks => &[Masks, Screens, Anywhere],
            None => &[Screens, Anywhere],
            Some(Dialog::Module) if self.module.focus == 1 => &[Pick, Form, Anywhere],
            Some(Dialog::Call) if self.call.focus == 2 => &[Pick, Form, Anywhere],
            Some(Dialog::Rehearse) if self.rehearse.picks() => &[Pick, Form, Anywhere],
            Some(Dialog::Module | Dialog::Call | Dialog::Rehearse | Dialog::Path(_)) => &[Text, Form, Anywhere],
            Some(Dialog::Gate(_)) => &[Gate, Choices, Anywhere],
            Some(Dialog::Presets(_) | Dialog::Copy(_)) => &[Choices, Anywhere],
            Some(Dialog::Quit(quit)) if quit.stage == Quitting::Asking => &[Quit, Choices, Anywhere],
            Some(Dialog::Quit(_) | Dialog::Rehearsal(_) | Dialog::Forms(_)) => &[Page, Anywhere],
            Some(Dialog::Apply(apply)) if !apply.phrase.is_empty() => &[Text, Confirm, Anywhere],
            Some(Dialog::Apply(_) | Dialog::Reset(_)) => &[Confirm, Anywhere],
            Some(Dialog::Help(_)) => &[Text, Help, Anywhere],
        }
    }

    /// The field of text under the cursor, and where to say what is wrong with it.
    pub fn field(&mut self) -> Option<(&mut Field, Option<&mut Option<String>>)> {
        if self.dialogs.is_empty() && self.tab == Tab::Masks && self.masks.filtering {
            return Some((&mut self.masks.filter, None));
        }
        match self.dialogs.last_mut()? {
            Dialog::Module => {
                let form = &mut self.module;
                let field = match form.focus {
                    0 => &mut form.name,
                    2 => &mut form.count,
                    _ => return None,
                };
                Some((field, Some(&mut form.error)))
            }
            Dialog::Call => {
                let form = &mut self.call;
                let field = match form.focus {
                    0 => &mut form.path,
                    1 => &mut form.args,
                    3 => &mut form.masks[0],
                    4 => &mut form.masks[1],
                    _ => return None,
                };
                Some((field, Some(&mut form.error)))
            }
            Dialog::Rehearse => self.rehearse.field(),
            Dialog::Path(form) => Some((&mut form.path, Some(&mut form.error))),
            Dialog::Apply(apply) if !apply.phrase.is_empty() => Some((&mut apply.typed, Some(&mut apply.error))),
            Dialog::Help(help) => {
                help.scroll = 0;
                Some((&mut help.search, None))
            }
            _ => None,
        }
    }

    /// Submits a command and remembers what its reply will be an answer to.
    pub fn submit(&mut self, pending: Pending, command: Command) -> Effect {
        self.tickets += 1;
        self.pending.insert(self.tickets, pending);
        Effect::Submit { ticket: self.tickets, command }
    }

    /// The ticket that was given last.
    pub fn last_ticket(&self) -> Ticket {
        self.tickets
    }

    /// Says something.
    pub fn say(&mut self, mood: Mood, text: impl Into<String>) {
        self.status = Some(Status { mood, text: warnings::screen_again(&text.into()) });
    }

    /// Whether a write of ours to this knob is under way.
    pub fn is_writing(&self, key: Key) -> bool {
        self.pending.values().any(|pending| match pending {
            Pending::Path => key == Key::Modprobe,
            Pending::Masks(asked) => asked.iter().any(|(knob, _)| masks::key(*knob) == key),
            Pending::Reset(knob) => masks::key(*knob) == key,
            _ => false,
        })
    }
}
