//! The layout of the screen Overview: panels in one, two or three columns, and which rows each of them gets.

use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

use crate::tui::model::Model;
use crate::tui::model::overview::{Item, Places};
use crate::tui::panels::rows::PanelRow;
use crate::tui::panels::{bars, events, finished, knobs, no_modprobe, requests, running, warnings, watch};

use super::areas::Areas;
use super::overview_columns::columns;
use super::overview_share::share;
use super::overview_small::small;
use super::panel::Draft;
pub use super::panel::{Kind, Panel};

/// With fewer rows or columns than this, only the numbers and the newest lines are shown.
const SMALL: (u16, u16) = (requests::NARROW, 15);
/// The whole screen.
#[derive(Default)]
pub struct Plan {
    /// The line with four answers; empty on a small screen.
    pub strip: Rect,
    /// The panels, in the order in which the cursor passes through them.
    pub panels: Vec<Panel>,
    /// The lines between the columns.
    pub dividers: Vec<Rect>,
    /// The row under the cursor.
    pub at: Option<Item>,
    /// Every item in the order of the screen, also those without room, each with the number of its column. Warnings
    /// stand above all columns and have none.
    pub order: Vec<(Option<usize>, Item)>,
}

/// The plan for the current screen.
pub fn now(model: &Model) -> Plan {
    plan(model, Areas::now(model).body)
}

#[cfg(test)]
thread_local! {
    /// How often this thread has made a plan.
    pub static PLANS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The plan for this area.
pub fn plan(model: &Model, area: Rect) -> Plan {
    #[cfg(test)]
    PLANS.set(PLANS.get() + 1);
    if area.width < SMALL.0 || area.height < SMALL.1 {
        let rows = small(model, usize::from(area.width), usize::from(area.height));
        let panel = Panel { kind: Kind::Small, title: String::new(), hint: String::new(), area, rows };
        let order = order([(Some(0), &panel)]);
        let at = chosen(model, &order);
        return Plan { panels: vec![panel], at, order, ..Plan::default() };
    }
    let strip = Rect { height: 1, ..area };
    let mut rest = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let mut panels = Vec::new();
    let most = if area.height < 30 { 3 } else { usize::from(area.height / 6).clamp(3, 6) };
    let warned = warnings::rows(model, usize::from(area.width), most);
    let mut above = |kind, title, hint: &str, rows: Vec<PanelRow>| {
        let height = u16::try_from(rows.len() + 1).unwrap_or(u16::MAX).min(rest.height);
        if !rows.is_empty() {
            panels.push(Panel { kind, title, hint: hint.to_owned(), area: Rect { height, ..rest }, rows });
            (rest.y, rest.height) = (rest.y + height, rest.height - height);
        }
    };
    let title = format!("Warnings {}", crate::tui::model::warnings::all(model).len());
    above(Kind::Warnings, title, "esc dismisses the first", warned);
    let ways = no_modprobe::rows(model, usize::from(area.width), false);
    above(Kind::NoModprobe, no_modprobe::title(model), "", ways);
    let (columns, dividers) = columns(rest);
    let kinds: &[&[Kind]] = match columns.len() {
        1 => &[&[Kind::Knobs, Kind::Requests, Kind::Running, Kind::Finished]],
        2 => &[&[Kind::Requests, Kind::Running, Kind::UnderCursor], &[Kind::Knobs, Kind::Finished]],
        _ => &[
            &[Kind::Requests, Kind::Running, Kind::Endings, Kind::RunTimes, Kind::Waits],
            &[Kind::Finished, Kind::Newest],
            &[Kind::Knobs, Kind::UnderCursor, Kind::Members, Kind::Asked, Kind::Events],
        ],
    };
    let all: Vec<(Rect, Vec<Draft>)> = columns
        .into_iter()
        .zip(kinds)
        .map(|(column, kinds)| {
            (column, kinds.iter().map(|kind| draft(model, of_target(model, *kind), column)).collect())
        })
        .collect();
    let lists = all.iter().enumerate().flat_map(|(at, (_, drafts))| drafts.iter().map(move |d| (Some(at), &d.panel)));
    let order = order(panels.iter().map(|panel| (None, panel)).chain(lists));
    let at = chosen(model, &order);
    for (column, drafts) in all {
        panels.extend(share(model, column, drafts, at));
    }
    Plan { strip, panels, dividers, at, order }
}

/// The kernel has no slots of module requests that can be read.
fn of_target(model: &Model, kind: Kind) -> Kind {
    match kind {
        Kind::Requests if watch::state(model).is_some() => Kind::Watch,
        kind => kind,
    }
}

/// A panel with all its rows. What is under the cursor comes later, when that is known.
fn draft(model: &Model, kind: Kind, area: Rect) -> Draft {
    let columns = usize::from(area.width);
    let none = String::new;
    let plain = |lines: Vec<Line<'static>>| lines.into_iter().map(PanelRow::plain).collect::<Vec<_>>();
    let (rows, least) = match kind {
        Kind::Knobs => (knobs::rows(model, columns), 4),
        Kind::Requests => (plain(requests::lines(model, columns, false)), 3),
        Kind::Watch => (watch::rows(model, columns), 2),
        Kind::Running => (running::rows(model, columns), 3),
        Kind::Finished => (finished::rows(model, columns), 4),
        Kind::Newest => (finished::newest(model, columns), 0),
        Kind::Endings => (plain(bars::endings(model, columns)), 0),
        Kind::RunTimes => (plain(bars::times(model, &model.snapshot.totals.run_times, columns)), 0),
        Kind::Waits => (plain(bars::times(model, &model.snapshot.totals.queue_times, columns)), 0),
        Kind::Asked => (plain(bars::asked(model, columns)), 0),
        Kind::Events => (events::rows(model, columns), 0),
        Kind::UnderCursor | Kind::Members | Kind::Warnings | Kind::NoModprobe | Kind::Small => (Vec::new(), 0),
    };
    let folded = |n: usize, all: usize| if n < all { "+ unfolds".to_owned() } else { String::new() };
    let (title, hint) = match kind {
        Kind::Knobs => ("Knobs".to_owned(), "enter changes one".to_owned()),
        Kind::Requests => ("Module requests".to_owned(), requests::hint(model)),
        Kind::Watch => ("Watch".to_owned(), none()),
        Kind::Running => (running::heading(model, rows.len()), folded(rows.len(), model.snapshot.running.len())),
        Kind::Finished => (finished::heading(model, rows.len()), "failures first".to_owned()),
        Kind::Newest => ("One by one, newest first".to_owned(), "3 Activity".to_owned()),
        Kind::Endings => ("How they ended".to_owned(), none()),
        Kind::RunTimes => ("How long helpers ran".to_owned(), none()),
        Kind::Waits => ("How long requests waited for theirs".to_owned(), none()),
        Kind::Asked => (bars::asked_title(model), none()),
        Kind::Events => ("Events".to_owned(), "4 Log".to_owned()),
        Kind::UnderCursor | Kind::Members | Kind::Warnings | Kind::NoModprobe | Kind::Small => (none(), none()),
    };
    let least = least.min(rows.len());
    Draft { panel: Panel { kind, title, hint, area, rows }, least, given: 0 }
}

/// Every item of these panels, in their order.
fn order<'a>(panels: impl IntoIterator<Item = (Option<usize>, &'a Panel)>) -> Vec<(Option<usize>, Item)> {
    let items = |(column, panel): (Option<usize>, &'a Panel)| {
        panel.rows.iter().filter_map(move |row| Some((column, row.item?)))
    };
    let mut all: Vec<_> = panels.into_iter().flat_map(items).collect();
    // A long warning has two rows.
    all.dedup();
    all
}

