//! Lines of modprobe.d(5), and lists of names of modules, as rules.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::abi::escape::screen;
use crate::abi::glob::{Glob, fold};
use crate::policy::resolution::lines;

use super::learn::literal;
use super::ruleset::Source;

/// What every import begins with.
const HEAD: &str = "\
# Made by `khelper rules import`. The first rule that matches decides: put these before what allows.
# `deny module X` stops more than a `blacklist` of X, which stops X only where it is asked for by an alias: it also stops
# X by its own name, and every module that needs X.
";

/// Commands that do nothing, in place of a module.
const NOTHING: [&[u8]; 4] = [b"/bin/false", b"/usr/bin/false", b"/bin/true", b"/usr/bin/true"];

/// Rules that were made of other files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// A file of rules.
    pub text: String,
    /// How many rules it has.
    pub rules: usize,
    /// How many lines no rule can say; each is a comment.
    pub left_out: usize,
}

/// A rule: its object and pattern, and whether nothing but a blacklist says so.
type Row = (&'static str, String, bool);

/// Reads files of modprobe.d(5), and lists with one name of a module on each line.
pub fn import(files: &[Source]) -> Import {
    // By the object and the folded pattern: what is said twice becomes one rule.
    let mut rows: Vec<Row> = Vec::new();
    let mut known: BTreeMap<(&str, Vec<u8>), usize> = BTreeMap::new();
    let (mut comments, mut left_out) = (String::new(), 0);
    for file in files {
        for (number, line) in lines(&file.text) {
            match one(&line) {
                Ok(None) => {}
                Ok(Some(row)) => {
                    let key = (row.0, row.1.bytes().map(fold).collect());
                    match known.get(&key) {
                        Some(at) => rows[*at].2 &= row.2,
                        None => {
                            known.insert(key, rows.len());
                            rows.push(row);
                        }
                    }
                }
                Err(why) => {
                    left_out += 1;
                    let _ = writeln!(comments, "# not imported: {}:{number}: `{}`: {why}", file.path, screen(&line));
                }
            }
        }
    }
    let mut text = format!("{HEAD}\n");
    for (object, pattern, is_blacklist) in &rows {
        let _ = writeln!(text, "deny {object} {pattern}{}", if *is_blacklist { "  # blacklist" } else { "" });
    }
    if left_out > 0 {
        let _ = write!(text, "\n{comments}");
    }
    Import { text, rules: rows.len(), left_out }
}

/// The rule of a line; `None` for an empty line or a comment. The error is why there is none.
fn one(line: &[u8]) -> Result<Option<Row>, &'static str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut words = line.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty());
    let Some(first) = words.next().filter(|word| word[0] != b'#') else { return Ok(None) };
    let second = words.next().filter(|word| word[0] != b'#');
    let third = words.next();
    let row = |object, name, is_blacklist| Ok(Some((object, pattern(name)?, is_blacklist)));
    match (first, second, third) {
        // modprobe compares the name of a blacklist, which is no pattern to it.
        (b"blacklist", Some(name), _) if literal(name).is_none() => {
            Err("a blacklist has no patterns, and no module is called so")
        }
        (b"blacklist", Some(name), _) => row("module", name, true),
        (b"install", Some(name), Some(command)) => {
            let rest = words.next().is_none_or(|word| word[0] == b'#');
            if NOTHING.contains(&command) && rest {
                row("module", name, false)
            } else {
                Err("it runs another program in place of the module")
            }
        }
        (b"alias", Some(name), Some(b"off")) => row("name", name, false),
        (b"alias", Some(_), Some(_)) => Err("an alias allows and denies nothing"),
        (b"alias" | b"blacklist" | b"install", ..) => Err("it lacks its name or what follows"),
        (b"options" | b"softdep" | b"remove", ..) => Err("it does not say who may ask"),
        (name, None, _) => row("module", name, false),
        _ => Err("it is neither a line of modprobe.d nor one name"),
    }
}

/// A name, or a pattern that means the same in a rule.
fn pattern(word: &[u8]) -> Result<String, &'static str> {
    if let Some(name) = literal(word) {
        return Ok(name);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.:+()-*?".contains(c);
    let text = std::str::from_utf8(word).ok().filter(|text| text.chars().all(plain));
    let glob = text.and_then(|text| Glob::of_module(text).ok());
    glob.map(|glob| glob.text().to_owned()).ok_or("rules read this name otherwise")
}
