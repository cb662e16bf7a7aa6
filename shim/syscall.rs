//! System calls, by hand: the shim has no C library.

use core::arch::asm;

/// An errno.
pub type Errno = i32;

pub const ENOENT: Errno = 2;
pub const EINTR: Errno = 4;
pub const EBADF: Errno = 9;
pub const EINVAL: Errno = 22;
const EROFS: Errno = 30;
pub const ECONNREFUSED: Errno = 111;

#[cfg(target_arch = "x86_64")]
mod number {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const SOCKET: usize = 41;
    pub const CONNECT: usize = 42;
    pub const SENDTO: usize = 44;
    pub const RECVMSG: usize = 47;
    pub const SHUTDOWN: usize = 48;
    pub const SETSOCKOPT: usize = 54;
    pub const EXECVE: usize = 59;
    pub const FCNTL: usize = 72;
    pub const SETGROUPS: usize = 116;
    pub const SETRESUID: usize = 117;
    pub const SETRESGID: usize = 119;
    pub const CAPGET: usize = 125;
    pub const CAPSET: usize = 126;
    pub const PRCTL: usize = 157;
    pub const MOUNT: usize = 165;
    pub const CLOCK_GETTIME: usize = 228;
    pub const EXIT_GROUP: usize = 231;
    pub const OPENAT: usize = 257;
    pub const FACCESSAT: usize = 269;
    pub const UNSHARE: usize = 272;
    pub const SECCOMP: usize = 317;
    pub const MOUNT_SETATTR: usize = 442;
    pub const LANDLOCK_RESTRICT_SELF: usize = 446;
}
#[cfg(target_arch = "aarch64")]
mod number {
    pub const FCNTL: usize = 25;
    pub const MOUNT: usize = 40;
    pub const FACCESSAT: usize = 48;
    pub const OPENAT: usize = 56;
    pub const CLOSE: usize = 57;
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const CAPGET: usize = 90;
    pub const CAPSET: usize = 91;
    pub const EXIT_GROUP: usize = 94;
    pub const UNSHARE: usize = 97;
    pub const CLOCK_GETTIME: usize = 113;
    pub const SETRESUID: usize = 147;
    pub const SETRESGID: usize = 149;
    pub const SETGROUPS: usize = 159;
    pub const PRCTL: usize = 167;
    pub const SOCKET: usize = 198;
    pub const CONNECT: usize = 203;
    pub const SENDTO: usize = 206;
    pub const SETSOCKOPT: usize = 208;
    pub const SHUTDOWN: usize = 210;
    pub const RECVMSG: usize = 212;
    pub const EXECVE: usize = 221;
    pub const SECCOMP: usize = 277;
    pub const MOUNT_SETATTR: usize = 442;
    pub const LANDLOCK_RESTRICT_SELF: usize = 446;
}

/// # Safety
/// The arguments are what the call with this number takes.
#[cfg(target_arch = "x86_64")]
unsafe fn call(number: usize, [a, b, c, d, e]: [usize; 5]) -> Result<usize, Errno> {
    let answer: isize;
    // SAFETY: the caller vouches for the arguments; the kernel changes rcx and r11 only.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => answer, in("rdi") a, in("rsi") b, in("rdx") c,
            in("r10") d, in("r8") e, in("r9") 0usize, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    usize::try_from(answer).map_err(|_| -answer as Errno)
}

/// # Safety
/// The arguments are what the call with this number takes.
#[cfg(target_arch = "aarch64")]
unsafe fn call(number: usize, [a, b, c, d, e]: [usize; 5]) -> Result<usize, Errno> {
    let answer: isize;
    // SAFETY: the caller vouches for the arguments; the kernel changes x0 only.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a as isize => answer, in("x1") b, in("x2") c, in("x3") d,
            in("x4") e, in("x5") 0usize, options(nostack));
    }
    usize::try_from(answer).map_err(|_| -answer as Errno)
}

/// A system call whose arguments are numbers, or references that live until it returns.
macro_rules! call {
    ($name:ident $(, $argument:expr)*) => {{
        let mut all = [0usize; 5];
        let given = [$($argument as usize),*];
        all[..given.len()].copy_from_slice(&given);
        // SAFETY: the wrapper that uses this passes what the call takes, and the call keeps nothing.
        unsafe { call(number::$name, all) }
    }};
}

