//! What a process outside may do over a socket (AUTH-2 to AUTH-4). What is not allowed here is denied.

use nix::errno::Errno;

use crate::abi::cap::{CapMask, Capability};
use crate::abi::peer::{Credentials, Facts, Party, Peer, Unproven};

use super::mask_capabilities;

/// What a command requires of a process outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    /// Reads. A reader may too, without argv, environment and output (AUTH-4).
    Read,
    /// Reads something that readers may not see, or requests a module: user 0 or the engine's own user.
    User,
    /// Changes something: also in the engine's user namespace.
    Change,
    /// Decides what helpers run: also every capability that a helper can get.
    Run,
    /// Writes a mask: also the capabilities of SYS-3.
    Mask,
    /// Decides what helpers run and writes a mask.
    RunAndMask,
    /// Never over a socket (AUTH-3).
    Never,
}

impl Requirement {
    /// Whether it depends on [`Facts`], which must then be read before [`judge`].
    pub fn needs_facts(self) -> bool {
        self >= Self::Change && self != Self::Never
    }

    /// What two parts of one command require together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.min(other), self.max(other)) {
            (Self::Run, Self::Mask) => Self::RunAndMask,
            (_, larger) => larger,
        }
    }
}

/// The engine's side of the decision.
#[derive(Clone, Copy, Debug)]
pub struct Ground {
    /// The engine's user id.
    pub uid: u32,
    /// Every capability that a helper can get: those of the live bounding mask that the engine's process has.
    pub reach: CapMask,
    /// The group of readers.
    pub readers: Option<u32>,
}

/// How much of an answer the process may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Access {
    /// All of it.
    Full,
    /// Everything but argv, environment and output (AUTH-4).
    Withheld,
}

/// Decides whether both processes behind a message may do what `requirement` says.
///
/// # Errors
/// Why not, naming what is missing: `EPERM`, or `EAGAIN` if a new connection may succeed.
pub fn judge(requirement: Requirement, peer: &Peer, ground: &Ground) -> Result<Access, Unproven> {
    if requirement == Requirement::Never {
        let why = "this is never done over a socket: only the engine's own console or its library's caller may do it";
        return Err(Unproven::denied(why));
    }
    if peer.sender.credentials.pid <= 0 {
        let why = "the kernel does not name the sender: it is outside the engine's pid namespace, or it sent before the \
                   daemon had taken over the socket (PassCredentials=yes in the socket unit avoids that)";
        return Err(Unproven::denied(why));
    }
    let (connected, sender) = (&peer.connected, &peer.sender);
    let users = owner(connected, ground).and_then(|()| owner(sender, ground));
    if requirement == Requirement::Read && users.is_err() {
        return reader(peer, ground).map(|()| Access::Withheld);
    }
    users?;
    if requirement.needs_facts() {
        capable(requirement, sender, ground)?;
        capable(requirement, connected, ground)?;
    }
    Ok(Access::Full)
}

/// User 0 or the engine's own user.
fn owner(party: &Party, ground: &Ground) -> Result<(), Unproven> {
    let Credentials { pid, uid, .. } = party.credentials;
    if uid == 0 || uid == ground.uid {
        return Ok(());
    }
    let own = if ground.uid == 0 { String::new() } else { format!(" or uid {}", ground.uid) };
    Err(Unproven::denied(format!("this needs uid 0{own}; process {pid} has uid {uid}")))
}

/// Each of the two must be an owner or a reader. Whether the one that connected is in the group is known; another sender
/// must have the group as its own or be of the same user.
fn reader(peer: &Peer, ground: &Ground) -> Result<(), Unproven> {
    let (connected, sender) = (&peer.connected.credentials, &peer.sender.credentials);
    let connected_reads = peer.connected_reads && ground.readers.is_some();
    let sender_reads = ground.readers == Some(sender.gid) || connected_reads && sender.uid == connected.uid;
    let or_owner = |reads, party| if reads { Ok(()) } else { owner(party, ground) };
    or_owner(connected_reads, &peer.connected)?;
    or_owner(sender_reads, &peer.sender)
}

/// The requirements beyond the user.
fn capable(requirement: Requirement, party: &Party, ground: &Ground) -> Result<(), Unproven> {
    let facts = known(party)?;
    let pid = party.credentials.pid;
    if !facts.same_user_namespace {
        let why = format!("process {pid} is in another user namespace, where its capabilities mean nothing here");
        return Err(Unproven::denied(why));
    }
    if matches!(requirement, Requirement::Run | Requirement::RunAndMask) {
        let missing = ground.reach.minus(facts.effective);
        if !missing.is_empty() {
            let names: Vec<String> = missing.iter().map(Capability::name).collect();
            let why = format!(
                "this decides what helpers do, so it needs every capability that a helper can get; process {pid} lacks {}",
                names.join(", ")
            );
            return Err(Unproven::denied(why));
        }
    }
    if matches!(requirement, Requirement::Mask | Requirement::RunAndMask) {
        mask_capabilities(facts.effective).map_err(Unproven::denied)?;
    }
    Ok(())
}

