//! A thread that launches: made ready once, then one helper after another.

use std::ffi::CString;
use std::fs;
use std::io::{Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::abi::birth::{Enforcement, Image, NotEnforced, SessionKeyring, SetsPlan, Stdin};
use crate::abi::cap::{CapMask, CapSets};
use crate::abi::error::SysError;
use crate::abi::mutation::{self, Mutation};
use crate::sys::attributes;
use crate::sys::host::{Ended, LaunchFailure, Launched, Stream, Watcher, Worker};

use super::child::Step;
use super::clone::{Cloner, Memory, shares_memory};
use super::inherited::memory::HostMemory;
use super::inherited::reset_thread;
use super::launch::{Order, Stillborn, launch};
use super::loading::{self, Progress};
use super::proc::ProcFile;
use super::ready::Table;
use super::{caps, keyring, proc, ready, reap};

/// A helper that lives as long as this (milliseconds) is looked at once while it runs, for the sets it started with.
const LOOK_AFTER: u16 = 5;
/// Read at once from a pipe.
const CHUNK: usize = 16 * 1024;

/// The helper launched last.
struct Running {
    pid: i32,
    pidfd: Option<OwnedFd>,
    outputs: Option<[OwnedFd; 2]>,
    path: CString,
    /// The page faults that the kernel itself causes at most while it loads the image; `None` where the child has copied
    /// memory before, which causes any number of them.
    faults_of_exec: Option<u64>,
    progress: Progress,
}

/// What was seen of a helper before its end.
#[derive(Default)]
struct Seen {
    /// The sets that it had.
    sets: Option<CapSets>,
    /// It has run: it wrote something, or was loaded when it was looked at.
    ran: bool,
}

/// Lives and dies on its thread: its descriptors may be in that thread's table.
pub(super) struct LinuxWorker {
    host: CapSets,
    now: CapSets,
    not_enforced: Vec<NotEnforced>,
    table: Table,
    null: OwnedFd,
    memory_is_shared: bool,
    memory: HostMemory,
    oom_score_adj: ProcFile,
    /// This thread's own: the leader's may have ended.
    status: ProcFile,
    cloner: Cloner,
    buffer: Box<[u8; CHUNK]>,
    running: Option<Running>,
}

impl LinuxWorker {
    /// Makes the calling thread a worker, for good.
    pub(super) fn new(known: CapMask) -> Result<Self, SysError> {
        let host = caps::of_this_thread(known);
        let memory_is_shared = shares_memory()?;
        let table = ready::own_table()?;
        let keep = table == Table::Own;
        // Not named if it fails: what counts is what the helper gets.
        if !mutation::is(Mutation::KeyringKept) {
            keyring::leave_session_keyring();
        }
        Ok(Self {
            host,
            now: host,
            not_enforced: reset_thread(),
            table,
            null: ready::null()?,
            memory_is_shared,
            memory: HostMemory::new(keep),
            oom_score_adj: ProcFile::new("/proc/self/oom_score_adj", keep),
            status: ProcFile::new("/proc/thread-self/status", keep),
            cloner: Cloner::new()?,
            buffer: Box::new([0; CHUNK]),
            running: None,
        })
    }

    /// Pipes for both outputs: ours to read, the helper's to write.
    fn pipes(capture: bool) -> Result<Option<[(OwnedFd, OwnedFd); 2]>, SysError> {
        if !capture {
            return Ok(None);
        }
        let pipe = || -> Result<_, SysError> {
            let made = pipe_with(PipeFlags::CLOEXEC);
            let (ours, theirs) = made.map_err(|e| SysError::new("pipe2", Errno::from_raw(e.raw_os_error())))?;
            Ok((ours, ready::above_two(theirs)?))
        };
        Ok(Some([pipe()?, pipe()?]))
    }

    /// What the helper cannot be given: the worker's part, and what this launch has found.
    fn not_enforced(&self, found: Vec<NotEnforced>) -> Vec<NotEnforced> {
        let mut all = found;
        all.retain(|name| *name != NotEnforced::SessionKeyring || keyring::exist());
        if attributes::memory_deny_write_execute() == Some(true) {
            all.push(NotEnforced::MemoryDenyWriteExecute);
        }
        all.extend(&self.not_enforced);
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Worker for LinuxWorker {
    fn host_sets(&self) -> CapSets {
        self.host
    }

    fn narrow(&mut self, plan: &SetsPlan) -> Enforcement {
        caps::narrow(&mut self.now, plan)
    }

    fn launch(&mut self, image: &Image) -> Result<Launched, LaunchFailure> {
        let stdin = stdin(&image.stdin).map_err(LaunchFailure::Process)?;
        let pipes = Self::pipes(image.capture).map_err(LaunchFailure::Process)?;
        let null = self.null.as_raw_fd();
        let out = |at: usize| pipes.as_ref().map_or(null, |p| p[at].1.as_raw_fd());
        let order = Order {
            path: &image.path,
            argv: &image.argv,
            envp: &image.envp,
            fds: [stdin.as_ref().map_or(null, AsRawFd::as_raw_fd), out(0), out(1)],
            close_files: self.table == Table::Hosts,
            rlimits: &image.rlimits,
            no_new_privs: image.no_new_privs,
            reset_oom: self.oom_score_adj.number().is_some_and(|now| now != 0),
            keyring: match &image.keyring {
                SessionKeyring::New => None,
                SessionKeyring::Named(name) => Some(name),
            },
            unwanted: self.memory.unwanted(),
            memory_is_shared: self.memory_is_shared,
        };
        let born = launch(&mut self.cloner, &self.status, &order).map_err(failure)?;
        // SAFETY: clone has just opened it in this thread's table; nobody else knows of it.
        let pidfd = (born.pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(born.pidfd) });
        let outputs = pipes.map(|p| p.map(|(ours, _theirs)| ours));
        let progress = match image.wait_loaded {
            true => loading::wait_loaded(born.pid, pidfd.as_ref().map(AsFd::as_fd)),
            false => Progress::Unknown,
        };
        let strings = image.argv.iter().chain(&image.envp).map(|s| s.count_bytes() as u64 + 1).sum();
        let faults_of_exec = (born.memory == Memory::Shared).then(|| loading::faults_of_exec(strings));
        let path = image.path.clone();
        self.running = Some(Running { pid: born.pid, pidfd, outputs, path, faults_of_exec, progress });
        let undecided = progress == Progress::Died;
        Ok(Launched { pid: born.pid, not_enforced: self.not_enforced(born.not_enforced), undecided })
    }

    fn wait(&mut self, watcher: &mut dyn Watcher) -> Ended {
        let Some(running) = self.running.take() else { return Ended::default() };
        let seen = match &running.pidfd {
            Some(pidfd) => attend(&running, pidfd.as_fd(), &mut self.buffer[..], watcher),
            None => attend_without_pidfd(&running, &mut self.buffer[..], watcher),
        };
        let pidfd: RawFd = running.pidfd.as_ref().map_or(-1, AsRawFd::as_raw_fd);
        let (mut ended, faults) = reap::reap(running.pid, pidfd, seen.sets, watcher);
        let ran = seen.ran || running.progress == Progress::Loaded;
        if !ran && ended.status.is_some_and(loading::may_not_have_run) {
            ended.loading = loading::judge(&running.path, running.faults_of_exec.is_some_and(|most| faults > most));
        }
        ended
    }
}

/// Reads the outputs until the process has ended, however many of its children still hold the pipes; then takes what
/// lies in them.
fn attend(running: &Running, pidfd: BorrowedFd<'_>, buffer: &mut [u8], watcher: &mut dyn Watcher) -> Seen {
    let mut open: [bool; 2] = [running.outputs.is_some(); 2];
    let mut seen = Seen::default();
    let mut patience = PollTimeout::from(LOOK_AFTER);
    loop {
        // The pidfd stands first: what one poll says of the pipes is not older than what it says of the process.
        let mut fds = [pidfd; 3].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let mut asked = 1;
        for (_, _, fd) in streams(running).filter(|(at, ..)| open[*at]) {
            fds[asked] = PollFd::new(fd.as_fd(), PollFlags::POLLIN);
            asked += 1;
        }
        match poll(&mut fds[..asked], patience) {
            Ok(0) => {
                seen = Seen { sets: proc::sets_of(running.pid), ran: loading::is_loaded(running.pid) };
                patience = PollTimeout::NONE;
                continue;
            }
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(_) => return seen,
        }
        let dead = said(&fds[0], PollFlags::all());
        let mut answers = fds[1..].iter();
        for (at, stream, fd) in streams(running) {
            let Some(answer) = (if open[at] { answers.next() } else { None }) else { continue };
            if dead && said(answer, PollFlags::POLLIN) {
                seen.ran |= take_rest(stream, fd, buffer, watcher);
            } else if !dead && said(answer, PollFlags::all()) {
                open[at] = take(stream, fd, buffer, watcher) > 0;
                seen.ran |= open[at];
            }
        }
        if dead {
            return seen;
        }
    }
}

fn said(fd: &PollFd<'_>, what: PollFlags) -> bool {
    fd.revents().is_none_or(|flags| flags.intersects(what))
}

/// A kernel or a filter that gives no pidfd: looks for the end every 10 ms.
fn attend_without_pidfd(running: &Running, buffer: &mut [u8], watcher: &mut dyn Watcher) -> Seen {
    let mut seen = Seen::default();
    let Some(outputs) = &running.outputs else {
        reap::wait_dead(running.pid);
        return seen;
    };
    while !reap::is_dead(running.pid) {
        let mut fds = outputs.each_ref().map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN));
        let _ = poll(&mut fds, PollTimeout::from(10u16));
        streams(running).for_each(|(_, stream, fd)| seen.ran |= take_rest(stream, fd, buffer, watcher));
    }
    streams(running).for_each(|(_, stream, fd)| seen.ran |= take_rest(stream, fd, buffer, watcher));
    seen
}

