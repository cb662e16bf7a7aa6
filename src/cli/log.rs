//! `khelper log`: what a ledger has recorded. It reads the ledger's files, so it works without a daemon; with `--target` it
//! asks the daemon that writes them.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::abi::cap::CapMask;
use crate::abi::error::Explain;
use crate::abi::glob::Globs;
use crate::abi::record::{Outcome, Record};
use crate::control::event_json::{self, Clock};
use crate::control::history::{LogPage, LogRequest};
use crate::control::record_json::{Entry, Source};
use crate::control::target::Target;
use crate::control::text::log::Times;
use crate::control::{Command, Reply, text};
use crate::ledger::error::LedgerError;
use crate::ledger::folder::default_path;
use crate::ledger::history;
use crate::ledger::line::{Brief, Item, Line, Wall, time};
use crate::ledger::reader::Reader;

use super::output::{Answers, complain, say};
use super::request::fail;
use super::when::When;
use super::{Caller, exit};

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
    let mut lines = Lines::new(args);
    let question = match args.question(lines.now, target) {
        Ok(question) => question,
        Err(why) => return usage(&why),
    };
    let reader = match open(args.ledger.as_deref()) {
        Ok(reader) => reader,
        Err(code) => return code,
    };
    let mut brief = Brief::default();
    let counts = reader.scan(&history::filter(&question), &mut |found, counts| {
        let short = if args.json { None } else { found.brief(&mut brief) };
        match short {
            Some(record) => lines.request(found.wall, found.target(), record),
            None => found.read(counts).map_or(ControlFlow::Continue(()), |line| lines.put(found.known(), &line)),
        }
    });
    lines.flush();
    passed_over(counts.newer, counts.unreadable);
    lines.answers.code(0)
}

/// Prints what the ledger of a daemon has. Returns the exit code.
pub fn ask(target: &Arc<dyn Target>, args: &Log) -> u8 {
    let mut lines = Lines::new(args);
    let mut question = match args.question(lines.now, None) {
        Ok(question) => question,
        Err(why) => return usage(&why),
    };
    let caller = Caller::of_daemon(target.clone());
    let (mut newer, mut unreadable) = (0u64, 0u64);
    loop {
        let page = match caller.ask(Command::Log(Box::new(question.clone()))) {
            Ok(Reply::Log(page)) => *page,
            // The reply to `Log` is always a page.
            Ok(_) => LogPage::default(),
            Err(error) => {
                lines.flush();
                return lines.answers.code(fail(&error).code());
            }
        };
        (newer, unreadable) = (newer.saturating_add(page.newer), unreadable.saturating_add(page.unreadable));
        // A page without lines leads nowhere.
        question.from = page.next.filter(|_| !page.lines.is_empty());
        let all = page.lines.into_iter().try_for_each(|line| lines.put(line.known, &history::line(line)));
        if all.is_break() || question.from.is_none() {
            break;
        }
    }
    lines.flush();
    passed_over(newer, unreadable);
    lines.answers.code(0)
}

fn usage(why: &str) -> u8 {
    say(why);
    exit::USAGE
}

/// Prints lines.
struct Lines {
    answers: Answers,
    now: SystemTime,
    times: Times,
    text: String,
    json: bool,
}

impl Lines {
    fn new(args: &Log) -> Self {
        let now = SystemTime::now();
        let (answers, times) = (Answers::default(), Times::new(now, args.utc));
        Self { answers, now, times, text: String::new(), json: args.json }
    }

    fn put(&mut self, known: CapMask, line: &Line) -> ControlFlow<()> {
        if let Some(shown) = if self.json { object(line) } else { words(known, line, &mut self.times) } {
            self.text.push_str(&shown);
            self.text.push('\n');
        }
        self.written()
    }

    /// A request that is over, of which only what a line shows was read.
    fn request(&mut self, wall: Wall, target: &str, record: &Record) -> ControlFlow<()> {
        text::log::request(&mut self.text, self.times.text(time(wall)), target, record);
        self.text.push('\n');
        self.written()
    }

    fn written(&mut self) -> ControlFlow<()> {
        // A write for each line would cost more than all the rest.
        if self.text.len() >= PIECE {
            self.flush();
        }
        if self.answers.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn flush(&mut self) {
        self.answers.write(self.text.as_bytes(), b"");
        self.text.clear();
    }
}

/// How much is written at once.
const PIECE: usize = 64 * 1024;

/// Says what could not be read.
pub(super) fn passed_over(newer: u64, unreadable: u64) {
    text::log::passed_over(newer, unreadable).iter().for_each(|line| say(line));
}

fn words(known: CapMask, line: &Line, times: &mut Times) -> Option<String> {
    let (at, target) = (times.text(time(line.wall)), &*line.target);
    match &line.item {
        Item::Ended(record) => {
            let mut line = String::new();
            text::log::request(&mut line, at, target, record);
            Some(line)
        }
        Item::Started(running) => Some(text::log::running(at, target, &running.record, false)),
        Item::StillRunning(running) => Some(text::log::running(at, target, &running.record, true)),
        Item::Changed(event) => text::log::change(at, target, &event.kind, known),
        Item::Lost { count, errno } => Some(text::log::lost(at, target, *count, *errno)),
        Item::Segment(_) | Item::Open(_) | Item::End { .. } => None,
    }
}

fn object(line: &Line) -> Option<String> {
    let source = Source::new(&line.target, line.run);
    match &line.item {
        Item::Ended(record) => serde_json::to_string(&Entry::of(record, &source)).ok(),
        Item::Started(running) | Item::StillRunning(running) => {
            serde_json::to_string(&Entry::of(&running.record, &source)).ok()
        }
        Item::Changed(event) => Some(event_json::event(&source, Clock::at(time(line.wall), event.at), event)),
        Item::Lost { count, .. } => Some(event_json::missed(&source, *count)),
        Item::Segment(_) | Item::Open(_) | Item::End { .. } => None,
    }
}
