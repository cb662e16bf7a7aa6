//! Processes that pretend to be others over a socket (AUTH-2): each of these once got through a server that looked at
//! less. Real sockets and processes; the decision is the daemon's own.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "common/mod.rs"]
mod common;

use std::ffi::CString;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::program::write_program;
use common::{Dir, am_root, skipped};
use khelper::abi::cap::{CapMask, Capability};
use khelper::abi::peer::{Peer, Unproven};
use khelper::control::authorize::{Ground, Requirement};
use khelper::daemon::peer::Opened;
use khelper::policy::authorize::outside::judge;
use khelper::sys::linux::peer::{Sender, pass_credentials, receive};
use nix::errno::Errno;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Gid, Pid, Uid, fork, setgid, setgroups, setuid};

const NOBODY: u32 = 65534;

/// One test at a time: a forked child of another test would keep this one's pipes open.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process that does `act` and then waits to be killed.
struct Child(Pid);

impl Child {
    fn new(act: impl FnOnce()) -> Self {
        // SAFETY: the child uses only system calls and the allocator, which glibc keeps usable after fork.
        match unsafe { fork() }.unwrap() {
            ForkResult::Parent { child } => Self(child),
            ForkResult::Child => {
                act();
                loop {
                    nix::unistd::pause();
                }
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(self.0, nix::sys::signal::Signal::SIGKILL);
        let _ = waitpid(self.0, None);
    }
}

/// A listening socket that every user may connect to.
struct Door {
    listener: UnixListener,
    with_pidfd: bool,
    dir: Dir,
}

impl Door {
    fn new() -> Self {
        let dir = Dir::new();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let listener = UnixListener::bind(dir.path().join("s")).unwrap();
        std::fs::set_permissions(dir.path().join("s"), PermissionsExt::from_mode(0o666)).unwrap();
        let with_pidfd = pass_credentials(&listener).unwrap();
        Self { listener, with_pidfd, dir }
    }

    /// As on a kernel that attaches no pidfd.
    fn without_pidfd() -> Self {
        let mut door = Self::new();
        let path = door.dir.path().join("old");
        door.listener = UnixListener::bind(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        rustix::net::sockopt::set_socket_passcred(&door.listener, true).unwrap();
        door.with_pidfd = false;
        door
    }

    fn connect(&self) -> UnixStream {
        let path = self.listener.local_addr().unwrap().as_pathname().map(Path::to_owned).unwrap();
        UnixStream::connect(path).unwrap()
    }

    fn accept(&self) -> (OwnedFd, Opened) {
        let (socket, _) = self.listener.accept().unwrap();
        let opened = Opened::now(&socket, None).unwrap();
        (socket.into(), opened)
    }

    fn receive(&self, socket: impl AsFd) -> Sender {
        let chunk = receive(socket, &mut [0; 64], self.with_pidfd).unwrap();
        assert_eq!(chunk.bytes, 8);
        chunk.sender.unwrap()
    }
}

const MESSAGE: &[u8] = b"message\0";

fn judged(requirement: Requirement, peer: &Peer, own: u32) -> Result<(), Unproven> {
    let ground = Ground { uid: own, reach: CapMask::EMPTY, readers: None };
    judge(requirement, peer, &ground).map(|_| ())
}

fn become_nobody() {
    setgroups(&[]).unwrap();
    setgid(Gid::from_raw(NOBODY)).unwrap();
    setuid(Uid::from_raw(NOBODY)).unwrap();
}

/// The capabilities that /proc shows for the sender: those that make the forgery worth while.
fn shown(peer: &Peer) -> CapMask {
    peer.sender.facts.clone().unwrap().unwrap().effective
}

fn mask_capabilities() -> CapMask {
    CapMask::only(Capability::SETPCAP) | CapMask::only(Capability::SYS_MODULE)
}

#[test]
fn auth_2_a_message_queued_before_a_set_uid_program_is_executed() {
    let _alone = alone();
    if !am_root() {
        return skipped("only root can make a set-uid program of root");
    }
    let door = Door::new();
    let program = door.dir.path().join("sleep");
    write_program(&program, std::fs::read("/bin/sleep").unwrap());
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o4755)).unwrap();
    let program = CString::new(program.as_os_str().as_encoded_bytes()).unwrap();
    // Close-on-exec: the end comes when the program is executed.
    let (mut executed, theirs) = std::io::pipe().unwrap();
    let child = Child::new(|| {
        become_nobody();
        let mut socket = door.connect();
        socket.write_all(MESSAGE).unwrap();
        // The program keeps the connection.
        let kept = nix::unistd::dup(&socket).unwrap();
        let _ = nix::unistd::execv(&program, &[c"sleep", c"1000"]);
        drop(kept);
    });
    drop(theirs);
    executed.read_to_end(&mut Vec::new()).unwrap();
    let (socket, opened) = door.accept();
    let sender = door.receive(&socket);
    let peer = opened.peer(&socket, &sender, Requirement::Mask);
    assert_eq!(sender.credentials.pid, child.0.as_raw());
    if !shown(&peer).contains(mask_capabilities()) {
        return skipped("set-uid programs gain nothing here: nosuid, or no_new_privs");
    }
    let why = judged(Requirement::Mask, &peer, 0).unwrap_err().why;
    assert!(why.starts_with("this needs uid 0") && why.ends_with("has uid 65534"), "{why}");
    // An engine of that very user must not take the program's capabilities for the sender's.
    let why = judged(Requirement::Mask, &peer, NOBODY).unwrap_err().why;
    assert!(why.contains("spoke as uid 65534 and now has real uid 65534 and effective uid 0"), "{why}");
}

#[test]
fn auth_2_full_capabilities_in_a_user_namespace_of_its_own() {
    let _alone = alone();
    let door = Door::new();
    let (mut ready, mut theirs) = std::io::pipe().unwrap();
    let _child = Child::new(|| {
        let entered = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER).is_ok();
        if entered {
            let mut socket = door.connect();
            socket.write_all(MESSAGE).unwrap();
            std::mem::forget(socket);
        }
        theirs.write_all(&[entered.into()]).unwrap();
    });
    let mut entered = [0];
    ready.read_exact(&mut entered).unwrap();
    if entered == [0] {
        return skipped("this user may not make a user namespace");
    }
    let (socket, opened) = door.accept();
    let peer = opened.peer(&socket, &door.receive(&socket), Requirement::Mask);
    assert!(shown(&peer).contains(mask_capabilities()), "as in the engine's own");
    let me = Uid::effective().as_raw();
    for requirement in [Requirement::Change, Requirement::Run, Requirement::Mask] {
        let why = judged(requirement, &peer, me).unwrap_err().why;
        assert!(why.contains("in another user namespace"), "{why}");
    }
    assert_eq!(judged(Requirement::User, &peer, me), Ok(()), "reading needs no capability");
}

