//! Who may give which command (AUTH-1, AUTH-3).

use crate::abi::actor::Origin;
use crate::abi::error::ControlError;
use crate::policy::authorize::may_reset;

use super::command::Command;

/// Who may give a command.
enum Giver {
    /// Anyone.
    Anyone,
    /// The process that owns the engine: its console, its command line, its library's caller.
    Owner,
    /// The same, but for its command line (AUTH-3).
    ConsoleOrLibrary,
}

/// Who may give this command (AUTH-1): every command is listed by name, so that a new one has to be placed here.
fn giver(command: &Command) -> Giver {
    match command {
        Command::Get(_) => Giver::Anyone,
        Command::RequestModule { .. }
        | Command::Call(_)
        | Command::Probe { .. }
        | Command::Write(_)
        | Command::SetDepth(_)
        | Command::Abandon(_)
        | Command::Kill { .. }
        // Reads, but of argv, environment and output too, which nothing withholds yet (AUTH-4).
        | Command::Status
        | Command::Record(_)
        | Command::Chain(_)
        | Command::CheckPath(_)
        | Command::Live { .. }
        | Command::Activity(_)
        | Command::Matching { .. }
        | Command::Records(_)
        | Command::Shutdown { .. } => Giver::Owner,
        Command::Reset(_) | Command::ResetLoopMessages => Giver::ConsoleOrLibrary,
    }
}

/// May a command be given from there? From outside nothing but reading is allowed, whatever the credentials: nothing
/// yet brings credentials that have been checked (AUTH-2).
pub(super) fn authorise(origin: Origin, command: &Command) -> Result<(), ControlError> {
    match (giver(command), origin) {
        (Giver::Anyone, Origin::Library | Origin::CommandLine | Origin::Console | Origin::Outside)
        | (Giver::Owner, Origin::Library | Origin::CommandLine | Origin::Console) => Ok(()),
        (Giver::Owner, Origin::Outside) => {
            let why = "only the process that owns the engine may do this; from outside the knobs can only be read";
            Err(ControlError::Denied(why.into()))
        }
        (Giver::ConsoleOrLibrary, origin) => may_reset(origin).map_err(ControlError::Denied),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::actor::{Comm, Requester};
    use crate::abi::cap::CapMask;
    use crate::abi::depth::Depth;
    use crate::abi::error::Explain;
    use crate::abi::wait::WaitMode;
    use crate::control::activity::page::{Anchor, PageRequest};
    use crate::control::activity::query::Query;
    use crate::control::command::{Call, MaskKnob, Reply};
    use crate::control::dispatch::dispatch_as;
    use crate::control::knob::Key;
    use crate::engine::{Cancel, Engine};
    use crate::sys::fake::{FakeHost, Script};
    use nix::errno::Errno;
    use std::time::Duration;

    /// One command of each kind, and its name: a new kind does not compile until it is placed here.
    fn commands() -> Vec<(&'static str, Command)> {
        let name = |command: &Command| match command {
            Command::RequestModule { .. } => "request",
            Command::Call(_) => "run",
            Command::Probe { .. } => "probe",
            Command::Get(_) => "get",
            Command::Write(_) => "write",
            Command::SetDepth(_) => "depth",
            Command::Reset(_) => "reset",
            Command::ResetLoopMessages => "reset loop-messages",
            Command::Abandon(_) => "abandon",
            Command::Kill { .. } => "kill",
            Command::Status => "status",
            Command::Record(_) => "record",
            Command::Chain(_) => "chain",
            Command::CheckPath(_) => "check path",
            Command::Live { .. } => "live",
            Command::Activity(_) => "activity",
            Command::Matching { .. } => "matching",
            Command::Records(_) => "records",
            Command::Shutdown { .. } => "shutdown",
        };
        let call = Call {
            path: b"/bin/true".to_vec(),
            args: Vec::new(),
            env: Vec::new(),
            wait: WaitMode::PROC,
            bset: None,
            inheritable: None,
            timeout: None,
        };
        let writes: [(Key, &[u8]); 9] = [
            (Key::Modprobe, b"/bin/evil"),
            (Key::Bset, b"empty"),
            (Key::Inheritable, b"empty"),
            (Key::Allow, b"x"),
            (Key::Deny, b"x"),
            (Key::Era, b"current"),
            (Key::MaxConcurrent, b"1"),
            (Key::Gate, b"disabled"),
            (Key::Live, b"1"),
        ];
        let mut all = vec![
            Command::RequestModule { name: b"dummy".to_vec(), wait: true },
            Command::Call(call),
            Command::Probe { bset: None, inheritable: None },
            Command::SetDepth(Depth::Disabled),
            Command::Reset(MaskKnob::Bset),
            Command::Reset(MaskKnob::Inheritable),
            Command::ResetLoopMessages,
            Command::Abandon(1),
            Command::Kill { id: 1, signal: 9 },
            Command::Write(Vec::new()),
            Command::Status,
            Command::Record(1),
            Command::Chain(1),
            Command::CheckPath(b"/bin/true"[..].into()),
            Command::Live { after: 0, most: 1 },
            Command::Activity(Box::new(PageRequest {
                query: Query::default(),
                still: false,
                anchor: Anchor::First,
                around: 1,
            })),
            Command::Matching { query: Box::default(), newest: None },
            Command::Records(vec![1]),
            Command::Shutdown { patience: Duration::ZERO },
        ];
        all.extend(Key::ALL.map(Command::Get));
        all.extend(writes.map(|(key, value)| Command::Write(vec![(key, value.to_vec())])));
        all.into_iter().map(|command| (name(&command), command)).collect()
    }

    #[test]
    fn auth_1_every_command_is_listed_for_every_origin() {
        for (name, command) in commands() {
            let may = |origin| authorise(origin, &command).is_ok();
            let reset = name.starts_with("reset");
            assert!(may(Origin::Library) && may(Origin::Console), "{command:?}");
            assert_eq!(may(Origin::CommandLine), !reset, "AUTH-3: {command:?}");
            assert_eq!(may(Origin::Outside), name == "get", "{command:?}");
        }
    }

    #[test]
    fn auth_1_outside_only_reads_whatever_its_credentials() {
        let host = FakeHost::new();
        for path in ["/sbin/modprobe", "/bin/true", "/bin/evil", "/bin/probe"] {
            host.script(path, Script::default());
        }
        let engine = Engine::builder().host(host.clone()).probe("/bin/probe".into(), "probe").start().unwrap();
        let before = engine.snapshot();
        for (uid, effective) in [(1000, CapMask::EMPTY), (0, CapMask::EMPTY), (0, !CapMask::EMPTY)] {
            let sender = Requester { pid: 77, uid, comm: Comm::new(b"sender") };
            for (name, command) in commands() {
                let shown = format!("uid {uid}, {effective:?}: {command:?}");
                let said =
                    dispatch_as(&engine, Origin::Outside, Some(sender.clone()), effective, command, &Cancel::new());
                match said {
                    Ok(Reply::Value(_)) => assert_eq!(name, "get", "{shown}"),
                    Err(error @ ControlError::Denied(_)) => assert_eq!(error.errno(), Errno::EPERM, "{shown}"),
                    other => panic!("{shown}: {other:?}"),
                }
            }
        }
        let now = engine.snapshot();
        assert_eq!((&now.knobs, now.gate, now.seq, now.totals.requests), (&before.knobs, before.gate, before.seq, 0));
        assert_eq!(host.counts().launched, 0);
    }
}
