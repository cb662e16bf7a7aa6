//! Which lines a query is about, and the raw bytes by which they are found.

use crate::abi::escape::json;
use crate::abi::glob::Globs;
use crate::abi::record::Outcome;
use crate::ledger::line::fields::{Fields, bytes, number, text, texts};
use crate::ledger::line::{Head, Opening, Wall};
use crate::ledger::rotate::STEP;
use crate::sys::search::find;

/// Selects lines; a line must match all that is given.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Written at this time or later.
    pub since: Option<Wall>,
    /// Written before this time.
    pub until: Option<Wall>,
    /// Requests that are over, with this outcome; [`Outcome::Running`] selects starts of helpers.
    pub outcome: Option<Outcome>,
    /// Requests whose module matches one of these.
    pub module: Globs,
    /// Requests and changes by a process with this uid.
    pub uid: Option<u32>,
    /// Requests by a process of this systemd unit.
    pub unit: Option<String>,
    /// The request with this id.
    pub id: Option<u64>,
    /// Requests whose helper or requester has this pid.
    pub pid: Option<i32>,
    /// Requests whose module, program or file name of the program is this.
    pub name: Option<Vec<u8>>,
    /// Starts of helpers, too, and helpers that run when a segment begins.
    pub starts: bool,
    /// Of this target alone: `embedded`, `daemon` or `kernel`.
    pub target: Option<String>,
}

impl Filter {
    /// Whether a segment may have matching lines, by its first line.
    pub(super) fn may_concern(&self, head: &Head) -> bool {
        self.until.is_none_or(|until| head.wall <= until.saturating_add(STEP))
            && self.target.as_ref().is_none_or(|target| *head.target == **target)
    }
}

/// A filter, ready for the lines of one segment.
pub(super) struct Search<'a> {
    filter: &'a Filter,
    head: &'a Head,
    /// Bytes that every matching line contains.
    needle: Option<Vec<u8>>,
    uid: Option<Vec<u8>>,
}

impl<'a> Search<'a> {
    pub(super) fn new(filter: &'a Filter, head: &'a Head) -> Self {
        let uid = filter.uid.map(|uid| format!("\"uid\":{uid}").into_bytes());
        let text = |key: &str, value: &str| Some(format!("\"{key}\":\"{value}").into_bytes());
        let number = |key: &str, n: i128| Some(format!("\"{key}\":{n}").into_bytes());
        let needle = match filter {
            Filter { id: Some(id), .. } => number("id", (*id).into()),
            Filter { pid: Some(pid), .. } if *pid != head.actor.pid => number("pid", (*pid).into()),
            Filter { outcome: Some(Outcome::Running), starts: false, .. } => text("event", "started"),
            Filter { outcome: Some(Outcome::Running), .. } => text("event", ""),
            // The usual outcome is left out.
            Filter { outcome: Some(Outcome::Exited), .. } => None,
            Filter { outcome: Some(outcome), .. } => text("outcome", outcome.name()),
            _ => None,
        };
        let of_engine = |unit: &String| head.actor.unit().is_some_and(|own| json(own) == *unit);
        let unit = filter.unit.as_ref().filter(|unit| !of_engine(unit));
        let needle = needle.or_else(|| unit.and_then(|unit| text("unit", &quoted(unit.as_bytes()))));
        let needle = needle.or_else(|| uid.clone().filter(|_| filter.uid != Some(head.actor.uid)));
        let needle = needle.or_else(|| (!filter.module.is_empty()).then(|| of_glob(filter.module.text())));
        let needle = needle.or_else(|| filter.name.as_deref().and_then(|name| of_name(head, name)));
        Self { filter, head, needle, uid }
    }

    /// Bytes that every matching line contains; `None` if there are none.
    pub(super) fn needle(&self) -> Option<&[u8]> {
        self.needle.as_deref()
    }

    /// Whether every later line of the segment is too late, too.
    pub(super) fn is_past(&self, wall: Wall) -> bool {
        self.filter.until.is_some_and(|until| wall > until.saturating_add(STEP))
    }

