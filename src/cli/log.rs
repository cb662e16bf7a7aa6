//! `khelper log`: what a ledger has recorded. It reads the ledger's files, so it works without a daemon; with `--target` it
//! asks the daemon that writes them.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::abi::error::Explain;
use crate::abi::glob::Globs;
use crate::abi::record::Outcome;
use crate::control::ledger_view::{LogPage, LogRequest};
use crate::control::target::Target;
use crate::control::{Command, Reply, text};
use crate::ledger::error::LedgerError;
use crate::ledger::folder::default_path;
use crate::ledger::reader::Reader;
use crate::ledger::reader::batch::Batch;
use crate::ledger::{recorded, view};
use crate::verbs::options::number;

use super::output::{complain, say};
use super::printer::Printer;
use super::request::fail;
use super::{Caller, exit};
use crate::verbs::when::When;

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
    #[arg(long, value_name = "U", value_parser = number::<u32>(0..=u32::MAX.into()))]
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

impl Log {
    /// What is asked for. The error says which time is wrong.
    fn question(&self, now: SystemTime, target: Option<&str>) -> Result<LogRequest, String> {
        let at = |when: Option<When>| when.map(|when| when.wall(now, self.utc)).transpose();
        Ok(LogRequest {
            since: at(self.since)?,
            until: at(self.until)?,
            outcome: self.outcome,
            module: self.module.clone().unwrap_or_default(),
            uid: self.uid,
            unit: self.unit.clone(),
            of: target.map(str::to_owned),
            ..LogRequest::default()
        })
    }
}

/// Prints what the files of a ledger have, of this target alone if there is one. Returns the exit code.
pub fn log(args: &Log, target: Option<&str>) -> u8 {
    let now = SystemTime::now();
    let question = match args.question(now, target) {
        Ok(question) => question,
        Err(why) => return usage(&why),
    };
    let reader = match open(args.ledger.as_deref()) {
        Ok(reader) => reader,
        Err(code) => return code,
    };
    let (mut printer, mut batch) = (Printer::new(now, args.utc, args.json), Batch::default());
    let mut counts = reader.scan(&view::filter(&question), &mut |found, _| {
        if batch.push(found) && !printer.print(std::mem::take(&mut batch)) {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    let (printed, code) = printer.finish(&batch);
    counts.newer += printed.newer;
    counts.unreadable += printed.unreadable;
    passed_over(counts.newer, counts.unreadable);
    code
}

/// Prints what the ledger of a daemon has. Returns the exit code.
pub fn ask(target: &Arc<dyn Target>, args: &Log) -> u8 {
    let now = SystemTime::now();
    let mut question = match args.question(now, None) {
        Ok(question) => question,
        Err(why) => return usage(&why),
    };
    let mut printer = Printer::new(now, args.utc, args.json);
    let caller = Caller::of_daemon(target.clone());
    let (mut newer, mut unreadable) = (0u64, 0u64);
    let failed = loop {
        let page = match caller.ask(Command::Log(Box::new(question.clone()))) {
            Ok(Reply::Log(page)) => *page,
            // The reply to `Log` is always a page.
            Ok(_) => LogPage::default(),
            Err(error) => break Some(error),
        };
        (newer, unreadable) = (newer.saturating_add(page.newer), unreadable.saturating_add(page.unreadable));
        // A page without lines leads nowhere.
        question.from = page.next.filter(|_| !page.lines.is_empty());
        let more = page.lines.into_iter().all(|line| printer.line(line.known, &recorded::line(line)));
        if !more || question.from.is_none() {
            break None;
        }
    };
    let (_, code) = printer.finish(&Batch::default());
    if let Some(error) = failed {
        return fail(&error).code();
    }
    passed_over(newer, unreadable);
    code
}

fn usage(why: &str) -> u8 {
    say(why);
    exit::USAGE
}

/// Says what could not be read.
pub(super) fn passed_over(newer: u64, unreadable: u64) {
    text::log::passed_over(newer, unreadable).iter().for_each(|line| say(line));
}
