//! The screen, drawn from the model; it changes nothing.

use ratatui::Frame;

use super::model::Model;

/// Draws the whole screen.
pub fn draw(model: &Model, frame: &mut Frame<'_>) {
    frame.render_widget(format!("embedded engine (pid {})", model.snapshot.pid), frame.area());
}
