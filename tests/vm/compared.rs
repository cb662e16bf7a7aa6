//! The fields that are compared: the only list of them. `guest/fields.rs` has to give a value for each, the table fails
//! on a field that is not listed here, and `docs/deviations.md` prints the list.

/// How the comparison can notice a helper that keeps what its caller had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Varied {
    /// In at least one scenario the caller has another value, and fork(2) would pass it on. A whole run checks that.
    ByCaller,
    /// The scenarios vary it in other ways, or a helper of the kernel and one of a program cannot have the same.
    ByScenario,
    /// Compared, but no scenario varies it, for this reason.
    Never(&'static str),
}

use Varied::{ByCaller, ByScenario, Never};

const FORK: &str = "fork(2) does not pass it on";
const EXEC: &str = "execve(2) resets it";

macro_rules! fields {
    ($(#[$doc:meta])* $enum:ident: $($variant:ident, $name:literal, $varied:expr, $about:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $enum { $($variant),* }

        impl $enum {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in the table and in `assets/deviations.toml`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            pub const fn varied(self) -> Varied {
                match self { $(Self::$variant => $varied),* }
            }

            /// What it says.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about),* }
            }
        }
    };
}

fields! {
    /// What a helper finds when it starts. A scenario with several helpers compares each of them.
    StartField:
    Argv, "argv", ByScenario, "the arguments, byte by byte";
    Env, "env", ByCaller, "the environment, byte by byte and in its order";
    Cwd, "cwd", ByCaller, "the working directory";
    Root, "root", ByScenario, "the root directory";
    Umask, "umask", ByCaller, "the file mode creation mask";
    Nice, "nice", ByCaller, "the nice value";
    AutogroupNice, "autogroup nice", ByCaller, "the nice value of its autogroup (sched(7)); 0 where it is in none";
    Scheduler, "scheduler", ByCaller, "the scheduling policy";
    RealTimePriority, "real-time priority", ByCaller, "the priority within SCHED_FIFO or SCHED_RR";
    ResetOnFork, "reset on fork", Never(FORK), "whether SCHED_FLAG_RESET_ON_FORK is set";
    TimeSlice, "time slice", ByCaller, "the time slice of SCHED_OTHER in ns; 0 before Linux 6.12";
    Utilization, "utilization clamp", Never("Debian's kernels lack CONFIG_UCLAMP_TASK"), "sched_util_min and sched_util_max";
    Affinity, "affinity", ByCaller, "the CPUs that it may run on";
    IoPriority, "I/O priority", ByCaller, "class and level, as ioprio_get(2) returns them";
    TimerSlack, "timer slack", ByCaller, "in ns, and the default that PR_SET_TIMERSLACK with 0 goes back to";
    NumaPolicy, "NUMA policy", ByCaller, "mode and nodes, as get_mempolicy(2) returns them";
    ThpDisable, "THP disable", ByCaller, "PR_GET_THP_DISABLE";
    KsmMerge, "KSM merge", ByCaller, "PR_GET_MEMORY_MERGE; from Linux 6.4 on";
    WriteExecute, "memory deny write execute", ByCaller, "PR_GET_MDWE; from Linux 6.3 on";
    CoreFilter, "core filter", ByCaller, "/proc/self/coredump_filter";
    Dumpable, "dumpable", Never(EXEC), "PR_GET_DUMPABLE";
    Personality, "personality", ByCaller, "as personality(2) returns it";
    SignalsBlocked, "signals blocked", ByCaller, "real-time signals included";
    SignalsIgnored, "signals ignored", ByCaller, "real-time signals included";
    SignalsCaught, "signals caught", Never(EXEC), "none can be";
    SignalsPending, "signals pending", Never(FORK), "of the thread and of the process";
    Session, "session", ByScenario, "0, its own, or another's";
    Group, "group", ByScenario, "its process group: 0, its own, or another's";
    Terminal, "terminal", ByCaller, "whether it has a controlling terminal";
    Parent, "parent", ByScenario, "whether its parent is a thread of the kernel";
    ParentDeathSignal, "parent death signal", Never(FORK), "PR_GET_PDEATHSIG";
    Subreaper, "child subreaper", Never(FORK), "PR_GET_CHILD_SUBREAPER";
    Fds, "fds", ByCaller, "the open files and what kind each is";
    CapInh, "CapInh", ByCaller, "the inheritable capability set";
    CapPrm, "CapPrm", ByCaller, "the permitted set";
    CapEff, "CapEff", ByCaller, "the effective set";
    CapBnd, "CapBnd", ByScenario, "the bounding set";
    CapAmb, "CapAmb", ByCaller, "the ambient set";
    Securebits, "securebits", ByCaller, "PR_GET_SECUREBITS";
    KeepCaps, "keep caps", Never(EXEC), "PR_GET_KEEPCAPS";
    NoNewPrivs, "NoNewPrivs", ByCaller, "PR_GET_NO_NEW_PRIVS";
    Seccomp, "seccomp", ByCaller, "mode and number of filters";
    Landlock, "Landlock", ByCaller, "whether a domain forbids it to make a symbolic link";
    LsmLabel, "LSM label", Never("no policy is loaded"), "/proc/self/attr/current";
    Speculation, "speculation control", Never("the emulated processor has no such control"), "PR_GET_SPECULATION_CTRL of each kind";
    Uid, "uid", ByCaller, "real, effective, saved and file system user id";
    Gid, "gid", ByCaller, "the same of the group";
    Groups, "groups", ByCaller, "the supplementary groups";
    LoginUid, "login uid", ByCaller, "/proc/self/loginuid, set or not";
    SessionKeyring, "session keyring", ByCaller, "none, a new empty one, or its name and keys";
    RequestKeyDefault, "request-key default", ByCaller, "the keyring that requested keys go to (KEYCTL_SET_REQKEY_KEYRING)";
    OomScoreAdj, "oom_score_adj", ByCaller, "as /proc/self/oom_score_adj has it";
    MceKill, "MCE kill policy", ByCaller, "PR_MCE_KILL_GET";
    IoFlusher, "I/O flusher", ByCaller, "what PR_GET_IO_FLUSHER tells, from the flags in /proc/self/stat";
    Tsc, "TSC", Never("a program that cannot read the time stamp counter cannot read the clock"), "PR_GET_TSC";
    IoPorts, "I/O ports", ByCaller, "whether it may read one (ioperm(2))";
    Limits, "limits", ByCaller, "every resource limit, held against pid 1's";
    Cgroup, "cgroup", ByCaller, "in the unified hierarchy";
    Namespaces, "namespaces", ByCaller, "of every kind, held against pid 1's";
}

