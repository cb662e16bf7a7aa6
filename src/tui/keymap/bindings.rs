//! The table with the keys that the operator chose.

use std::fmt::Write as _;

use crossterm::event::{KeyCode, KeyModifiers};

use super::context::{CHAINS, Context};
use super::key_names::{Key, name};
use super::table::{Action, Binding, TABLE};

/// Other keys for one row.
#[derive(Clone, Debug)]
pub struct Rebind {
    /// The row of the table.
    row: usize,
    /// Its keys.
    keys: Vec<Key>,
    /// The line of the settings that says so.
    line: usize,
}

impl Rebind {
    /// For a row that is named by its context and itself; the error says what is known instead.
    pub fn new(context: &str, action: &str, keys: Vec<Key>, line: usize) -> Result<Self, String> {
        let of = |row: &&Binding| row.context.id() == context;
        if !TABLE.iter().any(|row| of(&row)) {
            let all: Vec<String> = Context::ALL.into_iter().map(Context::id).collect();
            return Err(format!("no keys belong to `{context}`; these have some: {}", all.join(", ")));
        }
        let row = TABLE.iter().position(|row| of(&row) && row.id() == action).ok_or_else(|| {
            let all: Vec<String> = TABLE.iter().filter(of).map(Binding::id).collect();
            format!("`{context}` has no `{action}`; it has {}", all.join(", "))
        })?;
        if keys.is_empty() {
            return Err(format!("`{action}` would have no key"));
        }
        Ok(Self { row, keys, line })
    }
}

/// What each key does now.
#[derive(Clone, Debug, Default)]
pub struct Keymap {
    rebound: Vec<Rebind>,
}

impl Keymap {
    /// With these rows rebound; the error is the line that makes a key mean two things, or takes a character from text.
    pub fn new(rebound: Vec<Rebind>) -> Result<Self, (usize, String)> {
        let mut keymap = Self { rebound };
        // Of two lines that do not go together the later one is named.
        keymap.rebound.sort_by_key(|rebind| std::cmp::Reverse(rebind.line));
        for rebind in &keymap.rebound {
            if let Some(why) = keymap.trouble(rebind) {
                return Err((rebind.line, why));
            }
        }
        Ok(keymap)
    }

    fn trouble(&self, rebind: &Rebind) -> Option<String> {
        let own = &TABLE[rebind.row];
        if self.rebound.iter().any(|other| other.row == rebind.row && other.line != rebind.line) {
            return Some(format!("`{}` of `{}` is given keys twice", own.id(), own.context.id()));
        }
        for chain in CHAINS.iter().filter(|chain| chain.contains(&own.context)) {
            let typed = |(code, held): &&Key| matches!(code, KeyCode::Char(_)) && !held.contains(KeyModifiers::CONTROL);
            if chain.contains(&Context::Text)
                && let Some(key) = rebind.keys.iter().find(typed)
            {
                return Some(format!(
                    "`{}` could not be typed any more: `{}` is about text",
                    name(*key),
                    own.context.id()
                ));
            }
            for (row, keys) in self.rows().filter(|(row, _)| chain.contains(&row.context) && !std::ptr::eq(*row, own)) {
                if let Some(key) = keys.iter().find(|key| rebind.keys.contains(key)) {
                    let (context, id) = (row.context.id(), row.id());
                    return Some(format!("`{}` already means `{id}` in `{context}`", name(*key)));
                }
            }
        }
        None
    }

    /// Every row with its keys.
    pub fn rows(&self) -> impl Iterator<Item = (&'static Binding, &[Key])> {
        TABLE.iter().enumerate().map(|(at, row)| {
            let other = self.rebound.iter().find(|rebind| rebind.row == at);
            (row, other.map_or(row.keys, |rebind| &rebind.keys[..]))
        })
    }

    /// What a key does where these contexts hold, the nearest first.
    pub fn find(&self, chain: &[Context], key: Key) -> Option<Action> {
        let of = |context: &Context| {
            self.rows().find(|(row, keys)| row.context == *context && keys.contains(&key)).map(|(row, _)| row.action)
        };
        chain.iter().find_map(of)
    }

    /// The first key of an action, as it is written.
    pub fn key(&self, action: Action) -> String {
        let row = self.rows().find(|(row, _)| row.action == action);
        row.and_then(|(_, keys)| keys.first()).map(|key| name(*key)).unwrap_or_default()
    }

    /// The rows that the footer may show where these contexts hold, each with its key. Of a read-only console those that
    /// work.
    pub fn footer(&self, chain: &[Context], read_only: bool) -> Vec<(&'static Binding, String)> {
        let of = |context: &Context| {
            let context = *context;
            self.rows()
                .filter(move |(row, _)| row.context == context && !row.label.is_empty())
                .filter(move |(row, _)| !read_only || !row.action.acts())
                .map(|(row, keys)| (row, keys.first().map(|key| name(*key)).unwrap_or_default()))
        };
        chain.iter().flat_map(of).collect()
    }

    /// The table as settings: what `khelper keys` prints, and what can be put into console.toml.
    pub fn settings(&self) -> String {
        let mut out = String::new();
        for context in Context::ALL {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "# {}\n[keys.{}]", context.title(), context.id());
            for (row, keys) in self.rows().filter(|(row, _)| row.context == context) {
                let keys: Vec<String> = keys.iter().map(|key| format!("\"{}\"", quoted(*key))).collect();
                let setting = format!("{} = [{}]", row.id(), keys.join(", "));
                let _ = writeln!(out, "{setting:<38} # {}", row.help);
            }
            out.push('\n');
        }
        out.truncate(out.trim_end().len() + 1);
        out
    }
}

impl Action {
    /// Whether it changes or starts something, or writes a file: a read-only console refuses it.
    pub const fn acts(self) -> bool {
        use Action::{Abandon, Apply, Call, Gate, Kill, Module, Path, Rehearse, Repeat, Reset, Save};
        matches!(self, Module | Call | Path | Gate | Rehearse | Apply | Reset | Kill | Abandon | Repeat | Save)
    }
}

/// As TOML writes it between double quotes.
fn quoted(key: Key) -> String {
    name(key).replace('\\', "\\\\").replace('"', "\\\"")
}

/// Every key of a row, as it is written.
pub fn names(keys: &[Key]) -> String {
    keys.iter().map(|key| name(*key)).collect::<Vec<_>>().join(", ")
}
