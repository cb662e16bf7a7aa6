//! The options of the verbs that look at a running engine and act on it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use crate::abi::cap::CapMask;
use crate::abi::depth::Depth;
use crate::abi::error::ControlError;
use crate::abi::mask::MaskExpr;
use crate::control::command::{self, Command};
use crate::control::rehearsal::Run;
use crate::control::text::outcome::MASKS_AND_ROOT;

use super::options::{Set, masks};

/// `ps`.
#[derive(Debug, ClapArgs)]
pub struct Ps {
    /// Show each request below the one whose helper asked for it
    #[arg(long)]
    pub tree: bool,
    /// Print one JSON object per request, each on its own line
    #[arg(long, conflicts_with = "tree")]
    pub json: bool,
}

/// `status`.
#[derive(Debug, ClapArgs)]
pub struct Status {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `watch`.
#[derive(Debug, ClapArgs)]
pub struct Watch {
    /// Print one JSON object per event, each on its own line
    #[arg(long)]
    pub json: bool,
    /// Print times in UTC instead of the local time zone
    #[arg(long)]
    pub utc: bool,
}

/// `metrics`.
#[derive(Debug, ClapArgs)]
pub struct Metrics {
    /// Write the classic text form to PATH at once, for the textfile collector of node_exporter
    #[arg(long, value_name = "PATH")]
    pub textfile: Option<PathBuf>,
}

/// `gate`.
#[derive(Debug, ClapArgs)]
pub struct Gate {
    /// The depth: `freezing` and `disabled` refuse calls and wait up to 5 s for running ones
    #[arg(value_name = "DEPTH", value_enum)]
    pub depth: Work,
}

/// The depths of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// Accept calls.
    Enabled,
    /// Refuse calls, make readers wait, and drain.
    Freezing,
    /// Refuse calls and readers, and drain.
    Disabled,
}

impl From<Work> for Depth {
    fn from(work: Work) -> Self {
        match work {
            Work::Enabled => Self::Enabled,
            Work::Freezing => Self::Freezing,
            Work::Disabled => Self::Disabled,
        }
    }
}

/// `kill`.
#[derive(Debug, ClapArgs)]
pub struct Kill {
    /// End the whole chain: each request, and every request that its helpers have made
    #[arg(long)]
    pub chain: bool,
    /// The signal: TERM, KILL, HUP, or a number
    #[arg(short = 's', long, value_name = "SIGNAL", default_value = "TERM", value_parser = signal)]
    pub signal: i32,
    /// The helpers that get the signal: the ids of their requests, as 12 or #12, or their processes, as pid:4125
    #[arg(value_name = "ID", required = true, value_parser = helper)]
    pub ids: Vec<Helper>,
}

/// A helper that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helper {
    /// By the id of its request.
    Id(u64),
    /// By its process.
    Pid(i32),
}

/// `abandon`.
#[derive(Debug, ClapArgs)]
pub struct Abandon {
    /// The ids of the requests, as 12 or #12
    #[arg(value_name = "ID", required = true, value_parser = id)]
    pub ids: Vec<u64>,
}

/// `rehearse`.
#[derive(Debug, ClapArgs)]
#[command(after_help = MASKS_AND_ROOT)]
pub struct Rehearse {
    #[command(flatten)]
    /// Knobs to write first.
    pub set: Set,
    /// The draft of the bounding set; without it, the live mask
    #[arg(long, value_name = "MASK", allow_hyphen_values = true)]
    pub bset: Option<OsString>,
    /// The draft of the inheritable set; without it, the live mask
    #[arg(long, value_name = "MASK", allow_hyphen_values = true)]
    pub inheritable: Option<OsString>,
    /// Print one JSON object, with both records and their differences
    #[arg(long)]
    pub json: bool,
    /// The absolute path of the program, and its arguments; without it, the built-in probe
    #[arg(value_name = "PATH [ARG]", last = true)]
    pub argv: Vec<OsString>,
}

/// What to rehearse, and the draft masks.
#[derive(Debug)]
pub struct Draft {
    /// The program.
    pub run: Run,
    /// The draft of `bset`, if one was given.
    pub bset: Option<MaskExpr>,
    /// The draft of `inheritable`, if one was given.
    pub inheritable: Option<MaskExpr>,
}

