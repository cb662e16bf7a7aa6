//! UMH-9: what fork and exec pass on does not reach a helper, or its record says so. The host is the program itself,
//! started with one attribute after the other changed, so that there is something to take away; the helper is the
//! probe. Each attribute is first seen to arrive in a process that nobody resets.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::ffi::CStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use common::{am_root, skipped};
use khelper::abi::launch_spec::SessionKeyring;
use khelper::abi::wait::WaitMode;
use libc::{c_int, c_long, c_ulong};
use serde_json::{Value, json};

/// One attribute that the host has and a helper is not to have.
struct Attribute {
    /// The field of the probe.
    field: &'static str,
    /// Its name in `not_enforced`.
    name: &'static str,
    /// Changes it, in a child between fork and exec.
    change: fn() -> io::Result<()>,
    /// What becomes of it, as root and as an ordinary user.
    wanted: [Wanted; 2],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wanted {
    /// The helper has the value of a process with nothing changed.
    Reset,
    /// The helper has the host's value and its record names it.
    Named,
    /// Needs privilege to change in the first place.
    NotForUsers,
}
use Wanted::{Named, NotForUsers, Reset};

fn probe(arguments: &[&str], change: Option<fn() -> io::Result<()>>) -> io::Result<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
    command.args(arguments);
    if let Some(change) = change {
        // SAFETY: each change makes system calls only.
        unsafe { command.pre_exec(change) };
    }
    let output = command.output()?;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

impl Attribute {
    fn check(&self) {
        let plain = probe(&["--khelper-probe"], None).unwrap()[self.field].clone();
        let wanted = self.wanted[usize::from(!am_root())];
        let changed = match probe(&["--khelper-probe"], Some(self.change)) {
            Ok(report) => report[self.field].clone(),
            Err(e) if wanted == NotForUsers => return skipped(&format!("{}: only root can change it: {e}", self.name)),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                return skipped(&format!("{}: this process may not change it: {e}", self.name));
            }
            // A kernel that does not have it has nothing to inherit.
            Err(e) => return println!("{}: this kernel cannot change it: {e}", self.name),
        };
        assert_ne!(changed, plain, "{} reaches a process that nobody resets", self.field);
        let record = probe(&["probe", "--json"], Some(self.change)).unwrap();
        let (given, named) = (&record["probe"][self.field], names(&record).contains(&json!(self.name)));
        match wanted {
            Named => assert_eq!((given, named), (&changed, true), "{}: kept and named", self.name),
            Reset | NotForUsers => assert_eq!((given, named), (&plain, false), "{}: reset", self.name),
        }
    }
}

fn names(record: &Value) -> &Vec<Value> {
    record["not_enforced"].as_array().unwrap()
}

fn check(attributes: &[Attribute]) {
    attributes.iter().for_each(Attribute::check);
}

fn done(returned: c_long) -> io::Result<()> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn prctl(option: c_int, second: c_ulong, third: c_ulong) -> io::Result<()> {
    let zero: c_ulong = 0;
    // SAFETY: integers only.
    done(unsafe { libc::prctl(option, second, third, zero, zero) }.into())
}

fn schedule(policy: c_int, priority: c_int) -> io::Result<()> {
    let parameter = libc::sched_param { sched_priority: priority };
    // SAFETY: pid 0 is the calling process; the parameter lives on this stack.
    done(unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) }.into())
}

fn ignore(signal: c_int) -> io::Result<()> {
    // SAFETY: SIG_IGN runs no code.
    let before = unsafe { libc::signal(signal, libc::SIG_IGN) };
    if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn write_to(path: &CStr, text: &[u8]) -> io::Result<()> {
    // SAFETY: a constant path, and bytes of the length that is named.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        done(fd.into())?;
        done(libc::write(fd, text.as_ptr().cast(), text.len()) as c_long)
    }
}

#[test]
fn umh_9_scheduling_is_reset() {
    check(&[
        Attribute {
            field: "scheduler",
            name: "scheduler",
            change: || schedule(libc::SCHED_BATCH, 0),
            wanted: [Reset, Reset],
        },
        Attribute {
            field: "scheduler",
            name: "scheduler",
            change: || schedule(libc::SCHED_FIFO, 1),
            wanted: [Reset, NotForUsers],
        },
        Attribute {
            field: "reset_on_fork",
            name: "scheduler",
            change: || schedule(libc::SCHED_BATCH | libc::SCHED_RESET_ON_FORK, 0),
            wanted: [Reset, Reset],
        },
        Attribute {
            field: "nice",
            name: "nice",
            // SAFETY: integers only.
            change: || done(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 5) }.into()),
            wanted: [Reset, Named],
        },
        Attribute {
            field: "utilization",
            name: "utilization",
            change: || {
                // size, policy, flags, nice, priority, runtime, deadline, period, util_min, util_max.
                let attr: [u32; 14] = [56, 0, 0x78, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100, 900];
                // SAFETY: the structure that sched_setattr(2) describes, on this stack.
                done(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, attr.as_ptr(), 0) })
            },
            wanted: [Reset, Reset],
        },
        Attribute {
            field: "core_scheduling",
            name: "core_scheduling",
            // PR_SCHED_CORE_CREATE for this process.
            change: || prctl(62, 1, 0),
            wanted: [Named, Named],
        },
    ]);
}

