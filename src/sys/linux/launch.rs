//! One launch: prepares what the child needs, creates the process and reads its result.

use std::ffi::{CStr, CString};
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32};

use libc::{c_char, c_int};
use nix::errno::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::abi::error::SysError;
use crate::abi::launch_spec::{NotEnforced, Rlimit};
use crate::abi::mutation::{self, Mutation};

use super::child::{NO_STEP, Report, Shared, child, kept};
use super::clone::{Cloner, Made, Memory, reap};
use super::confine::Steps;
use super::dispositions::Signals;
use super::inherited::memory::Unwanted;
use super::proc::ProcFile;
use super::step::Step;

/// The parameters of a launch, all alive until `launch` returns.
pub(super) struct Order<'a> {
    pub(super) path: &'a CString,
    pub(super) argv: &'a [CString],
    pub(super) envp: &'a [CString],
    /// Descriptors of the worker for 0, 1 and 2; each above 2.
    pub(super) fds: [c_int; 3],
    /// Whether the worker uses the host's descriptor table, so that the child has to close what it does not need.
    pub(super) close_files: bool,
    /// The `cgroup.procs` of the cgroup to enter.
    pub(super) cgroup: Option<&'a CStr>,
    pub(super) rlimits: &'a [Rlimit],
    pub(super) no_new_privs: bool,
    /// What the helper is confined to by its profile.
    pub(super) steps: Steps,
    /// Whether oom_score_adj has to be set to 0.
    pub(super) reset_oom: bool,
    /// The name of the session keyring to join; `None` for a new one.
    pub(super) keyring: Option<&'a CStr>,
    /// The attributes of the host's memory to reset, in a copy of it.
    pub(super) unwanted: Unwanted,
    /// Whether CLONE_VM really shares memory on this machine.
    pub(super) memory_is_shared: bool,
}

/// A helper that was launched.
pub(super) struct Child {
    pub(super) pid: i32,
    /// Its pidfd, in this worker's table; -1 if the kernel has none.
    pub(super) pidfd: c_int,
    /// The memory that it ran in before exec.
    pub(super) memory: Memory,
    /// What could not be set, unsorted.
    pub(super) not_enforced: Vec<NotEnforced>,
}

/// Why a launch failed.
pub(super) enum SpawnError {
    /// No process was created; the call that failed.
    Process(SysError),
    /// The process failed at a step, and is reaped.
    Step(Step, Errno),
}

/// Creates the process and returns when its exec has succeeded or failed. `status` is this thread's /proc status, from
/// which the ignored signals are read.
pub(super) fn launch(cloner: &mut Cloner, status: &ProcFile, order: &Order<'_>) -> Result<Child, SpawnError> {
    // A change of the user makes the memory undumpable (prctl(2), PR_SET_DUMPABLE), and it must not be the host's.
    if order.steps.ids.is_some() {
        return in_memory(Memory::Own, cloner, status, order);
    }
    if order.memory_is_shared && !order.unwanted.any() {
        return in_memory(Memory::Shared, cloner, status, order);
    }
    match in_memory(Memory::Own, cloner, status, order) {
        // There is not enough memory for a copy of the host's: its attributes stay.
        Err(SpawnError::Process(e)) if order.memory_is_shared && e.errno == Errno::ENOMEM => {
            let mut born = in_memory(Memory::Shared, cloner, status, order)?;
            born.not_enforced.extend(order.unwanted.names());
            Ok(born)
        }
        launched => launched,
    }
}

