//! Does what a line says: by the keys, clicks and pasted text that the console would get.

use crossterm::event::KeyEvent;

use crate::abi::escape::screen;
use crate::tui::dialogs::quit::Quit;
use crate::tui::field::Edit;
use crate::tui::keymap::{Action, Binding, Context};
use crate::tui::model::Tab;
use crate::tui::msg::{Click, Mouse, Msg};
use crate::tui::update;

use super::page::{self, Row, What, page};
use super::typed::{Typed, Word, screen_of, typed};
use super::{EXIT_NOT_UNDERSTOOD, LineMode, Patience, help};

/// Where the operator is, and what was said of it.
struct Place {
    target: String,
    tab: Tab,
    /// How many dialogs are open, and the title and lines of the one on top.
    dialogs: usize,
    dialog: Option<(String, Vec<String>)>,
    /// What Activity shows.
    query: String,
    chosen: Option<(What, String)>,
}

impl LineMode<'_> {
    /// Says where one is, for the first time.
    pub(super) fn greet(&mut self) {
        self.say("khelper, line mode: `help` says what can be typed");
        self.say_target();
        self.say_screen();
        self.skip_log();
        self.say_news();
    }

    /// `engine, activity`, or the title of the dialog on top.
    pub(super) fn place(&self) -> String {
        let model = self.model();
        let place = page::dialog(model).map_or_else(|| model.tab.name().to_lowercase(), |(title, _)| title);
        format!("{}, {place}", model.link.tab())
    }

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

    /// Without an operator at a terminal, what follows a line that was not understood is not done.
    pub(super) fn not_understood(&mut self) {
        if !self.terminal && self.ending.is_none() {
            let words = format!("line {} ends the input: what follows it is not done", self.lines);
            self.say(&words);
            self.ending = Some(EXIT_NOT_UNDERSTOOD);
        }
    }

    fn refuse(&mut self, why: &str) {
        self.say(why);
        self.not_understood();
    }

    /// Ctrl-c: stops what goes on, else goes back, else quits.
    pub(super) fn interrupt(&mut self) {
        self.write("\n");
        if std::mem::take(&mut self.following) {
            return;
        }
        let before = self.here();
        if self.model().top::<Quit>().is_some() {
            self.ending = Some(130);
        } else if self.model().dialogs.is_empty() {
            self.press(Action::Quit);
        } else {
            self.press(Action::Dismiss);
        }
        self.settle(Patience::Answer);
        self.after(&before);
    }

    /// The end of the input quits. A question that comes of it can be answered at a terminal alone; a second end is the
    /// answer that nothing is waited for.
    pub(super) fn end_of_input(&mut self) {
        if self.terminal {
            self.write("\n");
        }
        if !self.terminal || std::mem::replace(&mut self.over, true) {
            self.ending = Some(0);
            return;
        }
        self.reader.go_on();
        let before = self.here();
        while !self.model().dialogs.is_empty() {
            self.press(Action::Dismiss);
        }
        self.press(Action::Quit);
        self.settle(Patience::Answer);
        self.after(&before);
    }

    /// Presses the key of an action, if it has one here.
    fn press(&mut self, action: Action) -> bool {
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
    fn fill(&mut self, text: &[u8]) {
        self.press(Action::Edit(Edit::End));
        self.press(Action::Edit(Edit::KillLine));
        if !text.is_empty() {
            self.take(Msg::Paste(text.to_vec()));
        }
    }

    /// A line in a field: the text, and enter. In a list that is searched, a number takes a choice.
    fn text(&mut self, text: &[u8]) {
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
    fn choose(&mut self, number: usize) -> bool {
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

    /// Does what a word says. Returns whether there is something to say after it.
    fn word(&mut self, word: Word, rest: &str) -> bool {
        match word {
            Word::Help => self.say_all(&help::lines(self.model())),
            Word::Again => {
                if self.model().dialogs.is_empty() {
                    self.say_target();
                    self.say_screen();
                } else {
                    self.say_dialog();
                }
            }
            Word::More | Word::Less => {
                self.press(if word == Word::More { Action::PageDown } else { Action::PageUp });
                self.settle(Patience::Answer);
                if self.model().dialogs.is_empty() {
                    self.say_screen();
                }
            }
            Word::Details => {
                self.settle(Patience::Answer);
                let details = page(self.model()).details;
                match details.is_empty() {
                    true => self.say("there are no details here; `open` opens the chosen row"),
                    false => self.say_all(&details),
                }
            }
            Word::Open | Word::Choose if !self.model().dialogs.is_empty() => {
                self.refuse("a dialog is open: `esc` goes back");
            }
            Word::Open => {
                if rest.is_empty() || self.go_to(rest) {
                    self.open_row();
                    return true;
                }
            }
            Word::Choose => return self.go_to(rest),
            Word::Filter => return self.filter(rest),
            Word::Palette => {
                self.press(Action::Palette);
                self.fill(rest.as_bytes());
                return true;
            }
            Word::Field => return self.field(rest),
            Word::Set => {
                self.fill(rest.as_bytes());
                return true;
            }
            Word::Wait => {
                self.settle(Patience::All);
                return true;
            }
            Word::Follow => {
                self.following = true;
                self.say("lines of the log follow; the next line ends that");
                self.say_log();
            }
        }
        false
    }

    /// Opens the row under the cursor.
    fn open_row(&mut self) {
        let opened = match self.model().tab {
            Tab::Overview => self.press(Action::Open),
            Tab::Activity => self.press(Action::Detail),
            Tab::Masks => self.press(Action::Forms),
            Tab::Log => false,
        };
        if !opened {
            self.say("this row has nothing more to say");
        }
    }

    /// Sets the filter of the screen; without words, shows all rows again.
    fn filter(&mut self, words: &str) -> bool {
        if !self.model().dialogs.is_empty() || !self.press(Action::Filter) {
            self.refuse("this place has no filter");
            return false;
        }
        self.fill(words.as_bytes());
        self.press(if words.is_empty() { Action::EndFilter } else { Action::KeepFilter });
        self.settle(Patience::Answer);
        self.say_screen();
        self.say_news();
        false
    }

    /// Gives the focus to a field of the dialog on top, counted from 1.
    fn field(&mut self, number: &str) -> bool {
        let fields = self.model().fields();
        let model = &mut self.sessions.now_mut().model;
        let at = model.with_top(|dialog, model| dialog.focus(model).map(|(at, _)| *at)).flatten();
        match (number.parse::<usize>(), at) {
            (Ok(number), Some(at)) if (1..=fields).contains(&number) => {
                for _ in 0..(number + fields - 1 - at) % fields {
                    self.press(Action::Next);
                }
                true
            }
            _ => {
                self.refuse("there is no such field here");
                false
            }
        }
    }

    /// Does an action: on its screen, and to its row.
    fn act(&mut self, row: &'static Binding, rest: &str) {
        if let Some(tab) = screen_of(row).filter(|tab| *tab != self.model().tab) {
            self.press(of_screen(tab));
            self.settle(Patience::Answer);
        }
        if rest.is_empty() || self.go_to(rest) {
            self.press(row.action);
        }
    }

    /// Moves the cursor to a row: its number as it was said, or a word in it. Returns whether there is one.
    fn go_to(&mut self, spec: &str) -> bool {
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

    fn here(&self) -> Place {
        let model = self.model();
        let dialogs = model.dialogs.len();
        let chosen = || page(model).rows().find(|row| row.chosen).map(|row| (row.what, row.words.clone()));
        Place {
            target: model.link.info.short_name().to_owned(),
            tab: model.tab,
            dialogs,
            dialog: page::dialog(model),
            query: format!("{:?}{:?}{:?}", model.activity.query(), model.log.words.bytes(), model.masks.filter.bytes()),
            chosen: if dialogs == 0 { chosen() } else { None },
        }
    }

    /// Says what has changed.
    fn after(&mut self, before: &Place) {
        if self.ending.is_some() {
            return;
        }
        let now = self.here();
        if now.target != before.target {
            self.say_target();
        }
        match (&before.dialog, &now.dialog) {
            (Some((title, lines)), Some((same, new))) if title == same && before.dialogs == now.dialogs => {
                let new: Vec<String> = new.iter().filter(|line| !lines.contains(line)).cloned().collect();
                self.say_all(&new);
                self.read_dialog();
            }
            (_, Some(_)) => self.say_dialog(),
            (_, None) if now.target != before.target || now.tab != before.tab || now.query != before.query => {
                self.say_screen();
            }
            (None, None) if now.chosen != before.chosen => self.say_chosen(),
            _ => {}
        }
        self.say_news();
    }

    fn say_target(&mut self) {
        let model = self.model();
        let clock = model.clock(model.snapshot.now);
        let sentence = model.link.header(&clock).into_iter().next().unwrap_or_default();
        let others: Vec<&str> = model.targets.iter().filter(|tab| !tab.shown).map(|tab| tab.name).collect();
        let others = if others.is_empty() { String::new() } else { format!("; `t` turns to {}", others.join(", ")) };
        let words = format!("target {}: {sentence}{others}", model.link.tab());
        self.say(&words);
    }

    fn say_screen(&mut self) {
        self.fit();
        self.sessions.now_mut().tick(std::time::Instant::now());
        self.serve();
        self.page = page(self.model());
        let name = format!("{}:", self.model().tab.name());
        self.say(&name);
        let lines = self.page.lines();
        self.say_all(&lines);
    }

    /// Says the row under the cursor, with the number that it had when the screen was said.
    fn say_chosen(&mut self) {
        let now = page(self.model());
        let Some(row) = now.rows().find(|row| row.chosen) else { return };
        let number = self.page.rows().position(|said| said.what == row.what);
        let words = number.map_or_else(|| row.words.clone(), |at| page::numbered(at + 1, &row.words, true));
        self.say(&words);
    }

    fn say_dialog(&mut self) {
        let Some((title, lines)) = page::dialog(self.model()) else { return };
        self.say(&format!("{title}:"));
        self.say_all(&lines);
        if self.model().chain().contains(&Context::Text) {
            self.say("a line is typed here; .esc goes back, .help says more");
        }
        self.read_dialog();
    }

    /// Every line of the dialog on top was said.
    fn read_dialog(&mut self) {
        update::said(&mut self.sessions.now_mut().model);
    }
}

const fn of_screen(tab: Tab) -> Action {
    match tab {
        Tab::Overview => Action::Overview,
        Tab::Masks => Action::Masks,
        Tab::Activity => Action::Activity,
        Tab::Log => Action::Log,
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
