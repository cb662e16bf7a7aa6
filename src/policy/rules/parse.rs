//! The grammar of a line.

use std::sync::Arc;

use crate::abi::glob::Glob;

use super::condition::{Condition, Subject};
use super::error::What;
use super::rule::{Action, Object, Position};
use super::words::{KEYS, OBJECTS, VERBS, likely, resembled};

/// A word and its column, counted from 1 in bytes.
pub(super) type Word<'a> = (u32, &'a str);

/// What a line says.
pub(super) enum Line {
    /// Nothing, or a comment.
    Empty,
    /// `let @NAME = PATTERN ...`.
    Let(String, Vec<Glob>),
    /// A rule, without its place.
    Rule(Parsed),
}

/// A rule without its place.
pub(super) struct Parsed {
    pub text: Arc<str>,
    pub action: Action,
    pub object: Object,
    pub conditions: Vec<Condition>,
    pub profile: Option<Arc<str>>,
    pub log: bool,
}

/// A fault and its column.
pub(super) type Wrong = (u32, What);

/// Lists that `let` has defined, with the lines that define them.
pub(super) type Lists = Vec<(String, Position, Vec<Glob>)>;

/// The words before the comment.
fn words(line: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() || rest.starts_with('#') {
            return words;
        }
        let end = rest.find([' ', '\t']).unwrap_or(rest.len());
        let column = u32::try_from(line.len() - rest.len() + 1).unwrap_or(u32::MAX);
        words.push((column, &rest[..end]));
        rest = &rest[end..];
    }
}

/// Reads one line.
pub(super) fn line(line: &str, lists: &Lists) -> Result<Line, Wrong> {
    if let Some(at) = line.find(|c: char| c.is_control() && c != '\t') {
        return Err((u32::try_from(at + 1).unwrap_or(u32::MAX), What::NotText));
    }
    let words = words(line);
    let [(column, verb), rest @ ..] = &words[..] else { return Ok(Line::Empty) };
    let action = match *verb {
        "allow" => Action::Allow,
        "deny" => Action::Deny,
        "let" => return list(*column, rest, lists),
        other => return Err((*column, What::NoVerb(other.to_owned(), likely(other, VERBS.iter().copied())))),
    };
    let text: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
    let Some((at, object)) = rest.first() else { return Err((*column, What::NoObject(String::new(), None))) };
    let rest = &rest[1..];
    let split = rest.iter().position(|(_, word)| is_attribute(word)).unwrap_or(rest.len());
    let (patterns, attributes) = rest.split_at(split);
    let object = match *object {
        "*" => none(Object::Any, "*", patterns)?,
        "unresolved" => none(Object::Unresolved, "unresolved", patterns)?,
        "module" => Object::Module(globs((*at, "module"), patterns, lists)?),
        "name" => Object::Name(globs((*at, "name"), patterns, lists)?),
        "helper" => Object::Helper(paths(*at, patterns)?),
        other => return Err((*at, What::NoObject(other.to_owned(), likely(other, OBJECTS.iter().copied())))),
    };
    let mut parsed =
        Parsed { text: text.join(" ").into(), action, object, conditions: Vec::new(), profile: None, log: false };
    let mut seen: Vec<(&str, bool)> = Vec::new();
    for word in attributes {
        attribute(*word, &mut parsed, &mut seen)?;
    }
    Ok(Line::Rule(parsed))
}

/// Whether a word has an operator. In brackets `!` and `=` are members of a class.
fn is_attribute(word: &str) -> bool {
    operator(word).is_some() && !word.starts_with(['/', '@', '['])
}

/// The key, the operator and the value.
fn operator(word: &str) -> Option<(&str, &str, &str)> {
    let at = word.find(['=', '!', '<', '>'])?;
    if word[..at].contains(['[', '*', '?', '\\']) {
        return None;
    }
    let rest = &word[at..];
    let length = if rest.starts_with("!=") || rest.starts_with(">=") || rest.starts_with("<=") { 2 } else { 1 };
    Some((&word[..at], &rest[..length], &rest[length..]))
}

