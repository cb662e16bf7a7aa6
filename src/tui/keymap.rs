//! The key table. Dispatch, footer, help and the README's list are all made from it.

mod action;
mod binding;
mod bindings;
mod context;
mod key_names;
mod table;

pub use action::Action;
pub use binding::Binding;
pub use bindings::{Keymap, Rebind, names};
pub use context::{CHAINS, Context};
pub use key_names::{Key, key_of, name, parse};
pub use table::TABLE;

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use std::collections::HashSet;

    #[test]
    fn no_key_means_two_things() {
        for chain in CHAINS {
            let mut seen = HashSet::new();
            for row in TABLE.iter().filter(|row| chain.contains(&row.context)) {
                for key in row.keys {
                    assert!(seen.insert(*key), "{} twice in {chain:?}", name(*key));
                }
            }
        }
    }

    #[test]
    fn no_plain_character_is_taken_from_a_text_field() {
        for chain in CHAINS.iter().filter(|chain| chain.contains(&Context::Text)) {
            for row in TABLE.iter().filter(|row| chain.contains(&row.context)) {
                for (code, modifiers) in row.keys {
                    assert!(!matches!(code, KeyCode::Char(_)) || modifiers.contains(KeyModifiers::CONTROL), "{row:?}");
                }
            }
        }
    }

    #[test]
    fn every_key_has_words() {
        let mut ids = HashSet::new();
        for row in TABLE {
            assert!(ids.insert((row.context, row.id())), "{row:?} shares its name");
            assert!(!row.keys.is_empty() && !row.help.is_empty(), "{row:?}");
            assert!(Context::ALL.contains(&row.context));
        }
        assert_eq!(name((KeyCode::Char('c'), KeyModifiers::CONTROL)), "ctrl-c");
        assert_eq!(name((KeyCode::PageUp, KeyModifiers::NONE)), "page up");
        for (row, key) in TABLE.iter().flat_map(|row| row.keys.iter().map(move |key| (row, key))) {
            assert_eq!(parse(&name(*key)), Some(*key), "{row:?}");
        }
    }

    #[test]
    fn shift_is_part_of_the_character() {
        let shifted = KeyEvent::new(KeyCode::Char('R'), KeyModifiers::SHIFT);
        assert_eq!(Keymap::default().find(&[Context::Masks], key_of(&shifted)), Some(Action::Reset));
        let alt = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT);
        assert_eq!(Keymap::default().find(&[Context::Screens], key_of(&alt)), None);
    }
}
