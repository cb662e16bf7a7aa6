//! One error type per floor, each with an errno and advice a person can act on.

use std::borrow::Cow;
use std::fmt;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

pub use super::stage::Stage;

/// The name of an errno (`ENOENT`), as the JSON records print it.
pub fn errno_name(errno: Errno) -> String {
    match errno {
        Errno::UnknownErrno => "EUNKNOWN".to_owned(),
        known => format!("{known:?}"),
    }
}

/// An I/O error in the form of every other error: `No such file or directory (ENOENT)`.
pub fn io_words(error: &std::io::Error) -> String {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(errno) => format!("{} ({})", errno.desc(), errno_name(errno)),
        // A text of this crate.
        None if error.get_ref().is_some() => error.to_string(),
        None => plain_kind(error.kind()).to_owned(),
    }
}

/// An I/O error that is not the system's: the standard library has texts for programmers only.
const fn plain_kind(kind: std::io::ErrorKind) -> &'static str {
    use std::io::ErrorKind;
    match kind {
        ErrorKind::InvalidData => "it is not UTF-8 text",
        ErrorKind::UnexpectedEof => "it ends too early",
        ErrorKind::WriteZero => "nothing more can be written to it",
        ErrorKind::InvalidInput => "a name contains a NUL byte, or there is none",
        _ => "input or output failed (EIO)",
    }
}

/// Advice for a program that could not be executed, by the errno of execve(2).
pub const fn exec_advice(errno: Errno) -> &'static str {
    match errno {
        Errno::ENOENT => "check that the file exists, and the interpreter that its first line names",
        Errno::EACCES => {
            "it must be a file, executable (chmod +x), on a mount without noexec, in folders open to this user"
        }
        Errno::ENOEXEC => "a script needs a first line that names its interpreter, as #!/bin/sh",
        Errno::E2BIG => "give fewer or shorter arguments",
        Errno::ETXTBSY => "the file is open for writing: close it",
        _ => "try it by hand from a shell, with the same path",
    }
}

/// What every error of this crate provides.
pub trait Explain: std::error::Error {
    /// The errno that the kernel's function would have returned, or the nearest one.
    fn errno(&self) -> Errno;
    /// What a person can do about it, one sentence.
    fn advice(&self) -> Cow<'static, str>;
    /// The whole message: `reason (ERRNO); advice`.
    fn whole(&self) -> String {
        format!("{self}; {}", self.advice())
    }
}

/// Floor 0: a text or a value that could not be parsed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParseError {
    #[serde(with = "super::wire::errno")]
    errno: Errno,
    why: String,
    advice: Cow<'static, str>,
}

impl ParseError {
    /// `EINVAL`, with the reason and the advice.
    pub fn invalid(why: impl Into<String>, advice: impl Into<Cow<'static, str>>) -> Self {
        Self { errno: Errno::EINVAL, why: why.into(), advice: advice.into() }
    }

    /// The reason alone.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Another errno (`ENAMETOOLONG`), with the reason and the advice.
    pub fn with(errno: Errno, why: impl Into<String>, advice: impl Into<Cow<'static, str>>) -> Self {
        Self { errno, why: why.into(), advice: advice.into() }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("({})", errno_name(self.errno));
        // The reason may be the error of a system call, which names it.
        if self.why.ends_with(&name) { f.write_str(&self.why) } else { write!(f, "{} {name}", self.why) }
    }
}
impl std::error::Error for ParseError {}
impl Explain for ParseError {
    fn errno(&self) -> Errno {
        self.errno
    }
    fn advice(&self) -> Cow<'static, str> {
        self.advice.clone()
    }
}

/// Floor 1: a system call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SysError {
    /// What was tried (`capset`, `clone`, `open /dev/null`).
    pub what: Cow<'static, str>,
    /// How it failed.
    pub errno: Errno,
}

impl SysError {
    /// `what` failed with `errno`.
    pub fn new(what: impl Into<Cow<'static, str>>, errno: Errno) -> Self {
        Self { what: what.into(), errno }
    }
}

impl fmt::Display for SysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.what, self.errno.desc(), errno_name(self.errno))
    }
}
impl std::error::Error for SysError {}
impl Explain for SysError {
    fn errno(&self) -> Errno {
        self.errno
    }
    fn advice(&self) -> Cow<'static, str> {
        match self.errno {
            Errno::EPERM | Errno::EACCES => "run khelper with more privilege".into(),
            Errno::EAGAIN | Errno::ENOMEM => {
                "the machine is out of processes or memory: end some processes, or try later".into()
            }
            Errno::EMFILE | Errno::ENFILE => "too many open files: raise `ulimit -n`".into(),
            Errno::ENOSPC => "the disk is full: free some space".into(),
            Errno::EROFS => "the file system is read-only: make it writable".into(),
            _ => "the record names the call that failed".into(),
        }
    }
}

