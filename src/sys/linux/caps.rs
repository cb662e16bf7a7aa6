//! Reads and narrows the capability sets of the calling thread (UMH-10, UMH-11). A set is never widened.
//!
//! A seccomp filter can refuse each of the system calls used here. It can even report success for a call that was not
//! made (`SECCOMP_RET_ERRNO` with errno 0). So a set that could not be read is `Unreadable`, and success is reported
//! only after the sets have been read back, from /proc if possible: no filter can change the text of a file.

use nix::errno::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use crate::abi::cap::{CapMask, Capability, ReadSet, ThreadSets};
use crate::abi::launch_spec::{CapPlan, Enforcement};

use super::proc;

/// `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h: two words for each set.
const VERSION_3: u32 = 0x2008_0522;
/// Filled into the buffer of capget(2): a success that leaves it there was faked.
const UNTOUCHED: u32 = 0xa5a5_a5a5;

/// The five sets, by system calls (about 5 µs), or from /proc if a call was refused (about 10 µs).
pub(super) fn of_this_thread() -> ThreadSets {
    let read = by_calls();
    let all = [read.inheritable, read.permitted, read.effective, read.bounding, read.ambient];
    if all.contains(&ReadSet::Unreadable) { read.or(by_status()) } else { read }
}

/// Every capability that the kernel knows: it returns `EINVAL` for the first unknown one. `None` if the results cannot
/// come from the kernel.
pub(super) fn known_to_the_kernel() -> Option<CapMask> {
    bounding_and_count().map(|(_, count)| CapMask::up_to(count - 1))
}

/// Narrows this thread's sets so that what it executes stays within `plan`, and returns what was verified afterwards.
///
/// `Masks`: the bounding and the inheritable set are within the plan and the ambient set is empty; exec then grants no
/// more than bounding ∪ inheritable, to root too. `NoNewPrivs`: the thread's other sets are within the plan; exec adds
/// nothing to them if the caller also sets no_new_privs. `Refused`: neither could be verified.
pub(super) fn narrow(plan: &CapPlan) -> Enforcement {
    let before = read_back();
    // Every step may fail or be faked; only what is read back afterwards counts.
    drop_from_bounding(plan.bounding, &before);
    set_own(&before, !CapMask::EMPTY, plan.inheritable);
    let mut now = clear_ambient(plan.inheritable);
    if now.bounding.is_within(plan.bounding) && inherits_within(&now, plan) {
        return Enforcement::Masks;
    }
    set_own(&now, plan.bounding, plan.inheritable);
    now = read_back();
    let own = now.permitted.is_within(plan.bounding) && now.effective.is_within(plan.bounding);
    if own && inherits_within(&now, plan) { Enforcement::NoNewPrivs } else { Enforcement::Refused }
}

fn inherits_within(now: &ThreadSets, plan: &CapPlan) -> bool {
    now.inheritable.is_within(plan.inheritable) && now.ambient.is_within(CapMask::EMPTY)
}

/// Reads the sets from /proc, or by system calls if that fails.
fn read_back() -> ThreadSets {
    let status = by_status();
    if status == ThreadSets::UNREADABLE { by_calls() } else { status }
}

fn by_status() -> ThreadSets {
    proc::this_thread().map_or(ThreadSets::UNREADABLE, |status| status.sets.into())
}

fn by_calls() -> ThreadSets {
    let (inheritable, permitted, effective) = match capget() {
        Some((i, p, e)) => (ReadSet::Known(i), ReadSet::Known(p), ReadSet::Known(e)),
        None => (ReadSet::Unreadable, ReadSet::Unreadable, ReadSet::Unreadable),
    };
    ThreadSets {
        inheritable,
        permitted,
        effective,
        bounding: bounding_and_count().map(|(held, _)| held).into(),
        ambient: ambient(inheritable, permitted).into(),
    }
}

/// Drops every number up to 63 that is not in `keep`, until the kernel reports that it knows no more: cap_last_cap may
/// be wrong. A capability known not to be in the set is skipped, so that no privilege is needed if there is nothing to
/// drop.
fn drop_from_bounding(keep: CapMask, before: &ThreadSets) {
    let excess = before.bounding.at_most().minus(keep);
    if excess.is_empty() {
        return;
    }
    raise_setpcap(before);
    for cap in excess.iter() {
        // EINVAL: no such capability, nor any above. EPERM: none of the others can be dropped either.
        if prctl(libc::PR_CAPBSET_DROP, cap.bit().into(), 0).is_err() {
            return;
        }
    }
}

