//! `khelper log`: what a ledger has recorded. It reads the ledger's files, so it works without a daemon.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::abi::error::Explain;
use crate::abi::glob::Globs;
use crate::abi::record::Outcome;
use crate::control::text;
use crate::ledger::error::LedgerError;
use crate::ledger::folder::default_path;
use crate::ledger::reader::batch::Batch;
use crate::ledger::reader::filter::Filter;
use crate::ledger::reader::{Counts, Reader};

use super::exit;
use super::output::{complain, say};
use super::printer::Printer;
use super::when::When;

/// `log`.
#[derive(Debug, clap::Args)]
pub struct Log {
    /// The folder of the ledger; by default /var/lib/khelper/ledger, for an ordinary user
    /// $XDG_STATE_HOME/khelper/ledger or ~/.local/state/khelper/ledger
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<PathBuf>,
    /// From this time on: 10m, 2h or 3d ago, today, yesterday, HH:MM or HH:MM:SS, YYYY-MM-DD, or RFC 3339
    #[arg(long, value_name = "T", value_parser = When::parse)]
    pub since: Option<When>,
    /// Before this time
    #[arg(long, value_name = "T", value_parser = When::parse)]
    pub until: Option<When>,
    /// Requests with this outcome: exited, killed, exec_failed, refused, abandoned, noop or lost; running lists the starts
    /// of helpers
    #[arg(long, value_name = "O", value_parser = outcome)]
    pub outcome: Option<Outcome>,
    /// Requests of modules that match
    #[arg(long, value_name = "GLOB", value_parser = globs)]
    pub module: Option<Globs>,
    /// Requests and changes by this user
    #[arg(long, value_name = "U")]
    pub uid: Option<u32>,
    /// Requests by processes of this systemd unit
    #[arg(long, value_name = "U")]
    pub unit: Option<String>,
    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,
    /// Print and read times in UTC instead of the local time zone
    #[arg(long)]
    pub utc: bool,
}

fn outcome(name: &str) -> Result<Outcome, String> {
    Outcome::parse(name.as_bytes()).ok_or_else(|| format!("give one of {}", Outcome::ALL.map(Outcome::name).join(", ")))
}

fn globs(text: &str) -> Result<Globs, String> {
    let list = Globs::parse(text.as_bytes()).map_err(|e| e.whole())?;
    if list.is_empty() { Err("give a glob, such as usb-*".to_owned()) } else { Ok(list) }
}

/// Opens the ledger in `folder`, or the default one. The error is the exit code; the cause is already on stderr.
pub(super) fn open(folder: Option<&Path>) -> Result<Reader, u8> {
    let Some(folder) = folder.map(Path::to_owned).or_else(default_path) else {
        say("neither XDG_STATE_HOME nor HOME is set: name a ledger with --ledger");
        return Err(exit::USAGE);
    };
    Reader::open(&folder).map_err(|error: LedgerError| {
        complain(&error);
        exit::UNAVAILABLE
    })
}

/// Prints what was recorded. Returns the exit code.
pub fn log(args: &Log, target: Option<&'static str>) -> u8 {
    let now = SystemTime::now();
    let at = |when: Option<When>| when.map(|when| when.wall(now, args.utc)).transpose();
    let (since, until) = match (at(args.since), at(args.until)) {
        (Ok(since), Ok(until)) => (since, until),
        (Err(why), _) | (_, Err(why)) => {
            say(&why);
            return exit::USAGE;
        }
    };
    let reader = match open(args.ledger.as_deref()) {
        Ok(reader) => reader,
        Err(code) => return code,
    };
    let filter = Filter {
        since,
        until,
        outcome: args.outcome,
        module: args.module.clone().unwrap_or_default(),
        uid: args.uid,
        unit: args.unit.clone(),
        target,
        ..Filter::default()
    };
    let (mut printer, mut batch) = (Printer::new(now, args.utc, args.json), Batch::default());
    let mut counts = reader.scan(&filter, &mut |found, _| {
        if batch.push(found) && !printer.print(std::mem::take(&mut batch)) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    let (printed, code) = printer.finish(&batch);
    counts.newer += printed.newer;
    counts.unreadable += printed.unreadable;
    passed_over(&counts);
    code
}

/// Says what could not be read.
pub(super) fn passed_over(counts: &Counts) {
    text::log::passed_over(counts.newer, counts.unreadable).iter().for_each(|line| say(line));
}
