//! The commands of the target.

use std::sync::Arc;

use crate::abi::actor::Origin;
use crate::abi::error::ControlError;
use crate::control::activity::reader::Reader;
use crate::control::authorize::Authorization;
use crate::control::command::{Command, Reply};
use crate::control::completion::Completion;
use crate::control::dispatch::visible;
use crate::control::kernel_knobs::NO_PROFILE;
use crate::sys::channel::Receiver;

use super::act;
use super::request::request;
use super::store::Store;
use super::store::read::Kept;

/// How the names of knobs begin that only an engine has.
const OF_ENGINE: &str = "khelper.";

/// A command for the thread of commands.
pub(super) struct Job {
    pub(super) authorization: Authorization,
    pub(super) done: Completion,
}

/// Whether a command is answered at once: it only reads memory, or is refused.
pub(super) const fn is_quick(command: &Command) -> bool {
    matches!(command, Command::Status | Command::Record(_) | Command::Live { .. } | Command::Chain(_))
        || matches!(command, Command::Shutdown { .. })
}

/// Performs commands in their order, until the target is dropped.
pub(super) fn work(store: &Arc<Store>, jobs: &Receiver<Job>) {
    let mut reader = Reader::new(Kept(store.clone()));
    while let Ok(Job { authorization, done }) = jobs.recv() {
        done.finish(perform(store, Some(&mut reader), authorization));
    }
}

/// Performs an authorized command. Only pages of records need the reader.
pub(super) fn perform(
    store: &Arc<Store>,
    reader: Option<&mut Reader>,
    authorization: Authorization,
) -> Result<Reply, ControlError> {
    let access = authorization.access();
    let (actor, command, _) = authorization.into_parts();
    if actor.origin == Origin::Outside && is_own(&command) {
        let why =
            "a daemon does not act on this machine's kernel for other processes: run khelper as root, with `-t kernel`";
        return Err(ControlError::Denied(why.to_owned()));
    }
    let reply = match command {
        Command::Status => Ok(Reply::Status(Box::new(store.snapshot()))),
        Command::Record(id) => Ok(Reply::Record(store.records(&[id]).pop())),
        Command::Records(ids) => Ok(Reply::Records(store.records(&ids))),
        Command::Live { after, most } => Ok(Reply::Live(store.live(after, most))),
        Command::Chain(_) => Ok(Reply::Chain(Vec::new())),
        Command::Kill { id, signal } => act::kill(store, id, signal, &actor).map(|()| Reply::Done),
        Command::Shutdown { .. } => Ok(Reply::Left(Vec::new())),
        Command::Activity(page) => match reader {
            Some(reader) => Ok(Reply::Activity(Box::new(reader.answer(&page)))),
            None => Ok(Reply::Activity(Box::new(Reader::new(Kept(store.clone())).answer(&page)))),
        },
        Command::Matching { query, newest } => {
            Ok(Reply::Matching(Reader::new(Kept(store.clone())).ids(&query, newest)))
        }
        Command::RequestModule { name, wait, profile: None } => {
            request(store, store.knobs(), (&name, wait), &actor).map(Reply::Answered)
        }
        Command::Write(writes) | Command::Persist(writes)
            if writes.iter().any(|(key, _)| key.name().starts_with(OF_ENGINE)) =>
        {
            let why = "the kernel has no knobs of an engine: its gate is shut by suspend and shutdown alone, its limit is fixed";
            Err(ControlError::Unsupported(why.to_owned()))
        }
        other => match store.knobs().recorded(&other, &actor, &mut |kind| store.changed(kind)) {
            Some(reply) => reply,
            None => Err(ControlError::Unsupported(why_not(&other).to_owned())),
        },
    };
    reply.map(|reply| visible(reply, access))
}

/// Whether only the process that owns the watch may give this command: it reaches the kernel with that process's rights.
const fn is_own(command: &Command) -> bool {
    matches!(
        command,
        Command::RequestModule { .. }
            | Command::Rehearse(_)
            | Command::WriteKernel(_)
            | Command::Unpersist(_)
            | Command::CheckPath(_)
    )
}

/// Why the kernel's target does not do this.
fn why_not(command: &Command) -> &'static str {
    match command {
        Command::Abandon(_) => {
            "the kernel waits for its helpers itself: no other process can end that wait, only end the helper with kill"
        }
        Command::KillChain { .. } => {
            "the kernel does not tell which helper's process asked for which helper, so no chain is known"
        }
        Command::Call(_) | Command::Probe { .. } => "the kernel starts no program for another process's call",
        Command::SetDepth(_) => "the kernel's gate is shut by suspend and shutdown alone, and is no knob",
        Command::RequestModule { .. } => NO_PROFILE,
        Command::Rules => {
            "the kernel has no rules of its own: a daemon's rules reach its helpers through the shim (`khelper shim install`)"
        }
        Command::ResetLoopMessages => "the kernel's count of runaway messages cannot be read or reset",
        _ => "the kernel as a target does not do this",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::command::{KernelWrite, Rehearse};

    #[test]
    fn auth_1_another_process_never_reaches_the_kernel_with_the_rights_of_this_one() {
        let write = KernelWrite { writes: Vec::new(), until_reboot: true, force: true, persist: true };
        for command in [
            Command::RequestModule { name: b"x".to_vec(), wait: true, profile: None },
            Command::Rehearse(Rehearse { path: None, args: Vec::new(), bset: None, inheritable: None }),
            Command::WriteKernel(write),
            Command::Unpersist(Vec::new()),
            Command::CheckPath(b"/x"[..].into()),
        ] {
            assert!(is_own(&command), "{command:?}");
        }
        for command in [Command::Status, Command::Diff, Command::Kill { id: 1, signal: 9 }] {
            assert!(!is_own(&command), "{command:?}");
        }
    }
}
