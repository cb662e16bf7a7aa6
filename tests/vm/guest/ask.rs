//! The process that makes the kernel ask. Each caller is a child of it.

use std::ffi::CString;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::ExitCode;

use nix::mount::MsFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use super::talk::{Answer, Do, Door, Job, Outcome};
use super::trace::Marker;
use crate::scenario::{Ask, bytes};

struct Child {
    group: usize,
    pid: Pid,
    start: u64,
    killed: Option<u64>,
    pipe: Option<std::fs::File>,
}

pub fn main() -> ExitCode {
    let (job, mut door) = Door::new();
    prepare(&job.scenario.ask);
    let marker = Marker::open();
    super::caller::become_(&job.scenario.caller);
    let caller = Some(super::helper::Facts::of_a_child());
    let (mut children, mut outcomes, mut group) = (Vec::new(), Vec::new(), 0);
    loop {
        match door.next() {
            Do::Ask(count) => {
                children.extend((0..count).map(|_| one(&job, group, &marker)));
                group += 1;
            }
            Do::Kill(whom) => {
                for child in children.iter_mut().filter(|c: &&mut Child| c.group == whom) {
                    child.killed = Some(super::now());
                    kill(child.pid, Signal::SIGKILL).unwrap();
                }
                let (gone, stay): (Vec<_>, Vec<_>) = children.into_iter().partition(|c| c.group == whom);
                children = stay;
                outcomes.extend(gone.into_iter().map(reap));
            }
            Do::Settle(_) | Do::Join => {}
            Do::Finish => break,
        }
        door.done();
    }
    outcomes.extend(children.into_iter().map(reap));
    door.answer(&Answer { caller, outcomes, ..Answer::default() });
    ExitCode::SUCCESS
}

fn one(job: &Job, group: usize, marker: &Marker) -> Child {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
    let start = super::now();
    // SAFETY: this process has one thread.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => Child { group, pid: child, start, killed: None, pipe: Some(read.into()) },
        ForkResult::Child => {
            let start = super::now();
            trigger(&job.scenario.ask);
            let mut times = start.to_ne_bytes().to_vec();
            times.extend(super::now().to_ne_bytes());
            let _ = std::fs::File::from(write).write_all(&times);
            marker.back(group);
            // SAFETY: ends the child without running what belongs to its parent.
            unsafe { libc::_exit(0) }
        }
    }
}

fn reap(mut child: Child) -> Outcome {
    // Where SIGCHLD is ignored nobody tells the status, and the end is known from the pipe.
    let killed = matches!(waitpid(child.pid, None), Ok(WaitStatus::Signaled(..)));
    let mut outcome = Outcome {
        group: child.group,
        pid: child.pid.as_raw(),
        start: child.start,
        end: super::now(),
        killed: child.killed,
        results: Vec::new(),
    };
    let mut times = [0; 16];
    if !killed && child.pipe.take().unwrap().read_exact(&mut times).is_ok() {
        outcome.start = u64::from_ne_bytes(times[..8].try_into().unwrap());
        outcome.end = u64::from_ne_bytes(times[8..].try_into().unwrap());
    }
    outcome
}

/// What has to be there before the odd caller is one.
fn prepare(ask: &Ask) {
    match ask {
        Ask::Exec(magic) => {
            std::fs::write("/h/unknown", magic).unwrap();
            std::fs::set_permissions("/h/unknown", PermissionsExt::from_mode(0o755)).unwrap();
        }
        Ask::CharDevice([major, minor]) => {
            let device = nix::sys::stat::makedev(u64::from(*major), u64::from(*minor));
            let mode = nix::sys::stat::Mode::from_bits_truncate(0o666);
            if !std::fs::metadata("/h/device").is_ok_and(|m| m.file_type().is_char_device()) {
                nix::sys::stat::mknod("/h/device", nix::sys::stat::SFlag::S_IFCHR, mode, device).unwrap();
            }
        }
        Ask::ReleaseAgent(path) => {
            std::fs::create_dir_all("/cg").unwrap();
            let (none, options) = (Some("none"), Some("none,name=khelper"));
            nix::mount::mount(none, "/cg", Some("cgroup"), MsFlags::empty(), options).unwrap();
            std::fs::write("/cg/release_agent", path).unwrap();
            std::fs::create_dir_all("/cg/gone").unwrap();
            std::fs::write("/cg/gone/notify_on_release", "1").unwrap();
        }
        _ => {}
    }
}

/// The system call. That it fails is what is wanted; its errno is the caller's business.
fn trigger(ask: &Ask) {
    match ask {
        Ask::Socket([domain, kind, protocol]) => {
            // SAFETY: integers only.
            unsafe { libc::socket(*domain, *kind, *protocol) };
        }
        Ask::Mount(kind) => {
            let _ = nix::mount::mount(None::<&str>, "/h/out", Some(&*bytes(kind)), MsFlags::empty(), None::<&str>);
        }
        Ask::Exec(_) => {
            let (path, none): (_, [CString; 0]) = (c"/h/unknown", []);
            let _ = nix::unistd::execve(path, &[path], &none);
        }
        Ask::Interface(name) => interface(&bytes(name)),
        Ask::CharDevice(_) => drop(std::fs::File::open("/h/device")),
        Ask::Congestion(name) => congestion(name),
        Ask::ReleaseAgent(_) => {
            std::fs::write("/cg/gone/cgroup.procs", "0").unwrap();
            std::fs::write("/cg/cgroup.procs", "0").unwrap();
        }
    }
}

fn interface(name: &[u8]) {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    // SAFETY: all-zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = from.cast_signed();
    }
    // SAFETY: the request lives on this stack, its name ends in a NUL.
    unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) };
}

fn congestion(name: &str) {
    // SAFETY: integers, and a buffer of the length given.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
        let length = libc::socklen_t::try_from(name.len()).unwrap();
        libc::setsockopt(socket, libc::IPPROTO_TCP, libc::TCP_CONGESTION, name.as_ptr().cast(), length);
    }
}