/// Dropping needs CAP_SETPCAP in the effective set; a host may have it only in the permitted set. This thread is a
/// worker, so the host's threads do not change. `set_own` lowers it again.
fn raise_setpcap(before: &ThreadSets) {
    let setpcap = CapMask::only(Capability::SETPCAP);
    if let (Some(permitted), Some(effective), Some(inheritable)) =
        (before.permitted.known(), before.effective.known(), before.inheritable.known())
        && permitted.contains(setpcap)
        && !effective.contains(setpcap)
    {
        let _ = capset(permitted, effective | setpcap, inheritable);
    }
}

/// Sets the permitted and effective sets of `from`, limited to `limit`, and the given inheritable set. Makes no call if
/// the thread has these sets already.
fn set_own(from: &ThreadSets, limit: CapMask, inheritable: CapMask) {
    let (Some(permitted), Some(effective)) = (from.permitted.known(), from.effective.known()) else { return };
    let wanted = (inheritable, permitted & limit, effective & limit);
    if capget() != Some(wanted) {
        let _ = capset(wanted.1, wanted.2, wanted.0);
    }
}

/// Empties the ambient set, which exec adds to the permitted set whatever the inheritable set is, and returns the sets
/// afterwards. If prctl(2) is refused: the kernel keeps the ambient set within the inheritable one, so emptying the
/// inheritable set for a moment empties both.
fn clear_ambient(inheritable: CapMask) -> ThreadSets {
    let now = read_back();
    if now.ambient.is_within(CapMask::EMPTY) {
        return now;
    }
    let _ = prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL.unsigned_abs().into(), 0);
    let now = read_back();
    if now.ambient.is_within(CapMask::EMPTY) {
        return now;
    }
    set_own(&now, !CapMask::EMPTY, CapMask::EMPTY);
    set_own(&now, !CapMask::EMPTY, inheritable);
    read_back()
}

/// The bounding set, and how many capabilities the kernel knows. A real kernel knows at least one and fewer than 64;
/// any other result was faked.
fn bounding_and_count() -> Option<(CapMask, u8)> {
    let mut held = CapMask::EMPTY;
    for cap in (!CapMask::EMPTY).iter() {
        match prctl(libc::PR_CAPBSET_READ, cap.bit().into(), 0) {
            Ok(0) => {}
            Ok(1) => held = held | CapMask::only(cap),
            Err(Errno::EINVAL) if cap.bit() > 0 => return Some((held, cap.bit())),
            _ => return None,
        }
    }
    None
}

/// The ambient set is within the inheritable and the permitted set (capabilities(7)), so there is nearly always nothing
/// to read.
fn ambient(inheritable: ReadSet, permitted: ReadSet) -> Option<CapMask> {
    let mut held = CapMask::EMPTY;
    for cap in (inheritable.known()? & permitted.known()?).iter() {
        match prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_IS_SET.unsigned_abs().into(), cap.bit().into()) {
            Ok(0) => {}
            Ok(1) => held = held | CapMask::only(cap),
            _ => return None,
        }
    }
    Some(held)
}

fn prctl(option: i32, second: u64, third: u64) -> Result<i32, Errno> {
    let none: libc::c_ulong = 0;
    // SAFETY: the options used in this file take integers only.
    Errno::result(unsafe { libc::prctl(option, second, third, none, none) })
}

/// Inheritable, permitted and effective set.
fn capget() -> Option<(CapMask, CapMask, CapMask)> {
    let mut header = [VERSION_3, 0];
    // Low words of effective, permitted, inheritable, then the high words.
    let mut words = [UNTOUCHED; 6];
    // SAFETY: the header and the two structures of three words are the kernel's, and live on this stack.
    let done = unsafe { libc::syscall(libc::SYS_capget, header.as_mut_ptr(), words.as_mut_ptr()) };
    if done != 0 || words == [UNTOUCHED; 6] {
        return None;
    }
    let set = |low: usize| CapMask::from_bits(u64::from(words[low]) | u64::from(words[low + 3]) << 32);
    Some((set(2), set(1), set(0)))
}

/// Drops a capability from this thread's effective, permitted and inheritable sets.
pub(super) fn drop_from_this_thread(cap: Capability) -> Result<(), Errno> {
    let keep = !CapMask::only(cap);
    let (inheritable, permitted, effective) = capget().ok_or(Errno::EPERM)?;
    capset(permitted & keep, effective & keep, inheritable & keep)?;
    let after = of_this_thread().effective;
    if after.is_within(keep) { Ok(()) } else { Err(Errno::EPERM) }
}

fn capset(permitted: CapMask, effective: CapMask, inheritable: CapMask) -> Result<(), Errno> {
    let set = |mask: CapMask| CapabilitySet::from_bits_retain(mask.bits());
    let sets = CapabilitySets { effective: set(effective), permitted: set(permitted), inheritable: set(inheritable) };
    set_capabilities(None, sets).map_err(|e| Errno::from_raw(e.raw_os_error()))
}
