//! What may be known with which rights: each row of the table is provoked, and said in words and as JSON.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;

use super::asking::{self, ordinary};
use super::counts::is_uml;
use super::init::Serial;
use super::watching::Watching;
use super::{KHELPER, OWN};

/// First argument of the process that starts what follows in a new pid namespace.
pub const PID_NAMESPACE: &str = "khelper-guest-pid-namespace";
/// The exit code when nothing can be watched.
const UNAVAILABLE: i32 = 69;

/// The kernel's version, as `(6, 12)`.
fn release() -> (u32, u32) {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = text.split('.').map_while(|part| part.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// The states of a watch that is started so, by their names; the words are the same in both forms, and each says what
/// would change it. The third value is one helper of a request made meanwhile; `None` if nothing can be watched.
fn watch(start: &dyn Fn() -> Command) -> ([String; 3], Vec<String>, Option<Value>) {
    let mut words = Watching::start(&mut start(), false);
    let states = std::mem::take(&mut words.states);
    let mut json = Watching::start(&mut start(), true);
    let first: Value = serde_json::from_str(&json.states[0]).unwrap();
    assert_eq!(first["event"], "watching");
    let all = first["states"].as_array().unwrap();
    let text = |state: &Value, name: &str| state[name].as_str().unwrap().to_owned();
    for (state, said) in all.iter().zip(&states) {
        let [known, unknown, change] = ["known", "unknown", "change"].map(|name| text(state, name));
        assert!(
            said.starts_with("khelper: kernel: ") && said.contains(&known) && said.contains(&unknown),
            "{said} {state}"
        );
        assert!(said.contains(&change) && unknown.is_empty() == change.is_empty(), "{said} {state}");
    }
    assert_eq!((all.len(), states.len()), (3, 3), "{states:?}");
    let names: Vec<String> = all.iter().map(|state| text(state, "name")).collect();
    let known = all.iter().map(|state| text(state, "known")).collect::<Vec<_>>();
    let helper = if known.iter().all(String::is_empty) {
        assert_eq!((words.wait().status.code(), json.wait().status.code()), (Some(UNAVAILABLE), Some(UNAVAILABLE)));
        None
    } else {
        let own = nix::unistd::gettid().as_raw();
        asking::module("0-e7");
        let (line, object) = (words.line(), json.object());
        // Whatever one form says of the requester, the other says too.
        assert_eq!(line.contains(&format!(" pid {own} ")), object["requester"]["pid"] == own, "{line} {object}");
        // 128 and SIGTERM.
        assert_eq!((words.end().status.code(), json.end().status.code()), (Some(143), Some(143)));
        Some(object)
    };
    (names.try_into().unwrap(), known, helper)
}

/// What is said of the helper: requester, module, raw status.
fn facts(helper: Option<Value>) -> (bool, bool, Option<i64>) {
    let helper = helper.unwrap();
    let own = nix::unistd::gettid().as_raw();
    (helper["requester"]["tid"] == own, helper["module"] == "fs-0-e7", helper["raw"].as_i64())
}

const ALL: [&str; 3] = ["trace", "requesters", "exits"];
/// Everything about the helper is known.
const WHOLE: (bool, bool, Option<i64>) = (true, true, Some(7 << 8));
/// Its end alone.
const END: (bool, bool, Option<i64>) = (false, false, Some(7 << 8));
/// Before Linux 6.12 the kernel tells the command name and not the file.
const NO_FILE: Value = Value::Null;

pub fn no_capability(_: &mut Serial) {
    asking::prepare();
    let (names, _, helper) = watch(&|| {
        let mut command = Command::new(KHELPER);
        // SAFETY: the closure makes system calls only. What the bounding set lacks, root does not get by execve(2).
        unsafe {
            command.pre_exec(|| {
                for capability in 0..64 {
                    libc::prctl(libc::PR_CAPBSET_DROP, capability);
                }
                Ok(())
            })
        };
        command
    });
    if release() >= (6, 12) {
        assert_eq!((names, facts(helper)), (ALL.map(str::to_owned), WHOLE));
    } else {
        // Addresses are hidden from whoever lacks CAP_SYSLOG, and ends need CAP_NET_ADMIN before Linux 6.6.
        assert_eq!(names, ["trace", "requesters_addresses_hidden", "exits_not_permitted"]);
        assert_eq!(helper.unwrap()["path"], NO_FILE);
    }
}

pub fn ordinary_user(_: &mut Serial) {
    asking::prepare();
    let (names, _, helper) = watch(&|| ordinary(KHELPER));
    assert_eq!((&*names[0], &*names[1]), ("trace_not_permitted", "requesters_without_trace"));
    if release() >= (6, 6) {
        assert_eq!((&*names[2], facts(helper)), ("exits_alone", END));
    } else {
        assert_eq!((&*names[2], helper), ("exits_not_permitted", None));
    }
}

/// In a new namespace of this kind.
fn within(flags: CloneFlags) -> Command {
    let mut command = Command::new(KHELPER);
    // SAFETY: the closure makes one system call.
    unsafe { command.pre_exec(move || Ok(unshare(flags)?)) };
    command
}

pub fn network_namespace(_: &mut Serial) {
    asking::prepare();
    let (names, _, helper) = watch(&|| within(CloneFlags::CLONE_NEWNET));
    assert_eq!(names, ["trace", "requesters", "exits_network_namespace"]);
    let (requester, module, raw) = facts(helper);
    assert!(requester && module && raw.is_none());
}

/// The process between this one and the new namespace.
pub fn in_pid_namespace(program: &str, args: &[String]) -> ExitCode {
    unshare(CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS).unwrap();
    let mut command = Command::new(program);
    // SAFETY: the closure makes one system call.
    unsafe { command.pre_exec(|| Ok(mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), None::<&str>)?)) };
    let code = command.args(args).status().unwrap().code();
    ExitCode::from(u8::try_from(code.unwrap_or(1)).unwrap_or(1))
}