fn in_memory(memory: Memory, cloner: &mut Cloner, status: &ProcFile, order: &Order<'_>) -> Result<Child, SpawnError> {
    let pointers = |strings: &[CString]| -> Vec<*const c_char> {
        strings.iter().map(|s| s.as_ptr()).chain(std::iter::once(ptr::null())).collect()
    };
    let (argv, envp) = (pointers(order.argv), pointers(order.envp));
    let pipe = match memory {
        Memory::Shared => None,
        Memory::Own => Some(report_pipe().map_err(SpawnError::Process)?),
    };
    let mut shared = Shared {
        path: order.path.as_ptr(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        fds: order.fds,
        close_files: order.close_files,
        cgroup: order.cgroup.map_or(ptr::null(), CStr::as_ptr),
        rlimits: order.rlimits.as_ptr(),
        rlimit_count: order.rlimits.len(),
        no_new_privs: order.no_new_privs,
        steps: order.steps,
        reset_oom: order.reset_oom,
        reset_umask: !mutation::is(Mutation::UmaskKept),
        signals: Signals::Unknown,
        join_keyring: !mutation::is(Mutation::KeyringKept),
        keyring: order.keyring.map_or(ptr::null(), CStr::as_ptr),
        memory: order.unwanted,
        report: pipe.as_ref().map_or(-1, |(_, theirs)| theirs.as_raw_fd()),
        step: AtomicI32::new(NO_STEP),
        errno: AtomicI32::new(0),
        kept: AtomicU32::new(0),
    };
    let shared_at = &raw mut shared;
    let prepare = |handlers_are_reset: bool| {
        let ignored = if handlers_are_reset { status.ignored_signals() } else { None };
        let ignored = if mutation::is(Mutation::RealTimeSignalsKept) { Some(0x7fff_ffff) } else { ignored };
        // SAFETY: `shared` lives until this function returns; no child runs yet, and nothing else refers to it.
        unsafe { (*shared_at).signals = ignored.map_or(Signals::Unknown, Signals::Ignored) };
        shared_at.cast()
    };
    // SAFETY: `child` reads only `shared` and what it points to, all alive until the end of this function; `spawn`
    // returns when the child has left this memory, or the child has a copy. It keeps to raw system calls.
    let made = unsafe { cloner.spawn(memory, child, prepare) };
    let made = made.map_err(|e| SpawnError::Process(SysError::new("clone", e)))?;
    let report = match pipe {
        None => shared.report(),
        Some((ours, theirs)) => {
            drop(theirs);
            read_report(ours)
        }
    };
    answer(&made, memory, report)
}

/// The pipe for reports of a child with its own memory; exec closes the child's end. Both ends are above 2.
fn report_pipe() -> Result<(OwnedFd, OwnedFd), SysError> {
    let failed = |e: rustix::io::Errno| SysError::new("pipe2", Errno::from_raw(e.raw_os_error()));
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
    Ok((ours, super::worker_setup::above_two(theirs)?))
}

/// The last report before the end of the pipe, which comes with exec or the child's end.
fn read_report(pipe: OwnedFd) -> Report {
    const BYTES: usize = size_of::<Report>();
    let mut text = Vec::new();
    // A report that cannot be read is missing; a child that could not report has died, and its status says why.
    let _ = std::fs::File::from(pipe).read_to_end(&mut text);
    let last = text.chunks_exact(BYTES).next_back().unwrap_or_default();
    let word = |at: usize| last.get(at * 4..).and_then(|bytes| bytes.first_chunk()).copied();
    Report {
        step: word(0).map_or(NO_STEP, c_int::from_ne_bytes),
        errno: word(1).map_or(0, c_int::from_ne_bytes),
        kept: word(2).map_or(0, u32::from_ne_bytes),
    }
}

fn answer(made: &Made, memory: Memory, report: Report) -> Result<Child, SpawnError> {
    if let Some(step) = Step::from_raw(report.step) {
        // Its status is not used (UMH-3).
        reap(made.pid);
        if made.pidfd >= 0 {
            // SAFETY: the pidfd that clone made, used nowhere else.
            unsafe { libc::close(made.pidfd) };
        }
        return Err(SpawnError::Step(step, Errno::from_raw(report.errno)));
    }
    let names = [
        (kept::OOM_SCORE_ADJ, NotEnforced::OomScoreAdj),
        (kept::SESSION_KEYRING, NotEnforced::SessionKeyring),
        (kept::CORE_FILTER, NotEnforced::CoreFilter),
        (kept::THP_DISABLE, NotEnforced::ThpDisable),
        (kept::MEMORY_MERGE, NotEnforced::MemoryMerge),
    ];
    let not_enforced = names.into_iter().filter_map(|(bit, name)| (report.kept & bit != 0).then_some(name)).collect();
    Ok(Child { pid: made.pid, pidfd: made.pidfd, memory, not_enforced })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::linux::clone::shares_memory;
    use crate::sys::linux::worker_setup::null;

    /// Launches, as on a machine that shares memory or does not; the descriptor of its stdout has what it wrote.
    fn try_launch(argv: &[&str], memory_is_shared: bool, clone3: bool) -> Result<(Child, String), SpawnError> {
        let argv: Vec<CString> = argv.iter().map(|a| CString::new(*a).unwrap()).collect();
        let (mut ours, theirs) = std::io::pipe().unwrap();
        let null = null().unwrap();
        let order = Order {
            path: &argv[0],
            argv: &argv,
            envp: &[],
            fds: [null.as_raw_fd(), theirs.as_raw_fd(), null.as_raw_fd()],
            close_files: true,
            cgroup: None,
            rlimits: &[],
            no_new_privs: false,
            steps: Steps::default(),
            reset_oom: false,
            keyring: None,
            unwanted: Unwanted::default(),
            memory_is_shared,
        };
        let mut cloner = Cloner::new().unwrap();
        if !clone3 {
            cloner.without_clone3();
        }
        let born = launch(&mut cloner, &ProcFile::new("/proc/thread-self/status", false), &order)?;
        drop(theirs);
        let mut text = String::new();
        ours.read_to_string(&mut text).unwrap();
        let mut status = 0;
        // SAFETY: the status is written to this stack.
        assert_eq!(unsafe { libc::waitpid(born.pid, &raw mut status, 0) }, born.pid);
        assert_eq!(status, 0, "{argv:?}");
        if born.pidfd >= 0 {
            // SAFETY: the pidfd that clone made, used nowhere else.
            unsafe { libc::close(born.pidfd) };
        }
        Ok((born, text))
    }

    /// From here on this thread's clone3(2) fails.
    fn refuse_clone3(errno: Errno) {
        let op = |code: u32, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf, k };
        let mut filter = [
            op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
            op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, u32::try_from(libc::SYS_clone3).unwrap()),
            op(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
            op(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
        // SAFETY: integers; the kernel copies the program, which lives until the call returns.
        let set = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
        };
        assert_eq!(set, 0);
    }

    #[test]
    fn umh_9_plain_clone_stands_in_for_clone3_whatever_its_error() {
        for errno in [Errno::EPERM, Errno::ENOSYS, Errno::EACCES, Errno::EINVAL] {
            let launched = move || {
                refuse_clone3(errno);
                try_launch(&["/bin/cat", "/proc/self/status"], true, true).map(|(_, text)| text).ok()
            };
            let status = std::thread::spawn(launched).join().unwrap().unwrap();
            // Rust ignores SIGPIPE.
            assert!(status.contains("\nSigIgn:\t0000000000000000\n"), "{errno}: {status}");
        }
    }

    #[test]
    fn umh_3_exec_is_decided_with_and_without_shared_memory_and_clone3() {
        assert!(shares_memory().unwrap(), "this is a real kernel");
        for (shared, clone3) in [(true, true), (true, false), (false, true), (false, false)] {
            let (born, text) = try_launch(&["/bin/echo", "hello"], shared, clone3).ok().unwrap();
            assert_eq!((text.as_str(), born.not_enforced), ("hello\n", vec![]), "{shared} {clone3}");
            for (path, errno) in [("/nonexistent", Errno::ENOENT), ("/etc/passwd", Errno::EACCES)] {
                match try_launch(&[path], shared, clone3).err().unwrap() {
                    SpawnError::Step(Step::Exec, e) => assert_eq!(e, errno, "{shared} {clone3}"),
                    _ => panic!("{path}: not a failed exec"),
                }
            }
        }
    }
}
