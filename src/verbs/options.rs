//! What may be typed, the same at the shell and in the console: the options of each command, and what they mean.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
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

/// `--set`, which may stand before or after the command.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Set {
    /// Write a knob of the engine that this command starts; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<OsString>,
}

/// `khelper request`.
#[derive(Debug, ClapArgs)]
pub struct Request {
    #[command(flatten)]
    /// Knobs to write first.
    pub set: Set,
    /// Answer when the helper has been executed (WAIT_EXEC), not when it has ended
    #[arg(long)]
    pub nowait: bool,
    /// Up to N of the names at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub parallel: u16,
    /// The whole list N times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub repeat: u32,
    /// Print one JSON object a line for each request
    #[arg(long)]
    pub json: bool,
    /// The modules; one that starts with `-` after `--`
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
    /// When to answer: once queued, once executed, or when the helper has ended
    #[arg(long, value_name = "MODE", value_enum, default_value_t = Wait::Proc)]
    pub wait: Wait,
    /// TERM after so many seconds, KILL 2 s later (with --wait proc)
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
    /// A narrower bounding set for this call
    #[arg(long, value_name = "MASK", allow_hyphen_values = true)]
    pub bset: Option<OsString>,
    /// A narrower inheritable set for this call
    #[arg(long, value_name = "MASK", allow_hyphen_values = true)]
    pub inheritable: Option<OsString>,
    /// Add to the helper's environment; may be repeated
    #[arg(long, value_name = "K=V", value_parser = variable())]
    pub env: Vec<OsString>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// The program, from `/`, and its arguments
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
    /// Print one JSON object a line for each mask
    #[arg(long)]
    pub json: bool,
    /// Two words ("65536 0"), one 0x number, names, full, empty, +cap_x -cap_y (of full), ~cap_x
    #[arg(value_name = "MASK", required = true, allow_hyphen_values = true)]
    pub masks: Vec<OsString>,
}

/// `khelper get`.
#[derive(Debug, ClapArgs)]
pub struct Get {
    #[command(flatten)]
    /// Knobs to write first.
    pub set: Set,
    /// Every knob
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Only the values
    #[arg(short = 'n', long)]
    pub values: bool,
    /// Pass over unknown keys
    #[arg(short = 'e', long)]
    pub ignore: bool,
    /// The knobs, with `.` or `/`
    #[arg(value_name = "KEY", required_unless_present = "all")]
    pub keys: Vec<OsString>,
}

/// `--wait`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wait {
    /// NO_WAIT: answered once queued.
    None,
    /// WAIT_EXEC: answered once executed.
    Exec,
    /// WAIT_PROC: answered when the helper has ended.
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
    /// The call that was asked for.
    pub fn call(&self, known: CapMask) -> Result<Call, ControlError> {
        let mask = |option: &str, text: &Option<OsString>| {
            let parse = |t: &OsString| MaskExpr::parse(t.as_bytes(), known);
            let wrong = |error: ParseError| ControlError::Value { key: option.to_owned(), error };
            text.as_ref().map(parse).transpose().map_err(wrong)
        };
        let bytes = |s: &OsString| s.as_bytes().to_vec();
        let mut argv = self.argv.iter().map(bytes);
        Ok(Call {
            // clap requires one; an empty path is judged by the engine.
            path: argv.next().unwrap_or_default(),
            args: argv.collect(),
            env: self.env.iter().map(bytes).collect(),
            wait: self.wait.into(),
            bset: mask("--bset", &self.bset)?,
            inheritable: mask("--inheritable", &self.inheritable)?,
            timeout: self.timeout,
        })
    }

    /// What is wrong with options that do not go together.
    pub fn conflict(&self) -> Option<&'static str> {
        let alone = self.timeout.is_some() && self.wait != Wait::Proc;
        alone.then_some("--timeout needs --wait proc: nobody would be there to end the helper")
    }
}

/// A knob by its name; one that is not text is unknown.
pub fn key(name: &[u8]) -> Result<Key, ControlError> {
    match std::str::from_utf8(name) {
        Ok(name) => Key::parse(name),
        Err(_) => Err(ControlError::UnknownKey(String::from_utf8_lossy(name).into_owned())),
    }
}

/// `KEY=VALUE`; `door` names who took it (`--set`).
pub fn assignment(door: &str, setting: &[u8]) -> Result<(Key, Vec<u8>), ControlError> {
    let Some(at) = setting.iter().position(|b| *b == b'=') else {
        let why = format!("`{}` is not KEY=VALUE", screen(setting));
        let error = ParseError::invalid(why, "put a `=` between the knob and its value");
        return Err(ControlError::Value { key: door.into(), error });
    };
    Ok((key(&setting[..at])?, setting[at + 1..].to_vec()))
}

impl Mask {
    /// Behind the first mask clap takes everything for one, since a mask may start with `-`; no mask is `--json`.
    /// Whether any mask is left.
    pub fn take_options(&mut self) -> bool {
        let before = self.masks.len();
        self.masks.retain(|mask| mask != "--json");
        self.json |= self.masks.len() < before;
        !self.masks.is_empty()
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let wanted = "a number of seconds above 0, as 2 or 0.5";
    let seconds: f64 = text.parse().map_err(|_| wanted.to_owned())?;
    Duration::try_from_secs_f64(seconds).ok().filter(|d| !d.is_zero()).ok_or_else(|| wanted.to_owned())
}

/// `K=V` with a name before the `=`; any bytes.
fn variable() -> impl clap::builder::TypedValueParser<Value = OsString> {
    use clap::builder::TypedValueParser;
    clap::builder::OsStringValueParser::new().try_map(|text: OsString| {
        match text.as_bytes().iter().position(|b| *b == b'=') {
            Some(at) if at > 0 => Ok(text),
            _ => Err("give NAME=VALUE"),
        }
    })
}
