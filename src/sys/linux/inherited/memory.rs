//! Attributes of a process's memory that exec copies from the old memory to the new.
//!
//! A child shares the host's memory up to its exec, so it cannot change them for itself alone. Where the host has
//! other values than a helper is to have, the child gets its own copy of the memory: a plain fork, which costs more the
//! more memory the host has. Only if that fails does the helper keep the host's values, and the record names them.

use libc::c_int;

use crate::abi::launch_spec::NotEnforced;
use crate::abi::mutation::{self, Mutation};
use crate::sys::attributes;

use super::super::proc::ProcFile;

/// The default in core(5): anonymous memory, ELF headers and private huge pages.
const CORE_FILTER: u32 = 0x33;
/// linux/prctl.h.
pub(in super::super) const PR_SET_MEMORY_MERGE: c_int = 67;

/// The attributes of the host's memory that a helper must not inherit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Unwanted {
    pub(in super::super) core_filter: bool,
    pub(in super::super) thp_disable: bool,
    pub(in super::super) memory_merge: bool,
}

impl Unwanted {
    pub(in super::super) fn any(self) -> bool {
        self != Self::default()
    }

    /// The names of the attributes that stayed.
    pub(in super::super) fn names(self) -> impl Iterator<Item = NotEnforced> {
        [
            (self.core_filter, NotEnforced::CoreFilter),
            (self.thp_disable, NotEnforced::ThpDisable),
            (self.memory_merge, NotEnforced::MemoryMerge),
        ]
        .into_iter()
        .filter_map(|(stayed, name)| stayed.then_some(name))
    }
}

/// The attributes of the host's memory, read before each launch: the host may change them at any time.
pub(in super::super) struct HostMemory(ProcFile);

impl HostMemory {
    pub(in super::super) fn new(keep: bool) -> Self {
        Self(ProcFile::new("/proc/self/coredump_filter", keep))
    }

    pub(in super::super) fn unwanted(&self) -> Unwanted {
        if mutation::is(Mutation::MemoryKept) {
            return Unwanted::default();
        }
        let filter = self.0.hex();
        Unwanted {
            // Without the file (no /proc, or a kernel without core dumps) the filter is unknown; it is hardly ever
            // changed.
            core_filter: filter.is_some_and(|filter| filter != CORE_FILTER),
            thp_disable: attributes::thp_disable() == Some(true),
            memory_merge: attributes::memory_merge() == Some(true),
        }
    }
}
