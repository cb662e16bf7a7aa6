//! A scenario: what is set, who asks and how, what the helper does. The files of `scenarios/` hold them, in TOML; the
//! fields below are the schema, and an unknown one is an error.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// One file of scenarios.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sheet {
    /// The boot that they run in, in their order: a kernel's masks can only be narrowed while it is up.
    boot: String,
    scenario: Vec<Scenario>,
}

/// One scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name, unique.
    pub name: String,
    /// The boot, from its file.
    #[serde(skip)]
    pub boot: String,
    /// Written to `kernel.modprobe`. A text of ours may hold `\\xNN` for any byte.
    #[serde(default = "record")]
    pub modprobe: String,
    /// Written to `kernel.usermodehelper.bset`, one after another.
    #[serde(default)]
    pub bset: Vec<String>,
    /// Written to `kernel.usermodehelper.inheritable`, one after another.
    #[serde(default)]
    pub inheritable: Vec<String>,
    /// What makes the kernel ask.
    #[serde(default)]
    pub ask: Ask,
    /// The names that it then asks for, which the engine is asked for one after another.
    #[serde(default = "net_pf_37")]
    pub names: Vec<String>,
    /// A helper that is no modprobe: the engine is asked to call it.
    #[serde(default)]
    pub call: Option<Call>,
    /// What the helper does once it has told how it was born: `exit N`, `signal N`, `load FILE`.
    #[serde(default = "exit_0")]
    pub then: String,
    /// What the one who asks is like.
    #[serde(default)]
    pub caller: Caller,
    /// What happens, in this order; by default one caller asks.
    #[serde(default = "once")]
    pub steps: Vec<Step>,
    /// Texts fed to the knobs, and nothing is asked for.
    #[serde(default)]
    pub texts: Vec<Text>,
    /// Through the command line, not the library.
    #[serde(default)]
    pub command_line: bool,
    /// Only on these kernels.
    #[serde(default)]
    pub kernels: Vec<String>,
}

fn record() -> String {
    "/h/record".into()
}
fn net_pf_37() -> Vec<String> {
    vec!["net-pf-37".into()]
}
fn exit_0() -> String {
    "exit 0".into()
}
fn once() -> Vec<Step> {
    vec![Step::Ask(1)]
}

/// A system call that makes the kernel ask for a module, or call a helper.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// socket(domain, type, protocol).
    Socket([i32; 3]),
    /// mount(2) of a file system of this type.
    Mount(String),
    /// execve(2) of a file that begins with these bytes.
    Exec(Vec<u8>),
    /// SIOCGIFFLAGS of an interface of this name.
    Interface(String),
    /// open(2) of a character device: major, minor.
    CharDevice([u32; 2]),
    /// TCP_CONGESTION on a socket.
    Congestion(String),
    /// The last process leaves a cgroup whose hierarchy has this release_agent.
    ReleaseAgent(String),
}

impl Default for Ask {
    fn default() -> Self {
        Self::Socket([37, 1, 0])
    }
}

/// A call of `call_usermodehelper`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Path and arguments.
    pub argv: Vec<String>,
    /// Environment.
    pub env: Vec<String>,
    /// `none`, `exec`, `proc`.
    pub wait: String,
}

