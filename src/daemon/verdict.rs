//! The answers to the shim: a thread over a SOCK_SEQPACKET socket, beside the daemon's I/O thread. No helper waits for
//! another one: a question is answered as soon as enough is known of its requester, at the latest after its own patience,
//! and who does not ask costs a descriptor for a while. The threads of the machine are looked at once for many questions.

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
use crate::control::rules::{Given, Judge, Open, Waiters};
use crate::policy::asker::{Asker, Parent, Stranger};
use crate::sys::linux::requester::Facts;
use crate::sys::linux::seqpacket;
use crate::sys::linux::tasks::Task;
use crate::sys::thread::{hurry, spawn_with};

/// The most connections. The kernel starts at most 50 helpers for modules at one time, and few others.
const MOST: usize = 256;
/// How long a connection may be without a question; the shim asks at once and waits for 200 ms.
const SILENT: Duration = Duration::from_secs(2);
/// The threads of the machine are looked at for questions whose patience ends so soon, too: not for each of them.
const TOGETHER: Duration = Duration::from_millis(20);
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
        let mut server =
            Server { parts, shared: shared.clone(), wake: wake.clone(), connections: Vec::new(), asked: Vec::new() };
        let thread = spawn_with("khelper-verdict", STACK, move || server.run())
            .map_err(|e| SysError::new("start a thread", Errno::from_raw(e.raw_os_error().unwrap_or(libc::EAGAIN))))?;
        Ok(Self { shared, wake, thread: Some(thread) })
    }

    /// An eventfd: once 1 is added to it, open questions are looked at again.
    pub fn wake(&self) -> Arc<OwnedFd> {
        self.wake.clone()
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
    start_time: Option<u64>,
    is_waited: bool,
    since: Instant,
}

/// A connection with its question, which is open.
struct Asked {
    connection: Connection,
    packet: Vec<u8>,
    /// When it is decided for all requesters that wait then, since its own is not known.
    until: Instant,
}

impl Asked {
    fn open(&self) -> Option<Open<'_>> {
        let Connection { socket, pid, start_time, is_waited, .. } = &self.connection;
        let question = Question::read(&self.packet)?;
        let (pid, start_time, is_waited) = (*pid, *start_time, *is_waited);
        Some(Open { connection: socket.as_fd(), pid, start_time, is_waited, question })
    }
}

struct Server {
    parts: Parts,
    shared: Arc<Shared>,
    wake: Arc<OwnedFd>,
    connections: Vec<Connection>,
    asked: Vec<Asked>,
}

impl Server {
    fn run(&mut self) {
        // The shim does not wait for long, and it starts no process.
        hurry();
        while !self.shared.stop.load(Ordering::Acquire) {
            self.wait();
            self.accept();
            // Before the look for questions: one that comes after it is not dropped.
            let now = Instant::now();
            let new = self.receive();
            self.answer(new);
            let is_over = |since: Instant| now.duration_since(since) >= SILENT;
            let given_up: Vec<Connection> =
                self.connections.extract_if(.., |connection| is_over(connection.since)).collect();
            self.count(DROPPED, given_up.len());
        }
    }

    fn count(&self, what: usize, more: usize) {
        self.shared.unanswered[what].fetch_add(more as u64, Ordering::Relaxed);
    }

    fn late(&self, count: usize) {
        self.count(LATE, count);
        self.parts.judge.late(count);
    }

    fn wait(&self) {
        let fixed = [self.wake.as_fd(), self.parts.socket.as_fd()];
        let all = fixed.into_iter().chain(self.connections.iter().map(|connection| connection.socket.as_fd()));
        let mut fds: Vec<PollFd<'_>> = all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let looks = !self.connections.is_empty() || self.parts.judge.is_due();
        let open = self.asked.iter().map(|asked| asked.until.saturating_duration_since(Instant::now())).min();
        let time = open.or(looks.then_some(Duration::from_secs(1)));
        // An error of poll is as a moment without anything: everything is looked at.
        let _ = poll(&mut fds, time.and_then(|time| Timespec::try_from(time).ok()).as_ref());
        // What woke it comes before what is looked at now.
        let _ = rustix::io::read(&*self.wake, &mut [0; 8]);
    }

