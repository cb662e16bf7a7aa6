//! The options of each command, shared by the shell and the console's command line.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};

use crate::abi::cap::CapMask;
use crate::abi::error::{ControlError, ParseError};
use crate::abi::escape::screen;
use crate::abi::mask::MaskExpr;
use crate::abi::wait::WaitMode;

use crate::abi::knob::Key;
use crate::control::command::Call;
use crate::control::text::outcome::MASKS_AND_ROOT;

/// The options of a new engine, which may come before or after the command.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Set {
    /// Write a knob of the engine that this command starts; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<OsString>,
    /// Write what the engine that this command starts does to the ledger in DIR
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<PathBuf>,
    /// Of which helpers the ledger stores the end of the output
    #[arg(long, value_name = "WHICH", value_enum, requires = "ledger")]
    pub ledger_output: Option<LedgerOutput>,
}

/// `--ledger-output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LedgerOutput {
    /// Of none.
    None,
    /// Of those that fail; the default.
    Failures,
    /// Of all.
    All,
}

/// `khelper request`.
#[derive(Debug, ClapArgs)]
pub struct Request {
    #[command(flatten)]
    /// Knobs to write first.
    pub set: Set,
    /// Return once the helper is executed (WAIT_EXEC) instead of when it exits
    #[arg(long)]
    pub nowait: bool,
    /// Run up to N requests at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = number::<u16>(1..=4096))]
    pub parallel: u16,
    /// Repeat the whole list N times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = number::<u32>(1..=u32::MAX.into()))]
    pub repeat: u32,
    /// Confine modprobe by this profile (`khelper profile list` shows them)
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Print one JSON object per request, each on its own line
    #[arg(long)]
    pub json: bool,
    /// Names of modules; put `--` before a name that starts with `-`
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<OsString>,
}

/// `khelper run`.
#[derive(Debug, ClapArgs)]
#[command(after_help = MASKS_AND_ROOT)]
pub struct Run {
    #[command(flatten)]
    /// Knobs to write first.
    pub set: Set,
    /// When to return: once the helper is queued, once it is executed, or when it exits
    #[arg(long, value_name = "MODE", value_enum, default_value_t = Wait::Proc)]
    pub wait: Wait,
    /// Send TERM after SECONDS and KILL 2 s later (only with --wait proc)
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
    /// Narrow the bounding set for this call
    #[arg(long, value_name = "MASK", allow_hyphen_values = true)]
    pub bset: Option<OsString>,
    /// Narrow the inheritable set for this call
    #[arg(long, value_name = "MASK", allow_hyphen_values = true)]
    pub inheritable: Option<OsString>,
    /// Confine the helper by this profile (`khelper profile list` shows them)
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// Add to the helper's environment; may be repeated
    #[arg(long, value_name = "K=V", value_parser = variable())]
    pub env: Vec<OsString>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// The absolute path of the program, and its arguments
    #[arg(value_name = "PATH [ARG]", last = true, required = true)]
    pub argv: Vec<OsString>,
}

/// `khelper probe`.
#[derive(Debug, ClapArgs)]
#[command(after_help = MASKS_AND_ROOT)]
pub struct Probe {
    #[command(flatten)]
    /// Knobs to write first.
    pub set: Set,
    /// Print the record as one JSON object, with the report under `probe`
    #[arg(long)]
    pub json: bool,
}

/// `khelper mask`.
#[derive(Debug, ClapArgs)]
#[command(after_help = MASKS_AND_ROOT)]
pub struct Mask {
    #[command(flatten)]
    /// Knobs to write first.
    pub set: Set,
    /// Print one JSON object per mask, each on its own line
    #[arg(long)]
    pub json: bool,
    /// Two words ("65536 0"), one 0x number, names, full, empty, +cap_x -cap_y (of full), ~cap_x
    #[arg(value_name = "MASK", required = true, allow_hyphen_values = true)]
    pub masks: Vec<OsString>,
}

/// `--wait`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wait {
    /// NO_WAIT: returns once the helper is queued.
    None,
    /// WAIT_EXEC: returns once the helper is executed.
    Exec,
    /// WAIT_PROC: returns when the helper has exited.
    Proc,
}

