//! `(model, message) -> effects`. No I/O, no clock.

use crossterm::event::KeyCode;

use super::model::Model;
use super::msg::{Effect, Msg};

/// Takes one message in.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Key(key) if key.code == KeyCode::Char('q') => vec![Effect::Quit { code: 0 }],
        Msg::Snapshot(snapshot) => {
            model.snapshot = *snapshot;
            Vec::new()
        }
        _ => Vec::new(),
    }
}
