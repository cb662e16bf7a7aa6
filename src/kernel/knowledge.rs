//! What the watch can know on this machine: each state of partial knowledge, in words. Half a watch is still a watch.

use std::borrow::Cow;

use nix::errno::Errno;

use crate::abi::error::SysError;

/// Why trace events cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTrace {
    /// Not uid 0 of the initial user namespace.
    NotPermitted,
    /// A kernel without tracefs or without these events.
    Unsupported,
    /// `instances` is missing: the kernel is locked down for confidentiality (kernel_lockdown(7)).
    LockedDown,
    /// This is not the initial pid namespace: the kernel's numbers name other processes here.
    PidNamespace,
    /// Another system call failed.
    Failed(SysError),
}

impl NoTrace {
    /// The state that a failed system call means.
    pub fn of(error: SysError) -> Self {
        match error.errno {
            Errno::EPERM | Errno::EACCES => Self::NotPermitted,
            Errno::ENODEV | Errno::ENOSYS | Errno::ENOENT => Self::Unsupported,
            _ => Self::Failed(error),
        }
    }
}

/// Why requesters are not known although trace events are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRequesters {
    /// Before Linux 6.12 the events are found by an address, which the kernel hides.
    AddressesHidden,
    /// The kernel has no such function or event.
    Unsupported,
}

/// Why ends are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoExits {
    /// `EPERM`: no CAP_NET_ADMIN in the initial user namespace, on a kernel before 6.6.
    NotPermitted,
    /// `ECONNREFUSED`: not the initial network namespace.
    NetworkNamespace,
    /// The kernel accepted the subscription and sent nothing: not the initial pid or user namespace.
    Silent,
    /// A kernel without the proc connector.
    Unsupported,
    /// Another system call failed.
    Failed(SysError),
}

impl NoExits {
    /// The state that a failed system call means.
    pub fn of(error: SysError) -> Self {
        match error.errno {
            Errno::EPERM | Errno::EACCES => Self::NotPermitted,
            Errno::ECONNREFUSED => Self::NetworkNamespace,
            Errno::EPROTONOSUPPORT | Errno::EAFNOSUPPORT => Self::Unsupported,
            _ => Self::Failed(error),
        }
    }
}

/// How trace events are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// tracefs was not mounted, so this process made a mount of its own, which no other process sees.
    pub is_detached: bool,
    /// The kernel tells the executed file (Linux 6.12), else only the new command name.
    pub files: bool,
    /// The kernel supports modules, and tells the names that are asked for.
    pub modules: bool,
}

/// What is known on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knowledge {
    /// Trace events: that a helper was started, when, and whether its program was executed.
    pub trace: Result<Trace, NoTrace>,
    /// Which thread asked, and for what.
    pub requesters: Result<(), NoRequesters>,
    /// How helpers ended.
    pub exits: Result<(), NoExits>,
}

/// A state in words; each part is a sentence without its full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The name of the state, as JSON has it.
    pub name: &'static str,
    /// What is known.
    pub known: Cow<'static, str>,
    /// What is not known, and why; empty if nothing is missing.
    pub unknown: Cow<'static, str>,
    /// What would change that; empty if nothing is missing.
    pub change: Cow<'static, str>,
}

impl State {
    fn new(
        name: &'static str,
        known: &'static str,
        unknown: impl Into<Cow<'static, str>>,
        change: &'static str,
    ) -> Self {
        Self { name, known: known.into(), unknown: unknown.into(), change: change.into() }
    }
}

/// What would change most states.
pub const ROOT: &str = "run khelper as root, or ask a khelper daemon that runs as root";

impl Knowledge {
    /// Whether anything can be watched.
    pub const fn is_some(&self) -> bool {
        self.trace.is_ok() || self.exits.is_ok()
    }

    /// One state for trace events, one for requesters, one for ends.
    pub fn states(&self) -> [State; 3] {
        [self.trace_state(), self.requester_state(), self.exit_state()]
    }

    fn trace_state(&self) -> State {
        let no = |name, why: Cow<'static, str>, change| State::new(name, "", why, change);
        let lacks = "helpers are not seen when they start";
        match &self.trace {
            Ok(Trace { is_detached, files, modules }) => {
                let known = match (is_detached, files) {
                    (false, true) => "every helper, when it was started, and the file that it executed",
                    (true, true) => {
                        "every helper, when it was started, and the file that it executed, by a private mount of tracefs"
                    }
                    (false, false) => "every helper, when it was started, and its command name",
                    (true, false) => {
                        "every helper, when it was started, and its command name, by a private mount of tracefs"
                    }
                };
                if *modules {
                    State::new("trace", known, "", "")
                } else {
                    let unknown = "no module names: this kernel does not support modules";
                    State::new("trace_without_modules", known, unknown, "a kernel with CONFIG_MODULES")
                }
            }
            Err(NoTrace::NotPermitted) => no("trace_not_permitted", format!("{lacks}: tracefs is root's").into(), ROOT),
            Err(NoTrace::Unsupported) => no(
                "trace_unsupported",
                format!("{lacks}: this kernel has no tracefs, or not these events").into(),
                "a kernel with CONFIG_FTRACE",
            ),
            Err(NoTrace::LockedDown) => no(
                "trace_locked_down",
                format!("{lacks}: the kernel is locked down for confidentiality").into(),
                "boot with lockdown=integrity or without lockdown",
            ),
            Err(NoTrace::PidNamespace) => no(
                "trace_pid_namespace",
                format!(
                    "{lacks}: this process is in a pid namespace of its own, where their numbers mean other processes"
                )
                .into(),
                "run khelper in the initial pid namespace",
            ),
            Err(NoTrace::Failed(error)) => no("trace_failed", format!("{lacks}: {error}").into(), ROOT),
        }
    }

