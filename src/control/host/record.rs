//! An observation as a record: what everything that shows helpers shows.

use std::sync::Arc;
use std::time::SystemTime;

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::Stage;
use crate::abi::kernel_helper::{Cause as Of, Fact, KernelHelper, Missing, SiteAddress, Unknown};
use crate::abi::module::modprobe_argv;
use crate::abi::record::{Args, Kind, Outcome, Record, State};
use crate::abi::wait::WaitMode;
use crate::kernel::event::ModuleRequest;
use crate::kernel::observation::{Cause, Executed, Observation, Requester};

const NOT_EXECUTED: &str = "the program could not be executed; the kernel tells the errno to its caller alone";

/// The record of a helper. `wall` converts a time of the kernel.
pub fn of(observation: &Observation, id: u64, wall: impl Fn(u64) -> SystemTime) -> Record {
    let (times, facts) = (observation.times, observation.facts.as_ref().ok());
    let cause = observation.cause.as_ref().ok();
    let request = cause.and_then(|cause| if let Cause::Module(request) = cause { Some(&**request) } else { None });
    let first = times.queued.or(times.forked).or(times.executed);
    // Nothing of the begin is known.
    let at = first.or(times.ended).unwrap_or_default();
    let moment = if at == 0 { SystemTime::now() } else { wall(at) };
    let since = |time: Option<u64>| Some(time?.saturating_sub(first?) / 1000);
    let wait = match request {
        Some(ModuleRequest { waits: false, .. }) => WaitMode::EXEC,
        _ => WaitMode::PROC,
    };
    let kind = if request.is_some() { Kind::Module } else { Kind::Helper };
    let mut record = Record::new(kind, wait, Arc::new(actor(observation)), (moment, at / 1000));
    record.id = id;
    record.module = request.map(|request| Arc::from(&*request.name));
    let list: Vec<Box<[u8]>> = facts.map(|facts| arguments(&facts.arguments)).unwrap_or_default();
    record.path = path(observation, list.first().map(|first| &**first));
    record.args = args(list, &record.path, record.module.as_deref());
    record.status = observation.status.ok();
    record.outcome = outcome(observation);
    record.state = if record.outcome == Outcome::Running { State::Running } else { State::Ended };
    match record.outcome {
        Outcome::ExecFailed => (record.stage, record.said) = (Some(Stage::Exec), Some(NOT_EXECUTED.into())),
        Outcome::Lost => record.stage = Some(Stage::Lost),
        _ => {}
    }
    record.caps = facts.and_then(|facts| facts.sets).map(Arc::new);
    record.pid = Some(observation.pid);
    record.queued_us = times.queued.map(|_| 0);
    record.started_us = since(times.executed.or(times.forked));
    record.ended_us = since(times.ended);
    record.kernel = Some(Box::new(kernel(observation, request)));
    record
}

/// The record of a helper that an earlier watch has seen start, with what is seen of its end alone.
pub(super) fn ended(before: &Record, seen: Record, ended: Option<u64>) -> Record {
    let status = |missing: &&Missing| missing.what == Fact::Status;
    let mut kernel = before.kernel.clone();
    if let Some(kernel) = &mut kernel {
        kernel.unknown.retain(|missing| !status(&missing));
        kernel.unknown.extend(seen.kernel.iter().flat_map(|kernel| kernel.unknown.iter().filter(status)).copied());
    }
    Record {
        state: seen.state,
        outcome: seen.outcome,
        stage: seen.stage,
        said: seen.said,
        status: seen.status,
        ended_us: ended.map(|ended| (ended / 1000).saturating_sub(before.at)),
        kernel,
        ..before.clone()
    }
}

const GONE: &str = "lost: the helper ended while nothing watched the kernel";

/// The record of a helper that was running when an earlier watch ended and is gone.
pub(super) fn lost(before: &Record) -> Record {
    let mut kernel = before.kernel.clone();
    if let Some(kernel) = &mut kernel {
        kernel.unknown.retain(|missing| missing.what != Fact::Status);
        kernel.unknown.push(Missing { what: Fact::Status, why: Unknown::BeforeWatch });
    }
    Record {
        state: State::Ended,
        outcome: Outcome::Lost,
        stage: Some(Stage::Lost),
        said: Some(GONE.into()),
        kernel,
        ..before.clone()
    }
}

