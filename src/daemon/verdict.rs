//! The answers to the shim: a thread over a SOCK_SEQPACKET socket, beside the daemon's I/O thread. No helper waits for
//! another one: a question is answered when it is there, and who does not ask costs a descriptor for a while.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::abi::error::SysError;
use crate::abi::peer::Credentials;
use crate::abi::verdict::{QUESTION, Question};
use crate::control::rules::{Judge, Open};
use crate::policy::asker::{Asker, Parent, Stranger};
use crate::sys::linux::requester::Facts;
use crate::sys::linux::seqpacket;
use crate::sys::linux::tasks::Task;
use crate::sys::process::start_time;
use crate::sys::thread::spawn_with;

/// The most connections. The kernel starts at most 50 helpers for modules at one time, and few others.
const MOST: usize = 256;
/// How long a connection may be without a question; the shim asks at once and waits for 200 ms.
const SILENT: Duration = Duration::from_secs(2);
const STACK: usize = 512 * 1024;
/// The thread of the kernel whose children nobody waits for.
const KTHREADD: i32 = 2;

/// Who gets a verdict: [`crate::policy::asker::may_ask`].
pub type Admit = fn(&Asker) -> Result<(), Stranger>;

/// What a listener is made of.
pub struct Parts {
    /// The socket, which nobody can connect to yet, or one that listens already.
    pub socket: OwnedFd,
    /// The path of the shim: another program is none.
    pub shim: PathBuf,
    /// Gives the answers.
    pub judge: Arc<Judge>,
    /// Who gets one.
    pub admit: Admit,
}

/// What was not answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unanswered {
    /// Processes that may not ask.
    pub strangers: u64,
    /// Packets that are no question.
    pub malformed: u64,
    /// Connections that were given up, because there were too many or no question came.
    pub dropped: u64,
    /// Questions whose helpers did not wait for the answer: the compiled rules have decided. While no daemon takes
    /// connections, those that find no room are not counted.
    pub late: u64,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    unanswered: [AtomicU64; 4],
}

/// A listener. Dropping it ends the thread and closes the socket.
#[derive(Debug)]
pub struct Verdicts {
    shared: Arc<Shared>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Verdicts {
    /// Starts to answer.
    ///
    /// # Errors
    /// That of listen(2); `EAGAIN` if there are too many threads.
    pub fn start(parts: Parts) -> Result<Self, SysError> {
        let failed =
            |what: &'static str| move |e: rustix::io::Errno| SysError::new(what, Errno::from_raw(e.raw_os_error()));
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(failed("eventfd"))?);
        rustix::io::ioctl_fionbio(&parts.socket, true).map_err(failed("ioctl"))?;
        seqpacket::open(&parts.socket).map_err(failed("listen for verdicts"))?;
        let shared = Arc::new(Shared::default());
        let mut server = Server { parts, shared: shared.clone(), wake: wake.clone(), connections: Vec::new() };
        let thread = spawn_with("khelper-verdict", STACK, move || server.run())
            .map_err(|e| SysError::new("start a thread", Errno::from_raw(e.raw_os_error().unwrap_or(libc::EAGAIN))))?;
        Ok(Self { shared, wake, thread: Some(thread) })
    }

    /// What was not answered so far.
    pub fn unanswered(&self) -> Unanswered {
        let [strangers, malformed, dropped, late] =
            self.shared.unanswered.each_ref().map(|count| count.load(Ordering::Relaxed));
        Unanswered { strangers, malformed, dropped, late }
    }
}

impl Drop for Verdicts {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        // A full counter wakes the thread just as well.
        let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

const STRANGER: usize = 0;
const MALFORMED: usize = 1;
const DROPPED: usize = 2;
const LATE: usize = 3;

struct Connection {
    socket: OwnedFd,
    pid: i32,
    is_waited: bool,
    since: Instant,
}

struct Server {
    parts: Parts,
    shared: Arc<Shared>,
    wake: Arc<OwnedFd>,
    connections: Vec<Connection>,
}

impl Server {
    fn run(&mut self) {
        while !self.shared.stop.load(Ordering::Acquire) {
            self.wait();
            self.accept();
            self.answer();
            let given_up: Vec<Connection> =
                self.connections.extract_if(.., |connection| connection.since.elapsed() >= SILENT).collect();
            self.count(DROPPED, given_up.len());
        }
    }

