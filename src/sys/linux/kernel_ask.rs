//! Makes this machine's kernel ask for a module. Each call is made on a thread of its own, since capabilities belong to a
//! thread: it drops the one with which the kernel would ask for another name, and ends.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use super::caps;
use crate::abi::cap::Capability;
use crate::abi::error::SysError;
use crate::abi::kernel_ask::Way;

/// The stack of the thread, which makes a few system calls.
const STACK: usize = 64 * 1024;

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The thread that asked.
    pub tid: i32,
    /// What the call returned; success means that the thing was there, and that nothing was asked.
    pub returned: Result<(), Errno>,
}

/// Asks, and waits until the kernel has answered: until the helper has ended, if one was started.
///
/// # Errors
/// `EPERM` without the capability that is needed, which the error names; the errno of a call that did not reach the
/// question.
pub fn ask(way: &Way) -> Result<Asked, SysError> {
    let way = way.clone();
    let thread = std::thread::Builder::new().name("khelper-ask".into()).stack_size(STACK).spawn(move || by(&way));
    let thread = thread
        .map_err(|e| SysError::new("start a thread", Errno::from_raw(e.raw_os_error().unwrap_or(libc::EAGAIN))))?;
    thread.join().unwrap_or_else(|_| Err(SysError::new("the thread that asks", Errno::EIO)))
}

fn by(way: &Way) -> Result<Asked, SysError> {
    let returned = match way {
        Way::Interface(name) => {
            only(Capability::SYS_MODULE, Capability::NET_ADMIN)?;
            interface(name)
        }
        Way::NetDevice(name) => {
            only(Capability::NET_ADMIN, Capability::SYS_MODULE)?;
            interface(name)
        }
        Way::FileSystem(name) => file_system(name),
        Way::Socket { family, kind, protocol } => family_of(*family, *kind, *protocol),
        Way::AlgorithmType(kind) => algorithm(kind, b"khelper-none"),
        Way::Algorithm(name) => algorithm(b"hash", name),
        Way::Congestion(name) => congestion(name),
    }?;
    Ok(Asked { tid: rustix::thread::gettid().as_raw_nonzero().get(), returned })
}

/// Keeps `keep` and drops `drop` on this thread.
fn only(keep: Capability, drop: Capability) -> Result<(), SysError> {
    if !caps::of_this_thread().effective.at_least().has(keep) {
        return Err(SysError::new(format!("asking needs {}", keep.name()), Errno::EPERM));
    }
    caps::drop_from_this_thread(drop).map_err(|errno| SysError::new(format!("dropping {}", drop.name()), errno))
}

/// What the call returned, or an error if it failed for another reason than that the thing is missing.
fn missing(call: &'static str, result: Result<(), Errno>, absent: &[Errno]) -> Result<Result<(), Errno>, SysError> {
    match result {
        Err(errno) if !absent.contains(&errno) => Err(SysError::new(call, errno)),
        result => Ok(result),
    }
}

