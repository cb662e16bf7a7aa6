//! What a typed line means.

use crate::tui::keymap::{self, Action, Binding, Context, Key};
use crate::tui::model::{Model, Tab};

/// The meaning of a line.
#[derive(Debug)]
pub(super) enum Typed {
    /// Nothing was typed: say what has happened.
    Nothing,
    /// Text for the field that has the focus.
    Text(Vec<u8>),
    /// A line for the console's command line.
    Command(Vec<u8>),
    /// A word of the line mode itself, and what follows it.
    Word(Word, String),
    /// A screen.
    Screen(Tab),
    /// A choice of the dialog on top, counted from 1.
    Choice(usize),
    /// A key.
    Key(Key),
    /// An action, on a screen or on any, and the row that it is about.
    Act(&'static Binding, String),
    /// None of these.
    Unknown,
}

/// The words of the line mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Help,
    Again,
    More,
    Less,
    Details,
    Open,
    Choose,
    Filter,
    Palette,
    Field,
    Set,
    Wait,
    Follow,
}

/// Every word, with what it does.
pub(super) const WORDS: [(&str, Word, &str); 13] = [
    ("help", Word::Help, "say what can be typed here"),
    ("again", Word::Again, "say the screen or the dialog again"),
    ("more", Word::More, "go on to the next page of a list, and say it"),
    ("less", Word::Less, "go back by a page"),
    ("details", Word::Details, "say what is known of the chosen row"),
    ("open", Word::Open, "open N: open row N, as enter does in the console"),
    ("choose", Word::Choose, "choose N: move to row N"),
    ("filter", Word::Filter, "filter WORDS: show only rows with these words; without words, all"),
    ("palette", Word::Palette, "palette WORDS: list the actions whose names match; then type a number"),
    ("field", Word::Field, "field N: go to field N of a dialog"),
    ("set", Word::Set, "set TEXT: type into the field and stay in the dialog"),
    ("wait", Word::Wait, "wait until everything that was asked for is answered; ctrl-c stops waiting"),
    ("follow", Word::Follow, "say lines of the log as they come, until the next line is typed"),
];

/// The contexts of screens, with the screen of each.
const PLACES: [(Context, Option<Tab>); 7] = [
    (Context::Screens, None),
    (Context::Anywhere, None),
    (Context::Overview, Some(Tab::Overview)),
    (Context::Masks, Some(Tab::Masks)),
    (Context::Activity, Some(Tab::Activity)),
    (Context::Log, Some(Tab::Log)),
    (Context::Rules, Some(Tab::Rules)),
];

/// The screen to which an action belongs.
pub(super) fn screen_of(row: &Binding) -> Option<Tab> {
    PLACES.iter().find(|(context, _)| *context == row.context).and_then(|(_, tab)| *tab)
}

/// The meaning of a line. In a text field, a line is text unless it begins with a dot.
pub(super) fn typed(model: &Model, line: &[u8]) -> Typed {
    let chain = model.chain();
    let dotted = line.strip_prefix(b".");
    if chain.contains(&Context::Text) {
        match dotted {
            None if line.is_empty() => return Typed::Nothing,
            None => return Typed::Text(line.to_vec()),
            // A second dot stands for itself.
            Some(text) if text.starts_with(b".") => return Typed::Text(text.to_vec()),
            Some(_) => {}
        }
    }
    let line = dotted.unwrap_or(line);
    if model.dialogs.is_empty()
        && let Some(command) = line.strip_prefix(b":").filter(|command| !command.is_empty())
    {
        return Typed::Command(command.to_vec());
    }
    let Ok(line) = std::str::from_utf8(line) else { return Typed::Unknown };
    let line = line.trim();
    if line.is_empty() {
        return Typed::Nothing;
    }
    let (first, rest) = line.split_once(' ').map_or((line, ""), |(first, rest)| (first, rest.trim_start()));
    if let Some((_, word, _)) = WORDS.iter().find(|(name, ..)| *name == first) {
        return Typed::Word(*word, rest.to_owned());
    }
    if let Some(tab) = Tab::ALL.into_iter().find(|tab| tab.name().eq_ignore_ascii_case(line)) {
        return Typed::Screen(tab);
    }
    if chain.contains(&Context::Choices)
        && let Ok(number) = line.parse()
    {
        return Typed::Choice(number);
    }
    if let Some(key) = keymap::parse(line).filter(|key| model.keys.find(chain, *key).is_some()) {
        return Typed::Key(key);
    }
    match action(model, line).map(|row| (row, "")).or_else(|| action(model, first).map(|row| (row, rest))) {
        Some((row, rest)) => Typed::Act(row, rest.to_owned()),
        None => Typed::Unknown,
    }
}

