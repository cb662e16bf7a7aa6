//! Socket options about a peer (unix(7)). Only `ENOPROTOOPT` means that the kernel does not know an option.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use crate::abi::error::SysError;
use crate::abi::peer::Credentials;

use super::facts::Pidfd;

/// Makes every received chunk name its sender. Set on a listener, since accepted sockets inherit it. Returns whether the
/// kernel also attaches a pidfd (SO_PASSPIDFD, Linux 6.5).
pub fn pass_credentials(socket: impl AsFd) -> Result<bool, SysError> {
    rustix::net::sockopt::set_socket_passcred(&socket, true)
        .map_err(|e| SysError::new("SO_PASSCRED", Errno::from_raw(e.raw_os_error())))?;
    let on: libc::c_int = 1;
    // SAFETY: the value is an int that lives during the call, with its own size.
    let set = Errno::result(unsafe {
        let size = size_of::<libc::c_int>() as libc::socklen_t;
        libc::setsockopt(socket.as_fd().as_raw_fd(), libc::SOL_SOCKET, libc::SO_PASSPIDFD, (&raw const on).cast(), size)
    });
    known(set.map(drop)).map(|done| done.is_some()).map_err(|e| SysError::new("SO_PASSPIDFD", e))
}

/// `None` if the kernel does not know the option. Every other error is one.
fn known<T>(result: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::ENOPROTOOPT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// The process that connected (SO_PEERCRED), as it was then.
pub fn connected(socket: impl AsFd) -> Result<Credentials, SysError> {
    let mut ucred = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes, which is the size of this struct of plain numbers.
    let got = Errno::result(unsafe {
        let at = (&raw mut ucred).cast();
        libc::getsockopt(socket.as_fd().as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, at, &raw mut size)
    });
    got.map_err(|e| SysError::new("SO_PEERCRED", e))?;
    Ok(Credentials { pid: ucred.pid, uid: ucred.uid, gid: ucred.gid })
}

/// The supplementary groups of the process that connected (SO_PEERGROUPS, Linux 4.13), as they were then. Empty on an
/// older kernel.
pub fn groups(socket: impl AsFd) -> Result<Vec<u32>, SysError> {
    let mut groups = vec![0u32; 64];
    loop {
        let mut size = libc::socklen_t::try_from(size_of_val(&*groups)).unwrap_or(libc::socklen_t::MAX);
        // SAFETY: the kernel writes at most `size` bytes into the vector, which has that many; `size` then says how
        // many it wrote, or how many it needs.
        let got = Errno::result(unsafe {
            let at = groups.as_mut_ptr().cast();
            libc::getsockopt(socket.as_fd().as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERGROUPS, at, &raw mut size)
        });
        let count = size as usize / size_of::<u32>();
        match known(got) {
            Ok(Some(_)) => {
                groups.truncate(count);
                return Ok(groups);
            }
            Ok(None) => return Ok(Vec::new()),
            Err(Errno::ERANGE) if count > groups.len() => groups.resize(count, 0),
            Err(e) => return Err(SysError::new("SO_PEERGROUPS", e)),
        }
    }
}

/// A pidfd of the process that connected (SO_PEERPIDFD, Linux 6.5).
pub fn peer_pidfd(socket: impl AsFd) -> Pidfd {
    let mut fd: libc::c_int = -1;
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes one int, which lives on this stack.
    let got = Errno::result(unsafe {
        let at = (&raw mut fd).cast();
        libc::getsockopt(socket.as_fd().as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERPIDFD, at, &raw mut size)
    });
    match known(got) {
        // SAFETY: the kernel has just made this descriptor for us, close-on-exec.
        Ok(Some(_)) if fd >= 0 => Pidfd::Held(unsafe { OwnedFd::from_raw_fd(fd) }),
        Ok(Some(_)) => Pidfd::Failed(Errno::ESRCH),
        Ok(None) => Pidfd::Unsupported,
        Err(e) => Pidfd::Failed(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;

    #[test]
    fn auth_2_only_enoprotoopt_means_an_old_kernel() {
        assert_eq!(known(Err::<(), _>(Errno::ENOPROTOOPT)), Ok(None));
        for errno in [Errno::EINVAL, Errno::EOPNOTSUPP, Errno::ENOTSOCK, Errno::EBADF, Errno::EPERM, Errno::ENOSYS] {
            assert_eq!(known(Err::<(), _>(errno)), Err(errno));
        }
        // The kernel itself: no socket, and a socket of another family.
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(pass_credentials(&file).unwrap_err().errno, Errno::ENOTSOCK);
        assert!(matches!(peer_pidfd(&file), Pidfd::Failed(Errno::ENOTSOCK)));
        if let Ok(tcp) = TcpListener::bind("127.0.0.1:0") {
            let refused = pass_credentials(&tcp);
            assert!(!matches!(refused, Ok(true)), "{refused:?}");
            assert!(!matches!(peer_pidfd(&tcp), Pidfd::Held(_)));
        }
    }

    #[test]
    fn auth_4_the_groups_of_the_process_that_connected() {
        let (one, _other) = UnixStream::pair().unwrap();
        let mut mine: Vec<u32> = nix::unistd::getgroups().unwrap().into_iter().map(|g| g.as_raw()).collect();
        let mut seen = groups(&one).unwrap();
        mine.sort_unstable();
        seen.sort_unstable();
        assert_eq!(seen, mine);
        let peer = connected(&one).unwrap();
        assert_eq!((peer.pid, peer.uid), (std::process::id() as i32, nix::unistd::geteuid().as_raw()));
    }
}