/// The item under the cursor: the chosen one while it exists, else the first that runs, that has ended, or the first.
fn chosen(model: &Model, all: &[(Option<usize>, Item)]) -> Option<Item> {
    let has = |item: &Item| all.iter().any(|(_, other)| other == item);
    let wanted = model.overview.at.map(|at| match at {
        // It has ended meanwhile.
        Item::Running(id) if !has(&at) => Item::Ended(id),
        at => at,
    });
    let first = |which: fn(&Item) -> bool| all.iter().map(|(_, item)| *item).find(which);
    wanted
        .filter(|at| has(at))
        .or_else(|| first(|item| matches!(item, Item::Running(_))))
        .or_else(|| first(|item| matches!(item, Item::Ended(_))))
        .or_else(|| first(|_| true))
}

impl Plan {
    /// The items in the order of the screen, each with its first row.
    pub fn items(&self) -> Vec<(Item, Rect)> {
        let mut items: Vec<(Item, Rect)> = Vec::new();
        for panel in &self.panels {
            let title = u16::from(panel.kind != Kind::Small);
            for (row, y) in panel.rows.iter().zip(panel.area.y + title..panel.area.bottom()) {
                if let Some(item) = row.item.filter(|item| items.iter().all(|(other, _)| other != item)) {
                    items.push((item, Rect { y, height: 1, ..panel.area }));
                }
            }
        }
        items
    }

    /// Where the cursor stands.
    pub fn cursor(&self) -> Option<Position> {
        let at = self.at?;
        let (_, row) = self.items().into_iter().find(|(item, _)| *item == at)?;
        Some(Position { x: row.x, y: row.y })
    }
}

/// Where the rows are now. A key comes after a frame: what that has laid out is not laid out again.
pub fn places(model: &Model) -> Places {
    model.overview.drawn.take().unwrap_or_else(|| Places::from(now(model)))
}

impl From<Plan> for Places {
    fn from(plan: Plan) -> Self {
        Self { items: plan.items(), at: plan.at, order: plan.order }
    }
}

/// The item in this cell of the screen.
pub fn hit(model: &Model, at: Position) -> Option<Item> {
    let places = places(model);
    let found = places.items.iter().find_map(|(item, row)| row.contains(at).then_some(*item));
    model.overview.drawn.replace(Some(places));
    found
}
