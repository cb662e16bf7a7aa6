//! Decides which actor may give which command (AUTH-1, AUTH-3). An [`Authorization`] holds the command together with
//! the actor that it was granted to; nothing else can be dispatched.

use std::sync::Arc;

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::ControlError;
use crate::policy::authorize::may_reset;

use super::command::Command;

/// A command that its actor may give. Only [`authorize`] creates one and [`dispatch`](super::dispatch) consumes it, so
/// the command that is performed is the one that was authorized.
#[derive(Debug)]
#[must_use = "an authorized command does nothing until it is dispatched"]
pub struct Authorization {
    actor: Arc<Actor>,
    command: Command,
}

impl Authorization {
    /// The actor that gives the command.
    pub fn actor(&self) -> &Arc<Actor> {
        &self.actor
    }

    /// The command.
    pub fn command(&self) -> &Command {
        &self.command
    }

    pub(super) fn into_parts(self) -> (Arc<Actor>, Command) {
        (self.actor, self.command)
    }
}

/// Authorizes a command, or denies it with `EPERM`.
///
/// An actor from outside may only read, whatever its credentials: no interface verifies credentials yet (AUTH-2).
pub fn authorize(actor: impl Into<Arc<Actor>>, command: Command) -> Result<Authorization, ControlError> {
    let actor = actor.into();
    may(&actor, &command)?;
    Ok(Authorization { actor, command })
}

/// Lists every command by name, so that a new one does not compile until it is added here (AUTH-1).
fn may(actor: &Actor, command: &Command) -> Result<(), ControlError> {
    match command {
        Command::Get(_) | Command::Knobs(_) => Ok(()),
        Command::RequestModule { .. }
        | Command::Call(_)
        | Command::Probe { .. }
        | Command::Write(_)
        | Command::Configure(_)
        | Command::Persist(_)
        | Command::Unpersist(_)
        | Command::Diff
        | Command::SetDepth(_)
        | Command::Abandon(_)
        | Command::Kill { .. }
        | Command::KillChain { .. }
        // These read argv, environment and output too, and nothing filters those yet (AUTH-4).
        | Command::Status
        | Command::Record(_)
        | Command::Chain(_)
        | Command::CheckPath(_)
        | Command::Live { .. }
        | Command::Activity(_)
        | Command::Matching { .. }
        | Command::Records(_)
        | Command::Shutdown { .. } => owner(actor),
        Command::Reset(_) | Command::ResetLoopMessages => may_reset(actor).map_err(ControlError::Denied),
    }
}

/// Allows the process that owns the engine: its console, its command line, and the program that uses the library.
fn owner(actor: &Actor) -> Result<(), ControlError> {
    match actor.origin {
        Origin::Library | Origin::CommandLine | Origin::Console => Ok(()),
        Origin::Outside => {
            let why = "only the process that owns the engine may do this; other processes can only read knobs";
            Err(ControlError::Denied(why.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::{CapMask, Capability};
    use crate::abi::depth::Depth;
    use crate::abi::error::Explain;
    use crate::abi::knob::{Key, MaskKnob};
    use crate::abi::knob_value::KnobValue;
    use crate::abi::wait::WaitMode;
    use crate::control::activity::page::{Anchor, PageRequest};
    use crate::control::activity::query::Query;
    use crate::control::command::{Call, Reply};
    use crate::control::dispatch::dispatch_as;
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
            Command::Knobs(_) => "get",
            Command::Configure(_) => "configure",
            Command::Persist(_) => "persist",
            Command::Unpersist(_) => "unpersist",
            Command::Diff => "diff",
            Command::Write(_) => "write",
            Command::SetDepth(_) => "depth",
            Command::Reset(_) => "reset",
            Command::ResetLoopMessages => "reset loop-messages",
            Command::Abandon(_) => "abandon",
            Command::Kill { .. } => "kill",
            Command::KillChain { .. } => "kill chain",
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
        let writes: [(Key, &[u8]); 8] = [
            (Key::Modprobe, b"/bin/evil"),
            (Key::Bset, b"empty"),
            (Key::Inheritable, b"empty"),
            (Key::Allow, b"x"),
            (Key::Deny, b"x"),
            (Key::Era, b"current"),
            (Key::MaxConcurrent, b"1"),
            (Key::Gate, b"disabled"),
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
            Command::KillChain { id: 1, signal: 9 },
            Command::Write(Vec::new()),
            Command::Knobs(Key::ALL.to_vec()),
            Command::Configure(Vec::new()),
            Command::Persist(vec![(Key::Deny, Key::Deny.parse_value(b"x", CapMask::EMPTY).unwrap())]),
            Command::Unpersist(vec![Key::Deny]),
            Command::Diff,
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
        all.extend(writes.map(|(key, text)| {
            let value = key.parse_value(text, CapMask::up_to(40)).unwrap();
            Command::Write(vec![(key, value)])
        }));
        all.push(Command::Write(vec![(Key::Live, KnobValue::Number(1))]));
        all.into_iter().map(|command| (name(&command), command)).collect()
    }

    /// Every kind of actor: three that own the engine, and processes outside with every kind of credentials.
    fn actors() -> Vec<Actor> {
        let both = CapMask::only(Capability::SETPCAP) | CapMask::only(Capability::SYS_MODULE);
        let mut all = Vec::new();
        for origin in [Origin::Library, Origin::CommandLine, Origin::Console, Origin::Outside] {
            for uid in [0, 77, 1000, 65534] {
                for effective in [CapMask::EMPTY, CapMask::only(Capability::SYS_MODULE), both, !CapMask::EMPTY] {
                    all.push(Actor { effective, ..Actor::new(origin, 50, uid, 60, b"sender") });
                }
            }
        }
        all
    }

    #[test]
    fn auth_1_every_command_for_every_kind_of_actor() {
        for (name, command) in commands() {
            for actor in actors() {
                let may = match actor.origin {
                    Origin::Library | Origin::Console => true,
                    Origin::CommandLine => !name.starts_with("reset"),
                    Origin::Outside => name == "get",
                };
                let shown = format!("{actor:?}: {command:?}");
                match authorize(actor.clone(), command.clone()) {
                    Ok(authorization) => {
                        assert!(may, "{shown}");
                        // What is authorized is this command for this actor, and no other.
                        assert_eq!(**authorization.actor(), actor, "{shown}");
                        assert_eq!(format!("{:?}", authorization.command()), format!("{command:?}"));
                    }
                    Err(error) => {
                        assert!(!may, "{shown}");
                        assert!(matches!(error, ControlError::Denied(_)) && error.errno() == Errno::EPERM, "{shown}");
                    }
                }
            }
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
        for sender in actors().into_iter().filter(|actor| actor.origin == Origin::Outside) {
            for (name, command) in commands() {
                let shown = format!("{sender:?}: {command:?}");
                match dispatch_as(&engine, sender.clone(), command, &Cancel::new()) {
                    Ok(Reply::Value(_) | Reply::Knobs(_)) => assert_eq!(name, "get", "{shown}"),
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
