//! UMH-9 on the real machine, from a host program that is as unlike a helper as it can be. One test: it changes what
//! belongs to the whole process.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::os::fd::AsRawFd;

use common::{Dir, am_root, field, info, run, stdout};
use khelper::abi::launch_spec::NotEnforced;
use khelper::abi::wait::WaitMode;
use khelper::engine::Engine;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

fn ignore(signal: Signal, handler: SigHandler) {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: SIG_IGN and SIG_DFL run no code of ours.
    unsafe { sigaction(signal, &action) }.unwrap();
}

/// Everything that a program would not expect of its parent.
fn spoil_this_process(dir: &Dir) -> Vec<std::fs::File> {
    SigSet::all().thread_block().unwrap();
    for signal in [Signal::SIGUSR1, Signal::SIGHUP, Signal::SIGTERM, Signal::SIGPIPE] {
        ignore(signal, SigHandler::SigIgn);
    }
    extern "C" fn handler(_: i32) {}
    ignore(Signal::SIGUSR2, SigHandler::Handler(handler));
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    std::env::set_current_dir(dir.path()).unwrap();
    rustix::process::setpriority_process(None, 5).unwrap();
    let mut one = rustix::thread::CpuSet::new();
    one.set(rustix::thread::sched_getcpu());
    rustix::thread::sched_setaffinity(None, &one).unwrap();
    if am_root() {
        nix::unistd::setgroups(&[nix::unistd::Gid::from_raw(4), nix::unistd::Gid::from_raw(24)]).unwrap();
    }
    std::fs::write("/proc/self/oom_score_adj", "300").unwrap();
    (0..20)
        .map(|_| {
            let file = std::fs::File::open("/dev/zero").unwrap();
            rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
            assert!(file.as_raw_fd() > 2);
            file
        })
        .collect()
}

fn online() -> u32 {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    let span = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        last.parse::<u32>().unwrap() - first.parse::<u32>().unwrap() + 1
    };
    text.trim().split(',').map(span).sum()
}

#[test]
fn umh_9_a_helper_is_born_as_the_rule_says_whatever_its_host_is_like() {
    let dir = Dir::new();
    let _inheritable = spoil_this_process(&dir);
    ignore(Signal::SIGCHLD, SigHandler::SigIgn);
    let refused = Engine::start().map(drop).unwrap_err();
    assert!(refused.to_string().contains("SIGCHLD is ignored"), "UMH-8: {refused}");
    let engine = Engine::builder().fix_sigchld(true).start().unwrap();

    let record = run(&engine, &["/bin/cat", "/proc/self/status"]);
    let status = stdout(&record);
    assert_eq!(field(&status, "Umask"), "0022");
    for (name, what) in [("SigBlk", "blocked"), ("SigIgn", "ignored"), ("SigCgt", "caught"), ("SigPnd", "pending")] {
        assert_eq!(field(&status, name), "0000000000000000", "no signal is {what}");
    }
    let pid = field(&status, "Pid");
    assert_eq!((field(&status, "NSsid"), field(&status, "NSpgid")), (pid, pid), "its own session and group");
    assert_eq!(pid.parse(), Ok(record.pid.unwrap()));

    let stat = stdout(&run(&engine, &["/bin/cat", "/proc/self/stat"]));
    let stat: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // proc_pid_stat(5), counted from `state`, the third: tty_nr is the 7th, nice the 19th, policy the 41st.
    let (tty, nice, policy) = (stat[7 - 3], stat[19 - 3], stat[41 - 3]);
    assert_eq!((tty, policy), ("0", "0"), "no terminal, SCHED_OTHER");

    let fds = stdout(&run(&engine, &["/bin/ls", "-l", "/proc/self/fd"]));
    let fds: Vec<&str> = fds.lines().filter(|l| l.contains(" -> ")).collect();
    // ls itself has the folder open that it lists.
    assert_eq!(fds.len(), 4, "{fds:?}");
    assert!(fds[0].ends_with("0 -> /dev/null") && fds[1].contains("pipe:") && fds[2].contains("pipe:"), "{fds:?}");
    assert_eq!(stdout(&run(&engine, &["/bin/readlink", "/proc/self/cwd"])), "/\n");

    let not = &record.not_enforced;
    let lacks = |what: NotEnforced| not.contains(&what);
    assert_eq!(nice == "0", !lacks(NotEnforced::Nice), "nice is {nice}, not enforced: {not:?}");
    let cpus = stdout(&run(&engine, &["/usr/bin/nproc"])).trim().parse::<u32>().unwrap();
    assert_eq!(cpus >= online(), !lacks(NotEnforced::Affinity), "{cpus} CPUs, not enforced: {not:?}");
    assert_eq!(field(&status, "Groups").is_empty(), !lacks(NotEnforced::Groups), "not enforced: {not:?}");
    let oom = stdout(&run(&engine, &["/bin/cat", "/proc/self/oom_score_adj"]));
    assert_eq!(oom == "0\n", !lacks(NotEnforced::OomScoreAdj), "oom_score_adj is {oom}, not enforced: {not:?}");
    assert!(!lacks(NotEnforced::Scheduler));
    if am_root() {
        assert_eq!((nice, field(&status, "Groups")), ("0", ""));
    }

    umh_8_a_status_is_not_lost_when_the_host_ignores_sigchld_later(&engine);
    umh_9_what_the_host_changes_later_is_reset_too(&engine);

    // Nothing of the host's own has changed.
    assert_eq!(std::env::current_dir().unwrap(), dir.path());
    assert_eq!(rustix::process::getpriority_process(None).unwrap(), 5);
    assert_eq!(nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077)).bits(), 0o077);
    assert_eq!(rustix::thread::sched_getaffinity(None).unwrap().count(), 1);
    assert!(!rustix::thread::no_new_privs().unwrap());
}

