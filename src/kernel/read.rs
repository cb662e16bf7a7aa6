//! Reads the kernel's buffers, and /proc at once for what goes away soon.

use std::os::fd::AsFd;
use std::time::Duration;

use super::event::{Traced, What};
use super::join::{Exit, Input, Join, Lost, Reading};
use super::observation::{HelperFacts, RequesterFacts};
use super::page::{Missed, Page};
use super::setup::Tracing;
use crate::abi::error::SysError;
use crate::abi::place::Attribution;
use crate::sys::linux::proc_connector::{ProcConnector, Received};
use crate::sys::linux::tasks::{self, Task};
use crate::sys::linux::ticks;
use crate::sys::linux::tracefs::read_page;
use crate::sys::process::asleep;

/// An event that is older than this when it is read may be about a thread whose number was given to another one.
const OLD: u64 = 100_000_000;
/// How long a helper's arguments are looked for.
const PATIENCE: u64 = 100_000_000;

/// Trace events or ends are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Trace events of one CPU.
    Trace {
        /// Whether they were forks and executions; else works and module requests.
        forks: bool,
        /// How many; `None` if the kernel did not say.
        count: Option<u64>,
        /// The time of the last event before them, in nanoseconds of CLOCK_MONOTONIC.
        from: u64,
        /// The time of the first event after them.
        to: u64,
    },
    /// Ends of processes, an unknown number.
    Exits,
    /// A page that does not have the format that the kernel describes.
    DamagedPage,
}

/// Nanoseconds of CLOCK_MONOTONIC.
pub(super) fn now() -> u64 {
    nanoseconds(ticks::monotonic())
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Reads /proc about the processes of events.
#[derive(Debug)]
pub(super) struct Facts {
    /// Whether paths of cgroups mean what they say.
    pub(super) initial_cgroups: bool,
    /// Nanoseconds of a clock tick.
    pub(super) tick: u64,
}

impl Facts {
    fn about(&self, time: u64, traced: &Traced) -> Reading {
        match traced.what {
            What::Queued { .. } => self.requester(time, traced.by).map_or(Reading::None, Reading::Requester),
            _ => Reading::None,
        }
    }

    /// Whether the thread of this number is still the one of the event.
    fn is_same(&self, time: u64, tid: i32) -> bool {
        let started = |task: Task| (task.start_time * self.tick).saturating_sub(asleep());
        now().saturating_sub(time) < OLD || Task::of(tid).is_some_and(|task| started(task) <= time)
    }

    /// Its cgroup first: that vanishes before the status does.
    fn requester(&self, time: u64, tid: i32) -> Option<Box<RequesterFacts>> {
        let cgroups = tasks::cgroups_of(tid);
        let status = tasks::status_of(tid).filter(|_| self.is_same(time, tid))?;
        let attribution = cgroups.map(|cgroups| Attribution::parse(&cgroups, self.initial_cgroups));
        let tasks::ThreadStatus { pid, inner_pid, uid, gid, comm } = status;
        Some(Box::new(RequesterFacts { pid, inner_pid, uid, gid, comm, attribution }))
    }

    fn helper(&self, time: u64, pid: i32) -> Read {
        match tasks::arguments_of(pid).filter(|_| self.is_same(time, pid)) {
            None => Read::Gone,
            Some(arguments) if arguments.is_empty() => Read::Early,
            Some(arguments) => {
                Read::Facts(Box::new(HelperFacts { arguments: arguments.into(), sets: tasks::sets_of(pid) }))
            }
        }
    }
}

/// What came of reading a helper's files.
enum Read {
    Gone,
    /// Its program is being loaded: it has no arguments yet.
    Early,
    Facts(Box<HelperFacts>),
}

/// A helper that was executed and whose files must still be read.
#[derive(Debug)]
pub(super) struct Unread {
    time: u64,
    pid: i32,
    /// Until when its arguments are looked for.
    until: u64,
}

impl Unread {
    /// A helper that was executed at this time, or found running.
    pub(super) fn new(time: u64, pid: i32) -> Self {
        Self { time, pid, until: now() + PATIENCE }
    }
}

/// Reads the files of helpers that were executed. The kernel tells of an execution before it loads the program.
pub(super) fn helpers(unread: &mut Vec<Unread>, facts: &Facts, join: &mut Join) {
    unread.retain_mut(|helper| {
        // A helper that is there after this time ends later.
        let time = now();
        match facts.helper(helper.time, helper.pid) {
            Read::Gone => false,
            Read::Early => time < helper.until,
            Read::Facts(read) => {
                join.push(time, Input::Read(helper.pid, read));
                false
            }
        }
    });
}

/// The files of a helper that was found running; `None` if it is gone, or has no arguments after some time.
pub(super) fn read_at_once(facts: &Facts, pid: i32) -> Option<Box<HelperFacts>> {
    let found = now();
    loop {
        match facts.helper(found, pid) {
            Read::Facts(read) => return Some(read),
            Read::Early if now() < found + PATIENCE => std::thread::sleep(Duration::from_millis(1)),
            Read::Early | Read::Gone => return None,
        }
    }
}

/// Where what is read goes to.
pub(super) struct Into<'a> {
    pub(super) facts: &'a Facts,
    pub(super) join: &'a mut Join,
    pub(super) lost: &'a mut Vec<Loss>,
    pub(super) unread: &'a mut Vec<Unread>,
}

