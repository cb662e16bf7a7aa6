//! The palette: every action of the key table by name, found by a few letters.

use crate::abi::sort::sort_by_key;
use crate::control::text::letters::rank;
use crate::tui::field::Field;
use crate::tui::keymap::{Action, Binding, Context, names};
use crate::tui::model::{Dialog, Model, Tab, TextField};
use crate::tui::text;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

/// The contexts of the screens, whose actions it lists.
const PLACES: [(Context, Option<Tab>); 7] = [
    (Context::Overview, Some(Tab::Overview)),
    (Context::Masks, Some(Tab::Masks)),
    (Context::Activity, Some(Tab::Activity)),
    (Context::Log, Some(Tab::Log)),
    (Context::Rules, Some(Tab::Rules)),
    (Context::Screens, None),
    (Context::Anywhere, None),
];

/// The palette.
#[derive(Debug, Default)]
pub struct Palette {
    typed: Field,
    /// The row that is chosen, counted from 0.
    choice: usize,
    error: Option<String>,
}

/// An action that the palette lists.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its row of the key table.
    pub row: &'static Binding,
    /// The screen that it belongs to; `None` for all.
    pub tab: Option<Tab>,
}

/// Opens it.
pub(super) fn open(model: &mut Model) {
    model.open(Palette::default());
}

/// Whether the action does something that a list can name: moving the cursor is done with its keys alone.
const fn is_named(action: Action) -> bool {
    use Action::{Dismiss, Down, First, Last, Left, PageDown, PageUp, Palette, Right, Up};
    !matches!(action, Up | Down | PageUp | PageDown | First | Last | Left | Right | Dismiss | Palette)
}

/// The actions that match, the best first; among equals those of this screen come first. What a read-only console
/// refuses comes last.
fn matching(model: &Model, typed: &[u8]) -> Vec<Entry> {
    let wanted = text::screen(typed).to_lowercase();
    let entries = PLACES.iter().flat_map(|(context, tab)| {
        let rows = model.keys.rows().filter(move |(row, _)| row.context == *context && is_named(row.action));
        rows.map(move |(row, _)| Entry { row, tab: *tab })
    });
    let mut found: Vec<((bool, usize, bool), Entry)> = entries
        .filter_map(|entry| {
            let id = entry.row.id().replace('-', " ");
            // In a long text nearly any letters are found in their order: what follows a semicolon only explains.
            let what = entry.row.help.split(';').next().unwrap_or_default();
            let texts = [what.to_lowercase(), id, entry.row.label.to_owned()];
            let rank = texts.iter().filter_map(|text| rank(&wanted, text)).min()?;
            let here = entry.tab.is_none_or(|tab| tab == model.tab);
            Some(((refused(model, entry), rank, !here), entry))
        })
        .collect();
    sort_by_key(&mut found, |(order, _)| *order);
    found.into_iter().map(|(_, entry)| entry).collect()
}

fn refused(model: &Model, entry: Entry) -> bool {
    model.options.read_only && entry.row.action.acts()
}

/// The action that is chosen in the palette on top.
pub fn chosen(model: &Model) -> Option<Entry> {
    let palette = model.top::<Palette>()?;
    matching(model, palette.typed.bytes()).get(palette.choice).copied()
}

