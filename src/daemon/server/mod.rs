//! The I/O thread: one loop over the listener, the connections, the signals and what other threads report. Nothing on
//! this thread waits for anything else.

mod accept;
mod calls;
mod events;
mod stop;

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use crate::abi::error::SysError;
use crate::abi::event::Level;
use crate::abi::sorted::SortedMap;
use crate::control::Left;
use crate::control::host::HostKernel;
use crate::control::local::Local;
use crate::control::target::{Target, TargetInfo};
use crate::control::watch::Watch;
use crate::engine::Engine;
use crate::sys::channel::Receiver;
use crate::sys::orphans;
use crate::sys::signals::Signals;
use crate::sys::thread::spawn;

use super::admission::Admission;
use super::connection::Connection;
use super::denials::Denials;
use super::journal::Journal;
use super::mailbox::{Mail, Mailbox, Reloaded};
use super::notify::Notify;
use super::socket::Listener;
use accept::Accepting;
use events::Feed;

/// Reads the configuration again. Runs on a thread of its own.
pub type Reload = Arc<dyn Fn() -> Reloaded + Send + Sync>;

/// The signals that the server handles. Take them before another thread exists.
pub const SIGNALS: [Signal; 4] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD];

/// What epoll reports about: these, or the number of a connection.
const LISTENER: u64 = 0;
const BELL: u64 = 1;
const SIGNAL: u64 = 2;
const FIRST_CONNECTION: u64 = 3;

/// Bytes received at one time.
const CHUNK: usize = 16 << 10;
/// The most events of epoll at one time.
const EVENTS: usize = 64;

/// The parts that a server connects.
pub struct Parts {
    /// The engine.
    pub engine: Engine,
    /// The engine as a target, with its configuration.
    pub target: Arc<Local>,
    /// The watch of this machine's kernel.
    pub kernel: Option<Arc<HostKernel>>,
    /// Where to listen.
    pub listener: Listener,
    /// [`SIGNALS`], taken before another thread existed.
    pub signals: Signals,
    /// The service manager.
    pub notify: Notify,
    /// The log.
    pub journal: Arc<Journal>,
    /// Reads the configuration again.
    pub reload: Reload,
    /// The most connections, of which there are at most `super::admission::MOST`.
    pub most: usize,
}

/// The server.
pub struct Server {
    engine: Engine,
    target: Arc<Local>,
    info: Arc<TargetInfo>,
    kernel: Option<(Arc<HostKernel>, Arc<TargetInfo>)>,
    epoll: std::os::fd::OwnedFd,
    accepting: Accepting,
    signals: Signals,
    mailbox: Mailbox,
    inbox: Receiver<Mail>,
    /// Answers that wait until the events before them are delivered.
    answers: Vec<Mail>,
    connections: SortedMap<u64, Connection>,
    next: u64,
    admission: Admission,
    /// Connections with calls that wait to be parsed, once the others have had their turn.
    ready: BTreeSet<u64>,
    /// Watches with events that are not written yet.
    touched: BTreeSet<u64>,
    /// The commands in progress, counted by user, and the user of each.
    in_progress: Admission,
    users: SortedMap<u64, u32>,
    denials: Denials,
    feed: Feed,
    kernel_feed: Feed,
    news: Watch,
    kernel_news: Option<Watch>,
    notify: Notify,
    journal: Arc<Journal>,
    reload: Reload,
    reloading: bool,
    /// A reload was asked for while another one was in progress.
    reload_again: bool,
    stop: stop::Stop,
    buffer: Vec<u8>,
}

fn failed(what: &'static str) -> impl Fn(rustix::io::Errno) -> SysError {
    move |e| SysError::new(what, Errno::from_raw(e.raw_os_error()))
}

