//! The span of time that Activity shows: typed, or chosen from a list.

use crate::control::text::outcome::Severity;
use crate::tui::field::Field;
use crate::tui::keymap::Context;
use crate::tui::model::times::{Times as Chosen, between};
use crate::tui::model::{After, Dialog, Model, TextField};
use crate::tui::text;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;
use crate::verbs::span::{self, Span};

/// What can be chosen, and what it means.
const CHOICES: [(&str, &str); 9] = [
    ("all", "every time"),
    ("session", "since this engine was started"),
    ("10m", "the last ten minutes"),
    ("1h", "the last hour"),
    ("today", "since midnight"),
    ("yesterday", "all of that day"),
    ("since yesterday", "that day and today"),
    ("7d", "the last seven days"),
    ("since 2026-11-25 18:00 until 09:00", "two times, each with a date or without"),
];
/// The last one is an example.
const REAL: usize = CHOICES.len() - 1;

/// The dialog.
#[derive(Debug, Default)]
pub struct Times {
    typed: Field,
    /// The row that is chosen, counted from 0.
    choice: usize,
}

/// Opens it with the span that is shown.
pub(super) fn open(model: &mut Model) {
    let typed = Field::prefilled(model.activity.times.typed.as_bytes());
    model.open(Times { typed, choice: 0 });
}

/// Shows yesterday alone, or every time again.
pub fn yesterday(model: &mut Model) {
    const YESTERDAY: &str = "yesterday";
    let shown = model.activity.times.typed == YESTERDAY;
    let span = if shown { Ok(Span::default()) } else { read(YESTERDAY, model) };
    match span {
        Ok(span) => {
            let typed = if shown { String::new() } else { YESTERDAY.to_owned() };
            model.activity.show_times(Chosen { typed, span });
        }
        Err(why) => model.say(Severity::Warned, why),
    }
}

/// What this text means now.
fn read(text: &str, model: &Model) -> Result<Span, String> {
    span::parse(text, (model.clock)(), i64::try_from(model.link.info.run.started).ok())
}

impl Times {
    fn text(&self) -> String {
        String::from_utf8_lossy(self.typed.bytes()).into_owned()
    }

    /// The choices that begin with what is typed.
    fn choices(&self) -> Vec<(&'static str, &'static str)> {
        let typed = self.text();
        let begins = |(choice, _): &&(&str, &str)| self.typed.is_selected() || choice.starts_with(typed.trim());
        CHOICES[..REAL].iter().filter(begins).copied().collect()
    }

    /// The text that enter takes, and what it means now. The error is about what is typed.
    fn chosen(&self, model: &Model) -> (String, Result<Span, String>) {
        let read = |text: &str| read(text, model);
        let typed = self.text();
        match (self.choices().get(self.choice), read(&typed)) {
            // An unfinished word stands for the choice under the cursor.
            (Some((choice, _)), read_) if read_.is_err() || typed.trim().is_empty() || self.choice > 0 => {
                ((*choice).to_owned(), read(choice))
            }
            (_, read) => (typed.trim().to_owned(), read),
        }
    }
}

impl Dialog for Times {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Text, Context::Choices, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Show a time", &model.theme, columns);
        let choices = self.choices();
        let row = |(choice, means): &(&str, &str)| format!("{} {means}", text::pad(choice, 16));
        for (at, choice) in choices.iter().enumerate() {
            sheet.choice(&row(choice), at == self.choice);
        }
        if choices.is_empty() {
            let (example, means) = CHOICES[REAL];
            sheet.say(&format!("for example {example}: {means}"), model.theme.dim);
        }
        sheet.pinned_field("time", &self.typed);
        let (words, style) = match self.chosen(model) {
            (text, Ok(span)) => (format!("enter shows {text}: {}", between(span)), model.theme.text),
            (_, Err(why)) => (format!("✗ {why}"), model.theme.bad),
        };
        sheet.pinned.extend(text::wrap(&words, columns).into_iter().map(|words| line(words, style)));
        sheet
    }

    fn accept(&mut self, model: &mut Model) -> After {
        let (typed, span) = self.chosen(model);
        // What is wrong stands below the field.
        let Ok(span) = span else { return After::STAY };
        let typed = if span == Span::default() { String::new() } else { typed };
        model.activity.show_times(Chosen { typed, span });
        After::CLOSE
    }

    fn field<'a>(&'a mut self, _: &'a mut Model) -> Option<TextField<'a>> {
        self.choice = 0;
        Some((&mut self.typed, None))
    }

    fn choice(&mut self, _: &Model) -> Option<(&mut usize, usize)> {
        let rows = self.choices().len();
        Some((&mut self.choice, rows))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::tui::testing::fixtures;
    use crate::tui::testing::render::{keys, screen};

    fn activity() -> Model {
        let mut model = fixtures::model(fixtures::busy(2), 120, 40);
        // 2026-11-26T12:09:48Z: the same day nearly everywhere.
        model.clock = || UNIX_EPOCH + Duration::from_secs(1_795_694_988);
        keys(&mut model, "3");
        model
    }

    #[test]
    fn a_time_is_typed_or_chosen_and_what_it_means_is_shown() {
        let mut model = activity();
        keys(&mut model, "i");
        assert!(screen(&model).contains("enter shows all: every time"), "{}", screen(&model));
        keys(&mut model, "y");
        assert!(screen(&model).contains("enter shows yesterday: 2026-11-2"), "{}", screen(&model));
        keys(&mut model, "\n");
        assert_eq!(model.activity.times.typed, "yesterday");
        let span = model.activity.query();
        assert!(span.since < span.until && span.since.is_some(), "{span:?}");
        // What is typed replaces it.
        keys(&mut model, "i90s\n");
        let query = model.activity.query();
        assert_eq!((query.since, query.until), (Some((1_795_694_988 - 90) * 1_000_000), None));
        keys(&mut model, "i↓↓\n");
        assert_eq!(model.activity.times.typed, "10m");
        keys(&mut model, "iall\n");
        assert!(model.activity.times.is_all() && model.activity.times.typed.is_empty());
    }

    #[test]
    fn one_key_shows_yesterday_and_every_time_again() {
        let mut model = activity();
        keys(&mut model, "iyesterday\n");
        let chosen = model.activity.times.clone();
        keys(&mut model, "Y");
        assert!(model.activity.times.is_all() && model.activity.times.typed.is_empty());
        keys(&mut model, "Y");
        assert_eq!(model.activity.times, chosen);
        // Over another time too.
        keys(&mut model, "i1h\nY");
        assert_eq!(model.activity.times, chosen);
        assert!(model.dialogs.is_empty());
    }

    #[test]
    fn what_is_no_time_is_said_while_it_is_typed_and_is_not_taken() {
        let mut model = activity();
        keys(&mut model, "isince 2026-13-01");
        let shown = screen(&model);
        assert!(shown.contains("✗ give a time: 10m, 2h") && shown.contains("for example since"), "{shown}");
        keys(&mut model, "\n");
        assert!(model.top::<Times>().is_some() && model.activity.times.is_all());
        keys(&mut model, "⎋");
        assert!(model.dialogs.is_empty());
    }
}