fn actor(observation: &Observation) -> Actor {
    let Ok(Requester { tid, facts }) = &observation.requester else { return Actor::unknown(0) };
    match facts {
        Ok(facts) => Actor::new(Origin::Outside, facts.pid, facts.uid, facts.gid, facts.comm.as_bytes()),
        Err(_) => Actor::unknown(*tid),
    }
}

/// Its arguments as they stand in /proc/PID/cmdline, each with its NUL.
fn arguments(bytes: &[u8]) -> Vec<Box<[u8]>> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    bytes.split(|b| *b == 0).map(Box::from).collect()
}

/// The arguments of this program, short if they are the usual ones of a request for this module.
pub(super) fn args(list: Vec<Box<[u8]>>, path: &[u8], module: Option<&[u8]>) -> Args {
    match module {
        Some(name) if is_usual(&list, path, name) => Args::Module,
        _ => Args::List(list.into()),
    }
}

fn is_usual(list: &[Box<[u8]>], path: &[u8], name: &[u8]) -> bool {
    list.iter().map(|arg| &**arg).eq(modprobe_argv(path, name))
}

/// The executed file; where the kernel does not tell it, its first argument or its name.
fn path(observation: &Observation, first: Option<&[u8]>) -> Arc<[u8]> {
    match &observation.executed {
        Executed::Yes { file: Some(file), .. } => Arc::from(&**file),
        Executed::Yes { file: None, comm } => {
            first.or(comm.as_ref().map(|comm| comm.as_bytes())).unwrap_or_default().into()
        }
        Executed::Unknown(_) => first.unwrap_or_default().into(),
        Executed::Failed => Arc::from([]),
    }
}

fn outcome(observation: &Observation) -> Outcome {
    match (&observation.executed, observation.status) {
        (Executed::Failed, _) => Outcome::ExecFailed,
        (_, Ok(status)) if status.signal().is_some() => Outcome::Killed,
        (_, Ok(_)) => Outcome::Exited,
        (_, Err(Unknown::StillRunning)) => Outcome::Running,
        (_, Err(_)) => Outcome::Lost,
    }
}

fn kernel(observation: &Observation, request: Option<&ModuleRequest>) -> KernelHelper {
    let requester = observation.requester.as_ref().ok();
    let facts = requester.and_then(|requester| requester.facts.as_ref().ok());
    KernelHelper {
        cause: observation.cause.as_ref().ok().map(|cause| match cause {
            Cause::Module(_) => Of::Module,
            Cause::ReleaseAgent => Of::ReleaseAgent,
            Cause::Other => Of::Other,
        }),
        call_site: request.map(|request| SiteAddress(request.call_site)),
        worker: observation.worker,
        tid: requester.map(|requester| requester.tid),
        inner_pid: facts.and_then(|facts| facts.inner_pid),
        place: facts.and_then(|facts| facts.attribution.clone()),
        doubts: observation.doubts,
        unknown: unknown(observation),
    }
}

/// Everything that is not known, with the reason.
fn unknown(observation: &Observation) -> Vec<Missing> {
    let requester = match &observation.requester {
        Err(why) => Some((Fact::Requester, *why)),
        Ok(requester) => match &requester.facts {
            Err(why) => Some((Fact::Process, *why)),
            Ok(facts) if facts.attribution.is_none() => Some((Fact::Unit, Unknown::Gone)),
            Ok(_) => None,
        },
    };
    let executed = if let Executed::Unknown(why) = observation.executed { Some((Fact::Path, why)) } else { None };
    let arguments = observation.facts.as_ref().err().filter(|_| observation.executed != Executed::Failed);
    let all = [
        requester,
        observation.cause.as_ref().err().map(|why| (Fact::Cause, *why)),
        executed,
        arguments.map(|why| (Fact::Arguments, *why)),
        observation.status.err().map(|why| (Fact::Status, why)),
    ];
    all.into_iter().flatten().map(|(what, why)| Missing { what, why }).collect()
}
