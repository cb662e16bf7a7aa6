//! The guided tour of a demo: its steps, and where the operator is.

use crate::abi::cap::CapMask;
use crate::abi::snapshot::Snapshot;
use crate::control::target::TargetInfo;
use crate::tui::keymap::Action;

use super::Model;
use super::masks::{KNOBS, live};

/// A step of the tour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Find what holds the slots.
    Slots,
    /// Open a failure and read its stderr.
    Failure,
    /// Take one capability out of the draft of a mask.
    Draft,
    /// Rehearse the draft.
    Rehearse,
    /// Apply it.
    Apply,
    /// See what the next helper got.
    Effect,
    /// Look at another target.
    Target,
    /// Quit.
    Quit,
}

impl Step {
    /// All of them, in their order.
    pub const ALL: [Self; 8] =
        [Self::Slots, Self::Failure, Self::Draft, Self::Rehearse, Self::Apply, Self::Effect, Self::Target, Self::Quit];

    /// What it is about, and what it shows.
    const fn about(self) -> (&'static str, &'static str) {
        match self {
            Self::Slots => {
                ("what holds the slots", "A request for a module holds one of 8 slots until its helper ends.")
            }
            Self::Failure => {
                ("why one failed", "What a helper wrote to stderr is kept, with its arguments and its powers.")
            }
            Self::Draft => {
                ("a mask in draft", "A mask limits what every later helper may do. A draft changes nothing yet.")
            }
            Self::Rehearse => {
                ("try it before it counts", "The page shows how the two runs differ: one capability is missing.")
            }
            Self::Apply => {
                ("apply it", "What a mask has lost cannot be regained, as in the kernel: so it is typed out.")
            }
            Self::Effect => {
                ("the next helper", "Its bounding set lacks the capability, and no module can be inserted now.")
            }
            Self::Target => {
                ("another target", "An engine, a daemon, the kernel: each keeps its own screen and its draft.")
            }
            Self::Quit => {
                ("that was all", "Without --demo, khelper is the same over a daemon, an engine or the kernel.")
            }
        }
    }
}

/// The words of a step.
#[derive(Debug)]
pub struct Words {
    /// What it is about.
    pub title: &'static str,
    /// The keys.
    pub keys: String,
    /// The keys alone, for a small screen.
    pub brief: String,
    /// What it shows.
    pub why: &'static str,
}

/// Where the operator is.
#[derive(Clone, Debug, Default)]
pub struct Tour {
    at: usize,
    /// It is on the screen.
    pub shown: bool,
    /// The live masks when the step began: bset, inheritable.
    pub masks: [CapMask; 2],
    /// The newest request when the step began.
    pub newest: u64,
    /// Another target was shown.
    pub left: bool,
}

impl Tour {
    /// The tour of a demo begins at once; a console over another target shows none.
    pub fn of(target: &TargetInfo, snapshot: &Snapshot) -> Self {
        let masks = KNOBS.map(|knob| live(snapshot, knob));
        // Another target is shown in the last step but one.
        let at = if target.name == TargetInfo::DEMO[1] { Step::ALL.len() - 1 } else { 0 };
        Self { at, shown: target.is_demo(), masks, ..Self::default() }
    }

    /// The step.
    pub fn step(&self) -> Step {
        Step::ALL[self.at.min(Step::ALL.len() - 1)]
    }

    /// The number of the step, counted from 1.
    pub fn number(&self) -> usize {
        self.at + 1
    }
}

impl Model {
    /// Goes to another step: the next one, or the one before.
    pub fn turn_tour(&mut self, next: bool) {
        let last = Step::ALL.len() - 1;
        let newest = self.snapshot.running.iter().map(|live| live.id);
        let newest = newest.chain(self.snapshot.last.iter().map(|record| record.id)).max();
        let tour = &mut self.tour;
        tour.at = if next { (tour.at + 1).min(last) } else { tour.at.saturating_sub(1) };
        tour.masks = KNOBS.map(|knob| live(&self.snapshot, knob));
        (tour.newest, tour.left) = (newest.unwrap_or(0), false);
    }

    /// The words of the current step.
    pub fn tour_words(&self) -> Words {
        let step = self.tour.step();
        let ((title, why), (keys, brief)) = (step.about(), self.tour_keys(step));
        Words { title, keys, brief, why }
    }

    /// The keys of a step: in words, and alone.
    fn tour_keys(&self, step: Step) -> (String, String) {
        let key = |action| self.keys.key(action);
        // Out of the page that the step before has opened.
        let back = if self.dialogs.is_empty() { String::new() } else { format!("{}, ", key(Action::Dismiss)) };
        let enter = key(Action::Open);
        match step {
            Step::Slots => {
                let overview = key(Action::Overview);
                let words = format!("{enter} on raid456 under Running (arrows move, {overview} comes back here)");
                (words, format!("{enter} on raid456"))
            }
            Step::Failure => {
                let words = format!("{back}{enter} on a row with ✗ under Recently finished, as nvidia");
                (words, format!("{back}{enter} on ✗"))
            }
            Step::Draft => {
                let (masks, toggle) = (key(Action::Masks), key(Action::Toggle));
                (format!("{back}{masks}, then {toggle} on cap_sys_module"), format!("{back}{masks}, {toggle}"))
            }
            Step::Rehearse => {
                let rehearse = key(Action::Rehearse);
                let words =
                    format!("{rehearse}, then {enter}: a helper runs under the draft, then under the live masks");
                (words, format!("{rehearse}, {enter}"))
            }
            Step::Apply => {
                let apply = key(Action::Apply);
                let words = format!("{back}{apply}, type what the question asks for, then {enter}");
                (words, format!("{back}{apply}, then type"))
            }
            Step::Effect => {
                let (activity, first) = (key(Action::Activity), key(Action::First));
                let words = format!("{back}{activity}, {first}, then {enter}: a request that is newer than the change");
                (words, format!("{back}{activity}, {first} {enter}"))
            }
            Step::Target => {
                let target = key(Action::Target);
                (format!("{back}{target}: the name in brackets above changes"), format!("{back}{target}"))
            }
            Step::Quit => {
                let (quit, help) = (key(Action::Quit), key(Action::Help));
                let words = format!("{back}{quit} quits; or look around: every key works, {help} lists them");
                (words, format!("{back}{quit}"))
            }
        }
    }
}
