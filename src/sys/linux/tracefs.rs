//! tracefs and its instances. An instance is a set of trace buffers of its own, with its own events, filters and clock;
//! nothing that another program traces is changed.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::errno::Errno;
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::abi::error::SysError;
use crate::abi::sort::sort_by;

/// `TRACEFS_MAGIC` of linux/magic.h.
const MAGIC: u64 = 0x7472_6163;
/// Where tracefs is usually mounted.
const USUAL: &str = "/sys/kernel/tracing";
/// More than any file of tracefs that is read here. The longest one is a list of CPUs or instances.
const LONGEST: usize = 1 << 20;
/// How much is read at once.
const CHUNK: usize = 1 << 14;

/// tracefs, as it is mounted or by a detached mount of this process.
#[derive(Debug)]
pub struct Tracefs {
    root: Arc<OwnedFd>,
    detached: bool,
}

impl Tracefs {
    /// Opens the mounted tracefs; if none is mounted at /sys/kernel/tracing, makes a mount that no other process sees
    /// and that ends with this value (fsopen(2), fsmount(2)).
    ///
    /// # Errors
    /// `EPERM` and `EACCES` without the privilege, `ENODEV` on a kernel without tracefs.
    pub fn open() -> Result<Self, SysError> {
        let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        if let Ok(root) = rustix::fs::openat(CWD, USUAL, folder, Mode::empty())
            && rustix::fs::fstatfs(&root).is_ok_and(|on| u64::try_from(on.f_type) == Ok(MAGIC))
        {
            return Ok(Self { root: Arc::new(root), detached: false });
        }
        let context = rustix::mount::fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(at("fsopen tracefs"))?;
        rustix::mount::fsconfig_create(&context).map_err(at("fsconfig tracefs"))?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC
            | MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW;
        let root = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
            .or_else(|_| {
                // Before Linux 5.14 there is no MOUNT_ATTR_NOSYMFOLLOW.
                let known = attributes - MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW;
                rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, known)
            })
            .map_err(at("fsmount tracefs"))?;
        Ok(Self { root: Arc::new(root), detached: true })
    }

    /// Whether this process made the mount.
    pub const fn is_detached(&self) -> bool {
        self.detached
    }

    /// The content of a file, by its path below the root of tracefs.
    ///
    /// # Errors
    /// Those of open(2) and read(2).
    pub fn read(&self, path: &str) -> Result<Vec<u8>, SysError> {
        read(self.root.as_fd(), path)
    }

    /// Adds one line to a file at the root of tracefs, as `kprobe_events`. It is opened for appending: otherwise the kernel
    /// would first forget the probes of every program.
    ///
    /// # Errors
    /// `ENOENT` if the kernel has no such file, `EINVAL` if it does not accept the line, `EBUSY` if the line takes away what is
    /// in use.
    pub fn append(&self, path: &str, line: &str) -> Result<(), SysError> {
        let what = |e| SysError::new(format!("append to {path} of tracefs"), errno(e));
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(&self.root, path, flags, Mode::empty()).map_err(what)?;
        let line = format!("{line}\n");
        match rustix::io::write(&file, line.as_bytes()).map_err(what)? {
            written if written == line.len() => Ok(()),
            _ => Err(SysError::new(format!("short write to {path} of tracefs"), Errno::EIO)),
        }
    }

    /// The names of all instances, of other programs too.
    ///
    /// # Errors
    /// `ENOENT` where the kernel is locked down for confidentiality.
    pub fn instances(&self) -> Result<Vec<Vec<u8>>, SysError> {
        names(self.root.as_fd(), "instances")
    }

    /// Removes an instance.
    ///
    /// # Errors
    /// `EBUSY` while a process has a file of the instance open.
    pub fn remove_instance(&self, name: &[u8]) -> Result<(), SysError> {
        remove(self.root.as_fd(), name)
    }

    /// Makes an instance, which ends with the value that is returned.
    ///
    /// # Errors
    /// `EEXIST` if there is one of that name, `ENOENT` where the kernel is locked down for confidentiality.
    pub fn make_instance(&self, name: &str) -> Result<Instance, SysError> {
        let path = format!("instances/{name}");
        rustix::fs::mkdirat(&self.root, &path, Mode::RWXU).map_err(at("make a trace instance"))?;
        let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match rustix::fs::openat(&self.root, &path, folder, Mode::empty()) {
            Ok(folder) => Ok(Instance { root: self.root.clone(), folder, name: name.to_owned() }),
            Err(error) => {
                let _ = remove(self.root.as_fd(), name.as_bytes());
                Err(at("open a trace instance")(error))
            }
        }
    }
}

/// An instance that this process made; dropping it removes it. Its buffers must be closed before.
#[derive(Debug)]
pub struct Instance {
    root: Arc<OwnedFd>,
    folder: OwnedFd,
    name: String,
}

impl Instance {
    /// The content of one of its files.
    ///
    /// # Errors
    /// Those of open(2) and read(2).
    pub fn read(&self, path: &str) -> Result<Vec<u8>, SysError> {
        read(self.folder.as_fd(), path)
    }

    /// Writes to one of its files, in one write; what stood in it is replaced.
    ///
    /// # Errors
    /// `EINVAL` if the kernel does not accept the value, `ENOENT` if it has no such file.
    pub fn write(&self, path: &str, value: &[u8]) -> Result<(), SysError> {
        self.put(path, value, OFlags::TRUNC)
    }

