//! The daemon's listening socket: from the service manager, or made here.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::{Mode, umask};
use rustix::fs::{AtFlags, CWD, FlockOperation, Gid, chownat, flock};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, getsockname, listen, socket_with};

use crate::abi::error::{SysError, io_words};
use crate::sys::linux::peer::pass_credentials;
use crate::sys::linux::seqpacket;
use crate::sys::service::{is_stream_listener, take_listen_fds};
use crate::wire::path::default_path;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 256;

/// The listening socket.
#[derive(Debug)]
pub struct Listener {
    /// The socket.
    pub socket: OwnedFd,
    /// Where it is in the file system.
    pub path: PathBuf,
    /// The group of readers, if there is one.
    pub readers: Option<u32>,
    /// Whether the kernel attaches a pidfd to what is received.
    pub with_pidfd: bool,
    /// What an operator must know about who may connect.
    pub remark: Option<String>,
    /// Set if this process made the socket, and so removes it at the end.
    made: Option<Made>,
}

#[derive(Debug)]
struct Made {
    /// Locked as long as this process lives: one instance a socket.
    lock: File,
    /// The device and inode of the socket, so that another one is never removed.
    identity: (u64, u64),
}

fn failed(path: &Path, what: &str, errno: Errno) -> SysError {
    SysError::new(format!("{what} {}", crate::abi::escape::screen(path.as_os_str().as_encoded_bytes())), errno)
}

fn of_io(path: &Path, what: &'static str) -> impl Fn(io::Error) -> SysError {
    let path = path.to_owned();
    move |e| failed(&path, what, Errno::from_raw(e.raw_os_error().unwrap_or(Errno::EIO as i32)))
}

impl Listener {
    /// The socket that the service manager passed, if it passed one, and the one for verdicts. Call it before another
    /// thread exists.
    pub fn passed() -> (Option<Result<Self, SysError>>, Option<Self>) {
        let (mut control, mut verdicts) = (None, None);
        let sockets = take_listen_fds();
        let is_any = !sockets.is_empty();
        for socket in sockets {
            if is_stream_listener(&socket) {
                control.get_or_insert(socket);
            } else if seqpacket::is_listener(&socket) {
                verdicts.get_or_insert(socket);
            }
        }
        let none = || SysError::new("no Unix stream socket was passed", Errno::ENOTSOCK);
        let of = |socket| {
            let path = path_of(&socket);
            Self { socket, path, readers: None, with_pidfd: false, remark: None, made: None }
        };
        (is_any.then(|| control.ok_or_else(none).and_then(Self::of)), verdicts.map(of))
    }

    /// Makes the socket where the shim asks for verdicts, for root alone. Nobody can connect before it is opened. Call it
    /// before another thread exists.
    ///
    /// # Errors
    /// As for [`Self::make`].
    pub fn verdicts(path: &Path) -> Result<Self, SysError> {
        if let Some(parent) = path.parent() {
            DirBuilder::new().mode(0o755).recursive(true).create(parent).map_err(of_io(parent, "mkdir"))?;
        }
        let lock = lock(path)?;
        if seqpacket::listens(path) {
            return Err(failed(path, "another program serves", Errno::EADDRINUSE));
        }
        match fs::symlink_metadata(path) {
            Ok(file) if file.file_type().is_socket() => fs::remove_file(path).map_err(of_io(path, "unlink"))?,
            Ok(_) => return Err(failed(path, "not a socket:", Errno::EEXIST)),
            Err(_) => {}
        }
        let before = umask(Mode::from_bits_truncate(0o177));
        let bound = seqpacket::bound(path);
        umask(before);
        let socket = bound.map_err(|e| failed(path, "bind", Errno::from_raw(e.raw_os_error())))?;
        let file = fs::symlink_metadata(path).map_err(of_io(path, "stat"))?;
        let made = Some(Made { lock, identity: (file.dev(), file.ino()) });
        Ok(Self { socket, path: path.to_owned(), readers: None, with_pidfd: false, remark: None, made })
    }

    /// A socket that the service manager made.
    fn of(socket: OwnedFd) -> Result<Self, SysError> {
        let path = path_of(&socket);
        // `SocketGroup=` of the socket unit.
        let group = fs::symlink_metadata(&path).ok().filter(|file| file.mode() & 0o060 == 0o060 && file.gid() != 0);
        let with_pidfd = pass_credentials(&socket)?;
        // It may have been made for blocking calls.
        let errno = |e: rustix::io::Errno| failed(&path, "ioctl", Errno::from_raw(e.raw_os_error()));
        rustix::io::ioctl_fionbio(&socket, true).map_err(errno)?;
        let remark = fs::symlink_metadata(&path).ok().and_then(|file| exposed(&path, file.mode(), file.uid()));
        Ok(Self { socket, readers: group.map(|file| file.gid()), path, with_pidfd, remark, made: None })
    }

