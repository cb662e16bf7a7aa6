//! The key table with the operator's changes.

use std::fmt::Write as _;

use crossterm::event::{KeyCode, KeyModifiers};

use crate::abi::sort::sort_by_key;

use super::action::Action;
use super::binding::Binding;
use super::context::{CHAINS, Context};
use super::key_names::{Key, name};
use super::table::TABLE;

/// Changed keys of one row.
#[derive(Clone, Debug)]
pub struct Rebind {
    /// The row of the table.
    row: usize,
    /// Its keys.
    keys: Vec<Key>,
    /// The line of the settings file.
    line: usize,
}

impl Rebind {
    /// Finds a row by its context and its name; the error lists the known names.
    pub fn new(context: &str, action: &str, keys: Vec<Key>, line: usize) -> Result<Self, String> {
        let of = |row: &&Binding| row.context.id() == context;
        if !TABLE.iter().any(|row| of(&row)) {
            let all: Vec<String> = Context::ALL.into_iter().map(Context::id).collect();
            return Err(format!("unknown context `{context}`; the contexts are: {}", all.join(", ")));
        }
        let row = TABLE.iter().position(|row| of(&row) && row.id() == action).ok_or_else(|| {
            let all: Vec<String> = TABLE.iter().filter(of).map(Binding::id).collect();
            format!("`{context}` has no `{action}`; it has {}", all.join(", "))
        })?;
        if keys.is_empty() {
            return Err(format!("`{action}` needs at least one key"));
        }
        Ok(Self { row, keys, line })
    }
}

/// The current meaning of each key.
#[derive(Clone, Debug, Default)]
pub struct Keymap {
    rebound: Vec<Rebind>,
}

impl Keymap {
    /// The table with these rows changed. The error names the line that gives a key two meanings or takes a character
    /// from text fields.
    pub fn new(rebound: Vec<Rebind>) -> Result<Self, (usize, String)> {
        let mut keymap = Self { rebound };
        // Of two lines that conflict, the later one is named.
        sort_by_key(&mut keymap.rebound, |rebind| std::cmp::Reverse(rebind.line));
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
                    "`{}` could no longer be typed: `{}` is a context of text",
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

    /// The action of a key in these contexts, the nearest first.
    pub fn find(&self, chain: &[Context], key: Key) -> Option<Action> {
        let of = |context: &Context| {
            self.rows().find(|(row, keys)| row.context == *context && keys.contains(&key)).map(|(row, _)| row.action)
        };
        chain.iter().find_map(of)
    }

    /// The name of the first key of an action.
    pub fn key(&self, action: Action) -> String {
        let row = self.rows().find(|(row, _)| row.action == action);
        row.and_then(|(_, keys)| keys.first()).map(|key| name(*key)).unwrap_or_default()
    }

    /// The name of the first key of an action in this context.
    pub fn key_in(&self, context: Context, action: Action) -> String {
        let row = self.rows().find(|(row, _)| row.context == context && row.action == action);
        row.and_then(|(_, keys)| keys.first()).map(|key| name(*key)).unwrap_or_default()
    }

    /// The rows that the footer may show in these contexts, each with its key. In a read-only console, only the rows
    /// that work.
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

    /// The table in the form of the settings file: printed by `khelper keys`, and usable as console.toml.
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
    /// Whether the action changes or starts something, or writes a file: a read-only console refuses it.
    pub const fn acts(self) -> bool {
        use Action::{
            Abandon, Apply, Call, Gate, Kill, MatchAbandon, MatchKill, Module, Path, Rehearse, Repeat, Reset,
            RulesMode, Save, UndoKnob,
        };
        let on_helpers = matches!(self, Kill | MatchKill | Abandon | MatchAbandon | Repeat);
        on_helpers
            || matches!(self, Module | Call | Path | Gate | Rehearse | Apply | Reset | RulesMode | Save | UndoKnob)
    }
}

/// The name as a TOML string between double quotes.
fn quoted(key: Key) -> String {
    name(key).replace('\\', "\\\\").replace('"', "\\\"")
}

/// The names of all keys of a row.
pub fn names(keys: &[Key]) -> String {
    keys.iter().map(|key| name(*key)).collect::<Vec<_>>().join(", ")
}
