//! Images that the kernel rejects after it has destroyed the old one (UMH-3).
//!
//! When exec destroys the old memory, the parent of a vfork wakes and close-on-exec files close. If exec fails after
//! that, the kernel sends SIGSEGV (old kernels SIGKILL), as if the program had crashed. Two facts help to distinguish
//! the cases: /proc shows a command line once everything is loaded (proc_pid_cmdline(5)), and some ELF headers can
//! never be loaded.

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use libc::c_int;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::abi::wait::WaitStatus;
use crate::sys::host::Loading;

use super::reap;

/// How often a helper that is being loaded is checked before the result is `Unknown`: about five seconds in all.
const LOOKS: u32 = 5_000;
/// The pause between two checks, in nanoseconds: the first and the longest.
const FIRST_PAUSE_NS: i64 = 20_000;
const LONGEST_PAUSE_NS: i64 = 1_000_000;
/// More page faults than the kernel itself causes while it loads an image, apart from the strings: two were measured,
/// and each segment may add one. /bin/true with its dynamic loader has 49.
const FAULTS_OF_EXEC: u64 = 16;
const PAGE: u64 = 4096;
/// Above the user memory of every machine: five levels of page tables give 57 bits of address, half of it the kernel's.
const END_OF_MEMORY: u64 = 1 << 56;

/// How far the loading of a helper got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its image is loaded.
    Loaded,
    /// It died before it was seen loaded.
    Died,
    /// /proc does not show it.
    Unknown,
}

/// Waits until a helper is loaded or has died. The kernel has no event for the first, so this function polls; loading
/// takes tens of microseconds unless the file has to be read from a disk.
pub(super) fn wait_loaded(pid: i32, pidfd: Option<BorrowedFd<'_>>) -> Progress {
    let Ok(command_line) = File::open(format!("/proc/{pid}/cmdline")) else {
        return if reap::is_dead(pid) { Progress::Died } else { Progress::Unknown };
    };
    let mut pause = FIRST_PAUSE_NS;
    for _ in 0..LOOKS {
        let has_left = has_left_the_host(pid);
        match command_line.read_at(&mut [0], 0) {
            Ok(0) => {}
            Ok(_) if !has_left => {}
            Ok(_) => return Progress::Loaded,
            Err(_) if reap::is_dead(pid) => return Progress::Died,
            Err(_) => return Progress::Unknown,
        }
        if reap::is_dead(pid) {
            return Progress::Died;
        }
        let mut end: Vec<PollFd<'_>> = pidfd.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).into_iter().collect();
        // An interrupted pause only makes the next check come sooner.
        let _ = ppoll(&mut end, Some(TimeSpec::new(0, pause)), None);
        pause = (pause * 2).min(LONGEST_PAUSE_NS);
    }
    Progress::Unknown
}

/// Whether a child has its own memory. The kernel wakes the parent of a vfork a moment before it gives the child the
/// new memory, and /proc shows the host's command line until then. A flag in proc_pid_stat(5) shows it: exec clears
/// PF_FORKNOEXEC (linux/sched.h) after that, before it loads anything.
fn has_left_the_host(pid: i32) -> bool {
    const PF_FORKNOEXEC: u64 = 0x40;
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let flags = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(9 - 3)?.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & PF_FORKNOEXEC == 0)
}

/// Whether a living helper is loaded, as far as /proc shows it.
pub(super) fn is_loaded(pid: i32) -> bool {
    has_left_the_host(pid)
        && File::open(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|file| file.read_at(&mut [0], 0).is_ok_and(|got| got > 0))
}

/// Whether a dead helper, which stays unreaped, was killed like one whose image could not be loaded (UMH-3).
pub(super) fn killed_early(pid: i32) -> bool {
    // SAFETY: all-zero is a valid siginfo; it lives on this stack, and that of an ended child has a status.
    let (code, status) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOWAIT | libc::WNOHANG | libc::__WALL;
        libc::waitid(libc::P_PID, pid.cast_unsigned(), &raw mut info, flags);
        (info.si_code, info.si_status())
    };
    code != libc::CLD_EXITED && may_not_have_run(WaitStatus::from_raw(status))
}

/// Whether a helper with this status may not have run a single instruction.
pub(super) fn may_not_have_run(status: WaitStatus) -> bool {
    status.signal().is_some_and(|signal| [libc::SIGSEGV, libc::SIGKILL].contains(&c_int::from(signal)))
}

/// The most page faults of loading an image with `strings` bytes of arguments and environment. Each of their pages
/// causes one fault, or two if the parent's copy is not present either.
pub(super) fn faults_of_exec(strings: u64) -> u64 {
    FAULTS_OF_EXEC + 2 * (strings / PAGE)
}

/// Decides whether a killed helper that was not seen to run had been loaded. `faulted`: it had more page faults than
/// loading causes.
pub(super) fn judge(path: &CStr, faulted: bool) -> Loading {
    match flaw(path) {
        _ if faulted => Loading::Complete,
        Some(flaw) => Loading::Impossible(flaw),
        None => Loading::Doubtful,
    }
}

/// Why the image can never be loaded; `None` if no such fault is found. Scripts are not followed.
fn flaw(path: &CStr) -> Option<&'static str> {
    let file = File::open(OsStr::from_bytes(path.to_bytes())).ok()?;
    let mut header = [0u8; 64];
    file.read_exact_at(&mut header, 0).ok()?;
    // Only 64-bit ELF in this machine's byte order is checked.
    let order = if cfg!(target_endian = "little") { 1 } else { 2 };
    if !header.starts_with(b"\x7fELF\x02") || header.get(5) != Some(&order) {
        return None;
    }
    let fixed = half(&header, 16)? == 2;
    let (entry, table) = (word(&header, 24)?, word(&header, 32)?);
    let (size, count) = (usize::from(half(&header, 54)?), usize::from(half(&header, 56)?));
    if size != 56 {
        return None;
    }
    let mut segments = vec![0u8; size * count];
    file.read_exact_at(&mut segments, table).ok()?;
    let mut has_interpreter = false;
    for segment in segments.chunks_exact(size) {
        match segment.first_chunk().map(|kind| u32::from_ne_bytes(*kind)) {
            Some(1) => {
                if let Some(flaw) = segment_flaw(segment) {
                    return Some(flaw);
                }
            }
            Some(3) => has_interpreter = true,
            _ => {}
        }
    }
    (fixed && !has_interpreter && entry >= END_OF_MEMORY).then_some("its entry point is outside of user memory")
}

/// elf(5): `p_offset` at 8, `p_vaddr` at 16, `p_filesz` at 32, `p_memsz` at 40.
fn segment_flaw(segment: &[u8]) -> Option<&'static str> {
    let (offset, address) = (word(segment, 8)?, word(segment, 16)?);
    let (in_file, in_memory) = (word(segment, 32)?, word(segment, 40)?);
    if in_file > in_memory {
        return Some("a segment is larger in the file than in memory");
    }
    if address.checked_add(in_memory).is_none_or(|end| end > END_OF_MEMORY) {
        return Some("a segment lies outside of user memory");
    }
    if in_file > 0 && offset % PAGE != address % PAGE {
        return Some("a segment's offset does not fit its address");
    }
    None
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_ne_bytes(*b))
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|b| u64::from_ne_bytes(*b))
}