impl From<Wait> for WaitMode {
    fn from(wait: Wait) -> Self {
        match wait {
            Wait::None => Self::NoWait,
            Wait::Exec => Self::EXEC,
            Wait::Proc => Self::PROC,
        }
    }
}

impl Run {
    /// The call that these options describe. The error names the option of a malformed mask.
    pub fn call(&self, known: CapMask) -> Result<Call, ControlError> {
        let [bset, inheritable] = masks([("--bset", &self.bset), ("--inheritable", &self.inheritable)], known)?;
        let bytes = |s: &OsString| s.as_bytes().to_vec();
        let mut argv = self.argv.iter().map(bytes);
        Ok(Call {
            // clap requires one; the engine decides on an empty path.
            path: argv.next().unwrap_or_default(),
            args: argv.collect(),
            env: self.env.iter().map(bytes).collect(),
            wait: self.wait.into(),
            bset,
            inheritable,
            timeout: self.timeout,
            profile: self.profile.clone(),
        })
    }

    /// Describes options that exclude each other, or returns `None`.
    pub fn conflict(&self) -> Option<&'static str> {
        let alone = self.timeout.is_some() && self.wait != Wait::Proc;
        alone.then_some("--timeout needs --wait proc: khelper ends only helpers that it waits for")
    }
}

/// Parses the masks of two options. The error names the option.
pub fn masks(options: [(&str, &Option<OsString>); 2], known: CapMask) -> Result<[Option<MaskExpr>; 2], ControlError> {
    let mask = |(option, text): (&str, &Option<OsString>)| {
        let wrong = |error: ParseError| ControlError::Value { key: option.to_owned(), error };
        text.as_ref().map(|text| MaskExpr::parse(text.as_bytes(), known)).transpose().map_err(wrong)
    };
    let [bset, inheritable] = options.map(mask);
    Ok([bset?, inheritable?])
}

/// Looks up a knob by its name; a name that is not UTF-8 is an unknown key.
pub fn key(name: &[u8]) -> Result<Key, ControlError> {
    match std::str::from_utf8(name) {
        Ok(name) => Key::parse(name),
        Err(_) => Err(ControlError::UnknownKey(String::from_utf8_lossy(name).into_owned())),
    }
}

/// Parses `KEY=VALUE`; errors name `door`, the option or verb (`--set`).
pub fn assignment(door: &str, setting: &[u8]) -> Result<(Key, Vec<u8>), ControlError> {
    let Some(at) = setting.iter().position(|b| *b == b'=') else {
        let why = format!("`{}` is not KEY=VALUE", screen(setting));
        let error = ParseError::invalid(why, "put a `=` between the knob and its value");
        return Err(ControlError::Value { key: door.into(), error });
    };
    Ok((key(&setting[..at])?, setting[at + 1..].to_vec()))
}

impl Mask {
    /// After the first mask clap takes every argument as a mask, since a mask may start with `-`. Moves `--json` from
    /// there to its option. Returns whether any mask remains.
    pub fn take_options(&mut self) -> bool {
        let before = self.masks.len();
        self.masks.retain(|mask| mask != "--json");
        self.json |= self.masks.len() < before;
        !self.masks.is_empty()
    }
}

/// A parser for a whole number within these bounds. The parsers of clap show the texts of Rust's own errors.
pub fn number<T: TryFrom<u64>>(within: RangeInclusive<u64>) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let digits = Some(text).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let number = digits.and_then(|text| text.parse().ok()).filter(|number| within.contains(number));
        let wanted = || format!("give a whole number from {} to {}", within.start(), within.end());
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(wanted)
    }
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let wanted = "a number of seconds above 0, such as 2 or 0.5";
    let seconds: f64 = text.parse().map_err(|_| wanted.to_owned())?;
    Duration::try_from_secs_f64(seconds).ok().filter(|d| !d.is_zero()).ok_or_else(|| wanted.to_owned())
}

/// A parser for `K=V` with a nonempty name; any bytes.
fn variable() -> impl clap::builder::TypedValueParser<Value = OsString> {
    use clap::builder::TypedValueParser;
    clap::builder::OsStringValueParser::new().try_map(|text: OsString| {
        match text.as_bytes().iter().position(|b| *b == b'=') {
            Some(at) if at > 0 => Ok(text),
            _ => Err("give NAME=VALUE"),
        }
    })
}
