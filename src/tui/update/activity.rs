//! The screen Activity: keys that move, filter and sort; and the questions for its records.

use crate::abi::sorted::set;
use crate::control::Command;
use crate::control::activity::page::Anchor;
use crate::control::activity::query::{Query, Sort};
use crate::control::text::outcome::Severity;
use crate::tui::dialogs;
use crate::tui::keymap::{Action, Context};
use crate::tui::layout;
use crate::tui::model::activity::Typing;
use crate::tui::model::record_row::RowPage;
use crate::tui::model::{Model, Pending, Tab};
use crate::tui::msg::Effect;
use crate::tui::panels::detail;

use super::filter::{end_filter, filter, keep_filter, unfilter};
use super::scroll::clamp_scroll;

/// Asks for the records that the screen needs, while it is shown.
pub(super) fn look(model: &mut Model) -> Option<Effect> {
    if model.tab != Tab::Activity {
        return None;
    }
    let rows = layout::activity::rows(model);
    model.activity.keep_in_sight(rows);
    let question = model.activity.ask(model.snapshot.seq, rows, model.now)?;
    Some(Effect::Look(Box::new(question)))
}

/// Stores an answer.
pub(super) fn looked(model: &mut Model, answer: RowPage) {
    model.activity.take(answer);
    clamp_scroll(model);
}

/// Handles a key of the screen or of the page of a record; returns `None` if neither handles it.
pub(super) fn act(model: &mut Model, action: Action) -> Option<Vec<Effect>> {
    if model.tab != Tab::Activity {
        return None;
    }
    if model.dialogs.is_empty() {
        on_screen(model, action)
    } else if model.chain().contains(&Context::Detail) {
        on_record(model, action)
    } else {
        None
    }
}

/// Handles the keys that the screen and the page of a record share.
fn on_record(model: &mut Model, action: Action) -> Option<Vec<Effect>> {
    if model.dialogs.is_empty() && dialogs::bulk::open(model, action) {
        return Some(Vec::new());
    }
    if action == Action::Abandon {
        return Some(abandon(model));
    }
    dialogs::open_on_record(model, action).then(Vec::new)
}

/// Abandons the wait of the record's caller. The engine checks whether there is one.
fn abandon(model: &mut Model) -> Vec<Effect> {
    if model.refuses("abandoning a wait") {
        return Vec::new();
    }
    let Some(row) = model.row_at_cursor() else { return Vec::new() };
    let which = format!("#{} {}", row.id, row.title);
    let done = match row.pid {
        Some(_) => "abandoned: the caller no longer waits, the helper runs on",
        None => "abandoned: the caller no longer waits",
    };
    vec![model.submit(Pending::Helper(which, done), Command::Abandon(row.id))]
}

fn on_screen(model: &mut Model, action: Action) -> Option<Vec<Effect>> {
    if read(model, action) || turn_row(model, action) {
        return Some(Vec::new());
    }
    let page = isize::try_from(layout::activity::rows(model).saturating_sub(1).max(1)).unwrap_or(1);
    let a = &mut model.activity;
    match action {
        Action::Up => a.move_by(-1),
        Action::Down => a.move_by(1),
        Action::PageUp => a.move_by(-page),
        Action::PageDown => a.move_by(page),
        Action::First => a.jump(Anchor::First),
        Action::Last => a.jump(Anchor::Last),
        Action::Follow => follow(model),
        Action::Pause => pause(model),
        Action::Filter => filter(model, Typing::Words),
        Action::Glob => filter(model, Typing::Globs),
        Action::KeepFilter => return Some(keep_filter(model)),
        Action::EndFilter => end_filter(model),
        Action::Outcome => return dialogs::open(model, action).then(Vec::new),
        Action::Mark => mark(model),
        Action::Fold => fold(model),
        Action::Tree => turn_tree(model),
        Action::Right => return on_record(model, Action::Detail),
        Action::Left => {}
        Action::MarkAll | Action::MatchKill | Action::MatchAbandon => return Some(all_that_match(model, action)),
        Action::Times => return dialogs::open(model, action).then(Vec::new),
        Action::Yesterday => dialogs::times::yesterday(model),
        Action::Failures => return dialogs::outcomes::failures(model, action).then(Vec::new),
        Action::Unfilter => unfilter(model),
        Action::Sort => {
            (a.sort, a.reverse) = (next(&Sort::ALL, a.sort, 1), false);
            a.changed();
        }
        Action::Reverse => {
            a.reverse ^= true;
            a.changed();
        }
        Action::Dismiss if !model.activity.marked.is_empty() && model.status.is_none() => {
            model.activity.marked.clear();
            model.say(Severity::Quiet, "no request is marked any more");
        }
        Action::Dismiss
            if model.activity.filters() && (model.status.is_none() || model.activity.answer.matched == 0) =>
        {
            model.activity.unfilter_all();
            model.say(Severity::Quiet, "all records are shown again");
        }
        _ => return on_record(model, action),
    }
    Some(Vec::new())
}

