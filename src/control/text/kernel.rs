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

#[cfg(test)]
pub(in crate::control) mod tests {
    use super::*;
    use crate::abi::actor::Comm;
    use crate::abi::cap::{CapMask, CapSets};
    use crate::abi::place::Attribution;
    use crate::kernel::event::ModuleRequest;
    use crate::kernel::observation::{Doubts, HelperFacts, RequesterFacts, Times};

    /// A request for a module whose name and requester try to forge a line.
    pub(in crate::control) fn hostile() -> Observation {
        let facts = RequesterFacts {
            pid: 4121,
            inner_pid: Some(7),
            uid: 1000,
            gid: 100,
            comm: Comm::new(b"x\n2 kernel\x1b[2J"),
            attribution: Some(Attribution::parse(b"0::/user.slice/user-1000.slice/cron.service\n", true)),
        };
        let request =
            ModuleRequest { name: b"a\x1b]0;\xff\n\"b"[..].into(), call_site: 0xffff_ffff_8100_0000, waits: true };
        let all = CapMask::up_to(40);
        let sets = CapSets {
            inheritable: CapMask::EMPTY,
            permitted: all,
            effective: all,
            bounding: all,
            ambient: CapMask::EMPTY,
        };
        let helper = HelperFacts { arguments: b"/sbin/modprobe\0-q\0--\0a\n\0"[..].into(), sets: Some(sets) };
        Observation {
            pid: 4125,
            worker: Some(31),
            requester: Ok(Requester { tid: 4122, facts: Ok(Box::new(facts)) }),
            cause: Ok(Cause::Module(Box::new(request))),
            executed: Executed::Yes { file: Some(b"/sbin/mod\nprobe"[..].into()), comm: None },
            facts: Ok(Box::new(helper)),
            status: Ok(WaitStatus::from_raw(256)),
            times: Times {
                queued: Some(1_000_000),
                forked: Some(1_250_000),
                executed: Some(1_300_000),
                ended: Some(13_000_000),
            },
            doubts: Doubts::default(),
        }
    }

    /// Nothing is known but the end.
    pub(in crate::control) fn lone_end() -> Observation {
        Observation {
            requester: Err(Unknown::TraceLost),
            cause: Err(Unknown::TraceLost),
            executed: Executed::Unknown(Unknown::TraceLost),
            facts: Err(Unknown::Gone),
            status: Ok(WaitStatus::from_raw(9)),
            times: Times { ended: Some(5), ..Times::default() },
            doubts: Doubts { requester: false, is_helper: true },
            ..hostile()
        }
    }

    #[test]
    fn a_helper_is_one_line_whatever_names_it_has() {
        assert_eq!(
            helper(&hostile()),
            "pid 4125 module \"a\\x1b]0;\\xff\\x0a\"b\" \"/sbin/mod\\x0aprobe\" exit 1 (raw 256), 12 ms, \
             by \"x\\x0a2 kernel\\x1b[2J\" pid 4121 uid 1000, claims unit cron.service"
        );
        assert_eq!(
            helper(&lone_end()),
            "pid 4125 run (program not known: trace events of that time are lost) killed by SIGKILL (raw 9), by (requester \
             not known: trace events of that time are lost) (may be no helper: its parent is not known)"
        );
        let gone = Observation {
            requester: Ok(Requester { tid: 9, facts: Err(Unknown::Gone) }),
            cause: Ok(Cause::ReleaseAgent),
            executed: Executed::Failed,
            doubts: Doubts { requester: true, is_helper: false },
            ..hostile()
        };
        assert_eq!(
            helper(&gone),
            "pid 4125 release agent could not be executed, 12 ms, by thread 9 (gone before it could be read) (doubtful: \
             trace events are lost)"
        );
    }
}
