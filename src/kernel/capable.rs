//! The capabilities that one program uses, as the kernel's checks of them tell (`cap_capable`, Linux 6.18). They hint at
//! what a program needs and prove nothing: some are checked for every program, and some only after another way was open.

use std::collections::BTreeSet;

use super::setup::{name, open};
use crate::abi::cap::{CapMask, Capability};
use crate::abi::error::SysError;
use crate::sys::linux::tracefs::Instance;

/// How the name of the instance ends.
const SUFFIX: &str = "-forks";
/// What is traced.
const EVENTS: [&str; 3] = ["sched/sched_process_fork", "sched/sched_process_exec", "capability/cap_capable"];
/// The size of the buffer of each CPU.
const BUFFER_KIB: &[u8] = b"256";

/// What a program was seen to do with capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// It asked for them and got them.
    pub used: CapMask,
    /// It asked for them and did not get them.
    pub refused: CapMask,
}

/// A trace of the checks in the processes that this process starts.
#[derive(Debug)]
pub struct Checks(Instance);

impl Checks {
    /// Starts it for what the threads that there are will start; `None` where the kernel has no such event, or this process may not trace.
    pub fn start() -> Option<Self> {
        let tracefs = open().ok()?;
        let checks = Self(tracefs.make_instance(&format!("{}{SUFFIX}", name())).ok()?);
        checks.prepare().ok().map(|()| checks)
    }

    fn prepare(&self) -> Result<(), SysError> {
        let Self(instance) = self;
        instance.read(&format!("events/{}/format", EVENTS[2]))?;
        instance.write("options/overwrite", b"1")?;
        instance.write("buffer_size_kb", BUFFER_KIB)?;
        // Threads and processes that these start are added by the kernel. To change the list takes it some time.
        instance.write("options/event-fork", b"1")?;
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let tasks: Vec<String> = tasks.filter_map(|task| task.file_name().into_string().ok()).collect();
        instance.write("set_event_pid", tasks.join(" ").as_bytes())?;
        EVENTS.iter().try_for_each(|event| instance.write(&format!("events/{event}/enable"), b"1"))
    }

    /// Forgets what was traced. Returns whether this was possible.
    pub fn begin(&self) -> bool {
        self.0.write("trace", b"\n").is_ok()
    }

    /// What this process and those that it has started were seen to do since [`Self::begin`]; `None` if anything was lost.
    pub fn of(&self, pid: i32) -> Option<Checked> {
        read(&String::from_utf8_lossy(&self.0.read("trace").ok()?), pid)
    }
}

/// Reads the text of a trace. What the process did before it executed its program was the engine's doing.
fn read(trace: &str, pid: i32) -> Option<Checked> {
    let (mut family, mut checked) = (BTreeSet::new(), Checked::default());
    for line in trace.lines() {
        if let Some(counts) = line.strip_prefix("# entries-in-buffer/entries-written: ") {
            let (kept, written) = counts.split_ascii_whitespace().next()?.split_once('/')?;
            if kept != written {
                return None;
            }
        } else if let Some((by, what)) = event(line, ": cap_capable: ") {
            if let Some((cap, got)) = family.contains(&by).then(|| check(what)).flatten() {
                let set = if got { &mut checked.used } else { &mut checked.refused };
                *set = *set | CapMask::only(cap);
            }
        } else if let Some((by, what)) = event(line, ": sched_process_fork: ") {
            if family.contains(&by) {
                family.extend(what.rsplit_once("child_pid=").and_then(|(_, child)| child.parse::<i32>().ok()));
            }
        } else if event(line, ": sched_process_exec: ").is_some_and(|(by, _)| by == pid) {
            family.insert(pid);
        }
    }
    Some(checked)
}

/// The thread and the text of an event of this kind: `comm-12    [001] ..... 5.000000: name: text`.
fn event<'a>(line: &'a str, name: &str) -> Option<(i32, &'a str)> {
    let (head, what) = line.split_once(name)?;
    let (task, _) = head.rsplit_once('[')?;
    Some((task.trim_end().rsplit_once('-')?.1.parse().ok()?, what))
}

/// `cred .., target_ns .., capable_ns .., cap 21, ret 0`
fn check(what: &str) -> Option<(Capability, bool)> {
    let (what, ret) = what.rsplit_once(", ret ")?;
    let cap = what.rsplit_once(", cap ")?.1.parse().ok().and_then(Capability::from_bit)?;
    Some((cap, ret.trim_end() == "0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "\
# tracer: nop
#
# entries-in-buffer/entries-written: 8/8   #P:2
#
          worker-70      [000] .....  5.100000: cap_capable: cred 1, target_ns 2, capable_ns 2, cap 8, ret 0
          worker-71      [000] .....  5.100001: cap_capable: cred 1, target_ns 2, capable_ns 2, cap 23, ret 0
              sh-71      [001] .....  5.100002: sched_process_exec: filename=/bin/sh pid=71 old_pid=71
              sh-71      [001] .....  5.100003: cap_capable: cred 1, target_ns 2, capable_ns 2, cap 21, ret 0
              sh-71      [001] .....  5.100004: sched_process_fork: comm=sh pid=71 child_comm=a-b [c child_pid=72
          a-b [c-72      [001] .....  5.100005: cap_capable: cred 1, target_ns 2, capable_ns 2, cap 0, ret -1
              sh-73      [001] .....  5.100006: cap_capable: cred 1, target_ns 2, capable_ns 2, cap 5, ret 0
          a-b [c-72      [001] .....  5.100007: cap_capable: cred 1, target_ns 2, capable_ns 2, cap 99, ret 0
";

    #[test]
    fn only_what_the_program_and_its_children_ask_for_counts() {
        let mask = |bit: u8| CapMask::from_bits(1 << bit);
        assert_eq!(read(TRACE, 71), Some(Checked { used: mask(21), refused: mask(0) }));
        assert_eq!(read(TRACE, 70), Some(Checked::default()));
    }

    #[test]
    fn a_trace_with_lost_events_tells_nothing() {
        assert_eq!(read(&TRACE.replace("8/8", "8/9"), 71), None);
        assert_eq!(read("", 71), Some(Checked::default()));
    }
}
