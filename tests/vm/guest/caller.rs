//! Makes this process the odd one that a scenario asks for.

use std::os::fd::IntoRawFd;

use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{Gid, Uid};

use crate::scenario::Caller;

pub fn become_(caller: &Caller) {
    if let Some(adjust) = caller.oom_score_adj {
        std::fs::write("/proc/self/oom_score_adj", adjust.to_string()).unwrap();
    }
    if caller.cgroup {
        std::fs::create_dir_all("/sys/fs/cgroup/odd").unwrap();
        std::fs::write("/sys/fs/cgroup/odd/cgroup.procs", "0").unwrap();
    }
    if caller.namespaces {
        unshare(CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWNS).unwrap();
    }
    if caller.user_namespace {
        unshare(CloneFlags::CLONE_NEWUSER).unwrap();
        std::fs::write("/proc/self/uid_map", "0 0 1").unwrap();
    }
    scheduling(caller);
    for _ in 0..caller.files {
        // Left open on purpose, for a helper to inherit.
        let fd = std::fs::File::open("/dev/zero").unwrap().into_raw_fd();
        // SAFETY: integers only; the descriptor is ours.
        unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
    }
    signals(caller);
    if caller.setsid {
        nix::unistd::setsid().unwrap();
    }
    if let Some(nofile) = caller.nofile {
        setrlimit(Resource::RLIMIT_NOFILE, nofile, nofile).unwrap();
    }
    if !caller.groups.is_empty() {
        let groups: Vec<Gid> = caller.groups.iter().map(|g| Gid::from_raw(*g)).collect();
        nix::unistd::setgroups(&groups).unwrap();
    }
    if let Some(umask) = caller.umask {
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(umask));
    }
    if let Some(root) = &caller.root {
        nix::unistd::chroot(root.as_str()).unwrap();
        std::env::set_current_dir("/").unwrap();
    }
    if let Some(cwd) = &caller.cwd {
        std::env::set_current_dir(cwd).unwrap();
    }
    if caller.ambient {
        let all = caps::read(None, caps::CapSet::Permitted).unwrap();
        caps::set(None, caps::CapSet::Inheritable, &all).unwrap();
        caps::set(None, caps::CapSet::Ambient, &all).unwrap();
    }
    if let Some(uid) = caller.uid {
        nix::unistd::setgroups(&[]).unwrap();
        nix::unistd::setgid(Gid::from_raw(uid)).unwrap();
        nix::unistd::setuid(Uid::from_raw(uid)).unwrap();
    }
    if caller.no_new_privs {
        nix::sys::prctl::set_no_new_privs().unwrap();
    }
    if caller.no_stdio {
        for fd in 0..3 {
            // SAFETY: integers only; what talked over them has its own by now.
            unsafe { libc::close(fd) };
        }
    }
}

fn scheduling(caller: &Caller) {
    if let Some(cpu) = caller.cpu {
        let mut one = nix::sched::CpuSet::new();
        one.set(cpu).unwrap();
        nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &one).unwrap();
    }
    if let Some(nice) = caller.nice {
        rustix::process::setpriority_process(None, nice).unwrap();
    }
    let Some(policy) = &caller.policy else { return };
    let (policy, priority) = match policy.as_str() {
        "fifo" => (libc::SCHED_FIFO, 10),
        "batch" => (libc::SCHED_BATCH, 0),
        "idle" => (libc::SCHED_IDLE, 0),
        other => panic!("no policy is called {other}"),
    };
    let parameter = libc::sched_param { sched_priority: priority };
    // SAFETY: pid 0 is this process; the parameter lives on this stack.
    assert_eq!(unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) }, 0);
}

fn signals(caller: &Caller) {
    for signal in &caller.ignored {
        let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
        // SAFETY: SIG_IGN runs no code of ours.
        unsafe { sigaction(Signal::try_from(*signal).unwrap(), &ignore) }.unwrap();
    }
    if caller.blocked {
        SigSet::all().thread_block().unwrap();
    }
}
