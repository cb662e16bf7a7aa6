//! sched(7), ioprio_set(2), the timer slack of prctl(2).

use nix::errno::Errno;

use super::{number, prctl};
use crate::scenario::Caller;

/// `struct sched_attr` in its second version (sched_setattr(2)).
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Attribute {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    pub priority: u32,
    pub runtime: u64,
    deadline: u64,
    period: u64,
    pub util_min: u32,
    pub util_max: u32,
}

impl Attribute {
    const SIZE: u32 = 56;

    fn of_self() -> Result<Self, Errno> {
        let mut attribute = Self::default();
        // SAFETY: pid 0 is the calling thread; the kernel writes at most SIZE bytes.
        let done = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attribute, Self::SIZE, 0) };
        Errno::result(done).map(|_| attribute)
    }

    fn set(mut self) -> Result<(), Errno> {
        self.size = Self::SIZE;
        // SAFETY: pid 0 is the calling thread; the kernel reads SIZE bytes.
        let done = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const self, 0) };
        Errno::result(done).map(drop)
    }

    pub fn resets_on_fork(&self) -> String {
        (self.flags & libc::SCHED_FLAG_RESET_ON_FORK as u64 != 0).to_string()
    }
}

pub fn attribute(of: impl Fn(&Attribute) -> String) -> String {
    match Attribute::of_self() {
        Ok(attribute) => of(&attribute),
        Err(e) => number(Err(e)),
    }
}

/// From `/autogroup-25 nice 0`; a process of the root group has an empty file.
pub fn autogroup_nice() -> String {
    let text = super::file("/proc/self/autogroup");
    match text.split_once(" nice ") {
        Some((_, nice)) => nice.to_owned(),
        None if text.is_empty() => "0".into(),
        None => text,
    }
}

const IOPRIO_WHO_PROCESS: i32 = 1;
const IOPRIO_CLASS_SHIFT: u16 = 13;

pub fn io_priority() -> String {
    // SAFETY: integers only.
    let got = Errno::result(unsafe { libc::syscall(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) });
    match got {
        Ok(0) => "0".into(),
        Ok(all) => format!("class {} level {}", all >> IOPRIO_CLASS_SHIFT, all & 0x1fff),
        Err(e) => number(Err(e)),
    }
}

/// The default is what the parent had (PR_SET_TIMERSLACK of prctl(2)); it shows by taking it.
pub fn timer_slack() -> String {
    let get = || number(prctl(libc::PR_GET_TIMERSLACK, 0));
    let slack = get();
    let _ = prctl(libc::PR_SET_TIMERSLACK, 0);
    format!("{slack}, default {}", get())
}

pub fn set(caller: &Caller) {
    if let Some(nice) = caller.autogroup_nice {
        std::fs::write("/proc/self/autogroup", nice.to_string()).unwrap();
    }
    if let Some([class, level]) = caller.io_priority {
        let all = i32::from(class << IOPRIO_CLASS_SHIFT | level);
        // SAFETY: integers only.
        Errno::result(unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, all) }).unwrap();
    }
    if let Some(slack) = caller.timer_slack {
        prctl(libc::PR_SET_TIMERSLACK, slack).unwrap();
    }
    let flags = if caller.reset_on_fork { libc::SCHED_FLAG_RESET_ON_FORK as u64 } else { 0 };
    if caller.reset_on_fork || caller.time_slice.is_some() {
        let now = Attribute::of_self().unwrap();
        Attribute { flags, runtime: caller.time_slice.unwrap_or(now.runtime), ..now }.set().unwrap();
    }
}