impl Dialog for Palette {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Text, Context::Choices, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Every action", &model.theme, columns);
        let found = matching(model, self.typed.bytes());
        let place = if columns >= 60 { 12 } else { 0 };
        for (at, entry) in found.iter().enumerate() {
            let keys = model.keys.rows().find(|(row, _)| std::ptr::eq(*row, entry.row)).map(|(_, keys)| keys);
            let keys = text::pad(&keys.map(names).unwrap_or_default(), 10);
            let help = text::pad(entry.row.help, columns.saturating_sub(text::width(&keys) + place + 4));
            let tab = match entry.tab {
                _ if place == 0 => String::new(),
                _ if refused(model, *entry) => " read-only".to_owned(),
                Some(tab) => format!(" {}", tab.name()),
                None => String::new(),
            };
            sheet.choice(&format!("{help} {keys}{tab}"), at == self.choice);
        }
        if found.is_empty() {
            sheet.say("no action matches; `:` takes commands", model.theme.warn);
        }
        sheet.pinned_field("action", &self.typed);
        if let Some(entry) = found.get(self.choice).filter(|_| model.rows >= 16) {
            let lines = text::wrap(entry.row.help, columns);
            sheet.pinned.extend(lines.into_iter().map(|words| line(words, model.theme.dim)));
        }
        sheet.wrong(self.error.as_ref());
        sheet
    }

    fn field<'a>(&'a mut self, _: &'a mut Model) -> Option<TextField<'a>> {
        self.choice = 0;
        Some((&mut self.typed, Some(&mut self.error)))
    }

    fn choice(&mut self, model: &Model) -> Option<(&mut usize, usize)> {
        let rows = matching(model, self.typed.bytes()).len();
        Some((&mut self.choice, rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::fixtures;
    use crate::tui::testing::render::{keys, screen};
    use crate::tui::update::update;

    fn palette(typed: &str) -> Model {
        let mut model = fixtures::model(fixtures::busy(2), 120, 40);
        let open = crossterm::event::KeyEvent::new(
            crossterm::event::KeyCode::Char('p'),
            crossterm::event::KeyModifiers::CONTROL,
        );
        update(&mut model, crate::tui::msg::Msg::Key(open));
        keys(&mut model, typed);
        model
    }

    #[test]
    fn a_few_letters_find_an_action_by_words_or_in_their_order() {
        for (typed, action) in [
            ("gate", Action::Gate),
            ("kill", Action::Kill),
            ("apply", Action::Apply),
            ("rhrs", Action::Rehearse),
            ("theme", Action::Theme),
            ("ask for a mod", Action::Module),
        ] {
            assert_eq!(chosen(&palette(typed)).map(|entry| entry.row.action), Some(action), "{typed}");
        }
        assert!(chosen(&palette("zzzz")).is_none());
        assert!(screen(&palette("zzzz")).contains("no action matches"));
    }

    #[test]
    fn every_action_of_the_screens_is_listed_with_its_key() {
        let model = palette("");
        let listed = matching(&model, b"");
        for (row, _) in model.keys.rows().filter(|(row, _)| PLACES.iter().any(|(place, _)| *place == row.context)) {
            let is = listed.iter().any(|entry| std::ptr::eq(entry.row, row));
            assert_eq!(is, is_named(row.action), "{row:?}");
        }
    }

    #[test]
    fn enter_does_it_on_its_own_screen() {
        let mut model = palette("apply the dr\n");
        assert_eq!(model.tab, Tab::Masks);
        assert!(model.top::<Palette>().is_none());
        keys(&mut model, "1");
        let gate = palette("set the gate\n");
        assert!(gate.top::<crate::tui::dialogs::gate::Gate>().is_some() && gate.tab == Tab::Overview);
        // With the cursor on another row.
        let (first, second) = (palette("show the"), palette("show the↓"));
        assert!(!std::ptr::eq(chosen(&first).unwrap().row, chosen(&second).unwrap().row));
        let model = palette("show the Act\n");
        assert_eq!((model.dialogs.len(), model.tab), (0, Tab::Activity));
    }

    #[test]
    fn what_a_read_only_console_refuses_comes_last_and_says_so() {
        let mut model = palette("");
        model.options.read_only = true;
        let all = matching(&model, b"kill");
        let first_refused = all.iter().position(|entry| refused(&model, *entry)).unwrap();
        assert!(all[first_refused..].iter().all(|entry| refused(&model, *entry)));
        keys(&mut model, "kill the helper");
        assert!(screen(&model).contains("read-only"));
    }
}
