//! Acting on what was authorized.

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::cap::CapMask;
use crate::abi::depth::Depth;
use crate::abi::era::Era;
use crate::abi::error::{ControlError, EngineError, ParseError, Stage};
use crate::abi::escape::screen;
use crate::abi::mask::{MaskExpr, kernel_words};
use crate::abi::path::parse_modprobe;
use crate::abi::snapshot::Snapshot;
use crate::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use crate::abi::wait::WaitMode;
use crate::engine::{CallOptions, Caller, Cancel, Change, Engine, KnobWrite};
use crate::policy::authorize::Globs;

use super::activity::reader::Reader;
use super::authorize::{Authorization, authorize};
use super::command::{Call, Command, MaskKnob, Reply, Written};
use super::knob::Key;
use super::reads;

/// Does what was authorized. Requests block until they are answered or `cancel` fires; writing `freezing` or `disabled`
/// to the gate blocks for its drain, up to 5 s.
pub fn dispatch(engine: &Engine, authorization: Authorization, cancel: &Cancel) -> Result<Reply, ControlError> {
    engine.check_process()?;
    let (actor, command) = authorization.into_parts();
    let ask = || Caller { actor: Some(actor.clone()), cancel: cancel.clone() };
    let done = |done: Result<(), EngineError>| done.map(|()| Reply::Done).map_err(Into::into);
    match command {
        Command::RequestModule { name, wait } => Ok(Reply::Answered(engine.request_module_as(name, wait, &ask()))),
        Command::Call(call) => run(engine, call, ask()),
        Command::Probe { bset, inheritable } => probe(engine, bset, inheritable, ask()),
        Command::Get(key) => Ok(Reply::Value(read(&engine.snapshot(), key))),
        Command::Write(writes) => write(engine, &writes, &actor).map(Reply::Written),
        Command::SetDepth(depth) => done(engine.set_depth_as(depth, &actor)),
        Command::Reset(mask) => {
            let (key, reset) = match mask {
                MaskKnob::Bset => (Key::Bset, KnobWrite::ResetBset),
                MaskKnob::Inheritable => (Key::Inheritable, KnobWrite::ResetInheritable),
            };
            let changes = commit(engine, &[reset], &actor)?;
            Ok(Reply::Written(changes.into_iter().map(|c| written(key, c, Vec::new())).collect()))
        }
        Command::ResetLoopMessages => {
            engine.reset_loop_messages_as(&actor);
            Ok(Reply::Done)
        }
        Command::Abandon(id) => done(engine.abandon_as(id, &actor)),
        Command::Kill { id, signal } => done(engine.kill_as(id, signal, &actor)),
        Command::Status => Ok(Reply::Status(Box::new(reads::status(engine)))),
        Command::Record(id) => Ok(Reply::Record(engine.record(id))),
        Command::Chain(pid) => Ok(Reply::Chain(engine.chain(pid))),
        Command::CheckPath(path) => Ok(Reply::Warnings(engine.path_warnings(&path))),
        Command::Live { after, most } => Ok(Reply::Live(reads::live(engine, after, most))),
        Command::Activity(page) => Ok(Reply::Activity(Box::new(Reader::new(engine.clone()).answer(&page)))),
        Command::Matching { query, newest } => Ok(Reply::Matching(Reader::new(engine.clone()).ids(&query, newest))),
        Command::Records(ids) => Ok(Reply::Records(reads::records(engine, &ids))),
        Command::Shutdown { patience } => Ok(Reply::Left(reads::shutdown(engine, patience, &actor))),
    }
}

/// [`authorize`]s the command for `actor`, then does it.
pub fn dispatch_as(
    engine: &Engine,
    actor: impl Into<Arc<Actor>>,
    command: Command,
    cancel: &Cancel,
) -> Result<Reply, ControlError> {
    dispatch(engine, authorize(actor, command)?, cancel)
}

