//! Says where the operator is, and what has changed.

use crate::tui::keymap::Context;
use crate::tui::model::Tab;
use crate::tui::update;

use super::LineMode;
use super::page::{self, What, page};

/// Where the operator is, and what was said of it.
pub(super) struct Place {
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

    pub(super) fn here(&self) -> Place {
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
    pub(super) fn after(&mut self, before: &Place) {
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

    pub(super) fn say_target(&mut self) {
        let model = self.model();
        let clock = model.clock(model.snapshot.now);
        let sentence = model.link.header(&clock).into_iter().next().unwrap_or_default();
        let others: Vec<&str> = model.targets.iter().filter(|tab| !tab.shown).map(|tab| &*tab.name).collect();
        let others = if others.is_empty() { String::new() } else { format!("; `t` turns to {}", others.join(", ")) };
        let words = format!("target {}: {sentence}{others}", model.link.tab());
        self.say(&words);
    }

    pub(super) fn say_screen(&mut self) {
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
    pub(super) fn say_chosen(&mut self) {
        let now = page(self.model());
        let Some(row) = now.rows().find(|row| row.chosen) else { return };
        let number = self.page.rows().position(|said| said.what == row.what);
        let words = number.map_or_else(|| row.words.clone(), |at| page::numbered(at + 1, &row.words, true));
        self.say(&words);
    }

    pub(super) fn say_dialog(&mut self) {
        let Some((title, lines)) = page::dialog(self.model()) else { return };
        self.say(&format!("{title}:"));
        self.say_all(&lines);
        if self.model().chain().contains(&Context::Text) {
            self.say("a line is typed here; .esc goes back, .help says more");
        }
        self.read_dialog();
    }

    /// Every line of the dialog on top was said.
    pub(super) fn read_dialog(&mut self) {
        update::said(&mut self.sessions.now_mut().model);
    }
}
