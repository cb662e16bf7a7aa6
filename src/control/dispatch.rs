//! Performs authorized commands.

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::depth::Depth;
use crate::abi::error::{ControlError, EngineError, ParseError, Stage};
use crate::abi::knob::{Key, MaskKnob};
use crate::abi::knob_value::{Change, KnobValue};
use crate::abi::mask::{MaskExpr, Masks};
use crate::abi::path::parse_modprobe;
use crate::abi::snapshot::Snapshot;
use crate::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use crate::abi::wait::WaitMode;
use crate::engine::{CallOptions, Caller, Cancel, Engine, KnobWrite};

use super::activity::reader::Reader;
use super::authorize::{Authorization, authorize};
use super::command::{Call, Command, Reply};
use super::reads;

/// Performs an authorized command. Requests block until they are answered or `cancel` fires; writing `freezing` or
/// `disabled` to the gate blocks during its drain, for up to 5 s.
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
        Command::Write(writes) => write(engine, writes, &actor).map(Reply::Written),
        Command::SetDepth(depth) => done(engine.set_depth_as(depth, &actor)),
        Command::Reset(mask) => {
            let reset = match mask {
                MaskKnob::Bset => KnobWrite::ResetBset,
                MaskKnob::Inheritable => KnobWrite::ResetInheritable,
            };
            commit(engine, &[reset], &actor).map(Reply::Written)
        }
        Command::ResetLoopMessages => {
            engine.reset_loop_messages_as(&actor);
            Ok(Reply::Done)
        }
        Command::Abandon(id) => done(engine.abandon_as(id, &actor)),
        Command::Kill { id, signal } => done(engine.kill_as(id, signal, &actor)),
        Command::KillChain { id, signal } => Ok(Reply::ChainEnded(engine.kill_chain_as(id, signal, &actor)?)),
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

/// [`authorize`]s the command for `actor` and performs it.
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

/// The environment of a module request, extended by `more`. An entry replaces an earlier one with the same name, since
/// a helper that finds two of them takes the first.
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

/// The masks of one call. Changes apply to the live masks; a mask that is not given removes nothing.
fn own_masks(engine: &Engine, bset: Option<MaskExpr>, inheritable: Option<MaskExpr>) -> Option<Masks> {
    if bset.is_none() && inheritable.is_none() {
        return None;
    }
    let snapshot = engine.snapshot();
    let resolve = |expr: Option<MaskExpr>, live| expr.map_or(snapshot.known, |e| e.resolve(live, snapshot.known));
    Some(Masks::new(resolve(bset, snapshot.knobs.bset), resolve(inheritable, snapshot.knobs.inheritable)))
}

/// Reads a knob's value from a snapshot.
pub fn read(s: &Snapshot, key: Key) -> KnobValue {
    match key {
        Key::Modprobe => KnobValue::Path(s.knobs.modprobe.clone()),
        Key::Bset => s.knobs.bset.into(),
        Key::Inheritable => s.knobs.inheritable.into(),
        Key::Allow => KnobValue::Globs(s.knobs.allow.clone()),
        Key::Concurrent => s.slots.concurrent.into(),
        Key::Deny => KnobValue::Globs(s.knobs.deny.clone()),
        Key::Era => KnobValue::Era(s.knobs.era),
        Key::Gate => s.gate.into(),
        Key::Live => s.live.into(),
        Key::LoopMessages => s.slots.loop_messages.into(),
        Key::MaxConcurrent => s.slots.limit.into(),
        Key::Queued => s.queued.into(),
        Key::Refused => s.totals.refused().into(),
        Key::RunningHelpers => s.running_helpers.into(),
    }
}

fn write(engine: &Engine, writes: Vec<(Key, KnobValue)>, actor: &Actor) -> Result<Vec<Change>, ControlError> {
    if let [(Key::Gate, KnobValue::Depth(depth))] = writes[..] {
        return write_gate(engine, depth, actor).map(|change| vec![change]);
    }
    let writes = writes.into_iter().map(|(key, value)| knob_write(key, value)).collect::<Result<Vec<_>, _>>()?;
    let mut changes = commit(engine, &writes, actor)?;
    for change in &mut changes {
        if let KnobValue::Path(path) = &change.after {
            change.warnings = engine.path_warnings(path);
        }
    }
    Ok(changes)
}

fn commit(engine: &Engine, writes: &[KnobWrite], actor: &Actor) -> Result<Vec<Change>, ControlError> {
    engine.write_as(writes, actor).map_err(|(key, error)| value_error(key, error))
}

/// Writes the gate: enabled opens it; freezing and disabled shut and drain it (SYS-1).
fn write_gate(engine: &Engine, depth: Depth, actor: &Actor) -> Result<Change, ControlError> {
    let before = engine.snapshot().gate;
    match depth {
        Depth::Enabled => engine.enable_as(actor)?,
        _ => engine.disable_as(depth, actor)?,
    }
    Ok(Change::new(Key::Gate, before, engine.snapshot().gate))
}

/// Converts a write to the engine's type. `EINVAL` if the value's kind does not fit the knob, or if the gate is written
/// together with other knobs; `EACCES` if the knob is read-only.
fn knob_write(key: Key, value: KnobValue) -> Result<KnobWrite, ControlError> {
    Ok(match (key, value) {
        (Key::Modprobe, KnobValue::Path(path)) => {
            // It may come from another process that has not checked it (SYS-6).
            KnobWrite::Modprobe(parse_modprobe(&path).map_err(|error| value_error(key, error))?)
        }
        (Key::Bset, KnobValue::Mask(mask)) => KnobWrite::Bset(mask),
        (Key::Inheritable, KnobValue::Mask(mask)) => KnobWrite::Inheritable(mask),
        (Key::Allow, KnobValue::Globs(globs)) => KnobWrite::Allow(globs),
        (Key::Deny, KnobValue::Globs(globs)) => KnobWrite::Deny(globs),
        (Key::Era, KnobValue::Era(era)) => KnobWrite::Era(era),
        (Key::MaxConcurrent, KnobValue::Number(number)) => {
            let wrong = |_| key.is_not(number.to_string().as_bytes(), "a number from 1 to 50");
            KnobWrite::MaxConcurrent(u32::try_from(number).map_err(wrong)?)
        }
        (Key::Gate, KnobValue::Depth(_)) => {
            let why = "the gate cannot be changed together with other knobs: its drain may block";
            return Err(value_error(key, ParseError::invalid(why, "write khelper.gate with a separate command")));
        }
        (Key::Concurrent | Key::Live | Key::LoopMessages | Key::Queued | Key::Refused | Key::RunningHelpers, _) => {
            return Err(ControlError::ReadOnly(key.name().to_owned()));
        }
        (_, value) => return Err(key.is_not(value.text().as_bytes(), "a value of this knob's kind")),
    })
}

fn value_error(key: Key, error: ParseError) -> ControlError {
    ControlError::Value { key: key.name().to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_two_entries_with_one_name_wins() {
        let more = ["PATH=/opt", "A=1", "A=2", "B"].map(|e| e.as_bytes().to_vec());
        let all = environment(more.to_vec());
        let texts: Vec<_> = all.iter().map(|e| String::from_utf8_lossy(e).into_owned()).collect();
        assert_eq!(texts, ["HOME=/", "TERM=linux", "PATH=/opt", "A=2", "B"]);
    }
}