/// The action of this name or label: one that works here, else one of another screen.
fn action(model: &Model, name: &str) -> Option<&'static Binding> {
    let chain = model.chain();
    let named = |row: &Binding| {
        let id = row.id();
        name.eq_ignore_ascii_case(&id)
            || name.eq_ignore_ascii_case(row.label)
            || name.eq_ignore_ascii_case(&id.replace('-', " "))
    };
    let found: Vec<&'static Binding> = model.keys.rows().map(|(row, _)| row).filter(|row| named(row)).collect();
    let here = chain.iter().find_map(|context| found.iter().find(|row| row.context == *context));
    let elsewhere = || {
        let place = |row: &&&'static Binding| PLACES.iter().any(|(context, _)| *context == row.context);
        found.iter().find(place).filter(|_| model.dialogs.is_empty())
    };
    here.or_else(elsewhere).copied().filter(|row| row.action != Action::Palette)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::fixtures;
    use crate::tui::testing::render::keys;

    fn of(model: &Model, line: &str) -> String {
        match typed(model, line.as_bytes()) {
            Typed::Act(row, rest) => format!("{} {} {rest}", row.context.id(), row.id()),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_line_is_a_word_a_screen_a_key_an_action_or_a_command() {
        let model = fixtures::model(fixtures::busy(2), 99, 60);
        for (line, meaning) in [
            ("", "Nothing"),
            ("open 3", "Word(Open, \"3\")"),
            ("masks", "Screen(Masks)"),
            ("2", "Key((Char('2'), KeyModifiers(0x0)))"),
            ("ctrl-l", "Key((Char('l'), KeyModifiers(CONTROL)))"),
            ("gate", "screens gate "),
            ("kill 3", "activity kill 3"),
            ("mark-all", "activity mark-all "),
            ("mark all", "activity mark-all "),
            ("toggle cap_chown", "masks toggle cap_chown"),
            (":get -a", "Command([103, 101, 116, 32, 45, 97])"),
            ("xyzzy", "Unknown"),
            ("9", "Unknown"),
        ] {
            assert_eq!(of(&model, line), meaning, "{line}");
        }
    }

    #[test]
    fn in_a_field_a_line_is_text_unless_it_begins_with_a_dot() {
        let mut model = fixtures::model(fixtures::busy(2), 99, 60);
        keys(&mut model, "m");
        for (line, meaning) in [
            ("masks", "Text([109, 97, 115, 107, 115])"),
            (".esc", "Key((Esc, KeyModifiers(0x0)))"),
            ("..esc", "Text([46, 101, 115, 99])"),
            (".back", "form dismiss "),
            (".do it", "form accept "),
            (".field 3", "Word(Field, \"3\")"),
            ("", "Nothing"),
            (".gate", "Unknown"),
        ] {
            assert_eq!(of(&model, line), meaning, "{line}");
        }
        keys(&mut model, "⎋g");
        assert_eq!(of(&model, "2"), "Choice(2)");
        assert_eq!(of(&model, "freeze"), "gate freeze ");
        assert_eq!(of(&model, "masks"), "Screen(Masks)");
    }
}
