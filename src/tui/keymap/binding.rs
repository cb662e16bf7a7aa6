//! One row of the key table, and how its keys are written.

use crossterm::event::{KeyCode, KeyModifiers};

use super::action::Action;
use super::context::Context;
use super::key_names::{Key, kebab};

/// One row of the table.
#[derive(Debug)]
pub struct Binding {
    /// The context.
    pub context: Context,
    /// The keys.
    pub keys: &'static [Key],
    /// The action.
    pub action: Action,
    /// A word or two for the footer; empty if the footer does not show it.
    pub label: &'static str,
    /// A sentence for the help.
    pub help: &'static str,
}

impl Binding {
    /// Its name in the settings, unique within its context: `page-up`.
    pub fn id(&self) -> String {
        match self.action {
            Action::Choose(_) => self.label.to_owned(),
            Action::Edit(edit) => kebab(&format!("{edit:?}")),
            action => kebab(&format!("{action:?}")),
        }
    }
}

pub(super) const fn c(key: char) -> Key {
    (KeyCode::Char(key), KeyModifiers::NONE)
}
pub(super) const fn ctrl(key: char) -> Key {
    (KeyCode::Char(key), KeyModifiers::CONTROL)
}
pub(super) const fn k(code: KeyCode) -> Key {
    (code, KeyModifiers::NONE)
}
pub(super) const fn row(
    context: Context,
    keys: &'static [Key],
    action: Action,
    label: &'static str,
    help: &'static str,
) -> Binding {
    Binding { context, keys, action, label, help }
}

pub(super) const UP: Key = k(KeyCode::Up);
pub(super) const DOWN: Key = k(KeyCode::Down);
pub(super) const PAGE_UP: Key = k(KeyCode::PageUp);
pub(super) const PAGE_DOWN: Key = k(KeyCode::PageDown);
pub(super) const HOME: Key = k(KeyCode::Home);
pub(super) const END: Key = k(KeyCode::End);
pub(super) const LEFT: Key = k(KeyCode::Left);
pub(super) const RIGHT: Key = k(KeyCode::Right);
pub(super) const ENTER: Key = k(KeyCode::Enter);
pub(super) const ESC: Key = k(KeyCode::Esc);
pub(super) const TAB: Key = k(KeyCode::Tab);
pub(super) const BACK_TAB: Key = k(KeyCode::BackTab);
