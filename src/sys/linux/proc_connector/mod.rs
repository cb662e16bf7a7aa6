//! The proc connector (linux/cn_proc.h): the kernel tells a netlink socket of the end of each process, with its raw wait
//! status. Nothing else tells the status of a process that is no child of the reader.

mod filter;
mod message;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

pub use filter::Parents;
pub use message::Exit;

use crate::abi::error::SysError;

/// Room for 8 MiB of messages that were not read yet.
const RECEIVE_BUFFER: usize = 8 << 20;
/// The multicast group `CN_IDX_PROC`.
const GROUP: u32 = 1;
/// The exit code of the child that proves a subscription.
const PROOF: u8 = 77;
/// How long the proof may take in the form that the kernel should know; then the other form is tried.
const FIRST_WAIT: Duration = Duration::from_millis(300);
const LAST_WAIT: Duration = Duration::from_secs(2);
/// More than any message of the proc connector.
const DATAGRAM: usize = 4096;

/// Why there is no subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A system call failed. `EPERM`: no CAP_NET_ADMIN on a kernel before 6.6; `ECONNREFUSED`: not the initial network
    /// namespace; `EPROTONOSUPPORT`: a kernel without the connector.
    Failed(SysError),
    /// The kernel accepts the subscription and sends nothing: this is not the initial pid or user namespace, or the
    /// kernel lacks CONFIG_PROC_EVENTS.
    Silent,
}

/// One or more messages, or the knowledge that some are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Messages were read.
    Some,
    /// Nothing is queued.
    Empty,
    /// The buffer was full (`ENOBUFS`): an unknown number of exits is lost.
    Overrun,
}

/// A subscription to ends of processes.
#[derive(Debug)]
pub struct ProcConnector {
    socket: OwnedFd,
}

impl ProcConnector {
    /// Subscribes, and proves that messages come.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn subscribe(parents: &Parents) -> Result<Self, Refused> {
        let connector = Self::open(parents).map_err(Refused::Failed)?;
        let first = knows_filtered(&std::fs::read("/proc/sys/kernel/osrelease").unwrap_or_default());
        for (filtered, wait) in [(first, FIRST_WAIT), (!first, LAST_WAIT)] {
            connector.send(&message::subscription(filtered)).map_err(Refused::Failed)?;
            if connector.is_proven(wait).map_err(Refused::Failed)? {
                connector.set_parents(parents).map_err(Refused::Failed)?;
                return Ok(connector);
            }
        }
        Err(Refused::Silent)
    }

    fn open(parents: &Parents) -> Result<Self, SysError> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (family, kind) = (AddressFamily::NETLINK, SocketType::DGRAM);
        let socket = rustix::net::socket_with(family, kind, flags, Some(netlink::CONNECTOR))
            .map_err(at("socket of the proc connector"))?;
        let connector = Self { socket };
        // Without CAP_NET_ADMIN the size is bounded by net.core.rmem_max; a loss is reported anyway.
        if sockopt::set_socket_recv_buffer_size_force(&connector.socket, RECEIVE_BUFFER).is_err() {
            let _ = sockopt::set_socket_recv_buffer_size(&connector.socket, RECEIVE_BUFFER);
        }
        connector.set_parents(&Parents { own: Some(std::process::id()), ..parents.clone() })?;
        rustix::net::bind(&connector.socket, &SocketAddrNetlink::new(0, GROUP))
            .map_err(at("bind to the proc connector"))?;
        Ok(connector)
    }

    /// Replaces the parents whose children's ends are received.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn set_parents(&self, parents: &Parents) -> Result<(), SysError> {
        let program: Vec<libc::sock_filter> = filter::program(parents)
            .into_iter()
            .map(|i| libc::sock_filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k })
            .collect();
        let len = u16::try_from(program.len()).map_err(|_| SysError::new("SO_ATTACH_FILTER", Errno::EINVAL))?;
        let value = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
        // SAFETY: the value and the program that it points to live during the call; the kernel copies and only reads
        // them.
        let set = Errno::result(unsafe {
            let size = size_of::<libc::sock_fprog>() as libc::socklen_t;
            let (fd, at) = (self.socket.as_raw_fd(), (&raw const value).cast());
            libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, at, size)
        });
        set.map(drop).map_err(|e| SysError::new("SO_ATTACH_FILTER", e))
    }

    fn send(&self, message: &[u8]) -> Result<(), SysError> {
        let sent = rustix::net::send(&self.socket, message, SendFlags::empty());
        sent.map(drop).map_err(at("subscribe to the proc connector"))
    }

    /// Whether the end of a child of this process is reported in time. The subscription itself gets no answer. Ends of
    /// other processes may come all the while, so they do not prolong the wait.
    fn is_proven(&self, wait: Duration) -> Result<bool, SysError> {
        let child = end_of_a_child()?;
        let began = Instant::now();
        loop {
            let mut proven = false;
            let own = |exit: Exit| proven |= exit.pid == child && exit.status == i32::from(PROOF) << 8;
            match self.receive(own)? {
                _ if proven => return Ok(true),
                _ if began.elapsed() >= wait => return Ok(false),
                Received::Some | Received::Overrun => {}
                Received::Empty => {
                    let left = wait.saturating_sub(began.elapsed());
                    let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
                    // An error is EINTR; a time that is over is seen above, after a last look.
                    let _ = poll(&mut fds, Timespec::try_from(left).ok().as_ref());
                }
            }
        }
    }

    /// Reads one datagram. It never blocks.
    ///
    /// # Errors
    /// Those of recv(2).
    pub fn receive(&self, each: impl FnMut(Exit)) -> Result<Received, SysError> {
        let mut datagram = [0; DATAGRAM];
        match rustix::net::recv(&self.socket, &mut datagram[..], RecvFlags::empty()) {
            Ok((read, _)) => {
                message::exits(datagram.get(..read).unwrap_or_default()).for_each(each);
                Ok(Received::Some)
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(Received::Empty),
            Err(rustix::io::Errno::NOBUFS) => Ok(Received::Overrun),
            Err(error) => Err(at("read from the proc connector")(error)),
        }
    }
}

