//! Trace events about helpers, from the bytes of a record.

use super::format::{EventFormat, Field};
use crate::abi::actor::Comm;

/// The longest text that is taken from an event: PATH_MAX.
const TEXT: usize = 4096;

/// A trace event that tells of helpers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// The thread that was running (`common_pid`).
    pub by: i32,
    /// What it did.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Work for helpers was queued (`workqueue_queue_work`).
    Queued {
        /// The address of the work, which is reused after its start.
        work: u64,
    },
    /// A kernel worker began it (`workqueue_execute_start`).
    Began {
        /// The address of the work.
        work: u64,
    },
    /// The worker has done it (`workqueue_execute_end`).
    Done,
    /// A process was made (`sched_process_fork`).
    Forked {
        /// Who called for it: the thread that ran.
        parent: i32,
        /// The new process.
        child: i32,
    },
    /// A program is executed (`sched_prepare_exec`).
    Executes {
        /// The process.
        pid: i32,
        /// The file.
        file: Box<[u8]>,
    },
    /// A program was executed: the process has a new name (`task_rename`).
    Renamed {
        /// The process.
        pid: i32,
        /// The new name.
        comm: Comm,
    },
    /// The kernel asks for a module (`module_request`).
    Module(Box<ModuleRequest>),
}

/// The kernel's call of `request_module`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleRequest {
    /// The name asked for. Its bytes may come from an ordinary user.
    pub name: Box<[u8]>,
    /// The address in the kernel that asked.
    pub call_site: u64,
    /// Whether the caller waits for the helper's end.
    pub waits: bool,
}

/// Where a value stands in a record.
#[derive(Clone, Copy, Debug)]
enum Slot {
    Fixed { offset: usize, size: usize },
    Indirect { offset: usize },
}

impl Slot {
    fn of(format: &EventFormat, name: &str) -> Option<Self> {
        let Field { offset, size, is_indirect, .. } = *format.field(name)?;
        Some(if is_indirect { Self::Indirect { offset } } else { Self::Fixed { offset, size } })
    }

    fn bytes(self, record: &[u8]) -> Option<&[u8]> {
        match self {
            Self::Fixed { offset, size } => record.get(offset..offset.checked_add(size)?),
            Self::Indirect { offset } => {
                let at = u32::from_ne_bytes(record.get(offset..offset.checked_add(4)?)?.try_into().ok()?);
                let (from, length) = ((at & 0xffff) as usize, (at >> 16) as usize);
                record.get(from..from + length)
            }
        }
    }

    fn number(self, record: &[u8]) -> Option<u64> {
        let bytes = self.bytes(record)?;
        Some(match bytes.len() {
            1 => u64::from(bytes[0]),
            4 => u64::from(u32::from_ne_bytes(bytes.try_into().ok()?)),
            8 => u64::from_ne_bytes(bytes.try_into().ok()?),
            _ => return None,
        })
    }

    fn pid(self, record: &[u8]) -> Option<i32> {
        i32::try_from(self.number(record)?).ok()
    }

    /// The bytes up to the first NUL.
    fn text(self, record: &[u8]) -> Option<&[u8]> {
        let bytes = self.bytes(record)?;
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        bytes.get(..end.min(TEXT))
    }
}

/// An event that this program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `workqueue:workqueue_queue_work`
    Queue,
    /// `workqueue:workqueue_execute_start`
    Start,
    /// `workqueue:workqueue_execute_end`
    End,
    /// `sched:sched_process_fork`
    Fork,
    /// `sched:sched_prepare_exec`, Linux 6.12 and later
    Exec,
    /// `task:task_rename`
    Rename,
    /// `module:module_request`, kernels with modules
    Module,
}

impl Kind {
    /// The folder of the event below `events`.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Queue => "workqueue/workqueue_queue_work",
            Self::Start => "workqueue/workqueue_execute_start",
            Self::End => "workqueue/workqueue_execute_end",
            Self::Fork => "sched/sched_process_fork",
            Self::Exec => "sched/sched_prepare_exec",
            Self::Rename => "task/task_rename",
            Self::Module => "module/module_request",
        }
    }

    /// The fields that are read, in the order of `Decoder::decode`.
    const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Queue | Self::Start => &["work"],
            Self::End => &[],
            Self::Fork => &["parent_pid", "child_pid"],
            Self::Exec => &["pid", "filename"],
            Self::Rename => &["pid", "newcomm"],
            Self::Module => &["name", "ip", "wait"],
        }
    }
}

#[derive(Debug)]
struct Known {
    id: u16,
    kind: Kind,
    by: Slot,
    slots: Vec<Slot>,
}

/// Reads the events whose formats it was given.
#[derive(Debug, Default)]
pub struct Decoder(Vec<Known>);

impl Decoder {
    /// Adds an event by the text of its `format`. Returns whether it is one that can be read.
    pub fn add(&mut self, kind: Kind, format: &[u8]) -> bool {
        let known = EventFormat::parse(format).and_then(|format| {
            let slots: Option<Vec<Slot>> = kind.fields().iter().map(|name| Slot::of(&format, name)).collect();
            Some(Known { id: format.id, kind, by: Slot::of(&format, "common_pid")?, slots: slots? })
        });
        let can = known.is_some();
        self.0.extend(known);
        can
    }

    /// The event in a record; `None` if it is an event of another kind, or damaged.
    pub fn decode(&self, record: &[u8]) -> Option<Traced> {
        let id = u16::from_ne_bytes(record.get(..2)?.try_into().ok()?);
        let known = self.0.iter().find(|known| known.id == id)?;
        let slot = |at: usize| known.slots.get(at).copied();
        let number = |at| slot(at)?.number(record);
        let pid = |at| slot(at)?.pid(record);
        let text = |at| slot(at)?.text(record);
        let what = match known.kind {
            Kind::Queue => What::Queued { work: number(0)? },
            Kind::Start => What::Began { work: number(0)? },
            Kind::End => What::Done,
            Kind::Fork => What::Forked { parent: pid(0)?, child: pid(1)? },
            Kind::Exec => What::Executes { pid: pid(0)?, file: text(1)?.into() },
            Kind::Rename => What::Renamed { pid: pid(0)?, comm: Comm::new(text(1)?) },
            Kind::Module => What::Module(Box::new(ModuleRequest {
                name: text(0)?.into(),
                call_site: number(1)?,
                waits: number(2)? != 0,
            })),
        };
        Some(Traced { by: known.by.pid(record)?, what })
    }
}