    fn count(&self, what: usize, more: usize) {
        self.shared.unanswered[what].fetch_add(more as u64, Ordering::Relaxed);
    }

    fn wait(&self) {
        let fixed = [self.wake.as_fd(), self.parts.socket.as_fd()];
        let all = fixed.into_iter().chain(self.connections.iter().map(|connection| connection.socket.as_fd()));
        let mut fds: Vec<PollFd<'_>> = all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let time = Timespec { tv_sec: 1, tv_nsec: 0 };
        // An error of poll is as a moment without anything: everything is looked at.
        let _ =
            poll(&mut fds, if self.connections.is_empty() && !self.parts.judge.is_due() { None } else { Some(&time) });
    }

    fn accept(&mut self) {
        // One round takes as many as the backlog holds; the others come in the next one.
        for _ in 0..MOST {
            let Ok((socket, by)) = seqpacket::accepted(&self.parts.socket) else { return };
            let parent = Task::of(by.pid).map_or(0, |task| task.parent);
            if (self.parts.admit)(&self.asker(&by, parent)).is_err() {
                self.count(STRANGER, 1);
                continue;
            }
            if self.connections.len() >= MOST {
                self.count(DROPPED, 1);
                // The oldest has not asked for longest.
                drop(self.connections.remove(0));
            }
            let is_waited = parent != KTHREADD;
            self.connections.push(Connection { socket, pid: by.pid, is_waited, since: Instant::now() });
        }
    }

    fn asker(&self, by: &Credentials, parent: i32) -> Asker {
        let mut asker = Asker { uid: by.uid, parent: Parent::Unknown, in_first_userns: None, is_shim: None };
        match Task::of(parent).filter(|_| parent > 0) {
            Some(task) => asker.parent = if task.is_kernel { Parent::Kernel } else { Parent::Process },
            None => {
                let facts = Facts::of(by.pid, start_time(by.pid));
                asker.in_first_userns = facts.in_userns.map(|other| !other);
                asker.is_shim = facts.exe.map(|exe| exe == self.parts.shim.as_os_str().as_encoded_bytes());
            }
        }
        asker
    }

    /// Answers every question that is there. They are looked at together: who waits for a helper is looked up once.
    fn answer(&mut self) {
        let mut packets: Vec<(Connection, Vec<u8>)> = Vec::new();
        let mut into = vec![0; QUESTION];
        let (mut malformed, mut silent, mut late) = (Vec::new(), Vec::new(), 0);
        for connection in self.connections.drain(..) {
            match seqpacket::received(connection.socket.as_fd(), &mut into) {
                Ok(Some(packet)) if Question::read(packet).is_some() => {
                    match seqpacket::is_open(connection.socket.as_fd()) {
                        true => packets.push((connection, packet.to_vec())),
                        false => late += 1,
                    }
                }
                // Its end is an empty packet, and no question either.
                Ok(Some([])) => {}
                Ok(_) => malformed.push(connection),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => silent.push(connection),
                Err(_) => {}
            }
        }
        self.connections = silent;
        self.count(MALFORMED, malformed.len());
        self.count(LATE, late);
        drop(malformed);
        if packets.is_empty() {
            return;
        }
        let questions: Vec<Open<'_>> = packets
            .iter()
            .filter_map(|(of, packet)| {
                let connection = of.socket.as_fd();
                Some(Open { connection, pid: of.pid, is_waited: of.is_waited, question: Question::read(packet)? })
            })
            .collect();
        let judge = self.parts.judge.clone();
        judge.answers(&questions, |at, given| {
            let (connection, _) = &packets[at];
            if seqpacket::sent(&connection.socket, &given.packet(), given.ruleset()).is_err() {
                self.count(LATE, 1);
                judge.untaken(connection.pid);
            }
        });
    }
}
