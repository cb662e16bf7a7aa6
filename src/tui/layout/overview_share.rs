//! Which rows of a column of the Overview each of its panels gets.

use ratatui::layout::Rect;

use crate::tui::model::Model;
use crate::tui::model::overview::Item;
use crate::tui::panels::rows::PanelRow;
use crate::tui::panels::{graph, members, under_cursor};
use crate::tui::text;

use super::panel::{Draft, Kind, Panel};

/// Which panels get the rows that are left, in this order, and up to how many.
const MORE: [(Kind, usize); 15] = [
    (Kind::UnderCursor, 12),
    (Kind::Running, usize::MAX),
    (Kind::Finished, usize::MAX),
    (Kind::UnderCursor, usize::MAX),
    (Kind::Watch, usize::MAX),
    (Kind::Knobs, usize::MAX),
    (Kind::Members, 10),
    (Kind::Asked, 10),
    (Kind::Events, usize::MAX),
    (Kind::Endings, usize::MAX),
    (Kind::RunTimes, usize::MAX),
    (Kind::Waits, usize::MAX),
    (Kind::Newest, usize::MAX),
    (Kind::Asked, usize::MAX),
    (Kind::Members, usize::MAX),
];

/// The rows of the panels about what is under the cursor.
fn about_cursor(model: &Model, drafts: &mut [Draft], item: Item, columns: usize) {
    for draft in drafts {
        let (title, lines) = match draft.panel.kind {
            Kind::UnderCursor => (under_cursor::title(item), under_cursor::lines(model, item, columns)),
            Kind::Members => members::members(model, item, columns).unwrap_or_default(),
            _ => continue,
        };
        draft.panel.title = title;
        draft.panel.rows = lines.into_iter().map(PanelRow::plain).collect();
        if draft.panel.kind == Kind::UnderCursor {
            draft.panel.hint = "enter opens".to_owned();
            draft.least = draft.panel.rows.len().min(4);
        }
    }
}

/// Divides the rows of a column among its panels: first what each must have, then the graph, then what is left.
pub(super) fn share(model: &Model, column: Rect, mut drafts: Vec<Draft>, at: Option<Item>) -> Vec<Panel> {
    let columns = usize::from(column.width);
    if let Some(item) = at {
        about_cursor(model, &mut drafts, item, columns);
    }
    let mut left = usize::from(column.height);
    for draft in &mut drafts {
        // A title alone says nothing.
        draft.given = if draft.least > 0 && left >= 2 { draft.least.min(left - 1) } else { 0 };
        left -= if draft.given > 0 { draft.given + 1 } else { 0 };
    }
    let most = if column.height < 34 { 5 } else { usize::from(column.height / 4) };
    let of_graph = graph::Rows::of(model, left.min(most));
    if let Some(draft) = drafts.iter_mut().find(|d| d.panel.kind == Kind::Requests && d.given == d.panel.rows.len()) {
        draft.panel.rows.extend(graph::lines(model, columns, of_graph).into_iter().map(PanelRow::plain));
        left -= draft.panel.rows.len() - draft.given;
        draft.given = draft.panel.rows.len();
    }
    for (kind, most) in MORE {
        let Some(draft) = drafts.iter_mut().find(|draft| draft.panel.kind == kind) else { continue };
        let (title, rows) = (usize::from(draft.given == 0), draft.panel.rows.len());
        let more = most.min(rows).saturating_sub(draft.given).min(left.saturating_sub(title));
        // A title with one or two of many rows says less than it takes.
        if more >= rows.min(if draft.given == 0 { 3 } else { 1 }) && more > 0 {
            draft.given += more;
            left -= more + title;
        }
    }
    let mut y = column.y;
    let shown = drafts.into_iter().filter(|draft| draft.given > 0);
    let place = |draft: Draft| {
        let Draft { mut panel, given, .. } = draft;
        let height = u16::try_from(given + 1).unwrap_or(u16::MAX);
        panel.rows = cut(model, panel.rows, given, at, columns);
        panel.area = Rect { y, height, ..column };
        y += height;
        panel
    };
    shown.map(place).collect()
}

/// As many rows, those around the cursor; the last one says how many are hidden.
fn cut(model: &Model, mut rows: Vec<PanelRow>, shown: usize, at: Option<Item>, columns: usize) -> Vec<PanelRow> {
    let all = rows.len();
    if all <= shown {
        return rows;
    }
    let total: usize = rows.iter().map(|row| row.stands_for).sum();
    let cursor = rows.iter().position(|row| row.item.is_some() && row.item == at).unwrap_or(0);
    let room = shown.saturating_sub(1).max(1);
    let first = (cursor + 1).saturating_sub(room).min(all - room);
    rows.drain(..first);
    rows.truncate(room);
    if shown > room {
        let hidden = total - rows.iter().map(|row| row.stands_for).sum::<usize>();
        rows.push(PanelRow::words(&format!("{} {hidden} more", text::CUT), columns, model.theme.dim));
    }
    rows
}
