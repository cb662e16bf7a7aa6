//! A thread that launches helpers: it is set up once, then launches one after another.

use std::fs;
use std::io::{Seek, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use nix::errno::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::abi::cap::ThreadSets;
use crate::abi::error::SysError;
use crate::abi::launch_spec::{CapPlan, Enforcement, LaunchSpec, NotEnforced, SessionKeyring, Stdin};
use crate::sys::attributes;
use crate::sys::caller::CallerState;
use crate::sys::host::{Ended, LaunchFailure, Launched, Watcher, Worker};

use super::attend::{CHUNK, Running, attend, attend_without_pidfd};
use super::cgroup::OwnCgroup;
use super::clone::{Cloner, Memory, shares_memory};
use super::confine::Prepared;
use super::inherited::memory::HostMemory;
use super::inherited::reset_thread;
use super::launch::{Order, SpawnError, launch};
use super::loading::{self, Progress};
use super::proc::ProcFile;
use super::step::Step;
use super::worker_setup::Table;
use super::{caller, caps, keyring, proc, reap, worker_setup};

/// The pipes of both outputs: the read ends for the worker, the write ends for the helper.
type Pipes = [(OwnedFd, OwnedFd); 2];

fn pipes() -> Result<Pipes, SysError> {
    let pipe = || -> Result<_, SysError> {
        let made = pipe_with(PipeFlags::CLOEXEC);
        let (ours, theirs) = made.map_err(|e| SysError::new("pipe2", Errno::from_raw(e.raw_os_error())))?;
        Ok((ours, worker_setup::above_two(theirs)?))
    };
    Ok([pipe()?, pipe()?])
}

/// Created and dropped on its thread: its descriptors may be in that thread's table.
pub(super) struct LinuxWorker {
    host: ThreadSets,
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
    /// Pipes for the next launch, made while a helper ran. Only in the worker's own table.
    next_pipes: Option<Pipes>,
    /// Whether no helper has used this thread's session keyring yet.
    fresh_keyring: bool,
    running: Option<Running>,
    /// The profile of the last launch that had one.
    prepared: Option<Prepared>,
}

impl LinuxWorker {
    /// Makes the calling thread a worker, permanently.
    pub(super) fn new() -> Result<Self, SysError> {
        let host = caps::of_this_thread();
        let memory_is_shared = shares_memory()?;
        let table = worker_setup::own_table()?;
        let keep = table == Table::Own;
        Ok(Self {
            host,
            not_enforced: reset_thread(),
            table,
            null: worker_setup::null()?,
            memory_is_shared,
            memory: HostMemory::new(keep),
            oom_score_adj: ProcFile::new("/proc/self/oom_score_adj", keep),
            status: ProcFile::new("/proc/thread-self/status", keep),
            cloner: Cloner::new()?,
            buffer: Box::new([0; CHUNK]),
            next_pipes: None,
            fresh_keyring: keyring::leave_session_keyring(),
            running: None,
            prepared: None,
        })
    }

    /// What could not be set for the helper: on the worker, and in this launch.
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
    fn host_sets(&self) -> ThreadSets {
        self.host
    }

    fn has_root_of(&self, caller: &CallerState) -> bool {
        caller.root.is_none_or(|root| caller::root() == Some(root))
    }

    fn narrow(&mut self, plan: &CapPlan) -> Enforcement {
        caps::narrow(plan)
    }

    fn launch(&mut self, image: &LaunchSpec) -> Result<Launched, LaunchFailure> {
        if !self.fresh_keyring {
            self.fresh_keyring = keyring::leave_session_keyring();
        }
        let stdin = stdin(&image.stdin).map_err(LaunchFailure::Process)?;
        let ready = if image.capture { self.next_pipes.take() } else { None };
        let pipes = match ready {
            None if image.capture => Some(pipes().map_err(LaunchFailure::Process)?),
            ready => ready,
        };
        let null = self.null.as_raw_fd();
        let out = |at: usize| pipes.as_ref().map_or(null, |p| p[at].1.as_raw_fd());
        let cgroup = image.cgroup.as_deref().map(OwnCgroup::new).transpose().map_err(LaunchFailure::Process)?;
        if let Some(profile) = &image.profile {
            self.prepared = self.prepared.take().filter(|prepared| prepared.serves(profile));
            if self.prepared.is_none() {
                self.prepared = Some(Prepared::new(profile).map_err(LaunchFailure::Profile)?);
            }
        }
        let prepared = self.prepared.as_ref().filter(|_| image.profile.is_some());
        let order = Order {
            path: &image.path,
            argv: &image.argv,
            envp: &image.envp,
            fds: [stdin.as_ref().map_or(null, AsRawFd::as_raw_fd), out(0), out(1)],
            close_files: self.table == Table::Hosts,
            cgroup: cgroup.as_ref().map(OwnCgroup::procs),
            rlimits: &image.rlimits,
            no_new_privs: image.no_new_privs,
            steps: prepared.map(Prepared::steps).unwrap_or_default(),
            reset_oom: self.oom_score_adj.number().is_some_and(|now| now != 0),
            keyring: match &image.session_keyring {
                SessionKeyring::New => None,
                SessionKeyring::Named(name) => Some(name),
            },
            unwanted: self.memory.unwanted(),
            memory_is_shared: self.memory_is_shared,
        };
        let born = launch(&mut self.cloner, &self.status, &order).map_err(failure)?;
        // Dead keyrings count against a user's quota for some milliseconds, so a burst of launches may use it up
        // (EDQUOT). The helper has this thread's keyring then, and the next helper must not share it.
        self.fresh_keyring &= !born.not_enforced.contains(&NotEnforced::SessionKeyring);
        // SAFETY: clone has just opened it in this thread's table; no other code uses it.
        let pidfd = (born.pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(born.pidfd) });
        let outputs = pipes.map(|p| p.map(|(ours, _theirs)| ours));
        let progress = match image.wait_loaded {
            true => loading::wait_loaded(born.pid, pidfd.as_ref().map(AsFd::as_fd)),
            false => Progress::Unknown,
        };
        let strings = image.argv.iter().chain(&image.envp).map(|s| s.count_bytes() as u64 + 1).sum();
        let faults_of_exec = (born.memory == Memory::Shared).then(|| loading::faults_of_exec(strings));
        let path = image.path.clone();
        self.running = Some(Running { pid: born.pid, pidfd, outputs, path, faults_of_exec, progress, _cgroup: cgroup });
        // A helper that has exited has run.
        let undecided = progress == Progress::Died && loading::killed_early(born.pid);
        Ok(Launched { pid: born.pid, not_enforced: self.not_enforced(born.not_enforced), undecided })
    }

    fn wait(&mut self, watcher: &mut dyn Watcher) -> Ended {
        let Some(running) = self.running.take() else { return Ended::default() };
        // While the helper runs, prepares what is needed at its end and for the next launch.
        let status = proc::status_of(running.pid);
        if self.table == Table::Own && running.outputs.is_some() && self.next_pipes.is_none() {
            self.next_pipes = pipes().ok();
        }
        let seen = match &running.pidfd {
            Some(pidfd) => attend(&running, pidfd.as_fd(), &mut self.buffer[..], watcher),
            None => attend_without_pidfd(&running, &mut self.buffer[..], watcher),
        };
        let pidfd: RawFd = running.pidfd.as_ref().map_or(-1, AsRawFd::as_raw_fd);
        let (mut ended, faults) = reap::reap(running.pid, pidfd, status, seen.sets, watcher);
        let ran = seen.ran || running.progress == Progress::Loaded;
        if !ran && ended.status.is_some_and(loading::may_not_have_run) {
            ended.loading = loading::judge(&running.path, running.faults_of_exec.is_some_and(|most| faults > most));
        }
        ended
    }
}

