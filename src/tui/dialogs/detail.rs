//! The full record under the cursor. Its other keys are those of the screen Activity.

use crate::abi::record::State;
use crate::tui::keymap::{Action, Context};
use crate::tui::model::{Dialog, Model};
use crate::tui::panels::detail;
use crate::tui::widgets::sheet::Sheet;

/// How far it is scrolled.
#[derive(Debug)]
pub struct Detail(pub usize);

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
    model.open(Detail(0));
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
        sheet.scroll = self.0;
        sheet
    }

    fn scroll(&mut self) -> Option<&mut usize> {
        Some(&mut self.0)
    }

    fn offers(&self, model: &Model, action: Action) -> bool {
        let ended = model.activity.detail().is_some_and(|detail| detail.record.state == State::Ended);
        !ended || !matches!(action, Action::Kill | Action::Abandon)
    }

    fn answers_below(&self) -> bool {
        true
    }
}
