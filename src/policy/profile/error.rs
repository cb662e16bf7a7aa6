//! What is wrong with a line of a profile, and what to write instead.

use std::borrow::Cow;
use std::fmt;

use crate::abi::error::{Explain, ParseError};
use crate::abi::escape::screen;
use crate::policy::rules;
use crate::policy::rules::words::{listed, meant};

use super::words::KEYS;

/// A fault of one line of a profile.
pub type Fault = rules::Fault<What>;

/// What is wrong with a line. Words are as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The file is longer than a profile may be.
    TooLong,
    /// Bytes that are not text.
    NotText,
    /// The file's name is no name of a profile.
    Name(String),
    /// No `=`.
    NoValue(String),
    /// A key that does not exist.
    NoKey(String, Option<String>),
    /// The same key twice.
    Twice(String),
    /// A value that this key does not have.
    Value(&'static str, String),
    /// A capability that does not exist.
    Capability(ParseError),
    /// A user or group that this machine does not have.
    NoId(&'static str, String),
    /// A user id without an entry, so that its group is not known.
    NoGroup(String),
    /// A group without a user.
    GroupAlone,
    /// A path that is not absolute.
    Path(String),
    /// A system call that does not exist.
    NoCall(String, Option<&'static str>),
    /// A system call without which no program can start.
    Needed(String),
    /// `allow_calls` and `deny_calls`.
    BothCalls,
    /// A key that needs no_new_privs, which the profile switches off.
    NeedsNoNewPrivs(&'static str),
    /// An ambient capability outside of the permitted or the bounding set.
    Ambient(String),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |word: &str| screen(word.as_bytes());
        match self {
            Self::TooLong => f.write_str("longer than a profile may be"),
            Self::NotText => f.write_str("not UTF-8 text, or a control character"),
            Self::Name(name) => write!(f, "`{}` cannot be the name of a profile", show(name)),
            Self::NoValue(line) => write!(f, "`{}` is not `KEY = VALUE`", show(line)),
            Self::NoKey(key, likely) => write!(f, "no key is called `{}`{}", show(key), meant(likely.as_deref())),
            Self::Twice(key) => write!(f, "`{}` is here twice", show(key)),
            Self::Value(key, value) => write!(f, "`{key}` cannot be `{}`", show(value)),
            Self::Capability(error) => f.write_str(error.why()),
            Self::NoId(kind, name) => write!(f, "this machine has no {kind} `{}`", show(name)),
            Self::NoGroup(user) => write!(f, "the group of user `{}` is not known", show(user)),
            Self::GroupAlone => f.write_str("a group without a user"),
            Self::Path(path) => write!(f, "`{}` is not an absolute path", show(path)),
            Self::NoCall(name, likely) => write!(f, "no system call is called `{}`{}", show(name), meant(*likely)),
            Self::Needed(name) => write!(f, "without `{name}` no helper can start or end"),
            Self::BothCalls => f.write_str("`allow_calls` and `deny_calls` are both here"),
            Self::NeedsNoNewPrivs(key) => write!(f, "`{key}` needs no_new_privs"),
            Self::Ambient(names) => write!(f, "{names} cannot be ambient: the permitted or the bounding set lacks it"),
        }
    }
}

impl rules::Fix for What {
    fn advice(&self) -> Cow<'static, str> {
        match self {
            Self::TooLong => "a profile may have 64 KiB".into(),
            Self::NotText => "rewrite the line as plain text".into(),
            Self::Name(_) => "use letters, digits, `-` and `_`, and the ending .profile".into(),
            Self::NoValue(_) => "write it as in `user = nobody`; a comment begins with `#`".into(),
            Self::NoKey(..) => format!("the keys are {} and rlimit.NAME", listed(KEYS)).into(),
            Self::Twice(_) => "keep one of the lines; a list has blanks between its items".into(),
            Self::Value("rlimit", _) => "write it as in `rlimit.nofile = 64` or `rlimit.as = 64M:unlimited`".into(),
            Self::Value("no_new_privs" | "read_only_root", _) => "write `yes` or `no`".into(),
            Self::Value(..) => "give at least one item".into(),
            Self::Capability(error) => error.advice(),
            Self::NoId(..) => "create it, or give a number".into(),
            Self::NoGroup(_) => "give the group: `group = NAME`".into(),
            Self::GroupAlone => "give the user too: `user = NAME`".into(),
            Self::Path(_) => "a path begins with `/`, or with `-/` if it may be missing".into(),
            Self::NoCall(..) => "use the names of syscalls(2)".into(),
            Self::Needed(_) => "remove it from the list".into(),
            Self::BothCalls => "keep one: what may be called, or what may not".into(),
            Self::NeedsNoNewPrivs(_) => "remove `no_new_privs = no`".into(),
            Self::Ambient(_) => "add it to `capabilities`".into(),
        }
    }
}