impl Into<'_> {
    fn lose(&mut self, source: Lost, from: u64, to: u64, count: Option<u64>) {
        self.join.lose(source, from, to, count);
        self.lost.push(Loss::Trace { forks: source == Lost::Forks, count, from, to });
    }

    fn damaged(&mut self, source: Lost, from: u64) {
        self.join.lose(source, from, now(), None);
        self.lost.push(Loss::DamagedPage);
    }

    fn traced(&mut self, time: u64, source: Lost, traced: Traced) {
        let is_kernel = matches!(traced.what, What::Queued { .. }) && self.join.is_kernel_thread(traced.by);
        let reading = if is_kernel { Reading::KernelThread } else { self.facts.about(time, &traced) };
        if let What::Executes { pid, .. } | What::Renamed { pid, .. } = traced.what {
            self.unread.push(Unread::new(time, pid));
        }
        self.join.count(source);
        self.join.push(time, Input::Traced(traced, reading));
    }
}

/// Reads the buffer of one CPU up to the present.
pub(super) fn buffer(
    tracing: &mut Tracing,
    at: usize,
    page: &mut [u8],
    until: u64,
    into: &mut Into<'_>,
) -> Result<(), SysError> {
    loop {
        let Some(buffer) = tracing.buffers.get(at) else { return Ok(()) };
        let (source, mut last) = (buffer.source, buffer.last);
        let read = read_page(buffer.fd.as_fd(), page)?;
        if read == 0 {
            return Ok(());
        }
        match Page::parse(&tracing.page, page.get(..read).unwrap_or_default()) {
            Err(_) => into.damaged(source, last),
            Ok(parsed) => {
                match parsed.missed {
                    Missed::None => {}
                    missed => {
                        let count =
                            tracing.lost(at).or(if let Missed::Exactly(count) = missed { Some(count) } else { None });
                        into.lose(source, last, parsed.time, count);
                    }
                }
                for record in parsed.records() {
                    let Ok(record) = record else {
                        into.damaged(source, last);
                        break;
                    };
                    last = record.time;
                    if let Some(traced) = tracing.decoder.decode(record.data) {
                        into.traced(record.time, source, traced);
                    }
                }
            }
        }
        if let Some(buffer) = tracing.buffers.get_mut(at) {
            buffer.last = last;
        }
        if last > until {
            return Ok(());
        }
    }
}

/// Reads the ends of processes up to the present.
pub(super) fn exits(
    connector: &ProcConnector,
    until: u64,
    join: &mut Join,
    lost: &mut Vec<Loss>,
) -> Result<(), SysError> {
    let mut is_done = false;
    while !is_done {
        let received = connector.receive(|exit| {
            is_done |= exit.time > until;
            let (pid, parent, status) = (exit.pid, exit.parent, exit.status);
            join.push(exit.time, Input::Exit(Exit { pid, parent, status }));
        })?;
        match received {
            Received::Some => {}
            Received::Empty => is_done = true,
            Received::Overrun => {
                join.lose_exits();
                lost.push(Loss::Exits);
            }
        }
    }
    Ok(())
}
