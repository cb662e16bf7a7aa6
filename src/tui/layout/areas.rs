//! The layout that all screens share.

use ratatui::layout::Rect;

use crate::tui::model::Model;
use crate::tui::panels::tour;
use crate::tui::text;

/// The areas. The target's line gets room first, then the keys, the body, and the rest.
pub struct Areas {
    /// The name of the target.
    pub target: Rect,
    /// The names of the screens.
    pub tabs: Rect,
    /// The screen itself.
    pub body: Rect,
    /// The last message.
    pub status: Rect,
    /// The guided tour.
    pub tour: Rect,
    /// The keys.
    pub footer: Rect,
    /// The area for dialogs.
    pub front: Rect,
}

impl Areas {
    /// The areas of the current screen.
    pub fn now(model: &Model) -> Self {
        Self::of(model, Rect::new(0, 0, model.columns, model.rows))
    }

    /// The areas within `area`.
    pub fn of(model: &Model, area: Rect) -> Self {
        let rows = area.height;
        let tabs = u16::from(rows >= 4);
        let footer = u16::from(rows >= 3);
        let tour = tour::rows(model, rows);
        let most = (rows / 5).max(1);
        let status = if rows >= 6 { status_rows(model, area.width).clamp(1, most) } else { 0 };
        let target = rows.min(1);
        let body = rows - target - tabs - footer - status - tour;
        let at = |y: u16, height: u16| Rect { x: area.x, y: area.y + y, width: area.width, height };
        // Everything except the target's line, the keys, and the message that answers a key of the dialog on top.
        let end = if model.is_answered() { target + tabs + body } else { target + tabs + body + status };
        Self {
            front: at(target, end - target),
            target: at(0, target),
            tabs: at(target, tabs),
            body: at(target + tabs, body),
            status: at(target + tabs + body, status),
            tour: at(target + tabs + body + status, tour),
            footer: at(target + tabs + body + status + tour, footer),
        }
    }
}

/// How many rows the last message needs.
fn status_rows(model: &Model, columns: u16) -> u16 {
    let rows = model.message().map_or(1, |(_, message)| text::wrap(&message, usize::from(columns)).len());
    u16::try_from(rows).unwrap_or(u16::MAX)
}
