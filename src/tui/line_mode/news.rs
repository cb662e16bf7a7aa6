//! What has happened since something was said: messages, warnings, ends of helpers.

use crate::abi::sorted::{SortedSet, set};
use crate::control::text::outcome::Severity;
use crate::tui::model::warnings;

use super::LineMode;
use super::plain::words;

/// What was said already.
#[derive(Debug, Default)]
pub(super) struct News {
    /// The texts of the warnings.
    warned: SortedSet<String>,
    /// The name of the target, and how many of its requests had ended.
    over: Option<(String, u64)>,
    /// The number of the next line of the log.
    log: u64,
}

impl LineMode<'_> {
    /// Says what has happened. Returns whether anything has.
    pub(super) fn say_news(&mut self) -> bool {
        let mut lines = self.messages();
        lines.extend(self.warnings());
        // The answers name their own requests.
        let ended = self.ended();
        if lines.is_empty() {
            lines.extend(ended);
        }
        self.say_all(&lines);
        !lines.is_empty()
    }

    /// The messages of the message line, the most urgent first.
    fn messages(&mut self) -> Vec<String> {
        let model = &mut self.sessions.now_mut().model;
        let all = model.status.take().into_iter().chain(model.waiting_messages.drain(..));
        let line = |status: crate::tui::model::Status| {
            let mood = match status.mood {
                Severity::Quiet | Severity::Good => "",
                Severity::Warned => "warning: ",
                Severity::Bad => "failed: ",
            };
            format!("{mood}{}", words(&status.text, None))
        };
        all.map(line).collect()
    }

    /// The warnings that are new, and the number of those of other targets.
    fn warnings(&mut self) -> Vec<String> {
        let model = &self.sessions.now().model;
        let mut all = set(warnings::all(model).into_iter().map(|warning| warning.text));
        let of_others = model.targets.iter().filter(|tab| tab.unseen > 0);
        let of_others = of_others
            .map(|tab| format!("the target {} has {} new warnings; `t` shows the next target", tab.name, tab.unseen));
        of_others.for_each(|text| _ = all.add(text));
        let new = all.keys().filter(|text| !self.news.warned.contains(text));
        let new = new.map(|text| format!("warning: {}", words(text, None))).collect();
        self.news.warned = all;
        new
    }

    /// How many requests have ended since.
    fn ended(&mut self) -> Option<String> {
        let model = &self.sessions.now().model;
        let (name, over) = (model.link.info.short_name().to_owned(), model.snapshot.totals.over());
        let before = self.news.over.replace((name.clone(), over))?;
        let more = over.saturating_sub(before.1);
        let running = model.snapshot.live_total;
        let requests = if more == 1 { "1 request has ended".to_owned() } else { format!("{more} requests have ended") };
        (before.0 == name && more > 0).then(|| format!("{requests}, {running} still running"))
    }

    /// Says the lines of the log that are new.
    pub(super) fn say_log(&mut self) {
        let log = &self.sessions.now().model.log;
        let new = log.ring.lines().filter(|(number, _)| *number >= self.news.log);
        let lines: Vec<String> = new.map(|(_, line)| format!("{} {}", line.time, words(&line.words(), None))).collect();
        self.skip_log();
        self.say_all(&lines);
    }

    /// Counts all lines of the log as said.
    pub(super) fn skip_log(&mut self) {
        let ring = &self.sessions.now().model.log.ring;
        self.news.log = ring.dropped() + ring.len() as u64;
    }
}
