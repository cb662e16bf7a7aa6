//! The code that all dialogs share, tested with dialogs of this file.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::control::text::outcome::Severity;
use crate::tui::field::Field;
use crate::tui::keymap::{CHAINS, Context};
use crate::tui::model::{After, Dialog, Model, TextField};
use crate::tui::msg::{Click, Effect, Mouse, Msg};
use crate::tui::testing::fixtures;
use crate::tui::testing::render::{keys, page, row, screen};
use crate::tui::update::update;
use crate::tui::widgets::sheet::Sheet;

/// Two fields of text.
#[derive(Debug, Default)]
struct Card {
    focus: usize,
    fields: [Field; 2],
    error: Option<String>,
    accepted: u32,
}

impl Dialog for Card {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Text, Context::Form, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new(format!("A card, accepted {} times", self.accepted), &model.theme, columns);
        sheet.error.clone_from(&self.error);
        sheet.field("upper", &self.fields[0], self.focus == 0);
        sheet.field("lower", &self.fields[1], self.focus == 1);
        sheet
    }

    fn accept(&mut self, model: &mut Model) -> After {
        self.accepted += 1;
        model.open(List { choice: 1 });
        After::Stay(vec![Effect::Repaint])
    }

    fn dismiss(&mut self, model: &mut Model) -> After {
        model.say(Severity::Quiet, "the card is closed");
        After::CLOSE
    }

    fn fields(&self, _: &Model) -> usize {
        2
    }

    fn field<'a>(&'a mut self, _: &'a mut Model) -> Option<TextField<'a>> {
        Some((&mut self.fields[self.focus], Some(&mut self.error)))
    }

    fn focus<'a>(&'a mut self, _: &'a mut Model) -> Option<(&'a mut usize, &'a mut Option<String>)> {
        Some((&mut self.focus, &mut self.error))
    }
}

/// A list of three.
#[derive(Debug)]
struct List {
    choice: usize,
}

impl Dialog for List {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Choices, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("A list", &model.theme, columns);
        sheet.choices(&["red", "green", "blue"], self.choice);
        sheet
    }

    fn choice(&mut self, _: &Model) -> Option<(&mut usize, usize)> {
        Some((&mut self.choice, 3))
    }
}

/// A page of forty lines.
#[derive(Debug)]
struct Long(usize);

impl Dialog for Long {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Page, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Forty lines", &model.theme, columns);
        (1..=40).for_each(|n| sheet.say(&format!("line {n}"), model.theme.text));
        sheet.scroll = self.0;
        sheet
    }

    fn scroll(&mut self) -> Option<&mut usize> {
        Some(&mut self.0)
    }
}

fn console() -> Model {
    fixtures::model(fixtures::snapshot(), 80, 24)
}

fn enter(model: &mut Model) -> Vec<Effect> {
    update(model, Msg::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)))
}

fn click(model: &mut Model, what: &str) {
    let shown = page(model);
    let found = (0..shown.area.height).find_map(|y| {
        let row = row(&shown, y);
        row.find(what).map(|at| (row[..at].chars().count(), y))
    });
    let (x, y) = found.unwrap_or_else(|| panic!("{what}\n{}", screen(model)));
    update(model, Msg::Mouse(Mouse { what: Click::Press, x: u16::try_from(x).unwrap(), y }));
}

#[test]
fn a_dialog_that_no_other_file_knows_takes_text_keys_and_clicks() {
    let mut m = console();
    m.open(Card::default());
    keys(&mut m, "ab\tcd");
    let texts =
        |m: &Model| m.top::<Card>().map(|card| card.fields.clone().map(|field| field.bytes().to_vec())).unwrap();
    assert_eq!(texts(&m), [b"ab".to_vec(), b"cd".to_vec()]);
    update(&mut m, Msg::Paste(b"ef".to_vec()));
    assert_eq!(texts(&m)[1], b"cdef");
    click(&mut m, "upper");
    keys(&mut m, "x");
    assert_eq!(texts(&m), [b"abx".to_vec(), b"cdef".to_vec()]);
    assert!(screen(&m).contains("A card, accepted 0 times") && screen(&m).contains("> upper abx"), "{}", screen(&m));

    keys(&mut m, "⎋");
    assert!(m.dialogs.is_empty());
    let status = m.status.as_ref().unwrap();
    assert_eq!(
        (status.text.as_str(), status.depth),
        ("the card is closed", 0),
        "said where the dialog had been closed"
    );
}

#[test]
fn an_error_goes_when_the_focus_moves_or_something_is_typed() {
    let wrong = || Some("wrong".to_owned());
    for typed in ["\t", "z"] {
        let mut m = console();
        m.open(Card { error: wrong(), ..Card::default() });
        assert!(screen(&m).contains("✗ wrong"));
        keys(&mut m, typed);
        assert!(!screen(&m).contains("✗ wrong"), "{typed:?}");
    }
}

#[test]
fn what_a_dialog_opens_stands_above_it() {
    let mut m = console();
    m.open(Card::default());
    assert!(matches!(enter(&mut m)[..], [Effect::Repaint]));
    assert!(m.dialogs[0].get::<Card>().is_some_and(|card| card.accepted == 1));
    assert!(m.top::<List>().is_some() && m.dialogs.len() == 2);
}

#[test]
fn a_list_stops_at_its_ends_and_takes_clicks() {
    let mut m = console();
    m.open(List { choice: 0 });
    for (typed, choice) in [("↑", 0), ("↓", 1), ("↓↓↓", 2), ("↑", 1)] {
        keys(&mut m, typed);
        assert_eq!(m.top::<List>().unwrap().choice, choice, "{typed}");
    }
    click(&mut m, "blue");
    assert_eq!(m.top::<List>().unwrap().choice, 2);
    enter(&mut m);
    assert!(m.top::<List>().is_some(), "a dialog that defines no `accept` stays open");
}

#[test]
fn a_page_scrolls_to_its_end_and_no_further() {
    let mut m = console();
    m.open(Long(0));
    keys(&mut m, "⇲");
    let last = m.top::<Long>().unwrap().0;
    assert!(last >= 20 && screen(&m).contains("line 40"), "{last}\n{}", screen(&m));
    keys(&mut m, "↓");
    assert_eq!(m.top::<Long>().unwrap().0, last);
    keys(&mut m, "⇱");
    assert_eq!(m.top::<Long>().unwrap().0, 0);
}

/// Each dialog, in each stage that keys and the mouse bring it to.
#[test]
fn the_contexts_of_every_dialog_are_a_chain_that_the_key_table_is_checked_for() {
    let ways =
        ["m", "m\t", "c", "c\t\t", "e", "g", ":", ":help\n", "?", "2 w", "2nw", "2 p", "2 p→\t", "2P", "2y", "2f", "q"];
    for typed in ways {
        let mut m = fixtures::model(fixtures::busy(3), 80, 24);
        keys(&mut m, typed);
        assert!(!m.dialogs.is_empty(), "{typed}");
        assert!(CHAINS.contains(&m.chain()), "{typed}: {:?}", m.chain());
    }
}