    /// Adds to one of its files, as `set_event_pid`, in one write.
    ///
    /// # Errors
    /// As for [`Instance::write`].
    pub fn append(&self, path: &str, value: &[u8]) -> Result<(), SysError> {
        self.put(path, value, OFlags::APPEND)
    }

    fn put(&self, path: &str, value: &[u8], how: OFlags) -> Result<(), SysError> {
        let what = |e| SysError::new(format!("write to {path} of a trace instance"), errno(e));
        let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | how;
        let open = || rustix::fs::openat(&self.folder, path, flags, Mode::empty());
        let file = match open() {
            // Before Linux 5.16 `buffer_percent` is read-only by its mode, which binds who lacks CAP_DAC_OVERRIDE; its
            // owner may change that, and the file belongs to this instance alone.
            Err(rustix::io::Errno::ACCESS) => {
                rustix::fs::chmodat(&self.folder, path, Mode::RUSR | Mode::WUSR, AtFlags::empty()).map_err(what)?;
                open()
            }
            other => other,
        };
        let file = file.map_err(what)?;
        match rustix::io::write(&file, value) {
            Ok(written) if written == value.len() => Ok(()),
            Ok(_) => Err(SysError::new(format!("short write to {path} of a trace instance"), Errno::EIO)),
            Err(error) => Err(what(error)),
        }
    }

    /// The events of one CPU that were overwritten before they were read, since the instance was made.
    ///
    /// # Errors
    /// Those of open(2) and read(2); `EPROTO` if the kernel does not say.
    pub fn overwritten(&self, cpu: &str) -> Result<u64, SysError> {
        let stats = self.read(&format!("per_cpu/{cpu}/stats"))?;
        let text = std::str::from_utf8(&stats).ok();
        let overrun =
            text.and_then(|text| text.lines().find_map(|line| line.strip_prefix("overrun:")?.trim().parse().ok()));
        overrun.ok_or_else(|| SysError::new("read the stats of a trace buffer", Errno::EPROTO))
    }

    /// The buffer of each CPU, ready for reads that do not block, after its name. A read gives one page of the ring
    /// buffer.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn buffers(&self) -> Result<Vec<(String, OwnedFd)>, SysError> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let of = |cpu: Vec<u8>| {
            let cpu = String::from_utf8_lossy(&cpu).into_owned();
            let opened =
                rustix::fs::openat(&self.folder, format!("per_cpu/{cpu}/trace_pipe_raw"), flags, Mode::empty());
            Ok((cpu, opened.map_err(at("open a trace buffer"))?))
        };
        names(self.folder.as_fd(), "per_cpu")?.into_iter().map(of).collect()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // The kernel removes an instance without events in half the time.
        let _ = self.write("events/enable", b"0");
        // If a buffer is still open, the next start removes the instance.
        let _ = remove(self.root.as_fd(), self.name.as_bytes());
    }
}

/// Reads one page of a buffer; 0 bytes if it is empty.
///
/// # Errors
/// Those of read(2), except `EAGAIN` and `EINTR`.
pub fn read_page(buffer: BorrowedFd<'_>, page: &mut [u8]) -> Result<usize, SysError> {
    match rustix::io::read(buffer, page) {
        Ok(read) => Ok(read),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(0),
        Err(error) => Err(at("read a trace buffer")(error)),
    }
}

fn read(folder: BorrowedFd<'_>, path: &str) -> Result<Vec<u8>, SysError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::openat(folder, path, flags, Mode::empty())
        .map_err(|e| SysError::new(format!("open {path} of tracefs"), errno(e)))?;
    let mut bytes = Vec::new();
    let mut file = File::from(file);
    loop {
        // `events/header_page` gives nothing after the first read, however little that took.
        let from = bytes.len();
        bytes.resize(from + CHUNK, 0);
        let failed = |e: std::io::Error| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO));
        let read = file.read(&mut bytes[from..]);
        let read = read.map_err(|e| SysError::new(format!("read {path} of tracefs"), failed(e)))?;
        bytes.truncate(from + read);
        if read == 0 || bytes.len() > LONGEST {
            return Ok(bytes);
        }
    }
}

/// The names in a folder, sorted.
fn names(parent: BorrowedFd<'_>, path: &str) -> Result<Vec<Vec<u8>>, SysError> {
    let what = |e| SysError::new(format!("list {path} of tracefs"), errno(e));
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let folder = rustix::fs::openat(parent, path, flags, Mode::empty()).map_err(what)?;
    let mut names = Vec::new();
    for entry in Dir::new(folder).map_err(what)? {
        let name = entry.map_err(what)?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(name);
        }
    }
    sort_by(&mut names, Ord::cmp);
    Ok(names)
}

fn remove(root: BorrowedFd<'_>, name: &[u8]) -> Result<(), SysError> {
    if name.contains(&b'/') || name.starts_with(b".") {
        return Err(SysError::new("remove a trace instance", Errno::EINVAL));
    }
    let path = [b"instances/".as_slice(), name].concat();
    rustix::fs::unlinkat(root, path, AtFlags::REMOVEDIR).map_err(at("remove a trace instance"))
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}

fn at(what: &'static str) -> impl Fn(rustix::io::Errno) -> SysError {
    move |error| SysError::new(what, errno(error))
}
