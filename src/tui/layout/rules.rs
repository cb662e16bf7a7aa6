//! The layout of the screen Rules: one list of the rules and of what they denied, with a heading for each.

use ratatui::layout::{Position, Rect};

use crate::control::rules::text::counted;
use crate::tui::model::Model;
use crate::tui::model::rules::Item;

use super::areas::Areas;

/// With this many rows in the body, what is under the cursor is shown below the list.
const TALL: u16 = 18;
/// The rows for that, and from how many rows of the body on there are more.
const DETAIL: (u16, u16) = (6, 9);
const ROOMY: u16 = 30;

/// A line of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The heading of the rules.
    Rules,
    /// The heading of what they denied.
    Lately,
    /// A row that can be chosen.
    Item(Item),
    /// There are no rules, or more than are shown.
    Note,
    /// Nothing was denied.
    Nothing,
}

/// The areas: the strip, the list, what is under the cursor, what is hidden.
pub fn parts(model: &Model, area: Rect) -> [Rect; 4] {
    let strip = area.height.min(1);
    let has_rows = model.rules.items() > 0;
    let detail = match area.height {
        _ if !has_rows => 0,
        ROOMY.. => DETAIL.1,
        TALL.. => DETAIL.0,
        _ => 0,
    };
    let room = area.height - strip - detail;
    let hides = detail == 0 || entries(model).len() > room.into();
    let hidden = u16::from(hides && has_rows && area.height >= 5);
    let list = room - hidden;
    let at = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
    [at(0, strip), at(strip, list), at(strip + list, detail), at(strip + list + detail, hidden)]
}

/// The list of the whole screen.
pub fn list(model: &Model) -> Rect {
    parts(model, Areas::now(model).body)[1]
}

/// Every line of the list.
pub fn entries(model: &Model) -> Vec<Entry> {
    let Some(view) = model.rules.view() else { return Vec::new() };
    let mut all = vec![Entry::Rules];
    all.extend((0..view.rules.len()).map(|at| Entry::Item(Item::Rule(at))));
    all.extend((view.rules.is_empty() || view.more > 0).then_some(Entry::Note));
    all.push(Entry::Lately);
    all.extend((0..view.lately.len()).map(|at| Entry::Item(Item::Denied(at))));
    all.extend(view.lately.is_empty().then_some(Entry::Nothing));
    all
}

/// How many rules and how many denied requests are outside of a list of this height.
fn outside(model: &Model, height: u16) -> [usize; 2] {
    let seen = model.rules.top..model.rules.top + usize::from(height);
    let mut counts = [0; 2];
    for (line, entry) in entries(model).into_iter().enumerate() {
        match entry {
            Entry::Item(item) if !seen.contains(&line) => counts[usize::from(matches!(item, Item::Denied(_)))] += 1,
            _ => {}
        }
    }
    counts
}

/// What a list of this height does not show.
pub fn hides(model: &Model, height: u16, detailed: bool, columns: usize) -> String {
    let [rules, requests] = outside(model, height);
    let some = |count, noun| (count > 0).then(|| counted(count, noun));
    let rest = match columns {
        _ if detailed => None,
        100.. => Some("details (enter: its requests)"),
        60.. => Some("requester, details (enter)"),
        _ if rules + requests > 0 => Some("times, who"),
        _ => Some("last time, requester (enter)"),
    };
    let all = [some(rules, "rule"), some(requests, "request"), rest.map(str::to_owned)];
    format!("hidden: {}", all.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// The line at the top: unchanged, if the row under the cursor is then visible and no line is wasted.
pub fn top(model: &Model) -> usize {
    let rows = usize::from(list(model).height).max(1);
    let entries = entries(model);
    let at = model.rules.item().and_then(|item| entries.iter().position(|entry| *entry == Entry::Item(item)));
    let at = at.unwrap_or(0);
    // The heading above the first row of a part is shown with it.
    let first = if at > 0 && !matches!(entries[at - 1], Entry::Item(_)) { at - 1 } else { at };
    let most = entries.len().saturating_sub(rows);
    let least = (at + 1).saturating_sub(rows);
    model.rules.top.clamp(least, first.max(least)).min(most)
}

/// The row in this cell, by its place among those that can be chosen.
pub fn hit(model: &Model, at: Position) -> Option<usize> {
    let list = list(model);
    let line = model.rules.top + usize::from(at.y.checked_sub(list.y)?);
    match (list.contains(at), entries(model).get(line)?) {
        (true, Entry::Item(Item::Rule(at))) => Some(*at),
        (true, Entry::Item(Item::Denied(at))) => Some(model.rules.view()?.rules.len() + at),
        _ => None,
    }
}
