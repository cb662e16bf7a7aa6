//! Performs authorized commands.

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::error::{ControlError, EngineError, ParseError, Stage};
use crate::abi::escape::screen;
use crate::abi::knob::MaskKnob;
use crate::abi::mask::{MaskExpr, Masks};
use crate::abi::profile::Profile;
use crate::abi::record::{Outcome, Record};
use crate::abi::safe_text::SafeText;
use crate::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use crate::abi::wait::WaitMode;
use crate::engine::{CallOptions, Caller, Cancel, Engine, KnobWrite, RequestOptions};

use super::activity::reader::Reader;
use super::authorize::{Access, Authorization, authorize};
use super::command::{Call, Command, Rehearse, Rehearsed, Reply};
use super::config::{self, Config};
use super::knobs::{commit, configure, kernels, read, write};
use super::rehearsal::Run;
use super::rules::Live;
use super::rules_knob::{has_mode, kept_already, order, snapshot_of};
use super::text::rehearsal::differences;
use super::{reads, withheld};

/// Performs an authorized command. `rules` are those that the engine asks. Requests block until they are answered or `cancel` fires; writing `freezing` or
/// `disabled` to the gate blocks during its drain, for up to 5 s.
pub fn dispatch(
    engine: &Engine,
    config: &Config,
    rules: Option<&Live>,
    authorization: Authorization,
    cancel: &Cancel,
) -> Result<Reply, ControlError> {
    engine.check_process()?;
    let access = authorization.access();
    let (actor, command, began) = authorization.into_parts();
    let ask = Caller { actor: Some(actor.clone()), cancel: cancel.clone(), began };
    perform(engine, (config, rules), &actor, command, ask).map(|reply| visible(reply, access))
}

/// The reply as its actor may see it (AUTH-4).
pub(super) fn visible(reply: Reply, access: Access) -> Reply {
    match access {
        Access::Full => reply,
        Access::Withheld => withheld::reply(reply),
    }
}

fn perform(
    engine: &Engine,
    (config, rules): (&Config, Option<&Live>),
    actor: &Actor,
    command: Command,
    ask: Caller,
) -> Result<Reply, ControlError> {
    let done = |done: Result<(), EngineError>| done.map(|()| Reply::Done).map_err(Into::into);
    match command {
        Command::RequestModule { name, wait, profile } => request(engine, &name, wait, profile, ask),
        Command::Call(call) => run(engine, call, ask).map(Reply::Answered),
        Command::Probe { bset, inheritable } => probe(engine, bset, inheritable, ask).map(Reply::Answered),
        Command::Rehearse(wanted) => rehearse(engine, wanted, &ask),
        Command::Get(key) => snapshot_of(engine, rules, &[key]).map(|s| Reply::Value(read(&s, key))),
        Command::Knobs(keys) => {
            snapshot_of(engine, rules, &keys).map(|s| Reply::Knobs(config::knobs(&s, config, &keys)))
        }
        Command::Write(writes) if has_mode(&writes) => order(rules, writes, actor).map(Reply::Written),
        Command::Persist(writes) if has_mode(&writes) => Err(kept_already()),
        Command::Write(writes) => write(engine, writes, actor).map(Reply::Written),
        Command::Configure(settings) => configure(engine, settings, actor).map(Reply::Written),
        Command::Persist(writes) => config::persist(engine, config, writes, actor).map(Reply::Written),
        Command::Unpersist(keys) => config::unpersist(config, &keys, engine.known()).map(|()| {
            engine.report_unpersisted(&keys, actor);
            Reply::Done
        }),
        Command::WriteKernel(_) => Err(kernels()),
        Command::Diff => config::diff(&engine.snapshot(), config).map(Reply::Diff),
        Command::SetDepth(depth) => done(engine.set_depth_as(depth, actor)),
        Command::Reset(mask) => {
            let reset = match mask {
                MaskKnob::Bset => KnobWrite::ResetBset,
                MaskKnob::Inheritable => KnobWrite::ResetInheritable,
            };
            commit(engine, &[reset], actor).map(Reply::Written)
        }
        Command::ResetLoopMessages => {
            engine.reset_loop_messages_as(actor);
            Ok(Reply::Done)
        }
        Command::Abandon(id) => done(engine.abandon_as(id, actor)),
        Command::Kill { id, signal } => done(engine.kill_as(id, known_signal(signal)?, actor)),
        Command::KillChain { id, signal } => {
            Ok(Reply::ChainEnded(engine.kill_chain_as(id, known_signal(signal)?, actor)?))
        }
        Command::Status => Ok(Reply::Status(Box::new(reads::status(engine, rules)))),
        Command::Record(id) => Ok(Reply::Record(engine.record(id))),
        Command::Chain(pid) => Ok(Reply::Chain(engine.chain(pid))),
        Command::CheckPath(path) => Ok(Reply::Warnings(engine.path_warnings(&path))),
        Command::Live { after, most } => Ok(Reply::Live(reads::live(engine, after, most))),
        Command::Activity(page) => Ok(Reply::Activity(Box::new(Reader::new(engine.clone()).answer(&page)))),
        Command::Matching { query, newest } => Ok(Reply::Matching(Reader::new(engine.clone()).ids(&query, newest))),
        Command::Records(ids) => Ok(Reply::Records(reads::records(engine, &ids))),
        Command::Log(_) | Command::Why(_) => {
            Err(ControlError::Unavailable("this engine has no ledger that it may be asked about".to_owned()))
        }
        Command::Rules => Err(ControlError::Unsupported(super::rules::text::NONE.to_owned())),
        Command::Shutdown { patience } => Ok(Reply::Left(reads::shutdown(engine, patience, actor))),
    }
}