#[test]
fn auth_2_a_connection_of_root_in_the_hands_of_another_user() {
    let _alone = alone();
    if !am_root() {
        return skipped("only root can hand on a connection of root");
    }
    for roots in [true, false] {
        let door = Door::new();
        let mut connected = door.connect();
        let (mut ready, mut theirs) = std::io::pipe().unwrap();
        // Of root, handed to another user; and of another user, which root writes to.
        let child = Child::new(|| {
            become_nobody();
            if roots {
                connected.write_all(MESSAGE).unwrap();
            } else {
                connected = door.connect();
            }
            theirs.write_all(&[1]).unwrap();
        });
        ready.read_exact(&mut [0]).unwrap();
        let (mut socket, mut opened) = door.accept();
        if !roots {
            (socket, opened) = door.accept();
            let fd = their_socket(child.0);
            let Some(fd) = fd else { return skipped("pidfd_getfd is refused") };
            UnixStream::from(fd).write_all(MESSAGE).unwrap();
        }
        let sender = door.receive(&socket);
        let uids = (opened.by.uid, sender.credentials.uid);
        assert_eq!(uids, if roots { (0, NOBODY) } else { (NOBODY, 0) });
        for requirement in [Requirement::Read, Requirement::User, Requirement::Change, Requirement::Mask] {
            let why = judged(requirement, &opened.peer(&socket, &sender, requirement), 0).unwrap_err().why;
            assert!(why.ends_with("has uid 65534"), "{why}");
        }
    }
}

