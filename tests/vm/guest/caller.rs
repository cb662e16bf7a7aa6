//! Makes this process the odd one that a scenario asks for.

use std::os::fd::IntoRawFd;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid};

use super::attributes;
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
    if caller.setsid {
        nix::unistd::setsid().unwrap();
    }
    if caller.terminal {
        take_terminal();
    }
    scheduling(caller);
    attributes::set(caller);
    for _ in 0..caller.files {
        // Left open on purpose, for a helper to inherit.
        let fd = std::fs::File::open("/dev/zero").unwrap().into_raw_fd();
        // SAFETY: integers only; the descriptor is ours.
        unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
    }
    signals(caller);
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
    attributes::set_last(caller);
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

/// The first terminal that a session leader opens becomes the session's (open(2), O_NOCTTY).
fn take_terminal() {
    let flags = nix::fcntl::OFlag::O_RDWR | nix::fcntl::OFlag::O_NOCTTY | nix::fcntl::OFlag::O_CLOEXEC;
    let master = nix::pty::posix_openpt(flags).unwrap();
    nix::pty::grantpt(&master).unwrap();
    nix::pty::unlockpt(&master).unwrap();
    let terminal = std::fs::File::options().read(true).write(true).open(nix::pty::ptsname_r(&master).unwrap()).unwrap();
    // Both stay open for as long as this process lives: a terminal without its master has hung up.
    std::mem::forget((master, terminal));
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
        "rr" => (libc::SCHED_RR, 20),
        "batch" => (libc::SCHED_BATCH, 0),
        "idle" => (libc::SCHED_IDLE, 0),
        other => panic!("no policy is called {other}"),
    };
    let parameter = libc::sched_param { sched_priority: priority };
    // SAFETY: pid 0 is this process; the parameter lives on this stack.
    assert_eq!(unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) }, 0);
}

/// By system calls: the C library refuses to ignore or block the signals that it keeps for itself.
fn signals(caller: &Caller) {
    const SET_BYTES: usize = 8;
    for signal in &caller.ignored {
        // The kernel's struct sigaction: handler, flags, restorer, mask. SIG_IGN is 1.
        let ignore = [libc::SIG_IGN, 0, 0, 0];
        // SAFETY: the kernel reads four words and writes none; SIG_IGN runs no code of ours.
        let done = unsafe { libc::syscall(libc::SYS_rt_sigaction, *signal, ignore.as_ptr(), 0usize, SET_BYTES) };
        Errno::result(done).unwrap();
    }
    if caller.blocked {
        let all = u64::MAX;
        // SAFETY: the kernel reads 8 bytes of this stack and writes none.
        let done =
            unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const all, 0usize, SET_BYTES) };
        Errno::result(done).unwrap();
    }
    for signal in &caller.pending {
        // SAFETY: integers only; the signal is blocked.
        Errno::result(unsafe { libc::kill(libc::getpid(), *signal) }).unwrap();
    }
}