impl Draft {
    /// The draft masks, by the live ones: bset, inheritable.
    pub fn masks(&self, live: [CapMask; 2], known: CapMask) -> [CapMask; 2] {
        let of = |expr: &Option<MaskExpr>, live| expr.as_ref().map_or(live, |expr| expr.resolve(live, known));
        [of(&self.bset, live[0]), of(&self.inheritable, live[1])]
    }
}

impl Draft {
    /// The command that rehearses it.
    pub fn command(self) -> Command {
        let (path, args) = match self.run {
            Run::Probe => (None, Vec::new()),
            Run::Call(path, args) => (Some(path.into()), args),
        };
        Command::Rehearse(command::Rehearse { path, args, bset: self.bset, inheritable: self.inheritable })
    }
}

impl Rehearse {
    /// What these options describe. The error names the option of a malformed mask.
    pub fn draft(&self, known: CapMask) -> Result<Draft, ControlError> {
        let bytes = |arg: &OsString| arg.as_bytes().to_vec();
        let run = match &self.argv[..] {
            [] => Run::Probe,
            [path, args @ ..] => Run::Call(bytes(path), args.iter().map(bytes).collect()),
        };
        let [bset, inheritable] = masks([("--bset", &self.bset), ("--inheritable", &self.inheritable)], known)?;
        Ok(Draft { run, bset, inheritable })
    }
}

fn signal(text: &str) -> Result<i32, String> {
    let upper = text.to_ascii_uppercase();
    let name = if upper.starts_with("SIG") { upper.clone() } else { format!("SIG{upper}") };
    let named = name.parse::<nix::sys::signal::Signal>().ok().map(|signal| signal as i32);
    let numbered = || text.parse().ok().filter(|n| (1..=64).contains(n));
    named.or_else(numbered).ok_or_else(|| "give a signal name such as TERM, or a number from 1 to 64".to_owned())
}

/// The id of a request: `12` or `#12`.
fn helper(text: &str) -> Result<Helper, String> {
    let Some(digits) = text.strip_prefix("pid:") else { return id(text).map(Helper::Id) };
    let number = digits.parse().ok().filter(|n| *n > 0 && digits.bytes().all(|b| b.is_ascii_digit()));
    number.map(Helper::Pid).ok_or_else(|| "give the number of a process, as pid:4125".to_owned())
}

fn id(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    let number = digits.parse().ok().filter(|n| *n > 0 && digits.bytes().all(|b| b.is_ascii_digit()));
    number.ok_or_else(|| "give the id of a request, as 12 or #12; `khelper ps` lists them".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_number_with_or_without_a_hash() {
        assert_eq!([id("12"), id("#12"), id("#1")], [Ok(12), Ok(12), Ok(1)]);
        assert_eq!([helper("12"), helper("pid:12")], [Ok(Helper::Id(12)), Ok(Helper::Pid(12))]);
        for wrong in ["pid:", "pid:0", "pid:-1", "pid:+1", "pid:2147483648", "#pid:1", "Pid:1"] {
            assert!(helper(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "#", "##1", "0", "-1", "+1", "1x", "18446744073709551616", "#\u{1b}"] {
            assert!(id(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_signal_has_a_name_or_a_number() {
        assert_eq!([signal("term"), signal("SIGKILL"), signal("64")], [Ok(15), Ok(9), Ok(64)]);
        assert!(signal("65").is_err() && signal("0").is_err() && signal("NOTHING").is_err());
    }

    #[test]
    fn a_draft_changes_the_live_masks() {
        let known = CapMask::up_to(40);
        let args = Rehearse {
            set: Set::default(),
            bset: Some("-cap_kill".into()),
            inheritable: None,
            json: false,
            argv: ["/bin/x", "-n"].map(OsString::from).to_vec(),
        };
        let draft = args.draft(known).unwrap();
        let live = [CapMask::from_bits(0b10_0001), CapMask::from_bits(0b100)];
        assert_eq!(draft.masks(live, known), [CapMask::from_bits(1), live[1]]);
        assert!(matches!(draft.run, Run::Call(path, args) if path == b"/bin/x" && args == [b"-n"]));
        let wrong = Rehearse { inheritable: Some("nonsense".into()), ..args };
        assert!(matches!(wrong.draft(known), Err(ControlError::Value { key, .. }) if key == "--inheritable"));
    }
}