pub fn pid_namespace(_: &mut Serial) {
    asking::prepare();
    let (names, _, helper) = watch(&|| {
        let mut command = Command::new(OWN);
        command.args([PID_NAMESPACE, KHELPER]);
        command
    });
    assert_eq!(
        (names, helper),
        (["trace_pid_namespace", "requesters_without_trace", "exits_silent"].map(str::to_owned), None)
    );
}

pub fn detached(_: &mut Serial) {
    asking::prepare();
    umount("/sys/kernel/tracing").unwrap();
    let (names, known, helper) = watch(&|| Command::new(KHELPER));
    assert_eq!((names, facts(helper)), (ALL.map(str::to_owned), WHOLE));
    assert!(known[0].contains("private mount"), "{known:?}");
    // Nobody else sees that mount.
    assert!(!std::fs::read_to_string("/proc/mounts").unwrap().contains("tracefs"));
}

fn lockdown() -> String {
    std::fs::read_to_string("/sys/kernel/security/lockdown").unwrap()
}

pub fn integrity(_: &mut Serial) {
    asking::prepare();
    assert!(lockdown().contains("[integrity]"), "{}", lockdown());
    let (names, known, helper) = watch(&|| Command::new(KHELPER));
    assert_eq!((names, facts(helper)), (ALL.map(str::to_owned), WHOLE));
    assert!(!known[0].contains("private mount"), "{known:?}");
}

pub fn confidentiality(_: &mut Serial) {
    asking::prepare();
    assert!(lockdown().contains("[confidentiality]"), "{}", lockdown());
    let (names, _, helper) = watch(&|| Command::new(KHELPER));
    assert_eq!(names, ["trace_locked_down", "requesters_without_trace", "exits_alone"]);
    assert_eq!(facts(helper), END);
}

/// Before Linux 6.12 the filter of events needs the addresses of two functions.
pub fn hidden_addresses(_: &mut Serial) {
    assert!(!is_uml());
    asking::prepare();
    std::fs::write("/proc/sys/kernel/kptr_restrict", "2").unwrap();
    let (names, _, helper) = watch(&|| Command::new(KHELPER));
    assert_eq!(names, ["trace", "requesters_addresses_hidden", "exits"]);
    let (requester, _, raw) = facts(helper);
    assert_eq!((requester, raw), (false, Some(7 << 8)));
    // What its words say would change that does change it.
    std::fs::write("/proc/sys/kernel/kptr_restrict", "1").unwrap();
    let (names, _, helper) = watch(&|| Command::new(KHELPER));
    assert_eq!((names, facts(helper)), (ALL.map(str::to_owned), WHOLE));
}
