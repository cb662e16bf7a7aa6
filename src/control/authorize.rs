//! Decides which actor may give which command (AUTH-1 to AUTH-4). An [`Authorization`] holds the command together with
//! the actor that it was granted to; nothing else can be dispatched.

use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::ControlError;
use crate::abi::knob::Key;
use crate::abi::peer::{Peer, Unproven};
use crate::engine::Began;
use crate::policy::authorize::may_reset;
use crate::policy::authorize::outside::judge;

use super::command::Command;

pub use crate::policy::authorize::outside::{Access, Ground, Requirement};

/// A command that its actor may give. Only [`authorize`] and [`authorize_outside`] create one and
/// [`dispatch`](super::dispatch) consumes it, so the command that is performed is the one that was authorized.
#[must_use = "an authorized command does nothing until it is dispatched"]
pub struct Authorization {
    actor: Arc<Actor>,
    command: Command,
    access: Access,
    began: Option<Began>,
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { actor, command, access, began: _ } = self;
        f.debug_struct("Authorization")
            .field("actor", actor)
            .field("command", command)
            .field("access", access)
            .finish_non_exhaustive()
    }
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

    /// How much of the answer the actor may see.
    pub const fn access(&self) -> Access {
        self.access
    }

    /// Calls `began` with the number of the request that the command makes, before any event of it.
    pub fn with_began(self, began: Began) -> Self {
        Self { began: Some(began), ..self }
    }

    pub(super) fn into_parts(self) -> (Arc<Actor>, Command, Option<Began>) {
        (self.actor, self.command, self.began)
    }
}

/// Authorizes a command of this process, or denies it with `EPERM`.
///
/// An actor from outside may only read knobs here, whatever its credentials: nothing proves them. A command from a
/// socket is authorized by [`authorize_outside`].
pub fn authorize(actor: impl Into<Arc<Actor>>, command: Command) -> Result<Authorization, ControlError> {
    let actor = actor.into();
    may(&actor, &command)?;
    Ok(Authorization { actor, command, access: Access::Full, began: None })
}

/// Authorizes a command that came over a socket. If [`requirement`] needs facts, `peer` must have them, else the
/// command is denied.
///
/// # Errors
/// [`ControlError::Denied`], naming what is missing; [`ControlError::Busy`] if a new connection may succeed.
pub fn authorize_outside(peer: &Peer, ground: &Ground, command: Command) -> Result<Authorization, ControlError> {
    let access = judge(requirement(&command), peer, ground).map_err(refused)?;
    Ok(Authorization { actor: Arc::new(peer.actor()), command, access, began: None })
}

/// Decides whether a process outside may watch events, and how much it sees of them.
///
/// # Errors
/// As for [`authorize_outside`].
pub fn authorize_watch(peer: &Peer, ground: &Ground) -> Result<Access, ControlError> {
    judge(Requirement::Read, peer, ground).map_err(refused)
}

fn refused(unproven: Unproven) -> ControlError {
    match unproven.errno {
        Errno::EAGAIN => ControlError::Busy(unproven.why),
        _ => ControlError::Denied(unproven.why),
    }
}

/// What a command requires of a process outside. It lists every command by name, so that a new one does not compile
/// until it is added here (AUTH-1).
pub fn requirement(command: &Command) -> Requirement {
    match command {
        Command::Get(_)
        | Command::Knobs(_)
        | Command::Diff
        | Command::Status
        | Command::Record(_)
        | Command::Live { .. }
        | Command::Records(_)
        | Command::Rules
        | Command::Why(_) => Requirement::Read,
        // Words are searched for in argv, which readers may not see.
        Command::Log(question) if question.query.as_ref().is_none_or(|query| query.words.is_empty()) => {
            Requirement::Read
        }
        Command::Activity(page) if page.query.words.is_empty() => Requirement::Read,
        Command::Matching { query, .. } if query.words.is_empty() => Requirement::Read,
        Command::Activity(_) | Command::Matching { .. } | Command::Log(_) => Requirement::User,
        Command::Chain(_) | Command::CheckPath(_) | Command::RequestModule { profile: None, .. } => Requirement::User,
        // A profile can take the files of modprobe.d from modprobe: what is blacklisted there would be loaded.
        Command::RequestModule { profile: Some(_), .. } => Requirement::Run,
        Command::Abandon(_) | Command::Kill { .. } | Command::KillChain { .. } => Requirement::Change,
        Command::Write(writes) | Command::Persist(writes) => of_knobs(writes.iter().map(|(key, _)| *key)),
        Command::Unpersist(keys) => of_knobs(keys.iter().copied()),
        Command::Call(_) | Command::Probe { .. } | Command::Rehearse(_) | Command::SetDepth(_) => Requirement::Run,
        // `Configure` comes from the engine's own configuration files.
        // No engine performs `WriteKernel`.
        Command::Configure(_)
        | Command::WriteKernel(_)
        | Command::Reset(_)
        | Command::ResetLoopMessages
        | Command::Shutdown { .. } => Requirement::Never,
    }
}

