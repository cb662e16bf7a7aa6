//! Names of keys, written and parsed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::abi::escape::screen;

/// A key with its modifiers. Shift is part of the character it makes.
pub type Key = (KeyCode, KeyModifiers);

/// The key of an event; Shift is dropped where the character already shows it.
pub fn key_of(event: &KeyEvent) -> Key {
    let dropped = match event.code {
        KeyCode::Char(_) | KeyCode::BackTab => KeyModifiers::SHIFT,
        _ => KeyModifiers::NONE,
    };
    let known = KeyModifiers::SHIFT | KeyModifiers::CONTROL | KeyModifiers::ALT;
    (event.code, (event.modifiers & known).difference(dropped))
}

/// The name of a key.
pub fn name((code, modifiers): Key) -> String {
    let plain = match code {
        KeyCode::Char(' ') => "space".to_owned(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::F(n) => format!("F{n}"),
        KeyCode::BackTab => "shift-tab".to_owned(),
        KeyCode::PageUp => "page up".to_owned(),
        KeyCode::PageDown => "page down".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    };
    let held = [(KeyModifiers::CONTROL, "ctrl-"), (KeyModifiers::ALT, "alt-"), (KeyModifiers::SHIFT, "shift-")];
    held.iter()
        .rev()
        .filter(|(held, _)| modifiers.contains(*held))
        .fold(plain, |name, (_, held)| format!("{held}{name}"))
}

/// Parses what [`name`] writes; also `page-up`.
pub fn parse(text: &str) -> Option<Key> {
    const NAMED: [(&str, KeyCode); 15] = [
        ("space", KeyCode::Char(' ')),
        ("enter", KeyCode::Enter),
        ("esc", KeyCode::Esc),
        ("tab", KeyCode::Tab),
        ("shift-tab", KeyCode::BackTab),
        ("up", KeyCode::Up),
        ("down", KeyCode::Down),
        ("left", KeyCode::Left),
        ("right", KeyCode::Right),
        ("home", KeyCode::Home),
        ("end", KeyCode::End),
        ("page-up", KeyCode::PageUp),
        ("page-down", KeyCode::PageDown),
        ("backspace", KeyCode::Backspace),
        ("delete", KeyCode::Delete),
    ];
    let mut chars = text.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        // The name is shown and printed unescaped.
        let usable = !c.is_control() && !c.is_whitespace() && (c == '\\' || screen(text.as_bytes()) == text);
        return usable.then_some((KeyCode::Char(c), KeyModifiers::NONE));
    }
    let written = text.replace(' ', "-").to_lowercase();
    if let Some((_, code)) = NAMED.iter().find(|(name, _)| *name == written) {
        return Some((*code, KeyModifiers::NONE));
    }
    if let Some(number) = written.strip_prefix('f').and_then(|n| n.parse().ok()).filter(|n| (1..=20).contains(n)) {
        return Some((KeyCode::F(number), KeyModifiers::NONE));
    }
    for (prefix, held) in
        [("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT), ("shift-", KeyModifiers::SHIFT)]
    {
        if written.starts_with(prefix) {
            let (code, modifiers) = parse(text.get(prefix.len()..)?)?;
            // Shift is part of the character that it makes; a terminal reports Control only with small letters.
            let held_by_character = held == KeyModifiers::SHIFT && matches!(code, KeyCode::Char(_) | KeyCode::BackTab);
            let no_byte = held == KeyModifiers::CONTROL
                && matches!(code, KeyCode::Char(c) if !c.is_ascii_lowercase() && c != ' ');
            return (!held_by_character && !no_byte && !modifiers.contains(held)).then_some((code, modifiers | held));
        }
    }
    None
}

/// `PageUp` is `page-up`.
pub(super) fn kebab(camel: &str) -> String {
    let mut out = String::new();
    for c in camel.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        for text in [
            "a",
            "R",
            "/",
            "ctrl-r",
            "alt-x",
            "F12",
            "page up",
            "space",
            "shift-tab",
            "shift-up",
            "ctrl-alt-x",
            "ctrl-space",
        ] {
            assert_eq!(parse(text).map(name).as_deref(), Some(text));
        }
        assert_eq!(parse("page-down"), parse("page down"));
        for text in [
            "",
            "ab",
            "ctrl-",
            "ctrl-R",
            "shift-a",
            "ctrl-ctrl-a",
            "F99",
            "\n",
            "\u{1b}",
            "hyper-x",
            "ctrl-é",
            "\u{9b}",
            "\u{202e}",
            "\u{301}",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