    fn accept(&mut self) {
        // One round takes as many as the backlog holds; the others come in the next one.
        for _ in 0..MOST {
            let Ok((socket, by)) = seqpacket::accepted(&self.parts.socket) else { return };
            let task = Task::of(by.pid);
            let (parent, start_time) = (task.map_or(0, |task| task.parent), task.map(|task| task.start_time));
            if (self.parts.admit)(&self.asker(&by, parent, start_time)).is_err() {
                self.count(STRANGER, 1);
                continue;
            }
            if self.connections.len() + self.asked.len() >= MOST {
                self.count(DROPPED, 1);
                if self.connections.is_empty() {
                    continue;
                }
                // The oldest has not asked for longest.
                drop(self.connections.remove(0));
            }
            let is_waited = parent != KTHREADD;
            self.connections.push(Connection { socket, pid: by.pid, start_time, is_waited, since: Instant::now() });
        }
    }

    fn asker(&self, by: &Credentials, parent: i32, start_time: Option<u64>) -> Asker {
        let mut asker = Asker { uid: by.uid, parent: Parent::Unknown, in_first_userns: None, is_shim: None };
        match Task::of(parent).filter(|_| parent > 0) {
            Some(task) => asker.parent = if task.is_kernel { Parent::Kernel } else { Parent::Process },
            None => {
                let facts = Facts::of(by.pid, start_time);
                asker.in_first_userns = facts.in_userns.map(|other| !other);
                asker.is_shim = facts.exe.map(|exe| exe == self.parts.shim.as_os_str().as_encoded_bytes());
            }
        }
        asker
    }

    /// Takes every question that is there. Returns how many.
    fn receive(&mut self) -> usize {
        let (mut into, before) = (vec![0; QUESTION], self.asked.len());
        let (mut malformed, mut silent) = (Vec::new(), Vec::new());
        for connection in self.connections.drain(..) {
            match seqpacket::received(connection.socket.as_fd(), &mut into) {
                Ok(Some(packet)) if Question::read(packet).is_some() => {
                    let mut asked = Asked { connection, packet: packet.to_vec(), until: Instant::now() };
                    asked.until += asked.open().map_or(Duration::ZERO, |open| self.parts.judge.patience(&open));
                    self.asked.push(asked);
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
        self.asked.len() - before
    }

    /// Answers the questions whose requesters are known, and those that have waited long enough.
    fn answer(&mut self, new: usize) {
        let judge = self.parts.judge.clone();
        let has_gone = |asked: &mut Asked| !seqpacket::is_open(asked.connection.socket.as_fd());
        let late: Vec<Asked> = self.asked.extract_if(.., has_gone).collect();
        self.late(late.len());
        self.send(|open, _| judge.at_once(open));
        let now = Instant::now();
        // One that has just come and is alone: its requester may be the only one that waits.
        let is_alone = new > 0 && self.asked.len() == 1;
        if self.asked.iter().any(|asked| asked.until <= now) || is_alone {
            let waiters = Waiters::now();
            let is_sure = is_alone && waiters.is_one();
            self.send(|open, until| (is_sure || until <= now + TOGETHER).then(|| judge.by(open, &waiters)));
        }
    }

    /// Sends what is given for each question; one that gets nothing stays open.
    fn send(&mut self, given: impl Fn(&Open<'_>, Instant) -> Option<Given>) {
        let mut left = Vec::new();
        for asked in std::mem::take(&mut self.asked) {
            let Some(open) = asked.open() else { continue };
            match given(&open, asked.until) {
                None => left.push(asked),
                Some(given) if seqpacket::sent(open.connection, &given.packet(), given.ruleset()).is_err() => {
                    self.late(1);
                    self.parts.judge.untaken(open.pid);
                }
                Some(_) => {}
            }
        }
        self.asked = left;
    }
}
