//! Everything that a process inherits by fork(2), clone(2) and execve(2), one row for each attribute, and what a launch
//! does about it (UMH-9).
//!
//! Sources: fork(2), clone(2), execve(2), prctl(2), credentials(7), capabilities(7), sched(7), keyrings(7), numa(7),
//! core(5), ioprio_set(2), personality(2), ioperm(2).

pub(super) mod memory;
mod thread;

use crate::abi::launch_spec::NotEnforced;
use crate::abi::mutation::{self, Mutation};

/// What a launch does about an inherited attribute.
#[cfg_attr(not(test), expect(dead_code, reason = "names and titles are for readers, and for the test of the table"))]
pub(super) enum Treatment {
    /// An attribute of threads: each worker sets it once, its helpers inherit it. If the function returns false, the
    /// record names it.
    Worker(fn() -> bool, NotEnforced),
    /// Set in the child between clone and exec (`child.rs`). Where that may fail, the record names it.
    Child(Option<NotEnforced>),
    /// Set in the child too, in its own copy of the host's memory (`memory.rs`).
    Memory(NotEnforced),
    /// The engine decides it for each helper: masks, arguments, limits set by the init hook.
    Engine,
    /// fork or exec resets it, so there is nothing to do.
    Kernel,
    /// The host's, on purpose: declared in docs/deviations.md under this title.
    Declared(&'static str),
    /// As `Declared`, and named in the record where the host has it.
    Recorded(&'static str, NotEnforced),
}

/// One attribute.
#[cfg_attr(not(test), expect(dead_code, reason = "the name is for readers, and for the test of the table"))]
pub(super) struct Item {
    /// Its name for readers.
    pub(super) name: &'static str,
    pub(super) treatment: Treatment,
}

const fn item(name: &'static str, treatment: Treatment) -> Item {
    Item { name, treatment }
}

/// Titles in assets/deviations.toml.
const HOSTS_OWN: &str = "uid, gid, limits, no_new_privs, namespaces, cgroup and root are the host's";
const RESTRICTIONS: &str = "what the host has restricted for itself stays restricted";
const WATCHED: &str = "tracing, counters and audit of the host include its helpers";
const KEYRINGS: &str = "a new session keyring; the keyrings of the user stay reachable";
const SESSION: &str = "a new session and process group for each helper";
const ARCHITECTURE: &str = "architecture-specific settings, except on x86-64, are the host's";

/// The table. Order within `Worker` matters: the timer slack depends on the scheduling policy.
pub(super) const ITEMS: &[Item] = &[
    // Signals and timers.
    item("ignored signals, real-time ones included", Treatment::Child(None)),
    item("signal handlers", Treatment::Kernel),
    item("blocked signals", Treatment::Child(None)),
    item("pending signals", Treatment::Kernel),
    item("alternate signal stack", Treatment::Kernel),
    item("interval timers, POSIX timers, alarm", Treatment::Kernel),
    item("parent death signal", Treatment::Kernel),
    item("child subreaper", Treatment::Kernel),
    // Scheduling.
    item("scheduling policy, reset-on-fork, time slice", Treatment::Worker(thread::policy, NotEnforced::Scheduler)),
    item("nice value", Treatment::Worker(thread::nice, NotEnforced::Nice)),
    item("CPU affinity", Treatment::Worker(thread::affinity, NotEnforced::Affinity)),
    item("utilization clamps", Treatment::Worker(thread::utilization, NotEnforced::Utilization)),
    item("core scheduling cookie", Treatment::Worker(thread::core_scheduling, NotEnforced::CoreScheduling)),
    item("autogroup", Treatment::Child(None)),
    item("I/O priority", Treatment::Worker(thread::io_priority, NotEnforced::IoPriority)),
    item("timer slack", Treatment::Worker(thread::timer_slack, NotEnforced::TimerSlack)),
    item("NUMA memory policy", Treatment::Worker(thread::numa_policy, NotEnforced::NumaPolicy)),
    item("NUMA home node, memory locks, advice", Treatment::Kernel),
    // Memory.
    item("transparent huge pages disabled", Treatment::Memory(NotEnforced::ThpDisable)),
    item("same-page merging", Treatment::Memory(NotEnforced::MemoryMerge)),
    item("core dump filter", Treatment::Memory(NotEnforced::CoreFilter)),
    item("dumpable", Treatment::Kernel),
    item("memory-deny-write-execute", Treatment::Recorded(RESTRICTIONS, NotEnforced::MemoryDenyWriteExecute)),
    item("oom_score_adj", Treatment::Child(Some(NotEnforced::OomScoreAdj))),
    // The processor.
    item("execution domain (personality)", Treatment::Worker(thread::personality, NotEnforced::Personality)),
    item("speculation control", Treatment::Worker(thread::speculation, NotEnforced::SpeculationControl)),
    item("memory corruption kill policy", Treatment::Worker(thread::machine_check, NotEnforced::MachineCheckKill)),
    #[cfg(target_arch = "x86_64")]
    item("timestamp counter", Treatment::Worker(thread::timestamp_counter, NotEnforced::TimestampCounter)),
    #[cfg(target_arch = "x86_64")]
    item("I/O port permissions", Treatment::Worker(thread::io_ports, NotEnforced::IoPorts)),
    item("CPUID faulting, shadow stack, syscall user dispatch, rseq", Treatment::Kernel),
    item("vector lengths, tagged addresses, unaligned access", Treatment::Declared(ARCHITECTURE)),
    item("IO_FLUSHER state", Treatment::Worker(thread::io_flusher, NotEnforced::IoFlusher)),
    // Credentials and confinement.
    item("capability sets", Treatment::Engine),
    item("securebits", Treatment::Recorded(RESTRICTIONS, NotEnforced::Securebits)),
    item("keep-caps", Treatment::Kernel),
    item("no_new_privs", Treatment::Declared(HOSTS_OWN)),
    item("seccomp filters", Treatment::Declared(RESTRICTIONS)),
    item("Landlock domain", Treatment::Declared(RESTRICTIONS)),
    item("LSM label, and the one set for the next exec", Treatment::Declared(RESTRICTIONS)),
    item("user and group ids", Treatment::Declared(HOSTS_OWN)),
    item("supplementary groups", Treatment::Worker(thread::groups, NotEnforced::Groups)),
    item("session keyring", Treatment::Child(Some(NotEnforced::SessionKeyring))),
    item("thread and process keyring", Treatment::Kernel),
    item(
        "request-key authority, default keyring",
        Treatment::Worker(thread::key_requests, NotEnforced::SessionKeyring),
    ),
    item("user and user session keyring", Treatment::Declared(KEYRINGS)),
    item("audit login uid and session", Treatment::Declared(WATCHED)),
    // Files and the place in the system.
    item("umask", Treatment::Child(None)),
    item("working directory", Treatment::Child(None)),
    item("root directory", Treatment::Declared(HOSTS_OWN)),
    item("open files, also of io_uring", Treatment::Child(None)),
    item("session, process group, controlling terminal", Treatment::Child(None)),
    item("session number of the kernel's helpers", Treatment::Declared(SESSION)),
    item("resource limits", Treatment::Declared(HOSTS_OWN)),
    item("namespaces", Treatment::Declared(HOSTS_OWN)),
    item("cgroup, resctrl group", Treatment::Declared(HOSTS_OWN)),
    item("tracer, inherited performance counters", Treatment::Declared(WATCHED)),
    item("arguments and environment", Treatment::Engine),
];

/// Sets the attributes of the calling thread to a helper's values, permanently. Returns what could not be set, sorted.
pub(super) fn reset_thread() -> Vec<NotEnforced> {
    let mut not: Vec<_> = ITEMS
        .iter()
        .filter_map(|item| match item.treatment {
            Treatment::Worker(reset, name) if !mutation::is(Mutation::ThreadKept) => (!reset()).then_some(name),
            _ => None,
        })
        .collect();
    if !thread::securebits() {
        not.push(NotEnforced::Securebits);
    }
    not.sort_unstable();
    not.dedup();
    not
}

#[cfg(test)]
mod tests {
    use super::*;

    const INHERITANCE: &str = "tests/inheritance.rs";
    const BIRTH: &str = "tests/birth.rs";
    const THREAD: &str = "src/sys/linux/inherited/thread.rs";
    const AS_THE_RULE_SAYS: &str = "umh_9_a_helper_is_born_as_the_rule_says_whatever_its_host_is_like";

    /// The test for a row that a launch sets: file and function.
    fn test_of(name: &str) -> (&'static str, &'static str) {
        match name {
            "ignored signals, real-time ones included" | "blocked signals" => {
                (INHERITANCE, "umh_9_no_signal_is_ignored_or_blocked_real_time_ones_included")
            }
            "scheduling policy, reset-on-fork, time slice"
            | "nice value"
            | "utilization clamps"
            | "core scheduling cookie" => (INHERITANCE, "umh_9_scheduling_is_reset"),
            "CPU affinity" => (INHERITANCE, "umh_9_every_cpu_is_allowed"),
            "I/O priority" | "timer slack" | "NUMA memory policy" => {
                (INHERITANCE, "umh_9_io_priority_timer_slack_and_numa_policy_are_reset")
            }
            "transparent huge pages disabled" | "same-page merging" | "core dump filter" | "oom_score_adj" => {
                (INHERITANCE, "umh_9_attributes_of_memory_are_reset")
            }
            "memory-deny-write-execute" | "securebits" => {
                (INHERITANCE, "umh_9_restrictions_of_the_host_are_kept_and_named")
            }
            "execution domain (personality)"
            | "speculation control"
            | "memory corruption kill policy"
            | "IO_FLUSHER state" => (INHERITANCE, "umh_9_personality_speculation_and_error_policy_are_reset"),
            "timestamp counter" => (THREAD, "umh_9_the_timestamp_counter_can_be_read"),
            "I/O port permissions" => (THREAD, "umh_9_io_ports_are_given_up"),
            "request-key authority, default keyring" => (THREAD, "umh_9_requested_keys_go_to_the_default_keyring"),
            "session keyring" => (INHERITANCE, "umh_9_the_session_keyring_is_new"),
            // A new session gets its own autogroup (sched(7)).
            "autogroup"
            | "session, process group, controlling terminal"
            | "umask"
            | "working directory"
            | "open files, also of io_uring"
            | "supplementary groups" => (BIRTH, AS_THE_RULE_SAYS),
            other => panic!("nothing shows `{other}`"),
        }
    }

    fn recorded(treatment: &Treatment) -> Option<NotEnforced> {
        match treatment {
            Treatment::Worker(_, name) | Treatment::Memory(name) | Treatment::Recorded(_, name) => Some(*name),
            Treatment::Child(name) => *name,
            Treatment::Engine | Treatment::Kernel | Treatment::Declared(_) => None,
        }
    }

    #[test]
    fn umh_9_every_name_of_a_record_is_a_row() {
        let rows: Vec<_> = ITEMS.iter().filter_map(|item| recorded(&item.treatment)).collect();
        for name in NotEnforced::ALL {
            // I/O ports and the timestamp counter are rows on x86-64 alone.
            assert!(rows.contains(&name) || cfg!(not(target_arch = "x86_64")), "{}", name.name());
        }
    }

    #[test]
    fn umh_9_every_row_has_a_test_or_is_declared() {
        let read = |path: &str| std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let declared = read("assets/deviations.toml");
        let assert_shown = |name| {
            let (file, function) = test_of(name);
            assert!(read(file).contains(&format!("fn {function}(")), "{file} has no test {function}");
        };
        let assert_declared = |title| assert!(declared.contains(&format!("\ntitle = \"{title}\"\n")), "{title}");
        let mut names = std::collections::BTreeSet::new();
        for Item { name, treatment } in ITEMS {
            assert!(names.insert(name), "{name} stands twice in the table");
            match treatment {
                Treatment::Worker(..) | Treatment::Child(_) | Treatment::Memory(_) => assert_shown(name),
                Treatment::Declared(title) => assert_declared(title),
                Treatment::Recorded(title, _) => {
                    assert_declared(title);
                    assert_shown(name);
                }
                Treatment::Engine | Treatment::Kernel => {}
            }
        }
    }
}