/// The facts, if they are about the user that the kernel named: a process that has executed a set-uid program since it
/// sent its message has that program's capabilities. One that has executed a program with file capabilities keeps its
/// user; its files in /proc then belong to user 0.
fn known(party: &Party) -> Result<&Facts, Unproven> {
    let Credentials { pid, uid, .. } = party.credentials;
    match &party.facts {
        Some(Ok(facts)) if (facts.uid, facts.euid) == (uid, uid) && facts.owner != uid => {
            Err(Unproven::denied(format!(
                "process {pid} runs a program that uid {uid} may not look into, as one with file capabilities, so its \
                 capabilities may not be this user's"
            )))
        }
        Some(Ok(facts)) if (facts.uid, facts.euid) == (uid, uid) => Ok(facts),
        Some(Ok(facts)) => Err(Unproven::denied(format!(
            "process {pid} spoke as uid {uid} and now has real uid {} and effective uid {}",
            facts.uid, facts.euid
        ))),
        Some(Err(unproven)) => Err(unproven.clone()),
        None => Err(Unproven { errno: Errno::EPERM, why: format!("the capabilities of process {pid} are unknown") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::actor::Comm;
    use Requirement::{Change, Mask, Never, Read, Run, RunAndMask, User};

    const ALL: [Requirement; 7] = [Read, User, Change, Run, Mask, RunAndMask, Never];
    const READERS: u32 = 300;

    fn facts(uid: u32, effective: CapMask) -> Facts {
        Facts {
            owner: uid,
            uid,
            euid: uid,
            effective,
            same_user_namespace: true,
            start_time: 5,
            loginuid: None,
            comm: Comm::default(),
            place: None,
        }
    }

    fn party(uid: u32, effective: CapMask) -> Party {
        Party { credentials: Credentials { pid: 40, uid, gid: 7 }, facts: Some(Ok(facts(uid, effective))) }
    }

    fn alone(uid: u32, effective: CapMask) -> Peer {
        let party = party(uid, effective);
        Peer { connected: party.clone(), sender: party, connected_reads: false }
    }

    fn with(peer: &Peer, change: impl Fn(&mut Facts)) -> Peer {
        let mut peer = peer.clone();
        for party in [&mut peer.connected, &mut peer.sender] {
            if let Some(Ok(facts)) = &mut party.facts {
                change(facts);
            }
        }
        peer
    }

    fn ground(uid: u32) -> Ground {
        Ground { uid, reach: CapMask::up_to(40), readers: Some(READERS) }
    }

    /// What a peer may do: one of each requirement.
    fn may(peer: &Peer, ground: &Ground) -> Vec<Requirement> {
        ALL.into_iter().filter(|r| judge(*r, peer, ground).is_ok()).collect()
    }

    #[test]
    fn auth_2_each_kind_of_process_may_do_what_the_rule_says() {
        let full = CapMask::up_to(40);
        let both = CapMask::only(Capability::SETPCAP) | CapMask::only(Capability::SYS_MODULE);
        let root = alone(0, full);
        assert_eq!(may(&root, &ground(0)), [Read, User, Change, Run, Mask, RunAndMask]);
        assert_eq!(may(&alone(0, both), &ground(0)), [Read, User, Change, Mask]);
        assert_eq!(may(&alone(0, full.minus(both)), &ground(0)), [Read, User, Change]);
        assert_eq!(may(&alone(0, CapMask::EMPTY), &ground(0)), [Read, User, Change]);
        assert_eq!(may(&alone(1000, full), &ground(0)), [], "capabilities alone prove nothing");
        assert_eq!(may(&with(&root, |f| f.same_user_namespace = false), &ground(0)), [Read, User]);
        // The engine of an ordinary user, whose helpers get no capability.
        let own = Ground { reach: CapMask::EMPTY, ..ground(1000) };
        assert_eq!(may(&alone(1000, CapMask::EMPTY), &own), [Read, User, Change, Run]);
        assert_eq!(may(&alone(0, full), &own), [Read, User, Change, Run, Mask, RunAndMask]);
        assert_eq!(may(&alone(1001, full), &own), []);
        // A capability that no helper can get is not needed.
        let narrow = Ground { reach: both, ..ground(0) };
        assert_eq!(may(&alone(0, both), &narrow), [Read, User, Change, Run, Mask, RunAndMask]);
    }

    #[test]
    fn auth_2_both_the_one_that_connected_and_the_one_that_sent_must_be_allowed() {
        let full = CapMask::up_to(40);
        let mixed = |connected: Party, sender: Party| Peer { connected, sender, connected_reads: false };
        let (root, user, weak) = (party(0, full), party(1000, full), party(0, CapMask::EMPTY));
        assert_eq!(may(&mixed(root.clone(), user.clone()), &ground(0)), [], "handed to an ordinary user");
        assert_eq!(may(&mixed(user, root.clone()), &ground(0)), [], "an ordinary user's socket in root's hands");
        assert_eq!(may(&mixed(root.clone(), weak.clone()), &ground(0)), [Read, User, Change]);
        assert_eq!(may(&mixed(weak, root), &ground(0)), [Read, User, Change]);
    }

    #[test]
    fn auth_2_what_is_unknown_is_denied() {
        let root = alone(0, CapMask::up_to(40));
        let mut unread = root.clone();
        unread.sender.facts = None;
        assert_eq!(may(&unread, &ground(0)), [Read, User]);
        let mut dead = root.clone();
        dead.connected.facts = Some(Err(Unproven { errno: Errno::EAGAIN, why: "too young".into() }));
        assert_eq!(may(&dead, &ground(0)), [Read, User]);
        assert_eq!(judge(Change, &dead, &ground(0)).unwrap_err().errno, Errno::EAGAIN);
        let mut invisible = root.clone();
        invisible.sender.credentials.pid = 0;
        assert_eq!(may(&invisible, &ground(0)), []);
        // A set-uid program was executed after the message was sent.
        assert_eq!(may(&with(&alone(1000, CapMask::up_to(40)), |f| f.euid = 0), &ground(1000)), [Read, User]);
        assert_eq!(may(&with(&root, |f| f.uid = 1000), &ground(0)), [Read, User]);
        // A program with file capabilities was executed: the user is the same, and /proc shows its capabilities.
        let gained = with(&alone(1000, CapMask::up_to(40)), |f| f.owner = 0);
        assert_eq!(may(&gained, &ground(1000)), [Read, User]);
        assert!(judge(Run, &gained, &ground(1000)).unwrap_err().why.contains("file capabilities"));
    }

    #[test]
    fn auth_4_readers_only_read_and_something_is_withheld_from_them() {
        let reader = Peer { connected_reads: true, ..alone(1000, CapMask::EMPTY) };
        assert_eq!(may(&reader, &ground(0)), [Read]);
        assert_eq!(judge(Read, &reader, &ground(0)), Ok(Access::Withheld));
        assert_eq!(judge(Read, &alone(0, CapMask::EMPTY), &ground(0)), Ok(Access::Full));
        let closed = Ground { readers: None, ..ground(0) };
        assert_eq!(may(&reader, &closed), [], "no group of readers is configured");
        let mut handed_on = reader.clone();
        handed_on.sender.credentials = Credentials { pid: 41, uid: 1001, gid: 7 };
        assert_eq!(may(&handed_on, &ground(0)), []);
        handed_on.sender.credentials.gid = READERS;
        assert_eq!(may(&handed_on, &ground(0)), [Read]);
        // Root in the group of readers is root.
        let both = Peer { connected_reads: true, ..alone(0, CapMask::EMPTY) };
        assert_eq!(judge(Read, &both, &ground(0)), Ok(Access::Full));
    }

    #[test]
    fn auth_2_a_refusal_names_what_is_missing() {
        let why = |requirement, peer: &Peer| judge(requirement, peer, &ground(0)).unwrap_err().why;
        let root = alone(0, CapMask::up_to(40).minus(CapMask::only(Capability::SYS_MODULE)));
        assert!(why(Mask, &root).ends_with("the writer lacks cap_sys_module"), "{}", why(Mask, &root));
        assert!(why(Run, &root).ends_with("process 40 lacks cap_sys_module"), "{}", why(Run, &root));
        assert_eq!(why(Read, &alone(9, CapMask::EMPTY)), "this needs uid 0; process 40 has uid 9");
        let own = judge(Read, &alone(9, CapMask::EMPTY), &ground(77)).unwrap_err().why;
        assert_eq!(own, "this needs uid 0 or uid 77; process 40 has uid 9");
    }

    #[test]
    fn sys_9_parts_of_one_command_are_required_together() {
        assert_eq!(Run.and(Mask), RunAndMask);
        assert_eq!(Mask.and(Run).and(Change), RunAndMask);
        assert_eq!(Change.and(Mask), Mask);
        assert_eq!(RunAndMask.and(Never), Never);
        for r in ALL {
            assert_eq!((r.and(r), r.and(Never)), (r, Never));
        }
    }
}