#[test]
fn umh_9_every_cpu_is_allowed() {
    let cpus = probe(&["--khelper-probe"], None).unwrap()["affinity"].as_array().unwrap().len();
    if cpus < 2 {
        return skipped("this process may use one CPU only: there is none to take away");
    }
    let last = || -> io::Result<()> {
        let mut mask = [0u64; 16];
        // SAFETY: pid 0 is the calling process, the masks are as long as is said.
        unsafe {
            done(libc::sched_getaffinity(0, 128, mask.as_mut_ptr().cast()).into())?;
            let word = mask.iter().position(|word| *word != 0).unwrap_or(0);
            let lowest = mask[word] & mask[word].wrapping_neg();
            mask = [0; 16];
            mask[word] = lowest;
            done(libc::sched_setaffinity(0, 128, mask.as_ptr().cast()).into())
        }
    };
    check(&[Attribute { field: "affinity", name: "affinity", change: last, wanted: [Reset, Reset] }]);
}

#[test]
fn umh_9_io_priority_timer_slack_and_numa_policy_are_reset() {
    check(&[
        Attribute {
            field: "io_priority",
            name: "io_priority",
            // The idle class; SAFETY: integers only.
            change: || done(unsafe { libc::syscall(libc::SYS_ioprio_set, 1, 0, 3 << 13) }),
            wanted: [Reset, Reset],
        },
        Attribute {
            field: "timer_slack_ns",
            name: "timer_slack",
            change: || prctl(libc::PR_SET_TIMERSLACK, 1_000_000, 0),
            wanted: [Reset, Reset],
        },
        Attribute {
            field: "numa_policy",
            name: "numa_policy",
            change: || {
                let nodes: u64 = 1;
                // SAFETY: one node, in a set that lives on this stack.
                done(unsafe { libc::syscall(libc::SYS_set_mempolicy, libc::MPOL_INTERLEAVE, &raw const nodes, 64) })
            },
            wanted: [Reset, Reset],
        },
    ]);
}

#[test]
fn umh_9_attributes_of_memory_are_reset() {
    check(&[
        Attribute {
            field: "core_filter",
            name: "core_filter",
            change: || write_to(c"/proc/self/coredump_filter", b"0x7f"),
            wanted: [Reset, Reset],
        },
        Attribute {
            field: "thp_disable",
            name: "thp_disable",
            change: || prctl(libc::PR_SET_THP_DISABLE, 1, 0),
            wanted: [Reset, Reset],
        },
        Attribute {
            field: "memory_merge",
            name: "memory_merge",
            change: || prctl(67, 1, 0),
            wanted: [Reset, NotForUsers],
        },
        Attribute {
            field: "oom_score_adj",
            name: "oom_score_adj",
            change: || write_to(c"/proc/self/oom_score_adj", b"300"),
            wanted: [Reset, Reset],
        },
    ]);
}

#[test]
fn umh_9_personality_speculation_and_error_policy_are_reset() {
    check(&[
        Attribute {
            field: "personality",
            name: "personality",
            // SAFETY: an integer only.
            change: || done(unsafe { libc::personality(libc::ADDR_NO_RANDOMIZE as c_ulong) }.into()),
            wanted: [Reset, Reset],
        },
        Attribute {
            field: "speculation",
            name: "speculation_control",
            // Store bypass off.
            change: || prctl(53, 0, 1 << 2),
            wanted: [Reset, Reset],
        },
        Attribute {
            field: "machine_check_kill",
            name: "machine_check_kill",
            change: || prctl(libc::PR_MCE_KILL, libc::PR_MCE_KILL_SET as c_ulong, libc::PR_MCE_KILL_EARLY as c_ulong),
            wanted: [Reset, Reset],
        },
        Attribute { field: "io_flusher", name: "io_flusher", change: || prctl(57, 1, 0), wanted: [Reset, NotForUsers] },
    ]);
}

#[test]
fn umh_9_restrictions_of_the_host_are_kept_and_named() {
    check(&[
        Attribute {
            field: "securebits",
            name: "securebits",
            // SECBIT_NO_SETUID_FIXUP.
            change: || prctl(libc::PR_SET_SECUREBITS, 1 << 2, 0),
            wanted: [Named, NotForUsers],
        },
        Attribute {
            field: "memory_deny_write_execute",
            name: "memory_deny_write_execute",
            change: || prctl(65, 1, 0),
            wanted: [Named, Named],
        },
    ]);
}