fn none(object: Object, name: &'static str, patterns: &[Word<'_>]) -> Result<Object, Wrong> {
    match patterns.first() {
        None => Ok(object),
        Some((column, word)) => match resembled(word) {
            Some(key) => Err((*column, What::BareKey((*word).to_owned(), key))),
            None => Err((*column, What::Unwanted((*word).to_owned(), name))),
        },
    }
}

fn globs(object: (u32, &'static str), words: &[Word<'_>], lists: &Lists) -> Result<Vec<Glob>, Wrong> {
    let mut all = Vec::new();
    for (column, word) in words {
        if let Some(name) = word.strip_prefix('@') {
            let Some((_, _, list)) = lists.iter().find(|(list, ..)| list == name) else {
                let near = likely(name, lists.iter().map(|(list, ..)| list.as_str())).map(str::to_owned);
                return Err((*column, What::NoList(name.to_owned(), near)));
            };
            all.extend(list.iter().cloned());
        } else if let Some(key) = resembled(word) {
            return Err((*column, What::BareKey((*word).to_owned(), key)));
        } else {
            all.push(Glob::of_module(word).map_err(|error| (*column, What::Pattern(error)))?);
        }
    }
    if all.is_empty() { Err((object.0, What::NoPattern(object.1))) } else { Ok(all) }
}

fn paths(column: u32, words: &[Word<'_>]) -> Result<Vec<Box<[u8]>>, Wrong> {
    if words.is_empty() {
        return Err((column, What::NoPattern("helper")));
    }
    let path = |(column, word): &Word<'_>| {
        if let Some(key) = resembled(word) {
            return Err((*column, What::BareKey((*word).to_owned(), key)));
        }
        let is_plain = word.starts_with('/') && !word.contains(['*', '?', '[', '\\']);
        if is_plain { Ok(word.as_bytes().into()) } else { Err((*column, What::Path((*word).to_owned()))) }
    };
    words.iter().map(path).collect()
}

fn list(column: u32, words: &[Word<'_>], lists: &Lists) -> Result<Line, Wrong> {
    let [(at, name), (_, "="), patterns @ ..] = words else { return Err((column, What::Let)) };
    let name = name.strip_prefix('@').filter(|name| !name.is_empty() && name.chars().all(is_letter));
    let Some(name) = name else { return Err((*at, What::Let)) };
    if let Some((_, before, _)) = lists.iter().find(|(list, ..)| list == name) {
        return Err((*at, What::ListTwice(name.to_owned(), before.clone())));
    }
    // A list is of patterns: a key in it would be a name, too.
    if let Some((column, word)) = patterns.iter().find(|(_, word)| is_attribute(word)) {
        return Err((*column, What::Pattern(Glob::of_module(word).err().unwrap_or_else(|| attribute_in_list(word)))));
    }
    Ok(Line::Let(name.to_owned(), globs((*at, "let"), patterns, &Vec::new())?))
}

fn attribute_in_list(word: &str) -> crate::abi::error::ParseError {
    let why =
        format!("a list has patterns only, and `{}` is an attribute", crate::abi::escape::screen(word.as_bytes()));
    crate::abi::error::ParseError::invalid(why, "put it behind the patterns of the rule")
}

/// One attribute, in its parts.
struct Attribute<'a> {
    column: u32,
    key: &'static str,
    operator: &'a str,
    value: &'a str,
}

