//! The list of outcomes: which records Activity shows. Several can be chosen; each has the number of its records.

use crate::abi::counted::counted;
use crate::control::activity::outcomes::{Outcomes as Set, Which};
use crate::tui::keymap::{Action, Context};
use crate::tui::model::{After, Dialog, Model};
use crate::tui::text;
use crate::tui::widgets::sheet::Sheet;

/// What is chosen so far, and the row under the cursor; row 0 stands for every outcome.
#[derive(Debug)]
pub struct Outcomes {
    set: Set,
    row: usize,
}

/// Opens it with the outcomes that are shown.
pub(super) fn open(model: &mut Model) {
    let set = model.activity.which;
    let row = Which::ALL.iter().position(|which| set.has(*which)).map_or(0, |at| at + 1);
    model.open(Outcomes { set, row });
}

impl Dialog for Outcomes {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Outcomes, Context::Choices, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Show outcomes", &model.theme, columns);
        let tally = &model.activity.answer.tally;
        let chosen = |chosen: bool| if chosen { "[x]" } else { "[ ]" };
        let row = |chosen: &str, name: &str, count: u64| {
            format!("{chosen} {} {count:>7}", text::pad(name, columns.saturating_sub(15).min(26)))
        };
        let all = Which::ALL.iter().map(|which| tally.of(*which)).sum();
        sheet.choice(&row(chosen(self.set.is_all()), "  every outcome", all), self.row == 0);
        for (at, which) in Which::ALL.into_iter().enumerate() {
            sheet.choice(&row(chosen(self.set.has(which)), which.name(), tally.of(which)), self.row == at + 1);
        }
        let records = self.set.chosen().map(|which| tally.of(which)).sum::<u64>();
        let words = match self.set.chosen().count() {
            0 if model.rows < 16 => return sheet,
            0 => "enter shows the one under the cursor; space chooses several".to_owned(),
            many => {
                let records = counted(records, "record");
                format!("{many} of {} chosen: {records}; enter shows them", Which::ALL.len())
            }
        };
        sheet.pinned.extend(
            text::wrap(&words, columns)
                .into_iter()
                .map(|words| crate::tui::widgets::lines::line(words, model.theme.dim)),
        );
        sheet
    }

    fn accept(&mut self, model: &mut Model) -> After {
        let under = self.row.checked_sub(1).and_then(|at| Which::ALL.get(at));
        let set = if self.set.is_all() { under.into_iter().copied().collect() } else { self.set };
        model.activity.show_outcomes(set);
        After::CLOSE
    }

    fn choose(&mut self, choice: usize) -> bool {
        match (choice, self.row.checked_sub(1).and_then(|at| Which::ALL.get(at))) {
            (0, _) => self.set = Set::failures(),
            (2, Some(which)) => self.set.toggle(*which),
            _ => self.set = Set::ALL,
        }
        true
    }

    fn choice(&mut self, _: &Model) -> Option<(&mut usize, usize)> {
        Some((&mut self.row, Which::ALL.len() + 1))
    }
}

/// Shows failures alone, or every outcome again.
pub fn failures(model: &mut Model, action: Action) -> bool {
    if action != Action::Failures {
        return false;
    }
    let failures = Set::failures();
    let set = if model.activity.which == failures { Set::ALL } else { failures };
    model.activity.show_outcomes(set);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::activity::outcomes::Tally;
    use crate::tui::testing::fixtures;
    use crate::tui::testing::render::{keys, screen};

    fn activity() -> Model {
        let mut model = fixtures::model(fixtures::busy(2), 120, 40);
        keys(&mut model, "3");
        model.activity.answer.tally = Tally::from((100..113).collect::<Vec<u64>>());
        model
    }

    #[test]
    fn several_outcomes_are_chosen_with_the_number_of_each_beside_them() {
        let mut model = activity();
        keys(&mut model, "o");
        let shown = screen(&model);
        assert!(shown.contains("[x]   every outcome") && shown.contains("[ ] † killed by a signal"), "{shown}");
        assert!(shown.lines().any(|line| line.contains("killed by a signal") && line.contains(" 101")), "{shown}");
        keys(&mut model, "↓ ↓↓ ");
        assert!(screen(&model).contains("2 of 13 chosen: 202 records"), "{}", screen(&model));
        keys(&mut model, "\n");
        assert_eq!(model.activity.which, Set::from(vec![Which::Exited, Which::Core]));
        // The list opens at the first that is chosen; space takes it out.
        keys(&mut model, "o \n");
        assert_eq!(model.activity.which, Set::from(vec![Which::Core]));
        keys(&mut model, "on\n");
        assert_eq!(model.activity.which, Set::from(vec![Which::Core]), "the one under the cursor");
        keys(&mut model, "of\n");
        assert_eq!(model.activity.which, Set::failures());
        keys(&mut model, "OO");
        assert_eq!(model.activity.which, Set::failures());
        // Esc changes nothing.
        keys(&mut model, "on⎋");
        assert_eq!(model.activity.which, Set::failures());
    }
}
