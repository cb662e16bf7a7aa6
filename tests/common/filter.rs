//! seccomp filters for tests.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::io;

use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO};
use libc::{c_long, sock_filter, sock_fprog};

/// Makes these system calls fail with an errno from now on, in the calling thread or in every thread.
pub fn refuse(calls: &[(c_long, i32)], of_every_thread: bool) -> io::Result<()> {
    let op = |code: u32, k: u32, jf: u8| sock_filter { code: code as u16, jt: 0, jf, k };
    let mut filter = vec![op(BPF_LD | BPF_W | BPF_ABS, 0, 0)];
    for (call, errno) in calls {
        filter.push(op(BPF_JMP | BPF_JEQ | BPF_K, u32::try_from(*call).unwrap(), 1));
        filter.push(op(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errno.cast_unsigned(), 0));
    }
    filter.push(op(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0));
    let program = sock_fprog { len: filter.len().try_into().unwrap(), filter: filter.as_mut_ptr() };
    let flags = if of_every_thread { libc::SECCOMP_FILTER_FLAG_TSYNC } else { 0 };
    // SAFETY: integers; the kernel copies the program, which lives until the call returns.
    let set = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
