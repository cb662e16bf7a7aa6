//! What all files say together: for each knob the line that wins, and the others. Pure.
//!
//! Of two lines with one key the later one wins. A pattern sets the keys that it matches and that no line names; of two
//! patterns the later one wins. Only knobs that can be written are matched.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::abi::cap::CapMask;
use crate::abi::error::{ControlError, Explain, ParseError};
use crate::abi::escape::screen;
use crate::abi::knob::Key;
use crate::abi::knob_value::{KnobValue, Source};
use crate::abi::safe_text::SafeText;
use crate::abi::sort::sort_by_key;
use crate::control::provenance::Setting;

use super::files::File;
use super::parse::{Assignment, Kind, Name, parse, remark};
use super::{Remark, Set};

/// Why no line sets the mode of the rules.
const RULES_MODE: &str =
    "khelper.rules.mode is not set by files: `khelper set` or `khelper rules` set it, and it stays over restarts";

/// A key or pattern, and its last line.
struct Named<'a> {
    name: Name,
    /// `None` for `-KEY` alone.
    value: Option<&'a [u8]>,
    ignore: bool,
    source: Source,
    others: Vec<Source>,
}

/// Reads the value of a knob.
pub type ReadValue<'a> = dyn Fn(Key, &[u8]) -> Result<KnobValue, ControlError> + 'a;

/// The knobs that files may set, and the syntax of their values.
pub struct Grammar<'a> {
    /// The knobs; every other one is unknown.
    pub keys: &'a [Key],
    /// Reads a value.
    pub value: &'a ReadValue<'a>,
}

/// Resolves files in their order. `known` holds the capabilities that the engine's kernel knows.
pub fn resolve(files: &[File], known: CapMask) -> Set {
    let value = |key: Key, text: &[u8]| key.parse_value(text, known);
    resolve_as(files, &Grammar { keys: &Key::ALL, value: &value })
}

/// Like [`resolve`], for other knobs or another syntax of values.
pub fn resolve_as(files: &[File], grammar: &Grammar<'_>) -> Set {
    let mut set = Set::default();
    let named = names(files, &mut set);
    let (patterns, keys): (Vec<_>, Vec<_>) = named.iter().partition(|named| named.name.is_pattern());
    for named in &keys {
        let key = std::str::from_utf8(named.name.as_bytes()).ok().and_then(|name| Key::parse(name).ok());
        let key = key.filter(|key| grammar.keys.contains(key));
        match (key, named.value) {
            (Some(key), Some(value)) => assign(&mut set, named, key, value, grammar),
            // No pattern sets it.
            (Some(_), None) => {}
            (None, _) => unknown(&mut set, named),
        }
    }
    for pattern in patterns {
        let Some(value) = pattern.value else {
            set.warnings.push(Remark::new(&pattern.source, "a `-` without a value excludes one key, not a pattern"));
            continue;
        };
        let matched = |key: &Key| key.writable() && pattern.name.matches(key.name());
        let matched: Vec<Key> = grammar.keys.iter().copied().filter(matched).collect();
        if matched.is_empty() {
            unknown(&mut set, pattern);
        }
        let explicit = |key: &Key| keys.iter().any(|named| named.name.as_bytes() == key.name().as_bytes());
        for key in matched {
            if !explicit(&key) {
                assign(&mut set, pattern, key, value, grammar);
            } else if let Some(setting) = set.settings.iter_mut().find(|setting| setting.key == key) {
                setting.others.push(pattern.source.clone());
            }
        }
    }
    let paths: Vec<SafeText> = files.iter().map(|file| shown(&file.path)).collect();
    let place = |remark: &Remark| (paths.iter().position(|path| *path == remark.source.file), remark.source.line);
    sort_by_key(&mut set.faults, place);
    sort_by_key(&mut set.warnings, place);
    set
}

fn shown(path: &Path) -> SafeText {
    SafeText::escape(path.as_os_str().as_bytes())
}

/// The keys and patterns of all files, each with its last line.
fn names<'a>(files: &'a [File], set: &mut Set) -> Vec<Named<'a>> {
    let mut all: Vec<Named<'a>> = Vec::new();
    for file in files {
        let path = shown(&file.path);
        for line in parse(&file.bytes) {
            let source = Source { file: path.clone(), line: line.number };
            let (name, value, ignore) = match line.kind {
                Kind::Assignment(Assignment { name, value, ignore }) => (name, Some(value), ignore),
                Kind::Exclusion(name) => (name, None, true),
                Kind::Malformed(text) => {
                    let why = format!("`{}` is not KEY = VALUE: the line has no `=`", screen(text));
                    set.faults.push(Remark::new(&source, &why));
                    continue;
                }
            };
            if let Some(why) = value.and_then(remark) {
                set.warnings.push(Remark::new(&source, &why));
            }
            let mut others = Vec::new();
            if let Some(at) = all.iter().position(|old| old.name == name) {
                let old = all.remove(at);
                others = old.others;
                others.push(old.source);
            }
            all.push(Named { name, value, ignore, source, others });
        }
    }
    all
}

/// Adds a setting in place of an earlier one of the same knob.
fn assign(set: &mut Set, named: &Named<'_>, key: Key, value: &[u8], grammar: &Grammar<'_>) {
    let value = match (grammar.value)(key, value) {
        Ok(value) => value,
        Err(_) if named.ignore => return,
        Err(error) => return set.faults.push(Remark::of(&named.source, &error)),
    };
    let mut others = named.others.clone();
    if let Some(at) = set.settings.iter().position(|setting| setting.key == key) {
        let old = set.settings.remove(at);
        others.splice(0..0, old.others.into_iter().chain([old.source]));
    }
    let source = named.source.clone();
    set.settings.push(Setting { key, value, source, others, ignore: named.ignore });
}

fn unknown(set: &mut Set, named: &Named<'_>) {
    if named.ignore {
        return;
    }
    let name = named.name.as_bytes();
    let why = match named.name.is_pattern() {
        true => format!("no knob that can be written matches `{}`", screen(name)),
        false if name == Key::RulesMode.name().as_bytes() => RULES_MODE.to_owned(),
        false => ControlError::UnknownKey(String::from_utf8_lossy(name).into_owned()).to_string(),
    };
    set.faults.push(Remark { unknown: true, ..Remark::new(&named.source, &why) });
}

impl Remark {
    pub(super) fn new(source: &Source, why: &str) -> Self {
        Self { source: source.clone(), why: why.into(), unknown: false }
    }

    /// An error, with its advice.
    pub(super) fn of(source: &Source, error: &ControlError) -> Self {
        Self::new(source, &error.whole())
    }
}

impl Set {
    /// The first fault, as an error; the message says how many there are.
    pub(super) fn fault(&self) -> Option<ControlError> {
        let first = self.faults.first()?;
        let more = match self.faults.len() {
            1 => String::new(),
            n => format!("; {} more lines are at fault", n - 1),
        };
        let error = ParseError::invalid(
            format!("{}{more}", first.why),
            "correct the file; until then the configuration before it stays in force",
        );
        Some(ControlError::Value { key: first.source.to_string(), error })
    }
}
