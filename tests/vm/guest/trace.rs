//! What the kernel does, seen through a trace instance of our own: the requests and what they returned, the helpers
//! that were executed and their ends. Everything is waited for here, by its event.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

const TRACING: &str = "/sys/kernel/tracing";
const INSTANCE: &str = "/sys/kernel/tracing/instances/khelper";
/// Nothing takes longer, on a busy machine either: a scenario that does has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// `__request_module` was entered.
    Asked,
    /// It returned.
    Returned(i32),
    /// `call_usermodehelper_exec` was entered.
    Calling,
    /// `call_usermodehelper_exec` returned.
    Called(i32),
    /// A helper was executed.
    Exec,
    /// A process or thread ended.
    Exit,
    /// A mark of ours.
    Mark(u64),
    /// A caller of this `ask` step is back.
    Back(usize),
}

/// An event: when (nanoseconds, [`super::now`]'s), whose.
#[derive(Clone, Debug)]
pub struct Event {
    pub at: u64,
    pub pid: i32,
    pub what: What,
}

pub struct Trace {
    events: Receiver<Event>,
    seen: Vec<Event>,
    marks: u64,
}

impl Trace {
    /// Sets the probes and starts to read.
    pub fn start() -> Self {
        let probes = "r300:khelper/returned __request_module ret=$retval:s32\n\
                      p:khelper/asked __request_module\n\
                      p:khelper/calling call_usermodehelper_exec\n\
                      r300:khelper/called call_usermodehelper_exec ret=$retval:s32\n";
        for probe in probes.lines() {
            append(&format!("{TRACING}/kprobe_events"), probe);
        }
        fs::create_dir(INSTANCE).unwrap();
        let set = |file: &str, text: &str| fs::write(format!("{INSTANCE}/{file}"), text).unwrap();
        set("trace_clock", "mono");
        set("buffer_size_kb", "512");
        set("events/sched/sched_process_exec/filter", "filename ~ \"/h/*\" || filename ~ \"/n*/*\"");
        for event in ["sched/sched_process_exec", "sched/sched_process_exit", "khelper"] {
            set(&format!("events/{event}/enable"), "1");
        }
        let pipe = BufReader::new(fs::File::open(format!("{INSTANCE}/trace_pipe")).unwrap());
        let (send, events) = channel();
        std::thread::spawn(move || {
            for line in pipe.split(b'\n').map_while(Result::ok) {
                if let Some(event) = parse(&String::from_utf8_lossy(&line))
                    && send.send(event).is_err()
                {
                    return;
                }
            }
        });
        Self { events, seen: Vec::new(), marks: 0 }
    }

    /// Forgets what was.
    pub fn clear(&mut self) -> Result<(), String> {
        self.sync()?;
        self.seen.clear();
        Ok(())
    }

    /// Reads all that has happened by now.
    pub fn sync(&mut self) -> Result<(), String> {
        self.marks += 1;
        fs::write(format!("{INSTANCE}/trace_marker"), format!("mark {}\n", self.marks)).unwrap();
        let mark = What::Mark(self.marks);
        self.until("a mark of our own", |seen| seen.iter().any(|e| e.what == mark))
    }

    /// Reads until `enough`.
    pub fn until(&mut self, what: &str, enough: impl Fn(&[Event]) -> bool) -> Result<(), String> {
        while !enough(&self.seen) {
            match self.events.recv_timeout(PATIENCE) {
                Ok(event) => self.seen.push(event),
                Err(RecvTimeoutError::Timeout) => return Err(format!("waited in vain for {what}")),
                Err(RecvTimeoutError::Disconnected) => return Err("the trace has ended".into()),
            }
        }
        Ok(())
    }

    /// Reads until so many helpers have been started, or until all of this `ask` step (which, how many) are back: they
    /// will have none started any more.
    pub fn running(&mut self, count: usize, last: Option<(usize, usize)>) -> Result<(), String> {
        let over = |seen: &[Event]| last.is_some_and(|(group, asked)| count_of(seen, &What::Back(group)) >= asked);
        self.until(&format!("{count} helpers to start"), |seen| count_of(seen, &What::Exec) >= count || over(seen))
    }