fn run(engine: &Engine, call: Call, ask: Caller) -> Result<Reply, ControlError> {
    let env = environment(call.env);
    let argv = std::iter::once(call.path.clone()).chain(call.args);
    let info = SubprocessInfo::setup(Some(call.path), argv, env)
        .map_err(|error| ControlError::Value { key: "call".into(), error })?;
    let own = own_masks(engine, call.bset, call.inheritable);
    Ok(Reply::Answered(engine.call_usermodehelper_with(
        info,
        call.wait,
        &CallOptions { own, timeout: call.timeout, ask },
    )))
}

fn probe(
    engine: &Engine,
    bset: Option<MaskExpr>,
    inheritable: Option<MaskExpr>,
    ask: Caller,
) -> Result<Reply, ControlError> {
    let Some((path, arg)) = engine.probe() else {
        let error = EngineError::new(
            Stage::Path,
            Errno::ENOENT,
            "this engine was started without a probe",
            "start it with Builder::probe",
        );
        return Err(error.into());
    };
    let call = Call {
        path: path.as_os_str().as_bytes().to_vec(),
        args: vec![arg.as_bytes().to_vec()],
        env: Vec::new(),
        wait: WaitMode::PROC,
        bset,
        inheritable,
        timeout: None,
    };
    run(engine, call, ask)
}

/// The environment of a module request, and `more`; of a key that is named twice the last one counts, for a helper that
/// finds two of them takes the first.
fn environment(more: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let key = |entry: &[u8]| entry.iter().position(|b| *b == b'=').map_or(entry.to_vec(), |at| entry[..at].to_vec());
    let mut all: Vec<Vec<u8>> = Vec::new();
    for entry in HELPER_ENV.iter().map(|e| e.as_bytes().to_vec()).chain(more) {
        match all.iter_mut().find(|have| key(have) == key(&entry)) {
            Some(have) => *have = entry,
            None => all.push(entry),
        }
    }
    all
}

/// Changes are of the live masks; a mask that is not given cuts nothing.
fn own_masks(engine: &Engine, bset: Option<MaskExpr>, inheritable: Option<MaskExpr>) -> Option<(CapMask, CapMask)> {
    if bset.is_none() && inheritable.is_none() {
        return None;
    }
    let snapshot = engine.snapshot();
    let resolve = |expr: Option<MaskExpr>, live| expr.map_or(snapshot.known, |e| e.resolve(live, snapshot.known));
    Some((resolve(bset, snapshot.knobs.bset), resolve(inheritable, snapshot.knobs.inheritable)))
}

/// A knob's value, as it reads.
pub fn read(s: &Snapshot, key: Key) -> String {
    match key {
        Key::Modprobe => screen(&s.knobs.modprobe),
        Key::Bset => kernel_words(s.knobs.bset),
        Key::Inheritable => kernel_words(s.knobs.inheritable),
        Key::Allow => s.knobs.allow.to_string(),
        Key::Concurrent => s.slots.concurrent.to_string(),
        Key::Deny => s.knobs.deny.to_string(),
        Key::Era => s.knobs.era.name().to_owned(),
        Key::Gate => s.gate.name().to_owned(),
        Key::Live => s.live.to_string(),
        Key::LoopMessages => s.slots.loop_messages.to_string(),
        Key::MaxConcurrent => s.slots.limit.to_string(),
        Key::Queued => s.queued.to_string(),
        Key::Refused => s.totals.refused().to_string(),
        Key::RunningHelpers => s.running_helpers.to_string(),
    }
}

fn write(engine: &Engine, writes: &[(Key, Vec<u8>)], actor: &Actor) -> Result<Vec<Written>, ControlError> {
    if let [(Key::Gate, value)] = writes {
        return write_gate(engine, value, actor).map(|w| vec![w]);
    }
    let known = engine.known();
    let parsed = writes.iter().map(|(key, value)| parse(*key, value, known)).collect::<Result<Vec<_>, _>>()?;
    let changes = commit(engine, &parsed, actor)?;
    let warnings = |write: &KnobWrite| match write {
        KnobWrite::Modprobe(path) => engine.path_warnings(path),
        _ => Vec::new(),
    };
    Ok(writes
        .iter()
        .zip(&parsed)
        .zip(changes)
        .map(|(((key, _), write), change)| written(*key, change, warnings(write)))
        .collect())
}

