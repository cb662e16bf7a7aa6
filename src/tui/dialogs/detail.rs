//! The full record under the cursor. Its other keys are those of the screen Activity.

use crate::abi::record::State;
use crate::tui::keymap::{Action, Context};
use crate::tui::model::{After, Dialog, Model, Tab};
use crate::tui::panels::detail;
use crate::tui::widgets::sheet::Sheet;

/// The page of a record.
#[derive(Debug, Default)]
pub struct Detail {
    /// How far it is scrolled.
    scroll: usize,
    /// The screen that it was opened from, if that is not Activity.
    back: Option<Tab>,
}

/// Opens it. The cursor then stays on its record.
pub(super) fn open(model: &mut Model) {
    if model.row_at_cursor().is_none() {
        return;
    }
    model.activity.follow = false;
    // A message about another record does not answer a key of this one.
    if let Some(status) = &mut model.status {
        status.depth = 0;
    }
    model.open(Detail::default());
}

/// Opens the record of this request from the Overview. Filters of Activity that could hide it are cleared.
pub fn open_from_overview(model: &mut Model, id: u64) {
    model.activity.go_to(id);
    let back = Some(model.tab);
    model.tab = Tab::Activity;
    model.open(Detail { scroll: 0, back });
}

impl Dialog for Detail {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Detail, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let Some(record) = model.activity.detail() else {
            let mut sheet = Sheet::new("A record", &model.theme, columns);
            sheet.say("reading", model.theme.dim);
            return sheet;
        };
        let mut sheet = Sheet::new(detail::title(record), &model.theme, columns);
        sheet.lines = detail::lines(model, record, columns);
        sheet.scroll = self.scroll;
        sheet
    }

    fn dismiss(&mut self, model: &mut Model) -> After {
        if let Some(tab) = self.back {
            model.tab = tab;
        }
        After::CLOSE
    }

    fn scroll(&mut self) -> Option<&mut usize> {
        Some(&mut self.scroll)
    }

    fn offers(&self, model: &Model, action: Action) -> bool {
        let ended = model.activity.detail().is_some_and(|detail| detail.record.state == State::Ended);
        !ended || !matches!(action, Action::Kill | Action::Abandon)
    }

    fn answers_below(&self) -> bool {
        true
    }
}