    fn requester_state(&self) -> State {
        let known = "the thread for which each helper was started";
        let no = |name, why, change| State::new(name, "", why, change);
        match (&self.trace, &self.requesters) {
            (Ok(_), Ok(())) => State::new("requesters", known, "", ""),
            (Ok(_), Err(NoRequesters::AddressesHidden)) => no(
                "requesters_addresses_hidden",
                "who asked: before Linux 6.12 this needs an address that the kernel hides",
                "set kernel.kptr_restrict to 0 or 1 and give khelper CAP_SYSLOG, or use Linux 6.12",
            ),
            (Ok(_), Err(NoRequesters::Unsupported)) => no(
                "requesters_unsupported",
                "who asked: this kernel has no such trace events",
                "a kernel with CONFIG_FTRACE and workqueue events",
            ),
            (Err(_), _) => {
                no("requesters_without_trace", "who asked: trace events cannot be read", "see the line above")
            }
        }
    }

    fn exit_state(&self) -> State {
        let no = |name, why: Cow<'static, str>, change| State::new(name, "", why, change);
        let lacks = "how helpers ended";
        match &self.exits {
            Ok(()) if self.trace.is_ok() => State::new("exits", "the raw status of every helper", "", ""),
            Ok(()) => State::new(
                "exits_alone",
                "the raw status of each helper that the kernel waits for",
                "helpers that the kernel does not wait for: without trace events they cannot be told from other processes",
                ROOT,
            ),
            Err(NoExits::NotPermitted) => no(
                "exits_not_permitted",
                format!("{lacks}: before Linux 6.6 the kernel tells it only to who has CAP_NET_ADMIN").into(),
                "run khelper as root with CAP_NET_ADMIN, ask a khelper daemon that runs so, or use Linux 6.6",
            ),
            Err(NoExits::NetworkNamespace) => no(
                "exits_network_namespace",
                format!("{lacks}: the kernel tells it only in the initial network namespace").into(),
                "run khelper in the initial network namespace",
            ),
            Err(NoExits::Silent) => no(
                "exits_silent",
                format!("{lacks}: the kernel accepted the subscription and tells nothing").into(),
                "run khelper in the initial pid and user namespaces, on a kernel with CONFIG_PROC_EVENTS",
            ),
            Err(NoExits::Unsupported) => no(
                "exits_unsupported",
                format!("{lacks}: this kernel has no proc connector").into(),
                "a kernel with CONFIG_PROC_EVENTS",
            ),
            Err(NoExits::Failed(error)) => no("exits_failed", format!("{lacks}: {error}").into(), ROOT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every state has a name of its own, and says what is missing and what would change it, or that nothing is.
    #[test]
    fn each_state_says_what_is_known_what_is_not_and_what_would_change_it() {
        let failed = || SysError::new("fsopen tracefs", Errno::EMFILE);
        let trace = |modules| Ok(Trace { is_detached: true, files: true, modules });
        let traces = [
            trace(true),
            trace(false),
            Err(NoTrace::NotPermitted),
            Err(NoTrace::Unsupported),
            Err(NoTrace::LockedDown),
            Err(NoTrace::PidNamespace),
            Err(NoTrace::Failed(failed())),
        ];
        let requesters = [Ok(()), Err(NoRequesters::AddressesHidden), Err(NoRequesters::Unsupported)];
        let exits = [
            Ok(()),
            Err(NoExits::NotPermitted),
            Err(NoExits::NetworkNamespace),
            Err(NoExits::Silent),
            Err(NoExits::Unsupported),
            Err(NoExits::Failed(failed())),
        ];
        let mut states = std::collections::BTreeMap::new();
        for trace in &traces {
            for requesters in &requesters {
                for exits in &exits {
                    let all = Knowledge { trace: trace.clone(), requesters: requesters.clone(), exits: exits.clone() };
                    assert_eq!(all.is_some(), trace.is_ok() || exits.is_ok());
                    for state in all.states() {
                        assert!(!state.known.is_empty() || !state.unknown.is_empty(), "{state:?}");
                        assert_eq!(state.unknown.is_empty(), state.change.is_empty(), "{state:?}");
                        let words = format!("{}{}{}", state.known, state.unknown, state.change);
                        assert_eq!(states.entry(state.name).or_insert_with(|| words.clone()), &words);
                    }
                }
            }
        }
        assert_eq!(states.len(), 18, "{:?}", states.keys());
    }

    #[test]
    fn each_errno_leads_to_its_state() {
        let of = |errno| SysError::new("x", errno);
        assert_eq!(NoTrace::of(of(Errno::EPERM)), NoTrace::NotPermitted);
        assert_eq!(NoTrace::of(of(Errno::ENODEV)), NoTrace::Unsupported);
        assert!(matches!(NoTrace::of(of(Errno::EMFILE)), NoTrace::Failed(_)));
        assert_eq!(NoExits::of(of(Errno::ECONNREFUSED)), NoExits::NetworkNamespace);
        assert_eq!(NoExits::of(of(Errno::EPERM)), NoExits::NotPermitted);
        assert_eq!(NoExits::of(of(Errno::EPROTONOSUPPORT)), NoExits::Unsupported);
    }
}