const AT_FDCWD: isize = -100;
const O_CLOEXEC: usize = 0o2_000_000;
pub const O_WRONLY: usize = 1;

/// Text that ends with a NUL.
pub type Text = *const u8;

/// Opens a file, which a program that is executed does not get. `path` ends with a NUL.
pub fn open(path: Text, flags: usize) -> Result<usize, Errno> {
    call!(OPENAT, AT_FDCWD, path, flags | O_CLOEXEC)
}

pub fn close(fd: usize) {
    let _ = call!(CLOSE, fd);
}

pub fn is_open(fd: usize) -> bool {
    call!(FCNTL, fd, 1) != Err(EBADF)
}

pub fn read(fd: usize, into: &mut [u8]) -> Result<usize, Errno> {
    call!(READ, fd, into.as_mut_ptr(), into.len())
}

pub fn write(fd: usize, bytes: &[u8]) -> Result<usize, Errno> {
    call!(WRITE, fd, bytes.as_ptr(), bytes.len())
}

pub fn exit(code: u8) -> ! {
    loop {
        let _ = call!(EXIT_GROUP, code);
    }
}

/// Milliseconds of the monotonic clock.
pub fn now() -> u64 {
    let mut time = [0u64; 2];
    let _ = call!(CLOCK_GETTIME, 1, time.as_mut_ptr());
    time[0] * 1000 + time[1] / 1_000_000
}

/// Executes a program in place. Returns only when that failed. All three are as execve(2) takes them.
pub fn execve(path: Text, argv: *const Text, envp: *const Text) -> Errno {
    call!(EXECVE, path, argv, envp).err().unwrap_or(EINVAL)
}

/// `struct sockaddr_un`.
#[repr(C)]
struct Address {
    family: u16,
    path: [u8; 108],
}

/// Connects to a SOCK_SEQPACKET socket in the file system. Each call on it takes at most `most` milliseconds.
pub fn connect(path: &[u8], most: u64) -> Result<usize, Errno> {
    const AF_UNIX: usize = 1;
    const SOCK_SEQPACKET: usize = 5;
    let mut address = Address { family: 1, path: [0; 108] };
    let place = address.path.get_mut(..path.len()).ok_or(EINVAL)?;
    place.copy_from_slice(path);
    let fd = call!(SOCKET, AF_UNIX, SOCK_SEQPACKET | O_CLOEXEC, 0)?;
    // A full backlog makes connect(2) wait as long as a send may.
    limit(fd, most)?;
    let connected = call!(CONNECT, fd, &raw const address, size_of::<Address>());
    connected.map(|_| fd).inspect_err(|_| close(fd))
}

/// Limits the time that a send or a receive may take, in milliseconds; at least one.
pub fn limit(fd: usize, most: u64) -> Result<usize, Errno> {
    const SOL_SOCKET: usize = 1;
    const SO_RCVTIMEO: usize = 20;
    const SO_SNDTIMEO: usize = 21;
    let time = [most / 1000, (most % 1000).max(1) * 1000];
    call!(SETSOCKOPT, fd, SOL_SOCKET, SO_RCVTIMEO, time.as_ptr(), size_of_val(&time))?;
    call!(SETSOCKOPT, fd, SOL_SOCKET, SO_SNDTIMEO, time.as_ptr(), size_of_val(&time))
}

pub fn send(fd: usize, packet: &[u8]) -> Result<usize, Errno> {
    const MSG_NOSIGNAL: usize = 0x4000;
    call!(SENDTO, fd, packet.as_ptr(), packet.len(), MSG_NOSIGNAL)
}

/// Nothing more can come in; what has come can still be read.
pub fn shut_reading(fd: usize) {
    let _ = call!(SHUTDOWN, fd, 0);
}

/// `struct iovec`, `struct msghdr` and the control message with one descriptor.
#[repr(C)]
struct Vector(*mut u8, usize);
#[repr(C)]
struct Header {
    name: usize,
    name_length: usize,
    vectors: *mut Vector,
    vectors_number: usize,
    control: *mut Control,
    control_length: usize,
    flags: i32,
}
#[repr(C)]
struct Control {
    length: usize,
    level: i32,
    kind: i32,
    descriptor: i32,
}