/// The given file, or a file in memory with the given data. In this thread's table, above 2.
fn stdin(stdin: &Stdin) -> Result<Option<Arc<OwnedFd>>, SysError> {
    let data = match stdin {
        Stdin::Null => return Ok(None),
        Stdin::File(file) if file.as_raw_fd() > 2 => return Ok(Some(file.clone())),
        Stdin::File(file) => {
            let copy = rustix::io::fcntl_dupfd_cloexec(file, 3);
            let copy = copy.map_err(|e| SysError::new("fcntl(F_DUPFD_CLOEXEC)", Errno::from_raw(e.raw_os_error())))?;
            return Ok(Some(Arc::new(copy)));
        }
        Stdin::Data(data) => data,
    };
    let fd = rustix::fs::memfd_create("khelper-stdin", rustix::fs::MemfdFlags::CLOEXEC)
        .map_err(|e| SysError::new("memfd_create", Errno::from_raw(e.raw_os_error())))?;
    let mut file = fs::File::from(fd);
    file.write_all(data).and_then(|()| file.rewind()).map_err(|e| io("write of the helper's stdin", &e))?;
    worker_setup::above_two(file.into()).map(Arc::new).map(Some)
}

fn failure(stillborn: SpawnError) -> LaunchFailure {
    match stillborn {
        SpawnError::Step(Step::Exec, errno) => LaunchFailure::Exec(errno),
        SpawnError::Step(Step::NoNewPrivs, _) => LaunchFailure::NotConfined,
        SpawnError::Process(e) => LaunchFailure::Process(e),
        SpawnError::Step(step, errno) => {
            if let Some(what) = step.of_profile() {
                return LaunchFailure::Profile(SysError::new(what, errno));
            }
            let what = match step {
                Step::Setsid => "setsid in the helper",
                Step::Cgroup => "entering the helper's cgroup",
                Step::Close => "closing the host's files in the helper",
                Step::Chdir => "chdir / in the helper",
                Step::Dup => "dup3 in the helper",
                Step::Rlimit => "setrlimit in the helper",
                // These have their own variants, handled above.
                _ => "exec in the helper",
            };
            LaunchFailure::Process(SysError::new(what, errno))
        }
    }
}

fn io(what: &'static str, e: &std::io::Error) -> SysError {
    SysError::new(what, Errno::from_raw(e.raw_os_error().unwrap_or(0)))
}
