//! `khelper why`: one request in sentences, from the ledger.

use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::abi::cap::CapMask;
use crate::abi::escape::screen;
use crate::abi::record::{Kind, Record};
use crate::control::target_info::RunId;
use crate::control::text;
use crate::control::text::log::Times;
use crate::ledger::line::{Item, Line, time};
use crate::ledger::reader::filter::Filter;
use crate::ledger::reader::{Counts, Found, Reader};
use crate::sys::process;

use super::log::{open, passed_over};
use super::output::{Answers, say};

/// `why`.
#[derive(Debug, clap::Args)]
pub struct Why {
    /// The folder of the ledger; the same default as for `log`
    #[arg(long, value_name = "DIR")]
    pub ledger: Option<PathBuf>,
    /// Print times in UTC instead of the local time zone
    #[arg(long)]
    pub utc: bool,
    /// A module or a program, the number of a request as '#ID', or the process of a helper or a requester as pid:PID
    #[arg(value_name = "NAME|#ID|pid:PID", value_parser = What::parser())]
    pub what: What,
}

/// Which request is meant: the newest one that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// By the module's name, the program's path or its file name.
    Name(Vec<u8>),
    /// By its number.
    Id(u64),
    /// By the pid of its helper or its requester.
    Pid(i32),
}

impl What {
    fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse().ok().filter(|n: &u64| *n > 0);
        if let Some(digits) = text.strip_prefix(b"#") {
            return number(digits).map(Self::Id).ok_or("give the number of a request, as in '#12'");
        }
        if let Some(digits) = text.strip_prefix(b"pid:") {
            let pid = number(digits).and_then(|pid| i32::try_from(pid).ok());
            return pid.map(Self::Pid).ok_or("give the number of a process, as in pid:4121");
        }
        if text.is_empty() { Err("give a module, a program, '#ID' or pid:PID") } else { Ok(Self::Name(text.to_vec())) }
    }

    /// A name is any bytes.
    fn parser() -> impl clap::builder::TypedValueParser<Value = Self> {
        use clap::builder::TypedValueParser;
        clap::builder::OsStringValueParser::new().try_map(|text| Self::parse(text.as_bytes()))
    }

    fn filter(&self) -> Filter {
        let any = Filter { starts: true, ..Filter::default() };
        match self {
            Self::Name(name) => Filter { name: Some(name.clone()), ..any },
            Self::Id(id) => Filter { id: Some(*id), ..any },
            Self::Pid(pid) => Filter { pid: Some(*pid), ..any },
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Name(name) => format!("`{}`", screen(name)),
            Self::Id(id) => format!("#{id}"),
            Self::Pid(pid) => format!("pid {pid}"),
        }
    }
}

/// The newest request that fits.
struct Newest {
    record: Arc<Record>,
    /// Only the start is known, with the start time of the process.
    started: Option<Option<u64>>,
    run: RunId,
    known: CapMask,
}

/// Prints the story of a request. Returns the exit code: 1 if nothing is known.
pub fn why(args: &Why, target: Option<&'static str>) -> u8 {
    let reader = match open(args.ledger.as_deref()) {
        Ok(reader) => reader,
        Err(code) => return code,
    };
    let (mut newest, mut ended) = (None, 0u64);
    let counts = reader.scan(&Filter { target, ..args.what.filter() }, &mut |found, counts| {
        if let Some(line) = found.read(counts) {
            ended += u64::from(matches!(line.item, Item::Ended(_)));
            consider(&mut newest, &line, found.known());
        }
        ControlFlow::Continue(())
    });
    passed_over(&counts);
    let Some(newest) = newest else {
        say(&format!("nothing is known about {}: see `khelper log`", args.what.text()));
        return 1;
    };
    let mut times = Times::new(SystemTime::now(), args.utc);
    let answers = Answers::default();
    text::why::story(&newest.record, times.text(newest.record.wall), newest.known)
        .iter()
        .for_each(|line| answers.line(line));
    if let (Some(started), Some(pid)) = (newest.started, newest.record.pid) {
        let alive = started.is_some() && process::start_time(pid) == started;
        answers.line(&text::why::still(alive, pid));
    }
    acts(&reader, &newest, &mut times).iter().for_each(|line| answers.line(line));
    let earlier = ended.saturating_sub(u64::from(newest.started.is_none()));
    if earlier > 0 {
        let (module, title) = (newest.record.kind == Kind::Module, newest.record.title());
        say(&text::why::earlier(earlier, module, title));
    }
    answers.code(0)
}

/// Keeps the request that was made last; of one request, the end rather than the start.
fn consider(newest: &mut Option<Newest>, line: &Line, known: CapMask) {
    let (record, started) = match &line.item {
        Item::Ended(record) => (record, None),
        Item::Started(running) | Item::Open(running) | Item::StillRunning(running) => {
            (&running.record, Some(running.start_time))
        }
        _ => return,
    };
    let is_newer = newest.as_ref().is_none_or(|last| {
        let same = last.run == line.run && last.record.id == record.id;
        if same { last.started.is_some() } else { record.wall >= last.record.wall }
    });
    if is_newer {
        *newest = Some(Newest { record: record.clone(), started, run: line.run, known });
    }
}

/// What operators did to the request.
fn acts(reader: &Reader, newest: &Newest, times: &mut Times) -> Vec<String> {
    let filter = Filter { id: Some(newest.record.id), ..Filter::default() };
    let mut lines = Vec::new();
    reader.scan(&filter, &mut |found: &Found<'_>, counts: &mut Counts| {
        if let Some(line) = found.read(counts).filter(|line| line.run == newest.run)
            && let Item::Changed(event) = &line.item
        {
            let at = times.text(time(line.wall));
            lines.extend(text::log::change(at, &line.target, &event.kind, newest.known));
        }
        ControlFlow::Continue(())
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_named_in_three_ways() {
        assert_eq!(What::parse(b"dccp"), Ok(What::Name(b"dccp".to_vec())));
        assert_eq!(What::parse(b"/bin/\xff"), Ok(What::Name(b"/bin/\xff".to_vec())));
        assert_eq!(What::parse(b"#12"), Ok(What::Id(12)));
        assert_eq!(What::parse(b"pid:4121"), Ok(What::Pid(4121)));
        for wrong in [&b""[..], b"#", b"#x", b"#-1", b"#0", b"pid:", b"pid:0", b"pid:99999999999", b"pid:x"] {
            assert!(What::parse(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
        assert_eq!(What::Name(b"a\x1b".to_vec()).text(), "`a\\x1b`");
    }
}