    /// Reads until so many callers are back.
    pub fn back(&mut self, count: usize) -> Result<(), String> {
        let back = |seen: &[Event]| seen.iter().filter(|e| matches!(e.what, What::Back(_))).count();
        self.until(&format!("{count} callers to be back"), |seen| back(seen) >= count)
    }

    /// Reads until so many requests have been begun.
    pub fn asked(&mut self, count: usize) -> Result<(), String> {
        self.until(&format!("{count} requests"), |seen| count_of(seen, &What::Asked) >= count)
    }

    /// Reads until so many calls have returned.
    pub fn called(&mut self, count: usize) -> Result<(), String> {
        let returned = |seen: &[Event]| seen.iter().filter(|e| matches!(e.what, What::Called(_))).count();
        self.until(&format!("{count} calls to return"), |seen| returned(seen) >= count)
    }

    /// Reads until no helper lives.
    pub fn ended(&mut self) -> Result<(), String> {
        self.sync()?;
        self.until("the helpers to end", |seen| lives(seen).iter().all(|(_, end)| end.is_some()))
    }

    /// All of it, in the order of time.
    pub fn seen(&self) -> Vec<Event> {
        let mut seen = self.seen.clone();
        seen.sort_by_key(|e| e.at);
        seen
    }
}

/// Where callers say that they are back.
#[derive(Clone)]
pub struct Marker(Arc<fs::File>);

impl Marker {
    pub fn open() -> Self {
        Self(Arc::new(fs::File::options().write(true).open(format!("{INSTANCE}/trace_marker")).unwrap()))
    }

    pub fn back(&self, group: usize) {
        // One write, so that it is one event.
        (&*self.0).write_all(format!("back {group}\n").as_bytes()).unwrap();
    }
}

fn count_of(seen: &[Event], what: &What) -> usize {
    seen.iter().filter(|e| e.what == *what).count()
}

/// The life of each helper: executed, ended.
pub fn lives(seen: &[Event]) -> Vec<(u64, Option<u64>)> {
    let end = |e: &Event| seen.iter().find(|x| x.what == What::Exit && x.pid == e.pid && x.at >= e.at).map(|x| x.at);
    // A script is executed twice over, as itself and as its interpreter, by the same process.
    let mut pids = std::collections::BTreeSet::new();
    seen.iter().filter(|e| e.what == What::Exec && pids.insert(e.pid)).map(|e| (e.at, end(e))).collect()
}

/// `comm-pid [cpu] flags seconds.micros: event: ...`; a line that is none of ours is passed over.
fn parse(line: &str) -> Option<Event> {
    const NAMES: [&str; 7] =
        ["asked", "returned", "calling", "called", "sched_process_exec", "sched_process_exit", "tracing_mark_write"];
    let found = |name: &'static str| Some((line.split_once(&format!(": {name}: "))?, name));
    let ((head, rest), name) = NAMES.into_iter().find_map(found)?;
    let what = match name {
        "asked" => What::Asked,
        "returned" => What::Returned(last_number(rest)?),
        "calling" => What::Calling,
        "called" => What::Called(last_number(rest)?),
        "sched_process_exec" => What::Exec,
        "sched_process_exit" => What::Exit,
        _ => match rest.trim().split_once(' ')? {
            ("back", group) => What::Back(group.parse().ok()?),
            (_, mark) => What::Mark(mark.parse().ok()?),
        },
    };
    let (seconds, micros) = head.rsplit(' ').next()?.split_once('.')?;
    let at = seconds.parse::<u64>().ok()? * 1_000_000_000 + micros.parse::<u64>().ok()? * 1000;
    let task = head.rsplit_once(" [")?.0.trim_end();
    Some(Event { at, pid: task.rsplit_once('-')?.1.parse().ok()?, what })
}

fn last_number(rest: &str) -> Option<i32> {
    rest.rsplit_once("ret=")?.1.trim().parse().ok()
}

fn append(file: &str, text: &str) {
    let mut file = fs::File::options().append(true).open(file).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
