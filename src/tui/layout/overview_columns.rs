//! The columns of the Overview.

use ratatui::layout::Rect;

/// With this many columns of the terminal, the panels are in two columns, and in three.
const TWO: u16 = 100;
const THREE: u16 = 160;

/// The columns, and the lines between them.
pub(super) fn columns(area: Rect) -> (Vec<Rect>, Vec<Rect>) {
    let n = match area.width {
        THREE.. => 3,
        TWO.. => 2,
        _ => return (vec![area], Vec::new()),
    };
    let edge = |at: u16| area.x + area.width * at / n;
    let column = |at: u16| {
        let x = edge(at) + u16::from(at > 0);
        Rect { x, width: edge(at + 1) - x, ..area }
    };
    let divider = |at: u16| Rect { x: edge(at), width: 1, ..area };
    ((0..n).map(column).collect(), (1..n).map(divider).collect())
}