/// What a change of these knobs requires.
fn of_knobs(keys: impl Iterator<Item = Key>) -> Requirement {
    keys.fold(Requirement::Change, |all, key| all.and(of_knob(key)))
}

fn of_knob(key: Key) -> Requirement {
    match key {
        Key::Bset | Key::Inheritable => Requirement::Mask,
        Key::Modprobe | Key::Allow | Key::Deny | Key::Era | Key::Gate | Key::RulesMode => Requirement::Run,
        // No engine has it.
        Key::ModulesDisabled => Requirement::Never,
        // The rest cannot be written.
        Key::MaxConcurrent
        | Key::Concurrent
        | Key::Live
        | Key::LoopMessages
        | Key::Queued
        | Key::Refused
        | Key::RunningHelpers => Requirement::Change,
    }
}

/// Lists every command by name, so that a new one does not compile until it is added here (AUTH-1).
fn may(actor: &Actor, command: &Command) -> Result<(), ControlError> {
    match command {
        Command::Get(_) | Command::Knobs(_) => Ok(()),
        Command::RequestModule { .. }
        | Command::Call(_)
        | Command::Probe { .. }
        | Command::Rehearse(_)
        | Command::Write(_)
        | Command::WriteKernel(_)
        | Command::Configure(_)
        | Command::Persist(_)
        | Command::Unpersist(_)
        | Command::Diff
        | Command::SetDepth(_)
        | Command::Abandon(_)
        | Command::Kill { .. }
        | Command::KillChain { .. }
        | Command::Status
        | Command::Record(_)
        | Command::Chain(_)
        | Command::CheckPath(_)
        | Command::Live { .. }
        | Command::Activity(_)
        | Command::Matching { .. }
        | Command::Records(_)
        | Command::Log(_)
        | Command::Why(_)
        | Command::Rules
        | Command::Shutdown { .. } => owner(actor),
        Command::Reset(_) | Command::ResetLoopMessages => may_reset(actor).map_err(ControlError::Denied),
    }
}