/// Floor 2: the engine refused a call, or the call failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineError {
    /// Which stage failed.
    pub stage: Stage,
    /// The errno that goes to the caller.
    #[serde(with = "super::wire::errno")]
    pub errno: Errno,
    /// The reason, in words.
    pub why: String,
    /// What to do.
    pub advice: Cow<'static, str>,
}

impl EngineError {
    /// A failure at `stage`.
    pub fn new(stage: Stage, errno: Errno, why: impl Into<String>, advice: impl Into<Cow<'static, str>>) -> Self {
        Self { stage, errno, why: why.into(), advice: advice.into() }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.why, errno_name(self.errno))
    }
}
impl std::error::Error for EngineError {}
impl Explain for EngineError {
    fn errno(&self) -> Errno {
        self.errno
    }
    fn advice(&self) -> Cow<'static, str> {
        self.advice.clone()
    }
}

/// Floor 3: a command that was refused, or that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlError {
    /// No such knob.
    UnknownKey(String),
    /// The knob can only be read (`EACCES`).
    ReadOnly(String),
    /// This origin may not do this (`EPERM`); the text names what is missing.
    Denied(String),
    /// The value is not valid for this knob.
    Value {
        /// The knob.
        key: String,
        /// What is wrong with the value.
        error: ParseError,
    },
    /// The engine refused.
    Engine(EngineError),
    /// The target could not take the command now, and did not perform it (`EAGAIN`).
    Busy(String),
    /// This kind of target cannot do this (`EOPNOTSUPP`); the text says why.
    Unsupported(String),
    /// The target cannot be reached (`ENOTCONN`).
    Unavailable(String),
    /// No daemon serves the address: there is no such socket (`ENOENT`), or nothing listens on it (`ECONNREFUSED`).
    NoDaemon(String, #[serde(with = "super::wire::errno")] Errno),
    /// The machine of the target was not reached, or no daemon there. Nothing was sent.
    Unreached(ParseError),
    /// The daemon is of another version, and does not know the command or gave an unknown answer (`EPROTO`).
    Version(String),
}

impl ControlError {
    /// The knob that the error is about; the message begins with it.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::ReadOnly(key) | Self::Value { key, .. } => Some(key),
            Self::UnknownKey(_)
            | Self::Denied(_)
            | Self::Busy(_)
            | Self::Unsupported(_)
            | Self::Unavailable(_)
            | Self::NoDaemon(..)
            | Self::Unreached(_)
            | Self::Version(_)
            | Self::Engine(_) => None,
        }
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey(key) => write!(f, "unknown key `{}` (EINVAL)", super::escape::screen(key.as_bytes())),
            Self::ReadOnly(key) => write!(f, "{key} can only be read (EACCES)"),
            Self::Denied(why) => write!(f, "{why} (EPERM)"),
            Self::Value { key, error } => write!(f, "{key}: {error}"),
            Self::Engine(error) => error.fmt(f),
            Self::Busy(why) => write!(f, "{why} (EAGAIN)"),
            Self::Unsupported(why) => write!(f, "{why} (EOPNOTSUPP)"),
            Self::Unavailable(why) => write!(f, "{why} (ENOTCONN)"),
            Self::NoDaemon(why, errno) => write!(f, "{why} ({})", errno_name(*errno)),
            Self::Unreached(error) => error.fmt(f),
            Self::Version(why) => f.write_str(why),
        }
    }
}
impl std::error::Error for ControlError {}
impl Explain for ControlError {
    fn errno(&self) -> Errno {
        match self {
            Self::UnknownKey(_) => Errno::EINVAL,
            Self::ReadOnly(_) => Errno::EACCES,
            Self::Denied(_) => Errno::EPERM,
            Self::Value { error, .. } => error.errno(),
            Self::Engine(error) => error.errno(),
            Self::Busy(_) => Errno::EAGAIN,
            Self::Unsupported(_) => Errno::EOPNOTSUPP,
            Self::Unavailable(_) => Errno::ENOTCONN,
            Self::NoDaemon(_, errno) => *errno,
            Self::Unreached(error) => error.errno(),
            Self::Version(_) => Errno::EPROTO,
        }
    }
    fn advice(&self) -> Cow<'static, str> {
        match self {
            Self::UnknownKey(_) => "`get -a` lists every key".into(),
            Self::ReadOnly(_) => "it reports the engine's state and cannot be set".into(),
            Self::Denied(_) => "ask for it from a process that has the privilege named".into(),
            Self::Value { error, .. } => error.advice(),
            Self::Engine(error) => error.advice(),
            Self::Busy(_) => "end some processes, or raise `ulimit -u`, and try again".into(),
            Self::Unreached(error) => error.advice(),
            Self::Version(_) => "restart it".into(),
            Self::Unsupported(_) => "use a daemon, or `--target embedded`".into(),
            Self::Unavailable(_) => "wait for the connection, and check the state before you repeat a command".into(),
            Self::NoDaemon(..) => "start one with `khelper serve`, or name its socket: `--target unix:PATH`".into(),
        }
    }
}

impl From<EngineError> for ControlError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}
