//! A helper of this machine's kernel, and the state of its watch, in words.

use crate::abi::wait::{WaitStatus, signal_name};
use crate::kernel::knowledge::State;
use crate::kernel::observation::{Cause, Executed, Observation, Requester, Unknown};
use crate::kernel::watch::Loss;

use super::ps::quoted;

/// `pid 4125 module "fs-foo" "/sbin/modprobe" exit 1 (raw 256), 12 ms, by "mount" pid 4121 uid 0, unit cron.service`.
pub fn helper(observation: &Observation) -> String {
    let what = match &observation.cause {
        Ok(Cause::Module(request)) => format!("module {}", quoted(&request.name)),
        Ok(Cause::ReleaseAgent) => "release agent".to_owned(),
        Ok(Cause::Other) | Err(_) => "run".to_owned(),
    };
    let file = match &observation.executed {
        Executed::Yes { file: Some(file), .. } => quoted(file),
        Executed::Yes { file: None, comm } => comm.map_or_else(String::new, |comm| quoted(comm.as_bytes())),
        Executed::Failed => "could not be executed".to_owned(),
        Executed::Unknown(why) => format!("(program not known: {})", why.words()),
    };
    let took = match (observation.times.queued.or(observation.times.forked), observation.times.ended) {
        (Some(from), Some(to)) => format!(", {} ms", to.saturating_sub(from) / 1_000_000),
        _ => String::new(),
    };
    let may_be = if observation.doubts.is_helper { " (may be no helper: its parent is not known)" } else { "" };
    let by = requester(observation);
    let ended = match &observation.executed {
        // Its code, 0, means nothing.
        Executed::Failed => String::new(),
        _ => format!(" {}", ended(observation.status)),
    };
    format!("pid {} {what} {file}{ended}{took}, by {by}{may_be}", observation.pid)
}

fn ended(status: Result<WaitStatus, Unknown>) -> String {
    match status {
        Err(why) => format!("(end not known: {})", why.words()),
        Ok(status) => match (status.signal(), status.exit_code()) {
            (Some(signal), _) => format!("killed by {} (raw {})", signal_name(signal), status.raw()),
            (None, Some(code)) => format!("exit {code} (raw {})", status.raw()),
            (None, None) => format!("raw {}", status.raw()),
        },
    }
}

fn requester(observation: &Observation) -> String {
    let Requester { tid, facts } = match &observation.requester {
        Ok(requester) => requester,
        Err(why) => return format!("(requester not known: {})", why.words()),
    };
    let doubt = if observation.doubts.requester { " (doubtful: trace events are lost)" } else { "" };
    match facts {
        Err(why) => format!("thread {tid} ({}){doubt}", why.words()),
        Ok(facts) => {
            let unit = facts.attribution.as_ref().map_or_else(|| Unknown::Gone.words().to_owned(), ToString::to_string);
            let comm = quoted(facts.comm.as_bytes());
            format!("{comm} pid {} uid {}, {unit}{doubt}", facts.pid, facts.uid)
        }
    }
}

/// One state of what can be known: `known: ..; not known: ..; to change that: ..`.
pub fn state(state: &State) -> String {
    let parts = [("known: ", &state.known), ("not known: ", &state.unknown), ("to change that: ", &state.change)];
    let parts = parts.iter().filter(|(_, text)| !text.is_empty()).map(|(head, text)| format!("{head}{text}"));
    parts.collect::<Vec<_>>().join("; ")
}

/// A loss, as a line.
pub fn lost(loss: &Loss) -> String {
    match loss {
        Loss::Trace { forks, count, .. } => {
            let what = if *forks { "starts of helpers" } else { "requests" };
            let count = count.map_or_else(|| "an unknown number of".to_owned(), |count| count.to_string());
            format!(
                "lost {count} trace events about {what}: the kernel's buffer was full; joins of that time are marked"
            )
        }
        Loss::Exits => "lost an unknown number of ends: the socket's buffer was full".to_owned(),
        Loss::DamagedPage => "lost a page of trace events: it has not the format that the kernel describes".to_owned(),
    }
}

/// Items that this reader missed.
pub fn missed(count: u64) -> String {
    format!("missed {count} helpers or losses: this reader was too slow")
}