impl Server {
    /// A server on the calling thread.
    pub fn new(parts: Parts) -> Result<Self, SysError> {
        let Parts { engine, target, kernel, listener, signals, notify, journal, reload, most } = parts;
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(failed("epoll_create"))?;
        let (mailbox, inbox) = Mailbox::new().map_err(failed("eventfd"))?;
        let add = |fd: std::os::fd::BorrowedFd<'_>, token| {
            epoll::add(&epoll, fd, EventData::new_u64(token), EventFlags::IN).map_err(failed("epoll_ctl"))
        };
        add(listener.socket.as_fd(), LISTENER)?;
        add(mailbox.bell().fd().as_fd(), BELL)?;
        add(signals.as_fd(), SIGNAL)?;
        let info = Arc::new(target.info());
        let news = events::news(&*target, mailbox.bell());
        let kernel_news = kernel.as_ref().map(|kernel| events::kernel_news(&**kernel, mailbox.bell()));
        let kernel = kernel.map(|kernel| (kernel.clone(), Arc::new(kernel.info())));
        Ok(Self {
            accepting: Accepting::new(listener),
            admission: Admission::new(most, info.uid),
            feed: Feed::default(),
            kernel_feed: Feed::default(),
            kernel,
            kernel_news,
            connections: SortedMap::new(),
            next: FIRST_CONNECTION,
            ready: BTreeSet::new(),
            touched: BTreeSet::new(),
            answers: Vec::new(),
            in_progress: Admission::new(calls::MOST_IN_PROGRESS, info.uid),
            users: SortedMap::new(),
            denials: Denials::default(),
            journal,
            reloading: false,
            reload_again: false,
            stop: stop::Stop::default(),
            buffer: vec![0; CHUNK],
            engine,
            target,
            info,
            epoll,
            signals,
            mailbox,
            inbox,
            news,
            notify,
            reload,
        })
    }

    /// Serves until a signal ends it. Returns the requests that still run.
    pub fn run(mut self) -> Result<Vec<Left>, SysError> {
        let shown = crate::abi::escape::screen(self.accepting.path().as_os_str().as_encoded_bytes());
        self.journal.line(Level::Info, &format!("serving on {shown}"));
        self.notify.ready(&format!("serving on {shown}"));
        let period = self.notify.watchdog();
        let mut alive = period.map(|period| Instant::now() + period);
        let mut reported: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
        loop {
            if let (Some(at), Some(period)) = (&mut alive, period)
                && Instant::now() >= *at
            {
                self.notify.alive();
                *at = Instant::now() + period;
            }
            let timeout = self.timeout(alive);
            reported.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut reported), timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(failed("epoll_wait")(e)),
            }
            for event in &reported {
                self.reported(event.data.u64(), event.flags)?;
            }
            for connection in std::mem::take(&mut self.ready) {
                self.serve(connection);
            }
            self.deliver();
            self.accepting.rearm(&self.epoll);
            if let Some(left) = self.stopped() {
                return Ok(left);
            }
        }
    }

    /// How long to wait: not at all if there is work left, without a watchdog for ever.
    fn timeout(&self, alive: Option<Instant>) -> Option<Timespec> {
        if !self.ready.is_empty() {
            return Some(Timespec { tv_sec: 0, tv_nsec: 0 });
        }
        let now = Instant::now();
        let until = [alive, self.accepting.retry(), self.stop.deadline()].into_iter().flatten().min()?;
        // Rounded up, so that the time has come when the wait is over.
        let wait = until.saturating_duration_since(now) + Duration::from_millis(1);
        Some(Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: wait.subsec_nanos().into(),
        })
    }

    fn reported(&mut self, token: u64, flags: EventFlags) -> Result<(), SysError> {
        match token {
            LISTENER => self.accept(),
            BELL => self.mailbox.bell().silence(),
            SIGNAL => self.signalled()?,
            connection => self.happened(connection, flags),
        }
        Ok(())
    }

    fn signalled(&mut self) -> Result<(), SysError> {
        while let Some(signal) = self.signals.next()? {
            match signal {
                Signal::SIGTERM | Signal::SIGINT => self.begin_stop(),
                Signal::SIGHUP => self.reload(),
                // Helpers are children of the engine's workers; orphans come here only if the daemon adopts them.
                _ => orphans::reap(),
            }
        }
        Ok(())
    }

    /// Reads the configuration again, on another thread.
    fn reload(&mut self) {
        if self.stop.has_begun() {
            return;
        }
        if self.reloading {
            // What changed in the meantime may not have been read.
            self.reload_again = true;
            return;
        }
        self.reloading = true;
        self.notify.reloading();
        let (reload, mailbox) = (self.reload.clone(), self.mailbox.clone());
        let work = move || mailbox.send(Mail::Reloaded(reload()));
        if spawn("daemon-reload", work).is_err() {
            self.reloaded(Reloaded::refused("cannot start a thread to read the configuration".to_owned()));
        }
    }

    fn reloaded(&mut self, reloaded: Reloaded) {
        self.reloading = false;
        let Reloaded { level, lines, state } = reloaded;
        for line in &lines {
            self.journal.line(level, line);
        }
        self.journal.line(level, state);
        self.notify.ready(state);
        if std::mem::take(&mut self.reload_again) {
            self.reload();
        }
    }

    /// Takes what other threads have reported. Answers wait for the events of their requests.
    fn take_mail(&mut self) {
        while let Ok(mail) = self.inbox.try_recv() {
            match mail {
                Mail::Began { connection, request } => _ = self.feed.followed.insert(request, connection),
                Mail::Answer { .. } => self.answers.push(mail),
                Mail::Reloaded(result) => self.reloaded(result),
                Mail::Ended(left) => self.stop.ended(left),
            }
        }
    }
}