/// [`authorize`]s the command for `actor` and performs it, with the configuration files of the system.
pub fn dispatch_as(
    engine: &Engine,
    actor: impl Into<Arc<Actor>>,
    command: Command,
    cancel: &Cancel,
) -> Result<Reply, ControlError> {
    dispatch(engine, &Config::default(), None, authorize(actor, command)?, cancel)
}

/// A signal of signal(7), from 1 to SIGRTMAX. 0 and other numbers send none.
fn known_signal(signal: i32) -> Result<i32, ControlError> {
    let last = libc::SIGRTMAX();
    if (1..=last).contains(&signal) {
        return Ok(signal);
    }
    let error = ParseError::invalid(format!("{signal} is not a signal"), format!("give a number from 1 to {last}"));
    Err(ControlError::Value { key: "signal".to_owned(), error })
}

fn request(
    engine: &Engine,
    name: &[u8],
    wait: bool,
    profile: Option<String>,
    ask: Caller,
) -> Result<Reply, ControlError> {
    let profile = named_profile(engine, profile)?;
    Ok(Reply::Answered(engine.request_module_with(name, wait, &RequestOptions { profile, ask })))
}

fn run(engine: &Engine, call: Call, ask: Caller) -> Result<Arc<Record>, ControlError> {
    let env = environment(call.env);
    let argv = std::iter::once(call.path.clone()).chain(call.args);
    let info = SubprocessInfo::setup(Some(call.path), argv, env)
        .map_err(|error| ControlError::Value { key: "call".into(), error })?;
    let own = own_masks(engine, call.bset, call.inheritable);
    let profile = named_profile(engine, call.profile)?;
    Ok(engine.call_usermodehelper_with(info, call.wait, &CallOptions { own, timeout: call.timeout, ask, profile }))
}

/// The profile that a command names. Without it nothing runs.
fn named_profile(engine: &Engine, name: Option<String>) -> Result<Option<Arc<Profile>>, ControlError> {
    let Some(name) = name else { return Ok(None) };
    engine.profile(&name).map(Some).ok_or_else(|| {
        let why = format!("there is no profile `{}`, or it has a fault", screen(name.as_bytes()));
        let advice = "nothing was started: see `khelper profile list` and `khelper profile check`";
        ControlError::Value { key: "profile".into(), error: ParseError::invalid(why, advice) }
    })
}

fn probe(
    engine: &Engine,
    bset: Option<MaskExpr>,
    inheritable: Option<MaskExpr>,
    ask: Caller,
) -> Result<Arc<Record>, ControlError> {
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
        profile: None,
    };
    run(engine, call, ask)
}

/// The second run is made when the first one has ended, so that they do not affect each other.
fn rehearse(engine: &Engine, wanted: Rehearse, ask: &Caller) -> Result<Reply, ControlError> {
    let snapshot = engine.snapshot();
    let live = [snapshot.knobs.bset, snapshot.knobs.inheritable];
    let resolve = |expr: Option<MaskExpr>, live| expr.map_or(live, |expr| expr.resolve(live, snapshot.known));
    let draft = [resolve(wanted.bset, live[0]), resolve(wanted.inheritable, live[1])];
    let program = match wanted.path {
        Some(path) => Run::Call(path.to_vec(), wanted.args),
        None => Run::Probe,
    };
    let one = |masks| match program.command(masks) {
        Command::Call(call) => run(engine, call, ask.clone()),
        Command::Probe { bset, inheritable } => probe(engine, bset, inheritable, ask.clone()),
        // A rehearsal runs nothing else.
        _ => Err(ControlError::Unavailable("this cannot be rehearsed".to_owned())),
    };
    let first = one(Some(draft))?;
    let second = if first.outcome == Outcome::Abandoned { None } else { Some(one(None)?) };
    let is_probe = matches!(program, Run::Probe);
    let differences = second.as_ref().map(|live| differences(&first, live, is_probe)).unwrap_or_default();
    let differences = differences.into_iter().map(SafeText::from).collect();
    Ok(Reply::Rehearsed(Box::new(Rehearsed { draft: first, live: second, differences, as_live: draft == live })))
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