    /// When the line was written, if it matches or may be one that cannot be read.
    pub(super) fn matches(&self, line: &[u8]) -> Option<Wall> {
        // A line that cannot be read has no time of its own.
        let Some(opening) = Opening::of(line) else { return Some(self.head.wall) };
        let (filter, wall) = (self.filter, opening.wall);
        let early = filter.since.is_some_and(|since| wall < since);
        if early || filter.until.is_some_and(|until| wall >= until) {
            return None;
        }
        let starts = filter.starts || filter.outcome == Some(Outcome::Running);
        if (!starts && opening.is_start()) || !self.uid_fits(line) {
            return None;
        }
        let fields = match opening.is_end() && !self.looks_at_fields() {
            true => Looked::default(),
            false => Looked::of(opening.rest, self.looks_at_fields()),
        };
        let fits = match fields.event {
            None => self.record_fits(line, &fields),
            Some(b"\"started\"") => starts && self.record_fits(line, &fields),
            Some(b"\"still_running\"") => filter.outcome.is_none() && self.record_fits(line, &fields),
            // A helper that runs longer than the segment is kept that has its start.
            Some(b"\"open\"") => filter.starts && self.record_fits(line, &fields),
            Some(b"\"segment\"" | b"\"end\"") => false,
            Some(b"\"changed\"") => self.change_fits(line),
            // Losses, and what a newer program may have written.
            Some(_) => !self.is_about_requests() && filter.uid.is_none(),
        };
        fits.then_some(wall)
    }

    /// A requester that is left out is the engine's own process. A change always names its actor.
    fn uid_fits(&self, line: &[u8]) -> bool {
        let Some(uid) = &self.uid else { return true };
        let (mut named, mut at) = (false, 0);
        while let Some(found) = find(&line[at..], b"\"uid\":") {
            named = true;
            let here = &line[at + found..];
            if here.starts_with(uid) && !here.get(uid.len()).is_some_and(u8::is_ascii_digit) {
                return true;
            }
            at += found + 1;
        }
        !named && self.filter.uid == Some(self.head.actor.uid)
    }

    fn is_about_requests(&self) -> bool {
        self.filter.outcome.is_some() || self.looks_at_fields()
    }

    /// Whether the fields after the id decide.
    fn looks_at_fields(&self) -> bool {
        let f = self.filter;
        !f.module.is_empty() || f.id.is_some() || f.pid.is_some() || f.name.is_some() || f.unit.is_some()
    }

    /// A change of a knob matches by time and uid alone; what an operator did to a request also by its id.
    fn change_fits(&self, line: &[u8]) -> bool {
        let by_id = |id: u64| {
            let about = format!("\"id\":{id},");
            find(line, about.as_bytes()).is_some()
        };
        match self.filter {
            Filter { id: Some(id), outcome: None, pid: None, name: None, unit: None, module, .. } => {
                module.is_empty() && by_id(*id)
            }
            _ => !self.is_about_requests(),
        }
    }

    fn record_fits(&self, line: &[u8], fields: &Looked<'_>) -> bool {
        let f = self.filter;
        let module = || fields.module.and_then(|raw| bytes(raw).ok());
        f.outcome.is_none_or(|outcome| outcome_fits(line, fields, outcome))
            && f.id.is_none_or(|id| fields.id.and_then(|raw| number(raw).ok()) == Some(id))
            && (f.module.is_empty() || module().is_some_and(|name| f.module.find(&name).is_some()))
            && f.pid.is_none_or(|pid| self.pid_fits(fields, pid))
            && f.unit.as_ref().is_none_or(|unit| self.unit_fits(fields, unit))
            && f.name.as_ref().is_none_or(|name| {
                let program = || fields.program(self.head).is_some_and(|path| is_called(&path, name));
                module().as_ref() == Some(name) || program()
            })
    }

    /// A unit that is merely claimed is none. A requester that is left out is the engine's own process.
    fn unit_fits(&self, fields: &Looked<'_>, unit: &str) -> bool {
        match fields.requester {
            Some(_) => {
                fields.of_requester(b"unit").as_deref() == Some(unit) && fields.of_requester_raw(b"claims").is_none()
            }
            None => self.head.actor.unit().is_some_and(|own| json(own) == unit),
        }
    }