/// Allows the process that owns the engine: its console, its command line, and the program that uses the library.
fn owner(actor: &Actor) -> Result<(), ControlError> {
    match actor.origin {
        Origin::Library | Origin::CommandLine | Origin::Console => Ok(()),
        Origin::Outside => {
            let why = "only the process that owns the engine may do this; another one needs the engine's socket";
            Err(ControlError::Denied(why.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::actor::Comm;
    use crate::abi::cap::{CapMask, Capability};
    use crate::abi::depth::Depth;
    use crate::abi::error::Explain;
    use crate::abi::knob::MaskKnob;
    use crate::abi::knob_value::KnobValue;
    use crate::abi::peer::{Credentials, Facts, Party};
    use crate::abi::wait::WaitMode;
    use crate::control::activity::page::{Anchor, PageRequest};
    use crate::control::activity::query::Query;
    use crate::control::command::{Call, KernelWrite, Rehearse, Reply};
    use crate::control::dispatch::dispatch_as;
    use crate::control::ledger_view::{LogRequest, Which, WhyRequest};
    use crate::engine::{Cancel, Engine};
    use crate::sys::fake::{FakeHost, Script};
    use std::time::Duration;

    /// One command of each kind, and its name: a new kind does not compile until it is placed here.
    fn commands() -> Vec<(&'static str, Command)> {
        let name = |command: &Command| match command {
            Command::RequestModule { profile: None, .. } => "request",
            Command::RequestModule { profile: Some(_), .. } => "request with a profile",
            Command::Call(_) => "run",
            Command::Probe { .. } => "probe",
            Command::Rehearse(_) => "rehearse",
            Command::Get(_) => "get",
            Command::Knobs(_) => "get",
            Command::Configure(_) => "configure",
            Command::WriteKernel(_) => "write kernel",
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
            Command::Log(_) => "log",
            Command::Why(_) => "why",
            Command::Rules => "rules",
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
            profile: None,
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
            Command::RequestModule { name: b"dummy".to_vec(), wait: true, profile: None },
            Command::RequestModule { name: b"dummy".to_vec(), wait: true, profile: Some("keys".into()) },
            Command::Call(call),
            Command::Probe { bset: None, inheritable: None },
            Command::Rehearse(Rehearse { path: None, args: Vec::new(), bset: None, inheritable: None }),
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
            Command::WriteKernel(KernelWrite {
                writes: vec![(Key::ModulesDisabled, 1u32.into())],
                until_reboot: true,
                force: true,
                persist: false,
            }),
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
                folded: false,
                apart: Vec::new(),
                tree: false,
                anchor: Anchor::First,
                around: 1,
            })),
            Command::Matching { query: Box::default(), newest: None },
            Command::Records(vec![1]),
            Command::Log(Box::default()),
            Command::Why(WhyRequest { which: Which::Id(1), of: None }),
            Command::Rules,
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

    /// The kinds of processes outside, and what each may do to the engine of root (AUTH-2).
    fn peers() -> [(&'static str, Peer); 6] {
        let full = CapMask::up_to(40);
        let peer = |uid, effective, same_user_namespace, connected_reads| {
            let (start_time, comm) = (5, Comm::new(b"peer"));
            let (owner, euid, loginuid, place) = (uid, uid, None, None);
            let facts = Facts { owner, uid, euid, effective, same_user_namespace, start_time, loginuid, comm, place };
            let party = Party { credentials: Credentials { pid: 40, uid, gid: 60 }, facts: Some(Ok(facts)) };
            Peer { connected: party.clone(), sender: party, connected_reads }
        };
        [
            ("root", peer(0, full, true, false)),
            ("owner", peer(77, CapMask::EMPTY, true, false)),
            ("reader", peer(1000, CapMask::EMPTY, true, true)),
            ("user", peer(1000, full, true, false)),
            ("root in a user namespace", peer(0, full, false, false)),
            ("root without capabilities", peer(0, CapMask::EMPTY, true, false)),
        ]
    }

    /// What each kind may do, by the letters r: root, o: owner of an engine whose helpers get every capability,
    /// d: reader, n: root in a user namespace, w: root without capabilities. Never an ordinary user.
    fn allowed(name: &str, command: &Command) -> &'static str {
        match (name, command) {
            (
                "get" | "diff" | "status" | "record" | "live" | "activity" | "matching" | "records" | "log" | "why"
                | "rules",
                _,
            ) => "rodnw",
            ("request" | "chain" | "check path", _) => "ronw",
            ("abandon" | "kill" | "kill chain", _) => "row",
            ("request with a profile" | "run" | "probe" | "rehearse" | "depth" | "persist" | "unpersist", _) => "r",
            ("write", Command::Write(writes)) => match writes.first().map(|(key, _)| *key) {
                None | Some(Key::MaxConcurrent | Key::Live) => "row",
                Some(_) => "r",
            },
            ("configure" | "write kernel" | "reset" | "reset loop-messages" | "shutdown", _) => "",
            other => panic!("{other:?} is not in the table"),
        }
    }

    #[test]
    fn auth_2_every_command_for_every_kind_of_process_outside() {
        let ground = Ground { uid: 77, reach: CapMask::up_to(40), readers: Some(60) };
        for (name, command) in commands() {
            for (kind, peer) in peers() {
                let letter = match kind {
                    "root" => 'r',
                    "owner" => 'o',
                    "reader" => 'd',
                    "root in a user namespace" => 'n',
                    "root without capabilities" => 'w',
                    _ => 'u',
                };
                // The ordinary user is not in the group either.
                let ground = if kind == "user" { Ground { readers: Some(61), ..ground } } else { ground };
                let may = allowed(name, &command).contains(letter);
                match authorize_outside(&peer, &ground, command.clone()) {
                    Ok(authorization) => {
                        assert!(may, "{kind}: {command:?}");
                        let withheld = authorization.access() == Access::Withheld;
                        assert_eq!(withheld, kind == "reader", "{kind}: {command:?}");
                        assert_eq!(authorization.actor().origin, Origin::Outside);
                        assert_eq!((authorization.actor().pid, authorization.actor().comm), (40, Comm::new(b"peer")));
                        assert_eq!(*authorization.command(), command);
                    }
                    Err(error) => {
                        assert!(!may, "{kind}: {command:?}: {error}");
                        assert_eq!(error.errno(), Errno::EPERM);
                    }
                }
            }
        }
    }

    #[test]
    fn auth_4_a_reader_cannot_search_in_what_it_may_not_see() {
        let [_, _, (_, reader), ..] = peers();
        let ground = Ground { uid: 77, reach: CapMask::EMPTY, readers: Some(60) };
        let query = Query { words: vec!["--password=a".into()], ..Query::default() };
        let page = PageRequest {
            query: query.clone(),
            still: false,
            folded: false,
            apart: Vec::new(),
            tree: false,
            anchor: Anchor::First,
            around: 1,
        };
        let log = LogRequest { query: Some(Box::new(query.clone())), ..LogRequest::default() };
        for search in [
            Command::Activity(Box::new(page)),
            Command::Matching { query: Box::new(query), newest: None },
            Command::Log(Box::new(log)),
        ] {
            assert!(matches!(authorize_outside(&reader, &ground, search), Err(ControlError::Denied(_))));
        }
        assert!(matches!(authorize_watch(&reader, &ground), Ok(Access::Withheld)));
    }

    #[test]
    fn sys_9_a_write_of_a_mask_and_a_path_needs_what_both_need() {
        let of = |key: Key, text: &str| (key, key.parse_value(text.as_bytes(), CapMask::up_to(40)).unwrap());
        let (mask, path) = (of(Key::Bset, "empty"), of(Key::Modprobe, "/x"));
        let require = |writes: &[(Key, KnobValue)]| requirement(&Command::Write(writes.to_vec()));
        assert_eq!(require(std::slice::from_ref(&mask)), Requirement::Mask);
        assert_eq!(require(&[path.clone(), mask.clone()]), Requirement::RunAndMask);
        assert_eq!(require(&[mask, path]), Requirement::RunAndMask);
        assert_eq!(require(&[]), Requirement::Change);
    }
}