fields! {
    /// What became of the requests of a scenario.
    RequestField:
    Result, "result", ByScenario, "what `__request_module` or `call_usermodehelper_exec` returned to each caller";
    Caller, "caller", ByScenario, "when each was back: after its helper's end, before it, after 5 s, when it was killed";
    Helpers, "helpers", ByScenario, "how many helpers were executed";
    AtOnce, "at once", ByScenario, "how many of them at one time";
    Logged, "logged", ByScenario, "the messages of `request_module`, the count of suppressed ones included";
    Bset, "bset", ByScenario, "`kernel.usermodehelper.bset`, as it reads after the scenario's writes";
    Inheritable, "inheritable", ByScenario, "`kernel.usermodehelper.inheritable`, likewise";
}

/// The name of the field that says what became of a text fed to a knob, and how the knob reads then. `text` is escaped.
pub fn knob_text(knob: &str, text: &str) -> String {
    match text.len() {
        0..=60 => format!("{knob} `{text}`"),
        long => format!("{knob} `{}... ({long})`", &text[..12]),
    }
}

/// Whether a field of this name is listed.
pub fn is_listed(name: &str) -> bool {
    StartField::ALL.iter().any(|f| f.name() == name)
        || RequestField::ALL.iter().any(|f| f.name() == name)
        || (name.contains(" `") && name.ends_with('`'))
}