fn streams(running: &Running) -> impl Iterator<Item = (usize, Stream, &OwnedFd)> {
    let named = [(0, Stream::Stdout), (1, Stream::Stderr)];
    running.outputs.iter().flat_map(move |fds| named.into_iter().zip(fds)).map(|((at, stream), fd)| (at, stream, fd))
}

/// Reads once; 0 at the end of the stream.
fn take(stream: Stream, fd: &OwnedFd, buffer: &mut [u8], watcher: &mut dyn Watcher) -> usize {
    loop {
        match rustix::io::read(fd, &mut *buffer) {
            Ok(got) => {
                watcher.output(stream, &buffer[..got]);
                return got;
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return 0,
        }
    }
}

/// Takes what lies in the pipe at this moment and no more: somebody may go on writing for ever. Returns whether that was
/// anything.
fn take_rest(stream: Stream, fd: &OwnedFd, buffer: &mut [u8], watcher: &mut dyn Watcher) -> bool {
    let mut any = false;
    let mut left = rustix::io::ioctl_fionread(fd).unwrap_or(0);
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(CHUNK).min(buffer.len());
        let got = take(stream, fd, &mut buffer[..most], watcher);
        if got == 0 {
            return any;
        }
        any = true;
        left = left.saturating_sub(got as u64);
    }
    any
}

