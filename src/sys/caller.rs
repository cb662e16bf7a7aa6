//! What a helper inherits from the calling thread, and from no other (UMH-10). Linux keeps this state per thread and
//! passes it on only by clone(2), so a worker has the state of the thread that started it.

use std::thread::ThreadId;

use crate::abi::cap::{ReadSet, ThreadSets};

/// The state of the calling thread at the time of the call. A part that could not be read is `None`, `Unreadable` or an
/// unreadable set, and is not equal to any other.
#[derive(Clone, Debug)]
pub struct CallerState {
    /// Capability sets. The effective set is not compared: exec does not pass it on (capabilities(7)).
    pub sets: ThreadSets,
    /// Real, effective and saved user id, then the same of the group.
    pub ids: Option<[u32; 6]>,
    /// PR_GET_SECUREBITS, without SECBIT_KEEP_CAPS, which exec clears.
    pub securebits: Option<i32>,
    /// PR_GET_NO_NEW_PRIVS.
    pub no_new_privs: Option<bool>,
    /// Seccomp filters.
    pub seccomp: Filters,
    /// The root directory; its mount also identifies the mount namespace.
    pub root: Option<Root>,
    /// The other namespaces, in an order that is the same for every thread, as /proc/thread-self/ns numbers them.
    pub namespaces: Option<[u64; NAMESPACES]>,
}

/// cgroup, ipc, net, uts, and the pid and time namespaces for children. A process with several threads cannot change
/// its user namespace (unshare(2), setns(2)), and an engine always has threads.
pub const NAMESPACES: usize = 6;

/// The seccomp filters of a thread. Filters can be added but never removed. The kernel reports their number, not their
/// content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filters {
    /// Only the filters that the process was executed with, if any: the same for every thread of the process.
    Initial,
    /// `count` filters, some of them added after exec. Another thread with the same number may have other filters; on
    /// one thread, the same number means the same filters.
    Added {
        /// The thread that has them.
        thread: ThreadId,
        /// Seccomp_filters of /proc/thread-self/status.
        count: u32,
    },
    /// Unknown.
    Unreadable,
}

/// The root directory of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// Major and minor number of its device.
    pub device: (u32, u32),
    /// Its inode number.
    pub inode: u64,
    /// The id of its mount (statx(2)), unique across all mount namespaces.
    pub mount: u64,
}

impl CallerState {
    /// Whether every part could be read.
    pub fn is_readable(&self) -> bool {
        self.is_same(self)
    }

    /// Whether a helper inherits the same state from both threads. `false` if any part of either could not be read.
    pub fn is_same(&self, other: &Self) -> bool {
        fn same<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
            a.is_some() && a == b
        }
        fn same_set(a: ReadSet, b: ReadSet) -> bool {
            same(&a.known(), &b.known())
        }
        let (ours, theirs) = (&self.sets, &other.sets);
        same_set(ours.inheritable, theirs.inheritable)
            && same_set(ours.permitted, theirs.permitted)
            && same_set(ours.bounding, theirs.bounding)
            && same_set(ours.ambient, theirs.ambient)
            && same(&self.ids, &other.ids)
            && same(&self.securebits, &other.securebits)
            && same(&self.no_new_privs, &other.no_new_privs)
            && self.seccomp != Filters::Unreadable
            && self.seccomp == other.seccomp
            && same(&self.root, &other.root)
            && same(&self.namespaces, &other.namespaces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::{CapMask, CapSets};

    fn state() -> CallerState {
        let mask = CapMask::from_bits;
        CallerState {
            sets: CapSets {
                inheritable: mask(1),
                permitted: mask(3),
                effective: mask(2),
                bounding: mask(7),
                ambient: mask(1),
            }
            .into(),
            ids: Some([1, 2, 3, 4, 5, 6]),
            securebits: Some(1),
            no_new_privs: Some(false),
            seccomp: Filters::Initial,
            root: Some(Root { device: (8, 1), inode: 2, mount: 30 }),
            namespaces: Some([11, 12, 13, 14, 15, 16]),
        }
    }

    #[test]
    fn umh_10_each_part_counts_and_an_unreadable_one_is_never_the_same() {
        let set = |bits| ReadSet::Known(CapMask::from_bits(bits));
        type Change = fn(&mut CallerState);
        let changes: [(&str, Change, Change); 11] = [
            (
                "inheritable",
                |s| s.sets.inheritable = ReadSet::Known(CapMask::EMPTY),
                |s| s.sets.inheritable = ReadSet::Unreadable,
            ),
            (
                "permitted",
                |s| s.sets.permitted = ReadSet::Known(CapMask::EMPTY),
                |s| s.sets.permitted = ReadSet::Unreadable,
            ),
            (
                "bounding",
                |s| s.sets.bounding = ReadSet::Known(CapMask::EMPTY),
                |s| s.sets.bounding = ReadSet::Unreadable,
            ),
            ("ambient", |s| s.sets.ambient = ReadSet::Known(CapMask::EMPTY), |s| s.sets.ambient = ReadSet::Unreadable),
            ("ids", |s| s.ids = Some([1, 2, 3, 4, 5, 7]), |s| s.ids = None),
            ("securebits", |s| s.securebits = Some(3), |s| s.securebits = None),
            ("no_new_privs", |s| s.no_new_privs = Some(true), |s| s.no_new_privs = None),
            (
                "seccomp",
                |s| s.seccomp = Filters::Added { thread: std::thread::current().id(), count: 1 },
                |s| s.seccomp = Filters::Unreadable,
            ),
            ("root", |s| s.root = Some(Root { device: (8, 1), inode: 2, mount: 31 }), |s| s.root = None),
            ("namespaces", |s| s.namespaces = Some([11, 12, 13, 14, 15, 17]), |s| s.namespaces = None),
            ("root's inode", |s| s.root = Some(Root { device: (8, 1), inode: 3, mount: 30 }), |s| s.root = None),
        ];
        assert!(state().is_same(&state()) && state().is_readable());
        for (part, change, lose) in changes {
            let (mut changed, mut lost) = (state(), state());
            change(&mut changed);
            lose(&mut lost);
            assert!(!changed.is_same(&state()) && !state().is_same(&changed) && changed.is_readable(), "{part}");
            assert!(!lost.is_same(&lost.clone()) && !lost.is_same(&state()) && !lost.is_readable(), "{part}");
        }
        let mut raised = state();
        raised.sets.effective = set(3);
        assert!(raised.is_same(&state()), "exec passes no effective set on");
    }

    #[test]
    fn umh_10_added_filters_are_known_to_be_the_same_on_one_thread_alone() {
        let added = |thread, count| CallerState { seccomp: Filters::Added { thread, count }, ..state() };
        let (here, there) = (std::thread::current().id(), std::thread::spawn(|| std::thread::current().id()));
        let there = there.join().unwrap();
        assert!(added(here, 2).is_same(&added(here, 2)));
        assert!(!added(here, 2).is_same(&added(there, 2)) && !added(here, 2).is_same(&added(here, 3)));
    }
}