fn socket(family: i32, kind: i32, protocol: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: takes integers only.
    let fd = Errno::result(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: the descriptor that socket(2) has just made, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn interface(name: &[u8]) -> Result<Result<(), Errno>, SysError> {
    let socket = socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0).map_err(|errno| SysError::new("socket", errno))?;
    // SAFETY: all zeros is a valid ifreq: bytes and integers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays NUL.
    for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    // SAFETY: SIOCGIFFLAGS reads and writes one ifreq, which lives on this stack.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request) };
    missing("ioctl(SIOCGIFFLAGS)", Errno::result(result).map(|_| ()), &[Errno::ENODEV])
}

fn file_system(name: &[u8]) -> Result<Result<(), Errno>, SysError> {
    let result = rustix::mount::fsopen(name, rustix::mount::FsOpenFlags::FSOPEN_CLOEXEC);
    missing("fsopen", result.map(|_| ()).map_err(|e| Errno::from_raw(e.raw_os_error())), &[Errno::ENODEV])
}

fn family_of(family: i32, kind: Option<i32>, protocol: Option<i32>) -> Result<Result<(), Errno>, SysError> {
    let kind = kind.unwrap_or(libc::SOCK_RAW);
    let result = socket(family, kind, protocol.unwrap_or(0)).map(|_| ());
    let absent = [Errno::EAFNOSUPPORT, Errno::ESOCKTNOSUPPORT, Errno::EPROTONOSUPPORT];
    match (protocol, result) {
        // The family is there, and does not have this type of socket.
        (None, Err(Errno::ESOCKTNOSUPPORT | Errno::EPROTONOSUPPORT | Errno::EPERM | Errno::EINVAL)) => Ok(Ok(())),
        (_, result) => missing("socket", result, &absent),
    }
}

fn algorithm(kind: &[u8], name: &[u8]) -> Result<Result<(), Errno>, SysError> {
    let socket = match socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0) {
        Ok(socket) => socket,
        Err(errno) => return Err(SysError::new("socket(AF_ALG)", errno)),
    };
    // SAFETY: all zeros is a valid sockaddr_alg: bytes and integers.
    let mut address: libc::sockaddr_alg = unsafe { std::mem::zeroed() };
    address.salg_family = u16::try_from(libc::AF_ALG).unwrap_or_default();
    // The last byte of each stays NUL.
    let kinds = address.salg_type.len() - 1;
    address.salg_type.iter_mut().take(kinds).zip(kind).for_each(|(to, from)| *to = *from);
    let names = address.salg_name.len() - 1;
    address.salg_name.iter_mut().take(names).zip(name).for_each(|(to, from)| *to = *from);
    let length = u32::try_from(size_of::<libc::sockaddr_alg>()).unwrap_or_default();
    // SAFETY: the address is a whole sockaddr_alg of this length, which lives on this stack.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    missing("bind(AF_ALG)", Errno::result(result).map(|_| ()), &[Errno::ENOENT])
}

fn congestion(name: &[u8]) -> Result<Result<(), Errno>, SysError> {
    if !caps::of_this_thread().effective.at_least().has(Capability::NET_ADMIN) {
        return Err(SysError::new("asking needs cap_net_admin", Errno::EPERM));
    }
    let socket =
        socket(libc::AF_INET, libc::SOCK_STREAM, 0).map_err(|errno| SysError::new("socket(AF_INET)", errno))?;
    let length = u32::try_from(name.len()).unwrap_or_default();
    // SAFETY: the option's value is the name, of this length; the kernel only reads it.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_CONGESTION, name.as_ptr().cast(), length)
    };
    missing("setsockopt(TCP_CONGESTION)", Errno::result(result).map(|_| ()), &[Errno::ENOENT])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_asked_for_and_the_capability_that_is_missing_is_named() {
        let lo = ask(&Way::Interface(b"lo".to_vec()));
        if nix::unistd::geteuid().is_root() {
            assert_eq!(lo.unwrap().returned, Ok(()), "every network namespace has it");
            let none = ask(&Way::Interface(b"khelper-none".to_vec())).unwrap();
            assert_eq!(none.returned, Err(Errno::ENODEV));
            assert!(none.tid != rustix::thread::gettid().as_raw_nonzero().get());
            let effective = caps::of_this_thread().effective.at_least();
            assert!(effective.has(Capability::NET_ADMIN), "this thread keeps it");
            assert_eq!(ask(&Way::FileSystem(b"tmpfs".to_vec())).unwrap().returned, Ok(()));
        } else {
            assert_eq!(lo.unwrap_err().to_string(), "asking needs cap_sys_module: Operation not permitted (EPERM)");
        }
        let unix = Way::Socket { family: libc::AF_UNIX, kind: None, protocol: None };
        assert_eq!(ask(&unix).unwrap().returned, Ok(()));
    }
}