impl AsFd for ProcConnector {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether a kernel of this release knows the longer form of a subscription: Linux 6.6 does. Both forms are tried in any
/// case, so that a wrong answer costs time alone.
fn knows_filtered(release: &[u8]) -> bool {
    let mut numbers = release.split(|b| !b.is_ascii_digit()).map(|n| std::str::from_utf8(n).ok()?.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= (6, 6),
        _ => true,
    }
}

/// Makes a child that ends at once, and reaps it. Returns its pid. It sends no SIGCHLD, so that no one else reaps it.
fn end_of_a_child() -> Result<i32, SysError> {
    // SAFETY: without flags this is fork(2) without a signal at the end. The child has a copy of the memory and makes
    // one system call, which does not return; it takes no lock.
    let pid = unsafe {
        let pid = libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0);
        if pid == 0 {
            libc::syscall(libc::SYS_exit_group, libc::c_int::from(PROOF));
        }
        pid
    };
    let pid = Errno::result(pid).map_err(|e| SysError::new("clone", e))?;
    let pid = i32::try_from(pid).map_err(|_| SysError::new("clone", Errno::ERANGE))?;
    // SAFETY: no status is written. __WALL is needed for a child without a signal.
    while unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::__WALL) } == -1 && Errno::last() == Errno::EINTR {}
    Ok(pid)
}

fn at(what: &'static str) -> impl Fn(rustix::io::Errno) -> SysError {
    move |error| SysError::new(what, Errno::from_raw(error.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_says_which_form_comes_first() {
        for release in [&b"6.6.0\n"[..], b"6.12.41+deb13-amd64\n", b"7.2.13\n", b"10.0\n", b"", b"odd"] {
            assert!(knows_filtered(release), "{release:?}");
        }
        for release in [&b"6.5.13\n"[..], b"6.1.0-40-amd64\n", b"5.10.0\n"] {
            assert!(!knows_filtered(release), "{release:?}");
        }
    }
}
