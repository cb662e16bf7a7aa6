//! Reads a line.

use std::sync::Arc;

use crate::abi::actor::{Actor, ChainLink, Comm};
use crate::abi::cap::{CapMask, CapSets};
use crate::abi::event::Event;
use crate::abi::record::{Args, Kind, Output, Record};
use crate::abi::wait::WaitMode;
use crate::control::target_info::RunId;

use super::fields::{Fields, Items, Malformed, bytes, number, text, texts, value};
use super::placed::Placed;
use super::raw::{Key, Raw};
use super::{Head, Item, Line, Running, Usual, VERSION, Wall, kernel, time, usual};

/// Why a line is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// A newer program wrote it.
    Newer,
    /// It is not what a writer writes: torn, or damaged.
    Malformed,
}

impl From<Malformed> for Unread {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Reads a line, without its newline. `head` is the first line of its segment; `None` for that line itself.
pub(crate) fn decode(head: Option<&Head>, line: &[u8]) -> Result<Line, Unread> {
    let raw = Raw::of(line)?;
    if raw.must(Key::V, number::<u32>)? > VERSION {
        return Err(Unread::Newer);
    }
    let (wall, n) = (raw.must(Key::T, number)?, raw.must(Key::N, number)?);
    let event = raw.maybe(Key::Event, text)?;
    let Some(head) = head else {
        let head = segment(&raw, wall, n)?;
        let (run, target) = (head.run, head.target.clone());
        return Ok(Line { wall, n: 0, run, target, item: Item::Segment(Box::new(head)) });
    };
    let item = match event.as_deref() {
        None => Item::Ended(Arc::new(record(&raw, head, wall, true)?)),
        Some("started") => Item::Started(running(&raw, head, wall)?),
        Some("open") => Item::Open(running(&raw, head, wall)?),
        Some("still_running") => Item::StillRunning(running(&raw, head, wall)?),
        Some("changed") => Item::Changed(Event {
            seq: raw.must(Key::Seq, number)?,
            at: raw.must(Key::At, number)?,
            kind: raw.must(Key::What, value)?,
        }),
        Some("lost") => Item::Lost {
            count: raw.must(Key::Count, number)?,
            errno: raw.maybe(Key::Errno, number)?.map(nix::errno::Errno::from_raw),
        },
        Some("end") => Item::End { next_id: raw.must(Key::NextId, number)?, open: raw.must(Key::Open, number)? },
        Some(_) => return Err(Unread::Malformed),
    };
    let run = raw.maybe(Key::Run, run)?.unwrap_or(head.run);
    let target = raw.maybe(Key::Target, text)?.map_or_else(|| head.target.clone(), Arc::from);
    Ok(Line { wall, n, run, target, item })
}

fn run(raw: &[u8]) -> Result<RunId, Malformed> {
    RunId::parse(&text(raw)?).ok_or(Malformed)
}

fn mask(raw: &[u8]) -> Result<CapMask, Malformed> {
    let digits = raw.strip_prefix(b"\"0x").and_then(|raw| raw.strip_suffix(b"\"")).ok_or(Malformed)?;
    let digits = std::str::from_utf8(digits).map_err(|_| Malformed)?;
    u64::from_str_radix(digits, 16).map(CapMask::from_bits).map_err(|_| Malformed)
}

fn list(raw: &[u8]) -> Result<Arc<[Box<[u8]>]>, Malformed> {
    let texts = texts(raw)?;
    let bytes = texts.iter().map(|text| crate::abi::escape::unescape(text).map(Vec::into_boxed_slice));
    bytes.collect::<Option<_>>().ok_or(Malformed)
}

fn segment(raw: &Raw<'_>, wall: Wall, n: u64) -> Result<Head, Malformed> {
    if raw.must(Key::Event, text)? != "segment" {
        return Err(Malformed);
    }
    Ok(Head {
        wall,
        n,
        mono: raw.must(Key::Mono, number)?,
        next_id: raw.must(Key::NextId, number)?,
        run: raw.must(Key::Run, run)?,
        target: raw.must(Key::Target, text)?.into(),
        boot: raw.must(Key::Boot, text)?.into(),
        known: raw.must(Key::Known, mask)?,
        bounding: raw.must(Key::Bounding, mask)?,
        actor: raw.must(Key::Requester, value)?,
        usual: Usual::default(),
    })
}

fn running(raw: &Raw<'_>, head: &Head, wall: Wall) -> Result<Running, Malformed> {
    let record = Arc::new(record(raw, head, wall, false)?);
    Ok(Running { record, start_time: raw.maybe(Key::StartTime, number)? })
}

fn record(raw: &Raw<'_>, head: &Head, wall: Wall, ended: bool) -> Result<Record, Malformed> {
    let module: Option<Arc<[u8]>> = raw.maybe(Key::Module, bytes)?.map(Arc::from);
    let kind = raw.maybe(Key::Kind, value::<Kind>)?.unwrap_or(usual::kind(module.is_some()));
    let wait = raw.maybe(Key::Wait, value)?.unwrap_or(WaitMode::PROC);
    let lag: i64 = raw.must(Key::Lag, number)?;
    let event: Option<u64> = raw.maybe(if ended { Key::EndedUs } else { Key::StartedUs }, number)?;
    let event = event.and_then(|us| i64::try_from(us).ok()).unwrap_or(0);
    let asked = time(wall.wrapping_sub(lag).wrapping_sub(event));
    let mut r = Record::new(kind, wait, requester(raw, head)?, (asked, raw.must(Key::At, number)?));
    (r.id, r.module) = (raw.must(Key::Id, number)?, module);
    // Of a line of version 2 it is restored from the rest.
    r.kernel = raw.maybe(Key::Kernel, |kernel| if raw.is_short() { Ok(Box::default()) } else { value(kernel) })?;
    let (state, outcome) = usual::standing(ended);
    r.state = raw.maybe(Key::State, value)?.unwrap_or(state);
    r.outcome = raw.maybe(Key::Outcome, value)?.unwrap_or(outcome);
    r.args = match raw.get(Key::Argv) {
        None => head.usual.args(kind),
        Some(b"null") => Args::Module,
        Some(argv) => Args::List(list(argv)?),
    };
    r.path = raw.maybe(Key::Path, bytes)?.map_or_else(|| head.usual.path(kind, &r.args), Arc::from);
    r.env = match r.kernel {
        None => raw.maybe(Key::Env, list)?.unwrap_or_else(|| head.usual.env(r.outcome)),
        Some(_) => head.usual.empty.clone(),
    };
    ending(raw, &mut r)?;
    launch(raw, head, &mut r)?;
    (r.queued_us, r.started_us) = (raw.maybe(Key::QueuedUs, value)?.flatten(), raw.maybe(Key::StartedUs, number)?);
    r.ended_us = raw.maybe(Key::EndedUs, number)?;
    of_kernel(raw, head, &mut r)?;
    r.cpu_us = raw.maybe(Key::CpuUs, number)?.unwrap_or(0);
    r.max_rss_kib = raw.maybe(Key::MaxRssKib, number)?.unwrap_or(0);
    r.asked_by = raw.maybe(Key::AskedBy, number)?;
    r.chain = raw.maybe(Key::Chain, |raw| chain(&r, raw))?.unwrap_or_default();
    if let Some(stdout) = raw.maybe(Key::Stdout, bytes)? {
        let stderr = raw.maybe(Key::Stderr, bytes)?.unwrap_or_default();
        let dropped = raw.maybe(Key::DroppedBytes, number)?.unwrap_or(0);
        r.output = Some(Arc::new(Output { stdout, stderr, dropped }));
    }
    Ok(r)
}

/// What a line of version 2 leaves out of a helper of the kernel.
fn of_kernel(raw: &Raw<'_>, head: &Head, r: &mut Record) -> Result<(), Malformed> {
    let Some(short) = raw.get(Key::Kernel).filter(|_| raw.is_short()) else { return Ok(()) };
    let requester = raw.get(Key::Requester).map(Fields::of).transpose()?;
    let unit = requester.and_then(|fields| fields.flatten().find(|(key, _)| *key == b"unit"));
    let kernel = kernel::whole(short, r, unit.map(|(_, raw)| bytes(raw)).transpose()?.as_deref())?;
    if raw.get(Key::QueuedUs).is_none() {
        r.queued_us = kernel::queued(&kernel);
    }
    if raw.get(Key::Argv).is_none() {
        r.args = kernel::args(&head.usual, r);
    }
    if raw.get(Key::Path).is_none() {
        r.path = head.usual.path(r.kind, &r.args);
    }
    r.kernel = Some(Box::new(kernel));
    Ok(())
}

/// The chain of requesters; the parts of a link that are left out have their usual values.
fn chain(r: &Record, raw: &[u8]) -> Result<Box<[ChainLink]>, Malformed> {
    let link = |raw: &[u8]| {
        if raw == b"null" {
            return Ok(usual::first_link(&r.actor));
        }
        let mut parts = Items::of(raw)?;
        let mut next = || parts.next().transpose();
        let pid = number(next()?.ok_or(Malformed)?)?;
        let comm = Comm::new(&bytes(next()?.ok_or(Malformed)?)?);
        let known = next()?.map_or(Ok(true), value)?;
        Ok(ChainLink { pid, comm, known, helper_of: next()?.map(number).transpose()? })
    };
    Items::of(raw)?.map(|item| item.and_then(link)).collect()
}

fn requester(raw: &Raw<'_>, head: &Head) -> Result<Arc<Actor>, Malformed> {
    let given = raw.get(Key::Requester);
    let origin = raw.maybe(Key::Origin, value)?.unwrap_or(usual::origin(given.is_none()));
    let Some(given) = given else {
        let same = head.actor.origin == origin;
        return Ok(if same { head.actor.clone() } else { Arc::new(head.actor.by(origin)) });
    };
    let (mut pid, mut uid, mut gid, mut name) = (None, None, None, None);
    let mut actor = Actor::new(origin, 0, 0, 0, b"");
    let (mut effective, mut place) = (None, Placed::default());
    for field in Fields::of(given)? {
        match field? {
            (b"pid", raw) => pid = Some(number(raw)?),
            (b"uid", raw) => uid = Some(number(raw)?),
            (b"gid", raw) => gid = Some(number(raw)?),
            (b"comm", raw) => name = Some(bytes(raw)?),
            (b"start_time", raw) => actor.start_time = Some(number(raw)?),
            (b"loginuid", raw) => actor.loginuid = Some(number(raw)?),
            (b"effective", raw) => effective = Some(mask(raw)?),
            (key, raw) => place.read(key, raw)?,
        }
    }
    // Of a helper of the kernel it is a part of what is known of that.
    actor.place = if raw.get(Key::Kernel).is_none() { place.whole() } else { None };
    (actor.pid, actor.uid) = (pid.ok_or(Malformed)?, uid.ok_or(Malformed)?);
    actor.gid = gid.unwrap_or(actor.uid);
    actor.comm = Comm::new(&name.ok_or(Malformed)?);
    actor.effective = match raw.get(Key::Kernel) {
        None => effective.unwrap_or_else(|| usual::effective(head, actor.uid)),
        Some(_) => CapMask::EMPTY,
    };
    Ok(Arc::new(actor))
}

fn ending(raw: &Raw<'_>, r: &mut Record) -> Result<(), Malformed> {
    r.stage = raw.maybe(Key::Stage, value)?;
    r.errno = raw.maybe(Key::Errno, number)?.map(nix::errno::Errno::from_raw);
    r.said = raw.maybe(Key::Reason, text)?.map(Box::from);
    r.status = raw.maybe(Key::Raw, value)?.unwrap_or_else(|| usual::status(r.outcome));
    r.result = raw.maybe(Key::Result, value)?.unwrap_or_else(|| usual::result(r));
    r.abandoned = raw.maybe(Key::Abandoned, value)?.unwrap_or(false);
    r.timed_out = raw.maybe(Key::TimedOut, value)?.unwrap_or(false);
    Ok(())
}

fn launch(raw: &Raw<'_>, head: &Head, r: &mut Record) -> Result<(), Malformed> {
    r.pid = raw.maybe(Key::Pid, number)?;
    r.profile = raw.maybe(Key::Profile, text)?.map(Into::into);
    if r.kernel.is_some() {
        r.caps = match raw.get(Key::Caps) {
            None => None,
            Some(b"true") => Some(Arc::new(usual::kernel_caps(head))),
            Some(caps) => Some(Arc::new(value(caps)?)),
        };
        return Ok(());
    }
    r.enforced = raw.maybe(Key::Enforced, value)?.unwrap_or_else(|| usual::enforced(r.pid));
    r.bset = raw.maybe(Key::Bset, mask)?.unwrap_or(head.known);
    r.inheritable = raw.maybe(Key::Inheritable, mask)?.unwrap_or(head.known);
    r.own = raw.maybe(Key::Own, value)?;
    let caps: Option<Option<CapSets>> = raw.maybe(Key::Caps, value)?;
    r.caps = caps.unwrap_or_else(|| usual::caps(head, r)).map(Arc::new);
    r.caps_started = match raw.get(Key::CapsStarted) {
        None => None,
        Some(b"true") => r.caps.clone(),
        Some(sets) => Some(Arc::new(value(sets)?)),
    };
    r.not_enforced = raw.maybe(Key::NotEnforced, value)?.unwrap_or_default();
    Ok(())
}