/// Its worker has launched before.
fn umh_9_what_the_host_changes_later_is_reset_too(engine: &Engine) {
    // SAFETY: SIG_IGN runs no code; the prctl takes integers.
    unsafe {
        libc::signal(40, libc::SIG_IGN);
        assert_eq!(libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
    }
    std::fs::write("/proc/self/coredump_filter", "0x7f").unwrap();
    let status = stdout(&run(engine, &["/bin/cat", "/proc/self/status"]));
    assert_eq!((field(&status, "SigIgn"), field(&status, "THP_enabled")), ("0000000000000000", "1"));
    assert_eq!(stdout(&run(engine, &["/bin/cat", "/proc/self/coredump_filter"])), "00000033\n");
    // A failed exec is seen though the child has its own memory now.
    let failed = run(engine, &["/nonexistent"]);
    assert_eq!((failed.outcome.name(), failed.result), ("exec_failed", Some(-libc::ENOENT)));
    // The host's own are as it has set them.
    assert_eq!(std::fs::read_to_string("/proc/self/coredump_filter").unwrap(), "0000007f\n");
    // SAFETY: integers only.
    assert_eq!(unsafe { libc::prctl(libc::PR_GET_THP_DISABLE, 0, 0, 0, 0) }, 1);
}

fn umh_8_a_status_is_not_lost_when_the_host_ignores_sigchld_later(engine: &Engine) {
    ignore(Signal::SIGCHLD, SigHandler::SigIgn);
    let record = engine.call_usermodehelper(info(&["/bin/sh", "-c", "exit 7"]), WaitMode::PROC);
    ignore(Signal::SIGCHLD, SigHandler::SigDfl);
    match record.status {
        // Linux 6.15 and newer keep it with the pidfd.
        Some(status) => assert_eq!((status.exit_code(), record.result), (Some(7), Some(7 << 8))),
        None => {
            assert_eq!(record.outcome.name(), "lost");
            assert_eq!(record.result, Some(-libc::ECHILD));
        }
    }
    let children = format!("/proc/self/task/{}/children", rustix::thread::gettid());
    assert_eq!(std::fs::read_to_string(children).unwrap_or_default(), "", "no zombie stays");
}