    /// Makes the socket. Call it before another thread exists: the socket's mode comes from the umask.
    ///
    /// # Errors
    /// `EADDRINUSE` if a daemon serves the socket; `EEXIST` if a file is there that is no socket.
    pub fn make(path: &Path, readers: Option<u32>) -> Result<Self, SysError> {
        if let Some(parent) = path.parent().filter(|_| Some(path) == default_path().as_deref()) {
            let mode = if nix::unistd::geteuid().is_root() { 0o755 } else { 0o700 };
            DirBuilder::new().mode(mode).recursive(true).create(parent).map_err(of_io(parent, "mkdir"))?;
        }
        let lock = lock(path)?;
        remove_stale(path)?;
        let errno = |e: rustix::io::Errno| failed(path, "socket", Errno::from_raw(e.raw_os_error()));
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(errno)?;
        let with_pidfd = pass_credentials(&socket)?;
        let address = SocketAddrUnix::new(path).map_err(|e| failed(path, "bind", Errno::from_raw(e.raw_os_error())))?;
        let before = umask(Mode::from_bits_truncate(if readers.is_some() { 0o117 } else { 0o177 }));
        let bound = bind(&socket, &address);
        umask(before);
        bound.map_err(|e| failed(path, "bind", Errno::from_raw(e.raw_os_error())))?;
        let file = fs::symlink_metadata(path).map_err(of_io(path, "stat"))?;
        if let Some(gid) = readers {
            // No process can connect before `listen`.
            chownat(CWD, path, None, Some(Gid::from_raw(gid)), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|e| failed(path, "chown", Errno::from_raw(e.raw_os_error())))?;
        }
        listen(&socket, BACKLOG).map_err(|e| failed(path, "listen", Errno::from_raw(e.raw_os_error())))?;
        let made = Some(Made { lock, identity: (file.dev(), file.ino()) });
        Ok(Self { socket, path: path.to_owned(), readers, with_pidfd, remark: None, made })
    }

    /// Closes the socket. One that was made here also leaves the file system. Its name stays locked until the result is
    /// dropped.
    pub fn close(mut self) -> Option<Locked> {
        self.unlink();
        self.made.take().map(|made| Locked { _lock: made.lock })
    }

    /// Removes the socket from the file system, if it was made here.
    fn unlink(&self) {
        let Some(made) = &self.made else { return };
        let now = fs::symlink_metadata(&self.path).map(|file| (file.dev(), file.ino()));
        if now.is_ok_and(|now| now == made.identity) {
            // If it stays, the next start replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A daemon that does not start, because its ledger is refused, leaves no socket either.
impl Drop for Listener {
    fn drop(&mut self) {
        self.unlink();
    }
}

/// Where a socket was bound; empty if it was nowhere.
fn path_of(socket: &OwnedFd) -> PathBuf {
    let address = getsockname(socket).ok().and_then(|any| SocketAddrUnix::try_from(any).ok());
    let name = address.and_then(|address| address.path_bytes().map(<[u8]>::to_vec)).unwrap_or_default();
    PathBuf::from(OsString::from_vec(name))
}

/// The name of a socket, locked for this process: no other daemon serves it.
#[derive(Debug)]
pub struct Locked {
    _lock: File,
}

/// Why more processes may connect to a socket that was passed than to one that is made here.
fn exposed(path: &Path, mode: u32, uid: u32) -> Option<String> {
    let me = nix::unistd::geteuid().as_raw();
    let shown = crate::abi::escape::screen(path.as_os_str().as_encoded_bytes());
    if mode & 0o007 != 0 {
        let mode = mode & 0o777;
        return Some(format!(
            "every user may connect to {shown} (mode {mode:04o}), and is then refused: set SocketMode=0660 in the socket unit"
        ));
    }
    (uid != 0 && uid != me)
        .then(|| format!("{shown} belongs to uid {uid}, who may give it to others: set SocketUser=root"))
}

/// Locks the socket's name for this process.
fn lock(path: &Path) -> Result<File, SysError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC).bits();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600).custom_flags(i32::try_from(flags).unwrap_or(0));
    let file = options.open(&name).map_err(of_io(&name, "open"))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(failed(path, "a daemon serves", Errno::EADDRINUSE)),
        Err(e) => Err(failed(&name, "lock", Errno::from_raw(e.raw_os_error()))),
    }
}

/// Removes a socket that nothing serves.
fn remove_stale(path: &Path) -> Result<(), SysError> {
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(of_io(path, "stat")(e)),
        Ok(file) if !file.file_type().is_socket() => return Err(failed(path, "not a socket:", Errno::EEXIST)),
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(of_io(path, "unlink")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(SysError::new(format!("connect: {}", io_words(&e)), Errno::EADDRINUSE)),
        Ok(_) => Err(failed(path, "another program serves", Errno::EADDRINUSE)),
    }
}