/// A file in memory with the data: end-of-file comes by itself, and nobody has to feed it.
fn stdin(stdin: &Stdin) -> Result<Option<OwnedFd>, SysError> {
    let Stdin::Data(data) = stdin else { return Ok(None) };
    let fd = rustix::fs::memfd_create("khelper-stdin", rustix::fs::MemfdFlags::CLOEXEC)
        .map_err(|e| SysError::new("memfd_create", Errno::from_raw(e.raw_os_error())))?;
    let mut file = fs::File::from(fd);
    file.write_all(data).and_then(|()| file.rewind()).map_err(|e| io("write of the helper's stdin", &e))?;
    ready::above_two(file.into()).map(Some)
}

fn failure(stillborn: Stillborn) -> LaunchFailure {
    match stillborn {
        Stillborn::Step(Step::Exec, errno) => LaunchFailure::Exec(errno),
        Stillborn::Process(e) => LaunchFailure::Process(e),
        Stillborn::Step(step, errno) => {
            let what = match step {
                Step::Setsid => "setsid in the helper",
                Step::Close => "closing the host's files in the helper",
                Step::Chdir => "chdir / in the helper",
                Step::Dup => "dup3 in the helper",
                Step::Rlimit => "setrlimit in the helper",
                Step::NoNewPrivs | Step::Exec => "PR_SET_NO_NEW_PRIVS in the helper",
            };
            LaunchFailure::Process(SysError::new(what, errno))
        }
    }
}

fn io(what: &'static str, e: &std::io::Error) -> SysError {
    SysError::new(what, Errno::from_raw(e.raw_os_error().unwrap_or(0)))
}
