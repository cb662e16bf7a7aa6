//! The panels of the screen Overview.

use ratatui::layout::Rect;

use crate::tui::panels::rows::PanelRow;

/// The panels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The list of a small screen, without a title.
    Small,
    Warnings,
    /// What to do without modprobe, in place of the warnings.
    NoModprobe,
    Knobs,
    Requests,
    Running,
    Finished,
    /// The last ends one by one, as far as there is room.
    Newest,
    UnderCursor,
    /// The requests that share the row under the cursor.
    Members,
    Endings,
    RunTimes,
    Waits,
    Asked,
    Events,
    /// The watch of the kernel, in place of the module requests of an engine.
    Watch,
}

/// A panel: a rule with its title, and the rows below.
pub struct Panel {
    /// Which one.
    pub kind: Kind,
    /// The title, at the left of the rule.
    pub title: String,
    /// A hint, at the right of the rule.
    pub hint: String,
    /// The rule and the rows.
    pub area: Rect,
    /// The rows that are shown.
    pub rows: Vec<PanelRow>,
}

/// A panel before it has its rows.
pub(super) struct Draft {
    pub(super) panel: Panel,
    /// How many rows it gets first.
    pub(super) least: usize,
    pub(super) given: usize,
}