    fn pid_fits(&self, fields: &Looked<'_>, pid: i32) -> bool {
        let of = |raw: Option<&[u8]>| raw.and_then(|raw| number(raw).ok()) == Some(pid);
        let requester = match fields.requester {
            Some(_) => fields.of_requester_raw(b"pid"),
            None => return of(fields.pid) || self.head.actor.pid == pid,
        };
        of(fields.pid) || of(requester)
    }
}

/// Whether the record of a line has this outcome. In JSON a quote within a string is escaped, so what looks like a key is
/// one.
fn outcome_fits(line: &[u8], fields: &Looked<'_>, outcome: Outcome) -> bool {
    const KEY: &[u8] = b",\"outcome\":\"";
    let usual = if fields.event.is_none() { Outcome::Exited } else { Outcome::Running };
    match find(line, KEY) {
        None => usual == outcome,
        Some(at) => {
            let value = line[at + KEY.len()..].strip_prefix(outcome.name().as_bytes());
            value.is_some_and(|rest| rest.first() == Some(&b'"'))
        }
    }
}

/// Whether a program has this path or file name.
fn is_called(path: &[u8], name: &[u8]) -> bool {
    path == name || path.rsplit(|b| *b == b'/').next() == Some(name)
}

/// The fields that a filter looks at.
#[derive(Default)]
struct Looked<'a> {
    event: Option<&'a [u8]>,
    id: Option<&'a [u8]>,
    module: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    argv: Option<&'a [u8]>,
    path: Option<&'a [u8]>,
    requester: Option<&'a [u8]>,
    pid: Option<&'a [u8]>,
}

impl<'a> Looked<'a> {
    /// The fields come in the writer's order: the event before the id, and nothing of interest after `at`.
    fn of(rest: &'a [u8], all: bool) -> Self {
        let mut looked = Self::default();
        for field in Fields::after(rest) {
            let Ok((key, value)) = field else { break };
            match key {
                b"event" => looked.event = Some(value),
                b"id" if !all => break,
                b"id" => looked.id = Some(value),
                b"module" => looked.module = Some(value),
                b"kind" => looked.kind = Some(value),
                b"argv" => looked.argv = Some(value),
                b"path" => looked.path = Some(value),
                b"requester" => looked.requester = Some(value),
                b"pid" => looked.pid = Some(value),
                b"at" => break,
                _ => {}
            }
        }
        looked
    }

    fn of_requester_raw(&self, wanted: &[u8]) -> Option<&'a [u8]> {
        Fields::of(self.requester?).ok()?.flatten().find(|(key, _)| *key == wanted).map(|(_, value)| value)
    }

    fn of_requester(&self, wanted: &[u8]) -> Option<String> {
        self.of_requester_raw(wanted).and_then(|raw| text(raw).ok())
    }

    /// The path. One that is left out is the usual path of modprobe, or the first argument of another helper.
    fn program(&self, head: &Head) -> Option<Vec<u8>> {
        if let Some(path) = self.path {
            return bytes(path).ok();
        }
        if self.kind.map_or(self.module.is_some(), |kind| kind == b"\"module\"") {
            return Some(head.usual.modprobe.to_vec());
        }
        let list = texts(self.argv?).ok()?;
        crate::abi::escape::unescape(list.first()?)
    }
}

/// A byte string as it stands in a line, without its quotes.
fn quoted(bytes: &[u8]) -> String {
    let text = serde_json::to_string(&json(bytes)).unwrap_or_default();
    text.trim_matches('"').to_owned()
}

/// Bytes that the line of every module has that matches: the longest run of letters and digits of a single glob.
fn of_glob(text: &str) -> Vec<u8> {
    let key = b"\"module\":\"".to_vec();
    if text.contains([' ', '\\', '[']) {
        return key;
    }
    let pieces = text.split(|c: char| !c.is_ascii_alphanumeric());
    let longest = pieces.max_by_key(|piece| piece.len()).unwrap_or_default();
    match longest.len() {
        0..2 => key,
        _ if text.starts_with(longest) => [&key, longest.as_bytes()].concat(),
        _ => longest.as_bytes().to_vec(),
    }
}

/// Bytes that every line has in which the name occurs as a whole. The usual path of modprobe is left out of a line.
fn of_name(head: &Head, name: &[u8]) -> Option<Vec<u8>> {
    Some(quoted(name).into_bytes()).filter(|text| !text.is_empty() && !is_called(&head.usual.modprobe, name))
}