#[test]
fn umh_9_no_signal_is_ignored_or_blocked_real_time_ones_included() {
    fn all() -> io::Result<()> {
        for signal in [libc::SIGUSR1, libc::SIGHUP, 34, 40, 64] {
            ignore(signal)?;
        }
        // SAFETY: the set is on this stack.
        unsafe {
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut set);
            libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        }
        Ok(())
    }
    let changed = probe(&["--khelper-probe"], Some(all)).unwrap();
    let ignored = changed["signals"]["ignored"].as_array().unwrap();
    for signal in ["SIGUSR1", "SIGHUP", "signal 34", "signal 40", "signal 64"] {
        assert!(ignored.contains(&json!(signal)), "{signal}: {ignored:?}");
    }
    assert!(!changed["signals"]["blocked"].as_array().unwrap().is_empty());
    let record = probe(&["probe", "--json"], Some(all)).unwrap();
    let signals = &record["probe"]["signals"];
    assert_eq!(*signals, json!({"blocked": [], "ignored": [], "caught": [], "pending": []}));
}

/// A session keyring of a known name, which is what a host with secrets has.
fn join_named_keyring() -> io::Result<()> {
    // SAFETY: KEYCTL_JOIN_SESSION_KEYRING with a constant name.
    done(unsafe { libc::syscall(libc::SYS_keyctl, 1, c"khelper-test-host".as_ptr()) })
}

#[test]
fn umh_9_the_session_keyring_is_new() {
    let hosts = match probe(&["--khelper-probe"], Some(join_named_keyring)) {
        Ok(report) => report["session_keyring"].clone(),
        Err(e) => return skipped(&format!("this kernel has no keyrings: {e}")),
    };
    assert_eq!(hosts["name"], "khelper-test-host", "it reaches a process that nobody resets");
    let record = probe(&["probe", "--json"], Some(join_named_keyring)).unwrap();
    let helpers = &record["probe"]["session_keyring"];
    assert_eq!(helpers["name"], "_ses");
    assert_ne!(helpers["id"], hosts["id"]);
    assert!(!names(&record).contains(&json!("session_keyring")));
}

#[test]
fn umh_9_each_launch_has_its_own_session_keyring() {
    let engine = khelper::engine::Engine::start().unwrap();
    let program = env!("CARGO_BIN_EXE_khelper");
    let keyring = || {
        let record = common::run(&engine, &[program, "--khelper-probe"]);
        serde_json::from_str::<Value>(&common::stdout(&record)).unwrap()["session_keyring"]["id"].clone()
    };
    // One after the other, so by the same worker.
    let (first, second) = (keyring(), keyring());
    if first.is_null() {
        return skipped("this kernel has no keyrings");
    }
    assert_ne!(first, second);
}

#[test]
fn umh_6_the_init_hook_may_name_the_session_keyring_to_join() {
    let engine = khelper::engine::Engine::start().unwrap();
    let name = |name: &'static CStr| {
        let call = common::info(&[env!("CARGO_BIN_EXE_khelper"), "--khelper-probe"]).init(move |birth| {
            birth.session_keyring = SessionKeyring::Named(name.to_owned());
            Ok(())
        });
        let record = engine.call_usermodehelper(call, WaitMode::PROC);
        serde_json::from_str::<Value>(&common::stdout(&record)).unwrap()["session_keyring"]["name"].clone()
    };
    let names = [c"khelper-test-one", c"khelper-test-two"].map(name);
    if names[0].is_null() {
        return skipped("this kernel has no keyrings");
    }
    assert_eq!(names, [json!("khelper-test-one"), json!("khelper-test-two")]);
}

/// Declared: it is passed on.
#[test]
fn umh_9_the_audit_login_is_the_host_s() {
    let login = |by: &mut Command| {
        let output = by.output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
    };
    if !std::fs::exists("/proc/self/loginuid").unwrap() {
        return println!("this kernel has no audit");
    }
    let cat = ["/bin/cat", "/proc/self/loginuid"];
    let hosts = login(Command::new(cat[0]).arg(cat[1]));
    let helpers = login(Command::new(env!("CARGO_BIN_EXE_khelper")).args(["run", "--"]).args(cat));
    assert!(helpers.starts_with(&hosts), "{helpers} is not {hosts}");
}

#[test]
fn umh_9_everything_at_once() {
    fn all() -> io::Result<()> {
        schedule(libc::SCHED_BATCH, 0)?;
        prctl(libc::PR_SET_TIMERSLACK, 1_000_000, 0)?;
        prctl(libc::PR_SET_THP_DISABLE, 1, 0)?;
        write_to(c"/proc/self/coredump_filter", b"0")?;
        write_to(c"/proc/self/oom_score_adj", b"200")?;
        ignore(40)?;
        // SAFETY: integers only.
        unsafe {
            libc::umask(0o077);
            done(libc::syscall(libc::SYS_ioprio_set, 1, 0, 2 << 13 | 7))?;
            done(libc::personality(libc::ADDR_NO_RANDOMIZE as c_ulong).into())
        }
    }
    let plain = probe(&["probe", "--json"], None).unwrap();
    let changed = probe(&["probe", "--json"], Some(all)).unwrap();
    let (mut plain, mut changed) = (plain["probe"].clone(), changed["probe"].clone());
    for report in [&mut plain, &mut changed] {
        for own in ["pid", "ppid", "session", "pgid", "fds", "session_keyring"] {
            report[own] = Value::Null;
        }
    }
    assert_eq!(changed, plain);
}
