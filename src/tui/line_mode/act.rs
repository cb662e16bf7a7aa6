//! Does what a line says: by the keys, clicks and pasted text that the console would get.

use crossterm::event::KeyEvent;

use crate::abi::escape::screen;
use crate::tui::field::Edit;
use crate::tui::keymap::{Action, Binding, Context};
use crate::tui::model::Tab;
use crate::tui::msg::{Click, Mouse, Msg};

use super::page::{self, Row, page};
use super::typed::{Typed, screen_of, typed};
use super::{LineMode, Patience};

impl LineMode<'_> {
    /// Does what a line says, and says what came of it.
    pub(super) fn line(&mut self, line: &[u8]) {
        self.following = false;
        self.asked_before = self.model().last_ticket();
        let before = self.here();
        match typed(self.model(), line) {
            Typed::Nothing => {
                self.settle(Patience::Answer);
                if !self.say_news() {
                    self.say("nothing new; `help` says what can be typed");
                }
                return;
            }
            Typed::Text(text) => self.text(&text),
            Typed::Command(command) => {
                self.press(Action::Line);
                self.fill(&command);
                self.press(Action::Accept);
            }
            Typed::Word(word, rest) => {
                if !self.word(word, &rest) {
                    return;
                }
            }
            Typed::Screen(_) if !self.model().dialogs.is_empty() => {
                return self.refuse("a dialog is open: `esc` goes back");
            }
            Typed::Screen(tab) => {
                self.press(of_screen(tab));
                self.settle(Patience::Answer);
                return self.say_screen();
            }
            Typed::Choice(number) => {
                if self.choose(number) {
                    self.press(Action::Accept);
                }
            }
            Typed::Key((code, modifiers)) => self.take(Msg::Key(KeyEvent::new(code, modifiers))),
            Typed::Act(row, rest) => self.act(row, &rest),
            Typed::Unknown => {
                let words = format!("not understood: `{}`; `help` says what can be typed", screen(line));
                self.say(&words);
                return self.not_understood();
            }
        }
        self.settle(Patience::Answer);
        self.after(&before);
    }

    /// Presses the key of an action, if it has one here.
    pub(super) fn press(&mut self, action: Action) -> bool {
        let model = self.model();
        let chain = model.chain();
        let row = chain
            .iter()
            .find_map(|context| model.keys.rows().find(|(row, _)| row.context == *context && row.action == action));
        let Some((code, modifiers)) = row.and_then(|(_, keys)| keys.first()).copied() else { return false };
        self.take(Msg::Key(KeyEvent::new(code, modifiers)));
        true
    }

    /// Replaces the text of the field that has the focus.
    pub(super) fn fill(&mut self, text: &[u8]) {
        self.press(Action::Edit(Edit::End));
        self.press(Action::Edit(Edit::KillLine));
        if !text.is_empty() {
            self.take(Msg::Paste(text.to_vec()));
        }
    }

    /// A line in a field: the text, and enter. In a list that is searched, a number takes a choice.
    pub(super) fn text(&mut self, text: &[u8]) {
        let chain = self.model().chain();
        if chain.contains(&Context::Choices)
            && let Some(number) = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok())
        {
            if self.choose(number) {
                self.press(Action::Accept);
            }
            return;
        }
        self.fill(text);
        if !chain.iter().any(|context| matches!(context, Context::Choices | Context::Help)) {
            self.settle(Patience::Answer);
            self.press(Action::Accept);
        }
    }

    /// Moves to this choice of the dialog on top, counted from 1. Returns whether there is one.
    pub(super) fn choose(&mut self, number: usize) -> bool {
        let model = &mut self.sessions.now_mut().model;
        let found = model.with_top(|dialog, model| dialog.choice(model).map(|(at, all)| (*at, all))).flatten();
        let Some((at, _)) = found.filter(|(_, all)| (1..=*all).contains(&number)) else {
            self.refuse(&format!("there is no number {number} here"));
            return false;
        };
        let (key, times) = if number > at { (Action::Down, number - 1 - at) } else { (Action::Up, at + 1 - number) };
        for _ in 0..times {
            self.press(key);
        }
        true
    }

    /// Does an action: on its screen, and to its row.
    pub(super) fn act(&mut self, row: &'static Binding, rest: &str) {
        if let Some(tab) = screen_of(row).filter(|tab| *tab != self.model().tab) {
            self.press(of_screen(tab));
            self.settle(Patience::Answer);
        }
        if rest.is_empty() || self.go_to(rest) {
            self.press(row.action);
        }
    }

    /// Moves the cursor to a row: its number as it was said, or a word in it. Returns whether there is one.
    pub(super) fn go_to(&mut self, spec: &str) -> bool {
        self.settle(Patience::Answer);
        let now = page(self.model());
        match find(&self.page, &now, spec) {
            Err(why) => {
                self.refuse(&why);
                false
            }
            Ok(row) => {
                // A click on the chosen row would open it.
                if !row.chosen {
                    self.take(Msg::Mouse(Mouse { what: Click::Press, x: row.at.0, y: row.at.1 }));
                    self.settle(Patience::Answer);
                }
                true
            }
        }
    }
}

const fn of_screen(tab: Tab) -> Action {
    match tab {
        Tab::Overview => Action::Overview,
        Tab::Masks => Action::Masks,
        Tab::Activity => Action::Activity,
        Tab::Log => Action::Log,
        Tab::Rules => Action::Rules,
    }
}

/// The row that is meant: `3` is the third of `said`, and every other word is searched in `now`.
fn find(said: &page::Page, now: &page::Page, spec: &str) -> Result<Row, String> {
    let spec = spec.strip_prefix("row ").unwrap_or(spec).trim();
    if let Ok(number) = spec.parse::<usize>() {
        let row = number.checked_sub(1).and_then(|at| said.rows().nth(at));
        let what = row.ok_or_else(|| format!("there is no row {number}"))?.what;
        let row = now.rows().find(|row| row.what == what).cloned();
        return row.ok_or_else(|| format!("row {number} is no longer here: `again` says the screen"));
    }
    let has = |row: &&Row| row.words.split([' ', ',', ':']).any(|word| word == spec);
    let mut found = now.rows().filter(has);
    match (found.next(), found.count()) {
        (Some(row), 0) => Ok(row.clone()),
        (Some(_), more) => Err(format!("{} rows have `{}`: give a number", more + 1, screen(spec.as_bytes()))),
        (None, _) => Err(format!("no row has `{}`", screen(spec.as_bytes()))),
    }
}