/// Receives a packet and the descriptor that came with it. A longer packet than `into` is an error (`EINVAL`): it must not
/// pass for a short one.
pub fn receive(fd: usize, into: &mut [u8], wait: bool) -> Result<(usize, Option<usize>), Errno> {
    const MSG_CTRUNC: i32 = 0x8;
    const MSG_TRUNC: i32 = 0x20;
    const MSG_DONTWAIT: usize = 0x40;
    const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
    let mut control = Control { length: 0, level: 0, kind: 0, descriptor: -1 };
    let mut vector = Vector(into.as_mut_ptr(), into.len());
    let mut header = Header {
        name: 0,
        name_length: 0,
        vectors: &raw mut vector,
        vectors_number: 1,
        control: &raw mut control,
        control_length: size_of::<Control>(),
        flags: 0,
    };
    let flags = MSG_CMSG_CLOEXEC | MSG_TRUNC as usize | if wait { 0 } else { MSG_DONTWAIT };
    let length = call!(RECVMSG, fd, &raw mut header, flags)?;
    if header.flags & (MSG_TRUNC | MSG_CTRUNC) != 0 || length > into.len() {
        return Err(EINVAL);
    }
    // SOL_SOCKET, SCM_RIGHTS.
    let came = header.control_length >= 20 && (control.level, control.kind) == (1, 1);
    Ok((length, if came { usize::try_from(control.descriptor).ok() } else { None }))
}

pub fn prctl(option: usize, a: usize, b: usize) -> Result<usize, Errno> {
    call!(PRCTL, option, a, b, 0, 0)
}

pub fn restrict_self(ruleset: usize) -> Result<usize, Errno> {
    call!(LANDLOCK_RESTRICT_SELF, ruleset, 0)
}

/// Makes every mounted file system read-only, in a mount namespace of this process's own (mount_setattr(2)).
pub fn read_only_root() -> Result<(), Errno> {
    const CLONE_NEWNS: usize = 0x2_0000;
    const MS_REC_PRIVATE: usize = 0x4_4000;
    const AT_RECURSIVE: usize = 0x8000;
    const W_OK: usize = 2;
    let root = c"/".as_ptr();
    // struct mount_attr: attr_set is MOUNT_ATTR_RDONLY.
    let attributes: [u64; 4] = [1, 0, 0, 0];
    call!(UNSHARE, CLONE_NEWNS)?;
    call!(MOUNT, 0, root, 0, MS_REC_PRIVATE, 0)?;
    call!(MOUNT_SETATTR, AT_FDCWD, root, AT_RECURSIVE, attributes.as_ptr(), size_of_val(&attributes))?;
    // The last check: nothing can be written to "/", whoever asks.
    match call!(FACCESSAT, AT_FDCWD, root, W_OK) {
        Err(EROFS) => Ok(()),
        _ => Err(EINVAL),
    }
}

/// Installs a filter of system calls (seccomp(2)): instructions of eight bytes.
pub fn filter_calls(filter: &[u8]) -> Result<usize, Errno> {
    const SECCOMP_SET_MODE_FILTER: usize = 1;
    /// `struct sock_fprog`.
    #[repr(C)]
    struct Program(u16, *const u8);
    let program = Program((filter.len() / 8) as u16, filter.as_ptr());
    call!(SECCOMP, SECCOMP_SET_MODE_FILTER, 0, &raw const program)
}

/// Becomes another user without supplementary groups.
pub fn become_user(uid: u32, gid: u32) -> Result<usize, Errno> {
    call!(SETGROUPS, 0, 0)?;
    call!(SETRESGID, gid, gid, gid)?;
    call!(SETRESUID, uid, uid, uid)
}

/// `struct __user_cap_header_struct` of version 3, for this thread.
const CAP_HEADER: [u32; 2] = [0x2008_0522, 0];

/// The capability sets of this thread: effective, permitted, inheritable.
pub fn capget() -> Result<[u64; 3], Errno> {
    let (mut header, mut data) = (CAP_HEADER, [0u32; 6]);
    call!(CAPGET, header.as_mut_ptr(), data.as_mut_ptr())?;
    let [e, p, i, e_high, p_high, i_high] = data.map(u64::from);
    Ok([e | e_high << 32, p | p_high << 32, i | i_high << 32])
}

pub fn capset([e, p, i]: [u64; 3]) -> Result<usize, Errno> {
    let mut header = CAP_HEADER;
    let data = [e as u32, p as u32, i as u32, (e >> 32) as u32, (p >> 32) as u32, (i >> 32) as u32];
    call!(CAPSET, header.as_mut_ptr(), data.as_ptr())
}