/// How the process that asks differs from a plain one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Caller {
    pub umask: Option<u32>,
    pub nice: Option<i32>,
    /// Of its autogroup; it needs `setsid`.
    pub autogroup_nice: Option<i32>,
    /// `fifo`, `rr`, `batch`, `idle`.
    pub policy: Option<String>,
    /// SCHED_FLAG_RESET_ON_FORK.
    pub reset_on_fork: bool,
    /// In nanoseconds, under SCHED_OTHER.
    pub time_slice: Option<u64>,
    /// Class and level (ioprio_set(2)).
    pub io_priority: Option<[u16; 2]>,
    /// In nanoseconds.
    pub timer_slack: Option<u64>,
    /// The mode of set_mempolicy(2), for node 0.
    pub numa_policy: Option<i32>,
    pub thp_disable: bool,
    pub ksm_merge: bool,
    pub deny_write_execute: bool,
    /// /proc/self/coredump_filter.
    pub core_filter: Option<u32>,
    pub not_dumpable: bool,
    /// The flags of personality(2).
    pub personality: Option<u64>,
    pub parent_death_signal: Option<u64>,
    pub subreaper: bool,
    /// PR_MCE_KILL_EARLY.
    pub mce_kill: bool,
    pub io_flusher: bool,
    /// Port 0x80 by ioperm(2).
    pub io_ports: bool,
    /// The flags of PR_SET_SECUREBITS.
    pub securebits: Option<u64>,
    pub keep_caps: bool,
    /// A filter that allows everything.
    pub seccomp: bool,
    /// A Landlock domain that forbids to make symbolic links, and nothing else.
    pub landlock: bool,
    /// /proc/self/loginuid.
    pub login_uid: Option<u32>,
    /// A session keyring with a key in it.
    pub session_keyring: bool,
    /// The number of a keyring of KEYCTL_SET_REQKEY_KEYRING.
    pub request_key_default: Option<i32>,
    pub cpu: Option<usize>,
    pub cwd: Option<String>,
    pub root: Option<String>,
    /// So many files open, none close-on-exec.
    pub files: usize,
    /// Descriptors 0, 1 and 2 closed when it asks.
    pub no_stdio: bool,
    /// Signals ignored.
    pub ignored: Vec<i32>,
    /// Every signal blocked, those that the C library keeps for itself (32, 33) included.
    pub blocked: bool,
    /// Signals sent to itself; it needs `blocked`.
    pub pending: Vec<i32>,
    /// A session of its own.
    pub setsid: bool,
    /// A pseudo-terminal as its controlling terminal; it needs `setsid`.
    pub terminal: bool,
    pub nofile: Option<u64>,
    pub oom_score_adj: Option<i32>,
    pub groups: Vec<u32>,
    /// Every capability inheritable, and ambient.
    pub ambient: bool,
    pub no_new_privs: bool,
    /// A variable in its environment.
    pub env: Option<String>,
    /// In a user namespace of its own.
    pub user_namespace: bool,
    /// In an UTS, IPC and mount namespace of its own.
    pub namespaces: bool,
    /// In a cgroup of its own.
    pub cgroup: bool,
    /// Last: this user.
    pub uid: Option<u32>,
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// So many more ask, each on its own.
    Ask(usize),
    /// Waits until so many helpers have been started, or until nobody is left who could have one started.
    Running(usize),
    /// Waits until so many callers are back.
    Back(usize),
    /// Waits until so many requests have been begun, those that wait for a slot included.
    Asked(usize),
    /// Waits until so many calls of a helper have returned.
    Called(usize),
    /// Lets go the helpers that are held (`/h/held`), those to come too.
    Release(usize),
    /// Kills those who asked in this `ask` step, counted from 0.
    Kill(usize),
}

/// A text for a knob.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// `modprobe`, `bset` or `inheritable`.
    pub knob: String,
    /// The text.
    pub text: String,
}

impl Scenario {
    /// Whether it is for this kernel.
    pub fn is_for(&self, series: &str) -> bool {
        self.kernels.is_empty() || self.kernels.iter().any(|k| k == series)
    }
}

/// All scenarios of a folder, by file and in their order there.
pub fn load(dir: &Path) -> Result<Vec<Scenario>, String> {
    let listed = std::fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut files: Vec<_> = listed.filter_map(|e| Some(e.ok()?.path())).collect();
    files.retain(|f| f.extension().is_some_and(|x| x == "toml"));
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let wrong = |e: &dyn std::fmt::Display| format!("{}: {e}", file.display());
        let text = std::fs::read_to_string(&file).map_err(|e| wrong(&e))?;
        let sheet: Sheet = toml::from_str(&text).map_err(|e| wrong(&e))?;
        all.extend(sheet.scenario.into_iter().map(|s| Scenario { boot: sheet.boot.clone(), ..s }));
    }
    let mut names = BTreeSet::new();
    match all.iter().find(|s| !names.insert(&s.name)) {
        Some(twice) => Err(format!("two scenarios are called {}", twice.name)),
        None => Ok(all),
    }
}

/// A text of a scenario as bytes: `\xNN` and `\\` as in [`khelper::abi::escape`].
pub fn bytes(text: &str) -> Vec<u8> {
    khelper::abi::escape::unescape(text).unwrap_or_else(|| panic!("`{text}` is not escaped as it should be"))
}