/// The child's end of the connection, which it opened after the fork: its highest descriptor that is a socket.
fn their_socket(child: Pid) -> Option<OwnedFd> {
    use std::os::fd::FromRawFd;
    let sockets = std::fs::read_dir(format!("/proc/{child}/fd")).unwrap().flatten().filter_map(|entry| {
        let target = std::fs::read_link(entry.path()).ok()?;
        target.to_str()?.starts_with("socket:").then(|| entry.file_name().to_str()?.parse::<i32>().ok())?
    });
    let highest = sockets.max()?;
    // SAFETY: both calls take integers; the descriptors that they make are owned here.
    unsafe {
        let pidfd = libc::syscall(libc::SYS_pidfd_open, child.as_raw(), 0);
        let fd = libc::syscall(libc::SYS_pidfd_getfd, pidfd, highest, 0);
        libc::close(i32::try_from(pidfd).ok()?);
        (fd >= 0).then(|| OwnedFd::from_raw_fd(fd as i32))
    }
}

/// A process with this pid, which waits to be killed.
fn with_pid(pid: Pid) -> Result<Child, Errno> {
    #[repr(C)]
    #[derive(Default)]
    struct Args {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
    }
    let tid = pid.as_raw();
    let args = Args {
        exit_signal: libc::SIGCHLD as u64,
        set_tid: (&raw const tid) as u64,
        set_tid_size: 1,
        ..Args::default()
    };
    // SAFETY: without CLONE_VM it is a fork: the child has a copy of everything, and only waits.
    let made = Errno::result(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<Args>()) })?;
    if made == 0 {
        loop {
            nix::unistd::pause();
        }
    }
    Ok(Child(pid))
}

#[test]
fn auth_2_a_pid_that_belongs_to_another_process_by_now() {
    let _alone = alone();
    if !am_root() {
        return skipped("only root can choose the pid of a process");
    }
    for door in [Door::new(), Door::without_pidfd()] {
        let (mut ready, mut theirs) = std::io::pipe().unwrap();
        let socket = door.connect();
        let mut sent = socket.try_clone().unwrap();
        // User 0 without capabilities, which may not write a mask.
        let weak = Child::new(|| {
            for set in [caps::CapSet::Effective, caps::CapSet::Permitted] {
                caps::clear(None, set).unwrap();
            }
            sent.write_all(MESSAGE).unwrap();
            theirs.write_all(&[1]).unwrap();
        });
        ready.read_exact(&mut [0]).unwrap();
        let pid = weak.0;
        let (accepted, opened) = door.accept();
        drop(weak);
        let _strong = match with_pid(pid) {
            Ok(child) => child,
            Err(e) => return skipped(&format!("the pid of a process cannot be chosen: {e}")),
        };
        let sender = door.receive(&accepted);
        assert_eq!((sender.credentials.uid, sender.credentials.pid), (0, pid.as_raw()));
        // /proc shows the capabilities of the other process.
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let effective = u64::from_str_radix(common::field(&status, "CapEff"), 16).unwrap();
        assert!(CapMask::from_bits(effective).contains(mask_capabilities()), "{effective:x}");
        let refused = judged(Requirement::Mask, &opened.peer(&accepted, &sender, Requirement::Mask), 0).unwrap_err();
        if door.with_pidfd {
            assert!(refused.why.ends_with("has ended: nothing more can be known about it"), "{refused:?}");
        } else {
            assert_eq!(refused.errno, Errno::EAGAIN, "{refused:?}");
        }
    }
}

