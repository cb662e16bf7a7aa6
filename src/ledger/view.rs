//! A ledger as the engine that writes it shows it to others: pages of lines, and what is known about one request.

use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::abi::error::{ControlError, Explain, ParseError};
use crate::control::ledger_view::{LedgerView, LogPage, LogRequest, Recorded, Running, Told, What, Which, WhyRequest};
use crate::sys::process;

use super::backwards;
use super::line::{Item, Line};
use super::reader::filter::Filter;
use super::reader::resume::Position;
use super::reader::{Counts, Reader};
use super::recorded::recorded;

/// The most lines of a page, and the most bytes that they have in the ledger: a page is one answer.
const MOST_LINES: usize = 256;
const MOST_BYTES: usize = 512 << 10;
/// The most acts on one request.
const MOST_ACTS: usize = 256;

/// The ledger in a folder.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
}

impl Files {
    /// The ledger in this folder; it is opened for each question.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn open(&self) -> Result<Reader, ControlError> {
        Reader::open(&self.folder).map_err(|error| ControlError::Value {
            key: "ledger".to_owned(),
            error: ParseError::with(error.errno(), error.why(), error.advice()),
        })
    }
}

impl LedgerView for Files {
    fn log(&self, question: &LogRequest) -> Result<LogPage, ControlError> {
        let unknown = || {
            let error = ParseError::invalid("this is not where a page ended", "give the `next` of the page before");
            ControlError::Value { key: "from".to_owned(), error }
        };
        let most = if question.most == 0 { MOST_LINES } else { question.most.min(MOST_LINES) };
        if question.newest_first {
            let from = question.from.as_deref().map(|from| backwards::parse(from).ok_or_else(unknown)).transpose()?;
            let query = question.query.as_deref().cloned().unwrap_or_default();
            return Ok(backwards::page(&self.open()?, &filter(question), &query, from, (most, MOST_BYTES)));
        }
        let from = question.from.as_deref().map(|from| Position::parse(from).ok_or_else(unknown)).transpose()?;
        let query = question.query.as_deref();
        let fits =
            |line: &Recorded| query.is_none_or(|query| matches!(&line.what, What::Ended(record) if query.fits(record)));
        let (mut page, mut bytes) = (LogPage::default(), 0);
        let (counts, next) = self.open()?.scan_from(&filter(question), from.as_ref(), &mut |found, counts| {
            let (known, length) = (found.known(), found.raw.len());
            if let Some(line) = found.read(counts).and_then(|line| recorded(line, known)).filter(fits) {
                page.lines.push(line);
                bytes += length;
            }
            if page.lines.len() >= most || bytes >= MOST_BYTES {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        Ok(LogPage { next: next.map(|next| next.text()), newer: counts.newer, unreadable: counts.unreadable, ..page })
    }

    fn why(&self, question: &WhyRequest) -> Result<Told, ControlError> {
        Ok(why(&self.open()?, &question.which, question.of.as_deref()))
    }
}

/// The filter of a question.
pub fn filter(question: &LogRequest) -> Filter {
    let LogRequest { since, until, outcome, module, uid, unit, of: target, .. } = question.clone();
    Filter { since, until, outcome, module, uid, unit, target, ..Filter::default() }
}

/// What the ledger knows about the newest request that fits, of this target alone if there is one.
pub fn why(reader: &Reader, which: &Which, target: Option<&str>) -> Told {
    let any = Filter { starts: true, target: target.map(str::to_owned), ..Filter::default() };
    let filter = match which {
        Which::Name(name) => Filter { name: Some(name.clone()), ..any },
        Which::Id(id) => Filter { id: Some(*id), ..any },
        Which::Pid(pid) => Filter { pid: Some(*pid), ..any },
    };
    let (mut newest, mut ended) = (None, 0u64);
    let Counts { newer, unreadable, .. } = reader.scan(&filter, &mut |found, counts| {
        let known = found.known();
        if let Some(line) = found.read(counts).and_then(|line| recorded(opened(line), known)) {
            ended += u64::from(matches!(line.what, What::Ended(_)));
            consider(&mut newest, line);
        }
        ControlFlow::Continue(())
    });
    let Some(line) = newest else { return Told { newer, unreadable, ..Told::default() } };
    let alive = match &line.what {
        What::Started(Running { record, start_time }) | What::StillRunning(Running { record, start_time }) => {
            record.pid.map(|pid| start_time.is_some() && process::start_time(pid) == *start_time)
        }
        _ => None,
    };
    let acts = acts(reader, &line);
    let earlier = ended.saturating_sub(u64::from(matches!(line.what, What::Ended(_))));
    Told { line: Some(Box::new(line)), alive, acts, earlier, newer, unreadable }
}

/// Keeps the request that was made last; of one request, the end rather than the start.
fn consider(newest: &mut Option<Recorded>, line: Recorded) {
    let Some(record) = line.record() else { return };
    let is_newer = newest.as_ref().and_then(|last| Some((last, last.record()?))).is_none_or(|(last, known)| {
        let same = last.run == line.run && known.id == record.id;
        if same { !matches!(last.what, What::Ended(_)) } else { record.wall >= known.wall }
    });
    if is_newer {
        *newest = Some(line);
    }
}

/// A segment begins with the helpers that run then: their own lines may be gone.
fn opened(mut line: Line) -> Line {
    if let Item::Open(helper) = line.item {
        line.item = Item::Started(helper);
    }
    line
}

/// What operators did to the request.
fn acts(reader: &Reader, newest: &Recorded) -> Vec<Recorded> {
    let filter = Filter { id: newest.record().map(|record| record.id), ..Filter::default() };
    let mut acts = Vec::new();
    reader.scan(&filter, &mut |found, counts| {
        let known = found.known();
        let line = found.read(counts).and_then(|line| recorded(line, known));
        acts.extend(line.filter(|line| line.run == newest.run && matches!(line.what, What::Changed(_))));
        if acts.len() < MOST_ACTS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    acts
}
