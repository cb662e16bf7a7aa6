//! Detects that the calling process is a forked child (fork(2)). A forked child has a copy of the memory, but not the
//! threads that hold the locks in it.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

const PAGE: usize = 4096;

/// A page that the kernel fills with zeros in a forked child (madvise(2), MADV_WIPEONFORK). It contains the number of
/// the process. No lock protects it, since another thread may hold the lock at the time of the fork.
static WIPED: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());
/// The next number. A child inherits it, so it never takes the number of an ancestor.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Identifies the process that created this value.
///
/// The process id alone is not enough: the first process of a new PID namespace may have the id that its parent has in
/// the outer namespace. The wiped page alone is not enough either: the kernel may lack MADV_WIPEONFORK (before Linux
/// 4.14), or the child may share the memory (vfork(2)). Both together are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessMark {
    number: u64,
    pid: u32,
}

impl ProcessMark {
    /// The calling process.
    pub fn current() -> Self {
        Self { number: number(), pid: std::process::id() }
    }

    /// Whether the calling process created this value; false in every child forked since. Takes no lock.
    pub fn is_current(self) -> bool {
        self == Self::current()
    }
}

impl Default for ProcessMark {
    fn default() -> Self {
        Self::current()
    }
}

/// The number of this process; 0 if there is no memory for the page.
fn number() -> u64 {
    let Some(page) = wiped_page() else { return 0 };
    match page.load(Ordering::Acquire) {
        0 => {
            let new = NEXT.fetch_add(1, Ordering::Relaxed);
            page.compare_exchange(0, new, Ordering::AcqRel, Ordering::Acquire).map_or_else(|other| other, |_| new)
        }
        number => number,
    }
}

fn wiped_page() -> Option<&'static AtomicU64> {
    let mut page = WIPED.load(Ordering::Acquire);
    if page.is_null() {
        let new = map_page()?;
        match WIPED.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => page = new,
            Err(other) => {
                // SAFETY: the mapping that was made above; no other thread has seen it.
                unsafe { libc::munmap(new.cast(), PAGE) };
                page = other;
            }
        }
    }
    // SAFETY: a mapping of zeros, aligned to a page, that is never unmapped once it is in `WIPED`. All accesses to it
    // are atomic.
    Some(unsafe { &*page })
}

fn map_page() -> Option<*mut AtomicU64> {
    let (bits, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a fresh anonymous mapping, at an address of the kernel's choice.
    let page = unsafe { libc::mmap(ptr::null_mut(), PAGE, bits, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return None;
    }
    // If the kernel refuses, only the process id distinguishes a child.
    // SAFETY: the mapping that was made above, whose content is not used yet.
    unsafe { libc::madvise(page, PAGE, libc::MADV_WIPEONFORK) };
    Some(page.cast())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exit status of a forked child in which `check` returned true is 0.
    fn forked(check: impl FnOnce() -> bool) -> i32 {
        // SAFETY: the child makes atomic accesses and system calls, allocates nothing and ends by _exit.
        unsafe {
            let pid = libc::fork();
            if pid == 0 {
                libc::_exit(i32::from(!check()));
            }
            let mut status = -1;
            assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
            status
        }
    }

    #[test]
    fn umh_8_a_forked_child_is_told_from_its_parent() {
        let mark = ProcessMark::current();
        assert!(mark.is_current() && mark == ProcessMark::default());
        // The page alone: the process id may be the same (PID namespaces).
        let same_pid = || ProcessMark { pid: std::process::id(), ..mark };
        assert_eq!(forked(|| !mark.is_current() && !same_pid().is_current()), 0);
        // A child marks itself, and its own child is another process again.
        let grandchild = || {
            let child = ProcessMark::current();
            child.is_current() && child.number != mark.number && forked(|| !child.is_current()) == 0
        };
        assert_eq!(forked(grandchild), 0);
        assert!(mark.is_current(), "the parent has not changed");
    }
}
