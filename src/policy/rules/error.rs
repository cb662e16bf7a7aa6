//! What is wrong with a line of rules, and what to write instead.

use std::borrow::Cow;
use std::fmt;

use nix::errno::Errno;

use crate::abi::error::{Explain, ParseError};
use crate::abi::escape::screen;

use super::rule::Position;
use super::words::{KEYS, OBJECTS, listed, meant};

/// A fault of one line: `FILE:LINE:COLUMN: what is wrong`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault<W = What> {
    /// Where.
    pub at: Position,
    /// The column, in bytes from 1.
    pub column: u32,
    /// What is wrong.
    pub what: W,
}

/// What can be wrong with a line, and what to write instead.
pub trait Fix: fmt::Debug + fmt::Display {
    /// What to do about it.
    fn advice(&self) -> Cow<'static, str>;
}

/// What is wrong with a line. Words are as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The file is larger than a file of rules may be, or has a line that is.
    TooLong,
    /// Bytes that are not text.
    NotText,
    /// The line begins with another word than `allow`, `deny` or `let`.
    NoVerb(String, Option<&'static str>),
    /// After `allow` or `deny`, no object.
    NoObject(String, Option<&'static str>),
    /// An object without the patterns, names or paths that it needs.
    NoPattern(&'static str),
    /// A pattern that does not follow the grammar.
    Pattern(ParseError),
    /// A word among the patterns that is, or looks like, the key of an attribute.
    BareKey(String, &'static str),
    /// A word behind the attributes that has no `=`.
    AfterAttributes(String),
    /// `*` or `unresolved` takes no patterns.
    Unwanted(String, &'static str),
    /// An attribute that does not exist.
    NoKey(String, Option<&'static str>),
    /// An operator that this key does not have.
    Operator(&'static str, String),
    /// A value that this key does not have.
    Value(&'static str, String),
    /// A range or a list with an operator that takes one number.
    OneNumber(String),
    /// A range whose end is below its beginning.
    EmptyRange(String),
    /// The same attribute twice: both would have to hold.
    Twice(String),
    /// A profile of a helper that is denied.
    ProfileOfDenied,
    /// A list that no `let` before this line defines.
    NoList(String, Option<String>),
    /// A `let` that is not `let @NAME = PATTERN ...`.
    Let,
    /// A list that is defined twice; where it was before.
    ListTwice(String, Position),
    /// The path of a helper that is not absolute, or has wildcards.
    Path(String),
    /// A rule that nothing can reach: an earlier one, without conditions, is about everything.
    AfterAll(Position),
    /// More rules than are read.
    TooMany,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |word: &str| screen(word.as_bytes());
        match self {
            Self::TooLong => f.write_str("longer than a file or a line of rules may be"),
            Self::NotText => f.write_str("not UTF-8 text, or a control character"),
            Self::NoVerb(word, likely) => {
                write!(f, "a rule cannot begin with `{}`{}", show(word), meant(*likely))
            }
            Self::NoObject(word, None) if word.is_empty() => write!(f, "the rule does not say what it is about"),
            Self::NoObject(word, likely) => write!(f, "a rule cannot be about `{}`{}", show(word), meant(*likely)),
            Self::NoPattern(object) => write!(f, "`{object}` is followed by nothing that it could match"),
            Self::Pattern(error) => f.write_str(error.why()),
            Self::BareKey(word, key) => write!(
                f,
                "`{}` would be one more name to match; if it was meant as the attribute `{key}`, it needs its value, as in \
                 `{}`",
                show(word),
                example(key)
            ),
            Self::AfterAttributes(word) => write!(f, "`{}` stands behind the attributes", show(word)),
            Self::Unwanted(word, object) => {
                write!(f, "`{object}` is about everything of its kind: `{}` has no place", show(word))
            }
            Self::NoKey(word, likely) => write!(f, "no attribute is called `{}`{}", show(word), meant(*likely)),
            Self::Operator(key, operator) => write!(f, "`{key}` cannot be compared with `{}`", show(operator)),
            Self::Value(key, value) => write!(f, "`{key}` cannot be `{}`", show(value)),
            Self::OneNumber(text) => write!(f, "`{}`: `>=` and `<=` compare with one number", show(text)),
            Self::EmptyRange(text) => write!(f, "the range `{}` ends before it begins", show(text)),
            Self::Twice(key) => write!(f, "`{}` is here twice, and both would have to hold", show(key)),
            Self::ProfileOfDenied => f.write_str("nothing runs if it is denied, so a profile has no effect"),
            Self::NoList(name, likely) => {
                let likely = likely.as_ref().map(|name| format!("@{name}"));
                write!(f, "no line before defines `@{}`{}", show(name), meant(likely.as_deref()))
            }
            Self::Let => f.write_str("this is not `let @NAME = PATTERN ...`"),
            Self::ListTwice(name, at) => write!(f, "`@{}` is already defined at {at}", show(name)),
            Self::Path(path) => write!(f, "`{}` is not the absolute path of a program without wildcards", show(path)),
            Self::AfterAll(at) => write!(f, "no request can reach this rule: the one at {at} is about all of them"),
            Self::TooMany => f.write_str("there are more rules than are read"),
        }
    }
}

/// An attribute with a value.
pub(super) fn example(key: &str) -> &'static str {
    match key {
        "uid" => "uid>=1000",
        "gid" => "gid=100",
        "unit" => "unit=udisks2.service",
        "container" => "container=*",
        "exe" => "exe=/usr/bin/mount",
        "userns" => "userns=yes",
        "requester" => "requester=known",
        "profile" => "profile=keys",
        _ => "log=yes",
    }
}

impl Fix for What {
    fn advice(&self) -> Cow<'static, str> {
        match self {
            Self::TooLong => "split it: a file may have 1 MiB, a line 64 KiB".into(),
            Self::NotText => "rewrite the line as plain text".into(),
            Self::NoVerb(..) => "begin a rule with `allow` or `deny`, a list with `let`, a comment with `#`".into(),
            Self::NoObject(..) => format!("name one of {}", listed(OBJECTS)).into(),
            Self::NoPattern("helper") => "give the absolute path of a program".into(),
            Self::NoPattern(_) => "give names or patterns, as in `dccp nls_*`".into(),
            Self::Pattern(error) => error.advice(),
            Self::BareKey(word, _) => {
                let (first, rest) = word.split_at(word.len().min(1));
                format!("for a module of this name write `[{first}]{rest}`").into()
            }
            Self::AfterAttributes(_) => "put patterns before the attributes; a comment begins with `#`".into(),
            Self::Unwanted(..) => "use `name` or `module` with patterns, or an attribute such as `uid>=1000`".into(),
            Self::NoKey(..) => format!("the attributes are {}", listed(KEYS)).into(),
            Self::Operator("uid" | "gid", _) => "use one of =, !=, >= and <=".into(),
            Self::Operator("unit" | "container" | "exe", _) => "use = or !=".into(),
            Self::Operator(..) => "use =".into(),
            Self::Value(key, _) => format!("write it as in `{}`", example(key)).into(),
            Self::OneNumber(_) => "for a range write `uid=1000-1999`".into(),
            Self::EmptyRange(_) => "put the smaller number first".into(),
            Self::Twice(_) => "give a list, as in `uid=0,1000-1999`".into(),
            Self::ProfileOfDenied => "remove the profile".into(),
            Self::NoList(..) => "define it first: `let @NAME = PATTERN ...`".into(),
            Self::Let => "as in `let @filesystems = fs-vfat fs-exfat`; a name has letters, digits, `-` and `_`".into(),
            Self::ListTwice(..) => "give one of them another name".into(),
            Self::Path(_) => "a helper is matched as it is, as in `/sbin/request-key`".into(),
            Self::AfterAll(_) => "move it before that one, or remove it".into(),
            Self::TooMany => "at most 100,000 rules are read".into(),
        }
    }
}

impl<W: Fix> fmt::Display for Fault<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} (EINVAL)", self.at, self.column, self.what)
    }
}
impl<W: Fix> std::error::Error for Fault<W> {}
impl<W: Fix> Explain for Fault<W> {
    fn errno(&self) -> Errno {
        Errno::EINVAL
    }
    fn advice(&self) -> Cow<'static, str> {
        self.what.advice()
    }
}