impl Attribute<'_> {
    /// The value is wrong, or what is wrong in it.
    fn wrong(&self, what: Option<What>) -> Wrong {
        let column = self.column + u32::try_from(self.key.len() + self.operator.len()).unwrap_or(0);
        (column, what.unwrap_or_else(|| What::Value(self.key, self.value.to_owned())))
    }

    fn bad_operator(&self) -> Wrong {
        (self.column, What::Operator(self.key, self.operator.to_owned()))
    }

    /// One of two words.
    fn one_of(&self, yes: &str, no: &str) -> Result<bool, Wrong> {
        match self.value {
            value if value == yes => Ok(true),
            value if value == no => Ok(false),
            _ => Err(self.wrong(None)),
        }
    }

    /// The condition that it states; `None` for what is no condition.
    fn condition(&self) -> Result<Option<Condition>, Wrong> {
        let mut negated = self.operator == "!=";
        let subject = match self.key {
            "uid" | "gid" => {
                let ranges = numbers(self.operator, self.value).map_err(|what| self.wrong(what))?;
                let ranges = ranges.ok_or_else(|| self.bad_operator())?;
                if self.key == "uid" { Subject::Uid(ranges) } else { Subject::Gid(ranges) }
            }
            "unit" | "container" | "exe" if !matches!(self.operator, "=" | "!=") => return Err(self.bad_operator()),
            "unit" => Subject::Unit(exact(self.value).map_err(|what| self.wrong(what))?),
            "container" => Subject::Container(exact(self.value).map_err(|what| self.wrong(what))?),
            "exe" => Subject::Exe(exact(self.value).map_err(|what| self.wrong(what))?),
            _ if self.operator != "=" => return Err(self.bad_operator()),
            "userns" => {
                negated = !self.one_of("yes", "no")?;
                Subject::Userns
            }
            "requester" => {
                negated = !self.one_of("known", "unknown")?;
                Subject::Known
            }
            _ => return Ok(None),
        };
        Ok(Some(Condition { subject, negated }))
    }
}

fn attribute<'a>((column, word): Word<'a>, to: &mut Parsed, seen: &mut Vec<(&'a str, bool)>) -> Result<(), Wrong> {
    let Some((written, operator, value)) = operator(word) else {
        return Err((column, What::AfterAttributes(word.to_owned())));
    };
    let Some(key) = KEYS.iter().copied().find(|known| *known == written) else {
        return Err((column, What::NoKey(written.to_owned(), likely(written, KEYS.iter().copied()))));
    };
    // `uid>=1000 uid<=1999` is a range; everything else twice is a mistake.
    let is_bound = matches!(operator, ">=" | "<=");
    let this = (written, operator == "<=");
    if seen.iter().any(|before| *before == this || before.0 == written && !is_bound) {
        return Err((column, What::Twice(key.to_owned())));
    }
    seen.push(this);
    let attribute = Attribute { column, key, operator, value };
    to.conditions.extend(attribute.condition()?);
    match key {
        "log" => to.log = attribute.one_of("yes", "no")?,
        "profile" if value.is_empty() || !value.chars().all(is_letter) => return Err(attribute.wrong(None)),
        "profile" if to.action == Action::Deny => return Err((column, What::ProfileOfDenied)),
        "profile" => to.profile = Some(value.into()),
        _ => {}
    }
    Ok(())
}

/// A letter of a name that rules give.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// Ranges of ids. `Ok(None)`: no such operator; `Err(None)`: no such value.
fn numbers(operator: &str, value: &str) -> Result<Option<Vec<(u32, u32)>>, Option<What>> {
    // -1 is no id (setresuid(2)).
    let id = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|id| plain && *id != u32::MAX).ok_or(None)
    };
    let range = |text: &str| {
        let Some((low, high)) = text.split_once('-') else { return id(text).map(|id| (id, id)) };
        let (low, high) = (id(low)?, id(high)?);
        if low > high { Err(Some(What::EmptyRange(text.to_owned()))) } else { Ok((low, high)) }
    };
    match operator {
        "=" | "!=" => value.split(',').map(range).collect::<Result<_, _>>().map(Some),
        ">=" | "<=" if value.contains([',', '-']) => Err(Some(What::OneNumber(value.to_owned()))),
        ">=" => Ok(Some(vec![(id(value)?, u32::MAX)])),
        "<=" => Ok(Some(vec![(0, id(value)?)])),
        _ => Ok(None),
    }
}

/// Globs of units, containers and programs: `-` and `_` differ. `Err(None)`: an empty one.
fn exact(value: &str) -> Result<Vec<Glob>, Option<What>> {
    let glob = |text: &str| match text {
        "" => Err(None),
        text => Glob::exact(text).map_err(|error| Some(What::Pattern(error))),
    };
    value.split(',').map(glob).collect()
}
