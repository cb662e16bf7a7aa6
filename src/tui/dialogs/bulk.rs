//! Confirms an act on every marked request: their number must be typed.

use nix::sys::signal::Signal;

use crate::abi::counted::counted;
use crate::abi::snapshot::Live;
use crate::control::Command;
use crate::control::text::outcome::Severity;
use crate::control::text::target::object;
use crate::tui::field::Field;
use crate::tui::keymap::{Action, Context};
use crate::tui::model::bulk::Bulk;
use crate::tui::model::read::Read;
use crate::tui::model::{After, Dialog, Model, Pending, TextField};
use crate::tui::text;
use crate::tui::widgets::sheet::Sheet;

use super::frame;

/// The confirmation.
#[derive(Debug)]
pub struct BulkAct {
    /// Kill the helpers; otherwise abandon the waits.
    kills: bool,
    /// The requests that the act is about.
    ids: Vec<u64>,
    /// A line for each name, with the number of requests and their pids.
    names: Vec<String>,
    /// How many marked requests it is not about.
    left_out: usize,
    /// More requests run than the target names.
    unnamed: bool,
    typed: Field,
    error: Option<String>,
    scroll: usize,
    read: Read,
}

/// Opens the confirmation for a key that acts on the marked requests, or without marks on a row of more than one request.
/// Returns whether it did.
pub fn open(model: &mut Model, action: Action) -> bool {
    let kills = match action {
        Action::Kill => true,
        Action::Abandon => false,
        _ => return false,
    };
    let chosen = match model.activity.row() {
        Some(row) if model.activity.marked.is_empty() && row.times() > 1 => row.ids().into_iter().collect(),
        _ => model.activity.marked.clone(),
    };
    if chosen.is_empty() {
        return false;
    }
    if model.refuses(if kills { "killing helpers" } else { "abandoning waits" }) {
        return true;
    }
    let can = |live: &&Live| chosen.contains(&live.id) && if kills { live.pid.is_some() } else { !live.abandoned };
    let found: Vec<&Live> = model.snapshot.running.iter().filter(can).collect();
    if found.is_empty() {
        let why = if kills { "none of them has a helper that runs" } else { "no caller of them waits" };
        let unmarked = !std::mem::take(&mut model.activity.marked).is_empty();
        let what = if unmarked { "nothing is marked any more".to_owned() } else { counted(chosen.len(), "request") };
        model.say(Severity::Quiet, format!("{what}: {why}"));
        return true;
    }
    let (ids, names) = (found.iter().map(|live| live.id).collect::<Vec<_>>(), names(&found));
    let left_out = chosen.len() - ids.len();
    model.activity.follow = false;
    let unnamed = model.snapshot.live_total > model.snapshot.running.len();
    let (typed, read) = (Field::default(), Read::default());
    model.open(BulkAct { kills, ids, names, left_out, unnamed, typed, error: None, scroll: 0, read });
    true
}

/// `nouveau ×44, pid 18301 18302 18420`.
fn names(found: &[&Live]) -> Vec<String> {
    let mut names: Vec<(&[u8], Vec<i32>, usize)> = Vec::new();
    for live in found {
        let at = names.iter().position(|(title, ..)| *title == &*live.title).unwrap_or_else(|| {
            names.push((&live.title, Vec::new(), 0));
            names.len() - 1
        });
        names[at].1.extend(live.pid);
        names[at].2 += 1;
    }
    let line = |(title, pids, times): (&[u8], Vec<i32>, usize)| {
        let times = if times > 1 { format!(" ×{times}") } else { String::new() };
        let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
        let pids = if pids.is_empty() { String::new() } else { format!(", pid {}", pids.join(" ")) };
        format!("  ▸ {}{times}{pids}", text::screen(title))
    };
    names.into_iter().map(line).collect()
}

impl BulkAct {
    fn what(&self) -> String {
        let n = self.ids.len();
        match (self.kills, n) {
            (true, 1) => "1 helper".to_owned(),
            (true, _) => format!("{n} helpers"),
            (false, 1) => "1 wait".to_owned(),
            (false, _) => format!("{n} waits"),
        }
    }
}

impl Dialog for BulkAct {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Text, Context::Confirm, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let act = if self.kills { "Kill" } else { "Abandon" };
        let mut sheet = Sheet::new(format!("{act} {}?", self.what()), &model.theme, columns);
        sheet.scroll = self.scroll;
        sheet.say(&format!("of {}", object(&model.link.info)), model.theme.text);
        let effect = if self.kills {
            "TERM to each helper and its group; KILL to those that had TERM from here before"
        } else {
            "their callers get EINTR; the helpers run on"
        };
        sheet.say(effect, model.theme.text);
        for name in &self.names {
            sheet.say(name, model.theme.title);
        }
        if self.left_out > 0 {
            let words = format!("{} other requests of them: nothing to do", self.left_out);
            sheet.say(&words, model.theme.dim);
        }
        if self.unnamed {
            let words = "only the oldest 256 that run are named: look again after these";
            sheet.say(words, model.theme.warn);
        }
        sheet.pinned_field(&format!("type {}:", self.ids.len()), &self.typed);
        sheet.wrong(self.error.as_ref());
        sheet
    }

    fn accept(&mut self, model: &mut Model) -> After {
        self.error = None;
        if self.read.missing(&frame::lines_of(self, model).0).is_some() {
            self.error = Some("not done: read the whole list first (more down)".to_owned());
            return After::STAY;
        }
        let number = self.ids.len().to_string();
        if self.typed.bytes() != number.as_bytes() {
            self.error = Some(format!(
                "not done: type {number}, the number of {}",
                if self.kills { "helpers" } else { "waits" }
            ));
            return After::STAY;
        }
        let batch = model.last_ticket() + 1;
        model.bulks.insert(batch, Bulk::new(self.what(), self.kills, self.ids.len()));
        let ids = std::mem::take(&mut self.ids);
        let effects = ids.into_iter().map(|id| {
            let command = if self.kills {
                let again = model.activity.had_term.contains(&id);
                model.activity.remember_term(id);
                Command::Kill { id, signal: if again { Signal::SIGKILL } else { Signal::SIGTERM } as i32 }
            } else {
                Command::Abandon(id)
            };
            model.submit(Pending::Bulk(batch), command)
        });
        After::Close(effects.collect())
    }

    fn field<'a>(&'a mut self, _: &'a mut Model) -> Option<TextField<'a>> {
        Some((&mut self.typed, Some(&mut self.error)))
    }

    fn scroll(&mut self) -> Option<&mut usize> {
        Some(&mut self.scroll)
    }

    fn read_on(&mut self) {
        self.error = None;
    }

    fn read(&mut self) -> Option<&mut Read> {
        Some(&mut self.read)
    }
}
