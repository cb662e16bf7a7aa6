//! Where things stand on every screen.

use ratatui::layout::Rect;

use crate::tui::model::Model;
use crate::tui::text;

/// Where things are: the target's line first of all, then the keys, then the body, then the rest.
pub struct Areas {
    /// Whose knobs these are.
    pub target: Rect,
    /// The names of the screens.
    pub tabs: Rect,
    /// The screen itself.
    pub body: Rect,
    /// What was said last.
    pub status: Rect,
    /// The keys.
    pub footer: Rect,
    /// Where dialogs may stand.
    pub front: Rect,
}

impl Areas {
    /// As the screen is now.
    pub fn now(model: &Model) -> Self {
        Self::of(model, Rect::new(0, 0, model.columns, model.rows))
    }

    /// In that area.
    pub fn of(model: &Model, area: Rect) -> Self {
        let rows = area.height;
        let tabs = u16::from(rows >= 4);
        let footer = u16::from(rows >= 3);
        let most = (rows / 5).max(1);
        let status = if rows >= 6 { status_rows(model, area.width).clamp(1, most) } else { 0 };
        let target = rows.min(1);
        let body = rows - target - tabs - footer - status;
        let at = |y: u16, height: u16| Rect { x: area.x, y: area.y + y, width: area.width, height };
        // Everything but the target's line, the keys, and what answers a key of the dialog on top.
        let end = if model.is_answered() { target + tabs + body } else { target + tabs + body + status };
        Self {
            front: at(target, end - target),
            target: at(0, target),
            tabs: at(target, tabs),
            body: at(target + tabs, body),
            status: at(target + tabs + body, status),
            footer: at(target + tabs + body + status, footer),
        }
    }
}

/// How many rows the last message wants.
fn status_rows(model: &Model, columns: u16) -> u16 {
    let rows = model.status.as_ref().map_or(1, |status| text::wrap(&status.text, usize::from(columns)).len());
    u16::try_from(rows).unwrap_or(u16::MAX)
}