#[test]
fn auth_2_an_honest_process_is_allowed() {
    let _alone = alone();
    for door in [Door::new(), Door::without_pidfd()] {
        let me = Uid::effective().as_raw();
        let peer = loop {
            let mut socket = door.connect();
            socket.write_all(MESSAGE).unwrap();
            let (accepted, opened) = door.accept();
            let peer = opened.peer(&accepted, &door.receive(&accepted), Requirement::Run);
            match judged(Requirement::Run, &peer, me) {
                // This process is younger than two ticks: it connects again, as the refusal says.
                Err(again) if again.errno == Errno::EAGAIN && !door.with_pidfd => {}
                allowed => {
                    assert_eq!(allowed, Ok(()));
                    break peer;
                }
            }
        };
        let mask = judged(Requirement::Mask, &peer, me);
        assert_eq!(mask.is_ok(), shown(&peer).contains(mask_capabilities()), "{mask:?}");
        let actor = peer.actor();
        assert_eq!((actor.pid, actor.uid), (std::process::id() as i32, me));
        assert!(actor.start_time.is_some() && !actor.comm.as_bytes().is_empty());
    }
}

/// A connection may be handed to another process, such as a child: both are examined, so both must still run.
#[test]
fn auth_2_the_process_that_connected_is_examined_too() {
    let _alone = alone();
    let door = Door::new();
    let me = Uid::effective().as_raw();
    let mut handed_on = door.connect();
    let (accepted, opened) = door.accept();
    let (mut ready, mut theirs) = std::io::pipe().unwrap();
    let child = Child::new(|| {
        handed_on.write_all(MESSAGE).unwrap();
        theirs.write_all(&[1]).unwrap();
    });
    ready.read_exact(&mut [0]).unwrap();
    let sender = door.receive(&accepted);
    assert_eq!((sender.credentials.pid, opened.by.pid), (child.0.as_raw(), std::process::id() as i32));
    let peer = opened.peer(&accepted, &sender, Requirement::Run);
    assert_eq!(judged(Requirement::Run, &peer, me), Ok(()));
    // The same, and the one that connected has ended.
    let connector = Child::new(|| {
        let mut socket = door.connect();
        // SAFETY: as in `Child::new`.
        if let ForkResult::Child = unsafe { fork() }.unwrap() {
            socket.write_all(MESSAGE).unwrap();
            theirs.write_all(&[1]).unwrap();
            loop {
                nix::unistd::pause();
            }
        }
    });
    ready.read_exact(&mut [0]).unwrap();
    let (accepted, opened) = door.accept();
    let sender = door.receive(&accepted);
    assert_eq!(opened.by.pid, connector.0.as_raw());
    let alive = judged(Requirement::Change, &opened.peer(&accepted, &sender, Requirement::Change), me);
    drop(connector);
    let dead = judged(Requirement::Change, &opened.peer(&accepted, &sender, Requirement::Change), me);
    let _ = nix::sys::signal::kill(Pid::from_raw(sender.credentials.pid), nix::sys::signal::Signal::SIGKILL);
    assert_eq!(alive, Ok(()));
    assert!(dead.unwrap_err().why.contains("has ended"));
}

/// Files that are sent along do not stay open, however many they are.
#[test]
fn files_that_are_sent_along_are_closed() {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let _alone = alone();
    let door = Door::new();
    let socket = door.connect();
    let (accepted, _) = door.accept();
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let file = std::fs::File::open("/dev/null").unwrap();
    let before = open();
    for count in [1, 100, 253] {
        let files = vec![file.as_fd(); count];
        let mut space = vec![std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        assert!(rights.push(SendAncillaryMessage::ScmRights(&files)));
        sendmsg(&socket, &[std::io::IoSlice::new(MESSAGE)], &mut rights, SendFlags::empty()).unwrap();
        let sender = door.receive(&accepted);
        assert!(matches!(sender.pidfd, khelper::sys::linux::peer::Pidfd::Held(_)) || !door.with_pidfd);
        drop(sender);
        assert_eq!(open(), before, "{count} files");
    }
}