/// Marks the row, and says how many requests that are if the row has more than one.
fn mark(model: &mut Model) {
    let times = model.activity.mark();
    if times > 1 {
        let n = model.activity.marked.len();
        model.say(Severity::Quiet, format!("a row of {times} requests: {n} requests are marked now"));
    }
}

fn fold(model: &mut Model) {
    model.activity.fold();
    let words = if model.activity.unfolded { "every request has a row" } else { "equal requests share a row" };
    model.say(Severity::Quiet, words);
}

/// Unfolds the row under the cursor, or folds it again. Returns whether it did.
fn turn_row(model: &mut Model, action: Action) -> bool {
    let (turned, words) = match action {
        Action::Right => (model.activity.unfold_row(), "one by one"),
        Action::Left => (model.activity.fold_row(), "in one row again"),
        _ => return false,
    };
    let Some(n) = turned else { return false };
    model.say(Severity::Quiet, format!("{n} equal requests, {words}"));
    true
}

fn turn_tree(model: &mut Model) {
    model.activity.turn_tree();
    let words = match model.activity.tree {
        true => "who asked whom; ↻: a name repeats",
        false => "a list again",
    };
    model.say(Severity::Quiet, words);
}

/// Handles a key that scrolls the record beside or below the rows. Returns whether it did.
fn read(model: &mut Model, action: Action) -> bool {
    if !model.activity.reading && action != Action::Right {
        return false;
    }
    let area = layout::activity::detail(model);
    let a = &mut model.activity;
    // A row of more than one request is unfolded first.
    if !a.reading && !a.tree && a.row().is_some_and(|row| row.times() > 1) {
        return false;
    }
    if area.is_empty() {
        a.reading = false;
        return false;
    }
    let room = usize::from(area.height.saturating_sub(1));
    let page = isize::try_from(room.saturating_sub(1).max(1)).unwrap_or(1);
    let by = match action {
        Action::Right => {
            (a.reading, a.follow) = (true, false);
            return true;
        }
        Action::Left | Action::Dismiss => {
            a.reading = false;
            return true;
        }
        Action::Up => -1,
        Action::Down => 1,
        Action::PageUp => -page,
        Action::PageDown => page,
        Action::First => isize::MIN,
        Action::Last => isize::MAX,
        _ => return false,
    };
    let total = model.activity.detail().map_or(0, |d| detail::lines(model, d, usize::from(area.width)).len());
    model.activity.scroll_by(by, total.saturating_sub(room));
    true
}

/// Asks which requests match; they are marked, killed or abandoned when the answer comes.
fn all_that_match(model: &mut Model, action: Action) -> Vec<Effect> {
    let what = match action {
        Action::MatchKill => "killing helpers",
        Action::MatchAbandon => "abandoning waits",
        _ => "",
    };
    if !what.is_empty() && model.refuses(what) {
        return Vec::new();
    }
    let query = model.activity.query();
    let asked = Command::Matching { query: Box::new(query.clone()), newest: None };
    vec![model.submit(Pending::Matching(Box::new(query), action), asked)]
}

/// Handles the answer: marks those that have not ended, as far as the target names them, and for a key that acts on
/// them opens its confirmation.
pub(super) fn matching(model: &mut Model, query: &Query, action: Action, ids: &[u64]) {
    if *query != model.activity.query() || model.tab != Tab::Activity || !model.dialogs.is_empty() {
        return model.say(Severity::Quiet, "nothing is marked: the filters or the screen have changed meanwhile");
    }
    let ids = set(ids.iter().copied());
    let found: Vec<u64> = model.snapshot.running.iter().map(|live| live.id).filter(|id| ids.contains(id)).collect();
    let n = found.len();
    let of = if model.snapshot.live_total > model.snapshot.running.len() { ", of the oldest 256" } else { "" };
    if action != Action::MarkAll {
        model.activity.marked.clear();
    }
    model.activity.marked.extend(found);
    match action {
        Action::MatchKill if n > 0 => drop(dialogs::bulk::open(model, Action::Kill)),
        Action::MatchAbandon if n > 0 => drop(dialogs::bulk::open(model, Action::Abandon)),
        Action::MarkAll => {
            model.say(
                Severity::Quiet,
                format!("{n} running requests that match are marked{of}: k kills, x abandons them"),
            );
        }
        _ => model.say(Severity::Quiet, "nothing to do: no running request matches"),
    }
}

fn next<T: Copy + PartialEq>(all: &[T], now: T, by: usize) -> T {
    let at = all.iter().position(|one| *one == now).unwrap_or_default();
    all[(at + by) % all.len()]
}

fn follow(model: &mut Model) {
    if model.activity.follow {
        model.activity.follow = false;
        model.say(Severity::Quiet, "the cursor keeps its record");
    } else {
        model.activity.follow();
        model.say(Severity::Quiet, "the cursor follows the first row");
    }
}

fn pause(model: &mut Model) {
    model.activity.paused = match model.activity.paused {
        Some(_) => None,
        None => Some(model.snapshot.totals.requests),
    };
    let words = match model.activity.paused {
        Some(_) => "paused: no new records are shown; the engine and its counters continue",
        None => "no longer paused",
    };
    model.say(Severity::Quiet, words);
}

#[cfg(test)]
mod tests;
