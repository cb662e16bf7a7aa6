//! What stands in front of the screen.

use std::ops::Range;

use crate::abi::cap::{CapMask, Capability};
use crate::abi::depth::Depth;
use crate::abi::snapshot::Snapshot;
use crate::control::MaskKnob;
use crate::control::terminate::Termination;
use crate::tui::keymap::Context;
use crate::tui::msg::Ticket;

use super::field::Field;
use super::forms::PathForm;
use super::masks::{self, Masks};
use super::records::{CopyRecord, Kill, Repeat, SaveForm};
use super::rehearse::RehearsalPage;

/// One dialog. Those that take text for requests keep it in the model, so that it outlives them.
#[derive(Clone, Debug)]
pub enum Dialog {
    /// Ask for a module.
    Module,
    /// Call a helper.
    Call,
    /// Edit the modprobe path.
    Path(PathForm),
    /// Work the gate; which choice.
    Gate(usize),
    /// Confirm the draft.
    Apply(Apply),
    /// Confirm the reset of a mask.
    Reset(Reset),
    /// The command line.
    Line,
    /// A page to read.
    Page(Page),
    /// What is to be rehearsed.
    Rehearse,
    /// A run under the draft and under the live masks.
    Rehearsal(RehearsalPage),
    /// Both masks in every text form; how far it is scrolled.
    Forms(usize),
    /// Drafts that are offered; which choice.
    Presets(usize),
    /// The draft's text forms, to be copied; which choice.
    Copy(usize),
    /// The record under the cursor, whole; how far it is scrolled.
    Detail(usize),
    /// Confirm a signal to a helper.
    Kill(Kill),
    /// Confirm the same request once more.
    Repeat(Repeat),
    /// What of a record is to be copied.
    CopyRecord(CopyRecord),
    /// Save records to a file.
    Save(SaveForm),
    /// The keys.
    Help(Help),
    /// Helpers live, and the operator wants to quit.
    Quit(Quit),
}

/// The confirmation of a draft.
#[derive(Clone, Debug)]
pub struct Apply {
    /// What is dropped and what cannot be granted, for each mask that changes.
    pub changes: Vec<(MaskKnob, CapMask, CapMask)>,
    /// What has to be typed out; empty: nothing.
    pub phrase: String,
    /// What was typed.
    pub typed: Field,
    /// The write that is under way.
    pub ticket: Option<Ticket>,
    /// What was wrong.
    pub error: Option<String>,
    /// How far it is scrolled.
    pub scroll: usize,
    /// A line made the draft for this question alone.
    pub made: bool,
    /// What of it has been on the screen.
    pub read: Read,
}

/// What of a dialog's lines has been on the screen.
#[derive(Clone, Debug, Default)]
pub struct Read {
    lines: Vec<String>,
    seen: Vec<bool>,
}

impl Read {
    /// These of the lines are on the screen. Other lines than before, or the same broken otherwise, are read anew.
    pub fn show(&mut self, lines: Vec<String>, shown: Range<usize>) {
        if self.lines != lines {
            self.seen = vec![false; lines.len()];
            self.lines = lines;
        }
        self.seen.iter_mut().take(shown.end).skip(shown.start).for_each(|seen| *seen = true);
    }

    /// The first of these lines that has not been on the screen.
    pub fn missing(&self, lines: &[String]) -> Option<usize> {
        if self.lines == lines {
            self.seen.iter().position(|seen| !seen)
        } else {
            Some(0).filter(|_| !lines.is_empty())
        }
    }
}

impl Apply {
    /// What the draft would do to the live masks; `None` if it changes nothing.
    pub fn of(masks: &Masks, snapshot: &Snapshot) -> Option<Self> {
        let changes: Vec<_> = masks
            .changed(snapshot)
            .into_iter()
            .map(|knob| {
                let (live, draft) = (masks::live(snapshot, knob), masks.draft(knob));
                (knob, live.minus(draft), draft.minus(live))
            })
            .collect();
        let phrase = changes
            .iter()
            .filter_map(|(knob, dropped, _)| phrase(*knob, *dropped, masks::live(snapshot, *knob)))
            .collect::<Vec<_>>()
            .join(" and ");
        (!changes.is_empty()).then(|| Self {
            changes,
            phrase,
            typed: Field::default(),
            ticket: None,
            error: None,
            scroll: 0,
            made: false,
            read: Read::default(),
        })
    }

    /// Whether anything would be dropped; else the write would change nothing.
    pub fn drops(&self) -> bool {
        self.changes.iter().any(|(_, dropped, _)| !dropped.is_empty())
    }
}

/// What has to be typed out before a mask is emptied, or modprobe loses the right to load anything.
fn phrase(knob: MaskKnob, dropped: CapMask, live: CapMask) -> Option<String> {
    if dropped.is_empty() {
        None
    } else if live.minus(dropped).is_empty() {
        Some(format!("empty {}", masks::short(knob)))
    } else if knob == MaskKnob::Bset && dropped.has(Capability::SYS_MODULE) {
        Some("drop cap_sys_module".to_owned())
    } else {
        None
    }
}

/// The confirmation of a reset.
#[derive(Clone, Debug)]
pub struct Reset {
    /// Which mask.
    pub knob: MaskKnob,
    /// The reset that is under way.
    pub ticket: Option<Ticket>,
    /// What was wrong.
    pub error: Option<String>,
    /// How far it is scrolled.
    pub scroll: usize,
}

/// A page to read.
#[derive(Clone, Debug)]
pub struct Page {
    /// What it is.
    pub title: String,
    /// Its lines, escaped.
    pub lines: Vec<String>,
    /// How far it is scrolled.
    pub scroll: usize,
}

/// The help.
#[derive(Clone, Debug, Default)]
pub struct Help {
    /// Where it was called from: those keys come first.
    pub from: &'static [Context],
    /// What is searched for.
    pub search: Field,
    /// What was wrong.
    pub error: Option<String>,
    /// How far it is scrolled.
    pub scroll: usize,
}

/// How far quitting has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quitting {
    /// It asks.
    Asking,
    /// The gate is shut and it waits for the last helper.
    Waiting {
        /// The gate as it was.
        gate: Depth,
    },
    /// Signals were sent.
    Killing {
        /// The gate as it was.
        gate: Depth,
        /// What is sent to whom.
        termination: Termination,
    },
}

/// The dialog before quitting.
#[derive(Clone, Debug)]
pub struct Quit {
    /// Which choice: wait, kill, leave.
    pub choice: usize,
    /// How far it has come.
    pub stage: Quitting,
}