fn commit(engine: &Engine, writes: &[KnobWrite], actor: &Actor) -> Result<Vec<Change>, ControlError> {
    engine.write_as(writes, actor).map_err(|(key, error)| ControlError::Value { key: key.to_owned(), error })
}

fn written(key: Key, change: Change, warnings: Vec<String>) -> Written {
    Written { key, before: change.before, after: change.after, not_granted: change.not_granted, warnings }
}

/// Enabled opens; freezing and disabled shut and drain (SYS-1).
fn write_gate(engine: &Engine, value: &[u8], actor: &Actor) -> Result<Written, ControlError> {
    let text = text(Key::Gate, value)?;
    let depth = Depth::parse(text).ok_or_else(|| bad(Key::Gate, value, "enabled, freezing or disabled"))?;
    let before = engine.snapshot().gate;
    match depth {
        Depth::Enabled => engine.enable_as(actor)?,
        _ => engine.disable_as(depth, actor)?,
    }
    let after = engine.snapshot().gate.name().to_owned();
    Ok(Written {
        key: Key::Gate,
        before: before.name().to_owned(),
        after,
        not_granted: CapMask::EMPTY,
        warnings: Vec::new(),
    })
}

fn parse(key: Key, value: &[u8], known: CapMask) -> Result<KnobWrite, ControlError> {
    let wrong = |error| ControlError::Value { key: key.name().to_owned(), error };
    match key {
        Key::Modprobe => parse_modprobe(value).map(KnobWrite::Modprobe).map_err(wrong),
        Key::Bset => MaskExpr::parse(value, known).map(KnobWrite::Bset).map_err(wrong),
        Key::Inheritable => MaskExpr::parse(value, known).map(KnobWrite::Inheritable).map_err(wrong),
        Key::Allow => Globs::parse(value).map(KnobWrite::Allow).map_err(wrong),
        Key::Deny => Globs::parse(value).map(KnobWrite::Deny).map_err(wrong),
        Key::Era => {
            let era = Era::parse(text(key, value)?);
            era.map(KnobWrite::Era).ok_or_else(|| bad(key, value, "3.4 or current"))
        }
        Key::MaxConcurrent => {
            let digits = text(key, value)?;
            let number = digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
            number.map(KnobWrite::MaxConcurrent).ok_or_else(|| bad(key, value, "a number from 1 to 50"))
        }
        Key::Gate => Err(wrong(ParseError::invalid(
            "the gate cannot be changed together with other knobs: its drain may block",
            "write khelper.gate in a command of its own",
        ))),
        Key::Concurrent | Key::Live | Key::LoopMessages | Key::Queued | Key::Refused | Key::RunningHelpers => {
            Err(ControlError::ReadOnly(key.name().to_owned()))
        }
    }
}

fn text(key: Key, value: &[u8]) -> Result<&str, ControlError> {
    std::str::from_utf8(value).map(|t| t.strip_suffix('\n').unwrap_or(t)).map_err(|_| bad(key, value, "text"))
}

fn bad(key: Key, value: &[u8], wanted: &str) -> ControlError {
    let error = ParseError::invalid(format!("`{}` is not {wanted}", screen(value)), format!("give {wanted}"));
    ControlError::Value { key: key.name().to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_key_named_twice_the_last_counts() {
        let more = ["PATH=/opt", "A=1", "A=2", "B"].map(|e| e.as_bytes().to_vec());
        let all = environment(more.to_vec());
        let texts: Vec<_> = all.iter().map(|e| String::from_utf8_lossy(e).into_owned()).collect();
        assert_eq!(texts, ["HOME=/", "TERM=linux", "PATH=/opt", "A=2", "B"]);
    }
}
