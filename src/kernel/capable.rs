//! The capabilities that one program uses, as the kernel's checks of them tell: the event `cap_capable` of Linux 6.18, and
//! before it probes of the function of that name. They hint at what a program needs and prove nothing: some are checked for
//! every program, and some only after another way was open.

use std::collections::{BTreeMap, BTreeSet};

use super::probes::Probes;
use super::setup::{name, open};
use crate::abi::cap::{CapMask, Capability};
use crate::abi::error::SysError;
use crate::sys::linux::tracefs::Instance;

/// How the name of the instance ends.
const SUFFIX: &str = "-forks";
/// What is traced of every program.
const EVENTS: [&str; 2] = ["sched/sched_process_fork", "sched/sched_process_exec"];
/// The checks, since Linux 6.18.
const CHECKS: &str = "capability/cap_capable";
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

/// A trace of the checks in the processes that this process starts. The instance ends before the probes that it uses.
#[derive(Debug)]
pub struct Checks {
    instance: Instance,
    #[expect(dead_code, reason = "dropping it removes the probes")]
    probes: Option<Probes>,
}

impl Checks {
    /// Starts it for what the threads that there are will start; `None` where the kernel has neither the event nor probes, or
    /// this process may not trace.
    pub fn start() -> Option<Self> {
        let tracefs = open().ok()?;
        let instance = tracefs.make_instance(&format!("{}{SUFFIX}", name())).ok()?;
        let (probes, checks) = if instance.read(&format!("events/{CHECKS}/format")).is_ok() {
            (None, vec![CHECKS.to_owned()])
        } else {
            let probes = Probes::make(tracefs).ok()?;
            let events = probes.events().to_vec();
            (Some(probes), events)
        };
        let all = Self { instance, probes };
        all.prepare(&checks).ok().map(|()| all)
    }

    fn prepare(&self, checks: &[String]) -> Result<(), SysError> {
        let instance = &self.instance;
        instance.write("options/overwrite", b"1")?;
        instance.write("buffer_size_kb", BUFFER_KIB)?;
        // Threads and processes that these start are added by the kernel. To change the list takes it some time.
        instance.write("options/event-fork", b"1")?;
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let tasks: Vec<String> = tasks.filter_map(|task| task.file_name().into_string().ok()).collect();
        instance.write("set_event_pid", tasks.join(" ").as_bytes())?;
        let events = EVENTS.into_iter().chain(checks.iter().map(String::as_str));
        events.into_iter().try_for_each(|event| instance.write(&format!("events/{event}/enable"), b"1"))
    }

    /// Forgets what was traced. Returns whether this was possible.
    pub fn begin(&self) -> bool {
        self.instance.write("trace", b"\n").is_ok()
    }

    /// What this process and those that it has started were seen to do since [`Self::begin`]; `None` if anything was lost.
    pub fn of(&self, pid: i32) -> Option<Checked> {
        read(&String::from_utf8_lossy(&self.instance.read("trace").ok()?), pid)
    }
}

/// Reads the text of a trace. What the process did before it executed its program was the engine's doing.
fn read(trace: &str, pid: i32) -> Option<Checked> {
    let (mut family, mut checked) = (BTreeSet::new(), Checked::default());
    // What each thread has asked for and not been answered yet, where probes tell the two apart.
    let mut asked = BTreeMap::new();
    for line in trace.lines() {
        if let Some(counts) = line.strip_prefix("# entries-in-buffer/entries-written: ") {
            let (kept, written) = counts.split_ascii_whitespace().next()?.split_once('/')?;
            if kept != written {
                return None;
            }
        } else if let Some((by, what)) = event(line, ": cap_asked: ") {
            asked.insert(by, number(what, " cap="));
        } else if let Some((by, cap, got)) = check(line, &mut asked) {
            if family.contains(&by) {
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

/// The thread, the capability and whether the thread has it, of a line that tells an answer.
fn check(line: &str, asked: &mut BTreeMap<i32, Option<u8>>) -> Option<(i32, Capability, bool)> {
    let (by, bit, ret) = if let Some((by, what)) = event(line, ": cap_capable: ") {
        // cred .., target_ns .., capable_ns .., cap 21, ret 0
        (by, number(what, ", cap "), number::<i32>(what, ", ret "))
    } else {
        // (ns_capable+0x2c/0x60 <- cap_capable) ret=0
        let (by, what) = event(line, ": cap_answered: ")?;
        (by, asked.remove(&by)?, number(what, " ret="))
    };
    Some((by, Capability::from_bit(bit?)?, ret? == 0))
}

/// The number behind this name.
fn number<T: std::str::FromStr>(what: &str, name: &str) -> Option<T> {
    let (_, rest) = what.split_once(name)?;
    rest.split([',', ' ']).next()?.trim_end().parse().ok()
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

    /// As of Linux 6.1 and 6.12: one line for the question, one for the answer.
    const PROBED: &str = "\
          worker-71      [000] .....  5.100001: cap_asked: (cap_capable+0x0/0x80) cap=23
          worker-71      [000] .....  5.100001: cap_answered: (security_capable+0x3d/0x60 <- cap_capable) ret=0
              sh-71      [001] .....  5.100002: sched_process_exec: filename=/bin/sh pid=71 old_pid=71
              sh-71      [001] .....  5.100003: cap_answered: (security_capable+0x3d/0x60 <- cap_capable) ret=0
              sh-71      [001] .....  5.100004: cap_asked: (cap_capable+0x0/0x80) cap=21
              sh-73      [000] .....  5.100004: cap_asked: (cap_capable+0x0/0x80) cap=5
              sh-71      [001] .....  5.100005: cap_answered: (security_capable+0x3d/0x60 <- cap_capable) ret=0
              sh-73      [000] .....  5.100005: cap_answered: (security_capable+0x3d/0x60 <- cap_capable) ret=0
              sh-71      [001] .....  5.100006: cap_asked: (cap_capable+0x0/0x80) cap=16
              sh-71      [001] .....  5.100007: cap_answered: (security_capable+0x3d/0x60 <- cap_capable) ret=-1
              sh-71      [001] .....  5.100008: cap_asked: (cap_capable+0x0/0x80) cap=7
              sh-71      [001] .....  5.100009: cap_asked: (cap_capable+0x0/0x80) cap=1
              sh-71      [001] .....  5.100010: cap_answered: (security_capable+0x3d/0x60 <- cap_capable) ret=0
";

    /// An answer belongs to the last question of its thread; one without a question tells nothing.
    #[test]
    fn an_answer_belongs_to_the_last_question_of_its_thread() {
        let used = CapMask::from_bits(1 << 21 | 1 << 1);
        assert_eq!(read(PROBED, 71), Some(Checked { used, refused: CapMask::from_bits(1 << 16) }));
    }

    #[test]
    fn a_trace_with_lost_events_tells_nothing() {
        assert_eq!(read(&TRACE.replace("8/8", "8/9"), 71), None);
        assert_eq!(read("", 71), Some(Checked::default()));
    }
}
