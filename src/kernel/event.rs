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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::format::tests::COMMON;
    use proptest::prelude::*;

    fn format(id: u16, fields: &[(&str, usize, usize)]) -> Vec<u8> {
        let line = |(declaration, offset, size): &(&str, usize, usize)| {
            format!("\tfield:{declaration};\toffset:{offset};\tsize:{size};\tsigned:0;\n")
        };
        format!(
            "name: x\nID: {id}\nformat:\n{COMMON}{}\nprint fmt: \"\"\n",
            fields.iter().map(line).collect::<String>()
        )
        .into()
    }

    fn decoder() -> Decoder {
        let mut decoder = Decoder::default();
        let work: &[(&str, usize, usize)] = &[("void * work", 8, 8), ("void * function", 16, 8)];
        assert!(decoder.add(Kind::Queue, &format(1, work)) && decoder.add(Kind::Start, &format(2, work)));
        assert!(decoder.add(Kind::End, &format(3, work)));
        let fork = [("__data_loc char[] parent_comm", 8, 4), ("pid_t parent_pid", 12, 4), ("pid_t child_pid", 20, 4)];
        assert!(decoder.add(Kind::Fork, &format(4, &fork)));
        let exec = [("__data_loc char[] interp", 8, 4), ("__data_loc char[] filename", 12, 4), ("pid_t pid", 16, 4)];
        assert!(decoder.add(Kind::Exec, &format(5, &exec)));
        let rename = [("pid_t pid", 8, 4), ("char oldcomm[16]", 12, 16), ("char newcomm[16]", 28, 16)];
        assert!(decoder.add(Kind::Rename, &format(6, &rename)));
        let module = [("unsigned long ip", 8, 8), ("bool wait", 16, 1), ("__data_loc char[] name", 20, 4)];
        assert!(decoder.add(Kind::Module, &format(7, &module)));
        assert!(!decoder.add(Kind::Fork, &format(8, &fork[..1])) && !decoder.add(Kind::Fork, b"junk"));
        decoder
    }

    fn record(id: u16, by: i32, rest: &[&[u8]]) -> Vec<u8> {
        [&id.to_ne_bytes()[..], &[0, 0], &by.to_ne_bytes(), &rest.concat()].concat()
    }

    #[test]
    fn each_event_is_read_through_its_format() {
        let (decoder, n) = (decoder(), |n: u32| n.to_ne_bytes());
        let of = |record: &[u8]| decoder.decode(record).map(|traced| (traced.by, traced.what));
        let work = 0xffff_8880_1234_5678u64.to_ne_bytes();
        assert_eq!(of(&record(1, 42, &[&work, &work])), Some((42, What::Queued { work: 0xffff_8880_1234_5678 })));
        assert_eq!(of(&record(2, 7, &[&work, &work])), Some((7, What::Began { work: 0xffff_8880_1234_5678 })));
        assert_eq!(of(&record(3, 7, &[])), Some((7, What::Done)));
        let fork = record(4, 7, &[&n(0), &n(7), &n(0), &n(4125)]);
        assert_eq!(of(&fork), Some((7, What::Forked { parent: 7, child: 4125 })));
        // 6 bytes at 20; a newline and an escape are bytes as any other, and a NUL ends them.
        let exec = record(5, 4125, &[&n(0), &n(6 << 16 | 20), &n(4125), b"/a\n\x1b\0b"]);
        assert_eq!(of(&exec), Some((4125, What::Executes { pid: 4125, file: b"/a\n\x1b".as_slice().into() })));
        let rename = record(6, 4125, &[&n(4125), b"kworker/u8:1\0\0\0\0", b"modprobe\0\0\0\0\0\0\0\0"]);
        assert_eq!(of(&rename), Some((4125, What::Renamed { pid: 4125, comm: Comm::new(b"modprobe") })));
        let module = record(7, 42, &[&work, &[1, 0, 0, 0], &n(7 << 16 | 24), b"fs-foo\0"]);
        let request =
            ModuleRequest { name: b"fs-foo".as_slice().into(), call_site: 0xffff_8880_1234_5678, waits: true };
        assert_eq!(of(&module), Some((42, What::Module(Box::new(request)))));
        assert_eq!((of(&record(9, 1, &[&work])), of(&record(1, 1, &[]))), (None, None));
        // Data that would lie outside the record.
        assert_eq!(of(&record(5, 1, &[&n(0), &n(0xffff << 16 | 0xffff), &n(1), b"x"])), None);
        assert_eq!(of(&record(1, -1, &[&work])), None);
    }

    proptest! {
        #[test]
        fn any_record_is_decoded_without_a_panic(id in 0u16..9, bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let record = [&id.to_ne_bytes()[..], &bytes].concat();
            let _ = decoder().decode(&record);
            let _ = decoder().decode(&bytes);
        }

        /// A format of any offsets and sizes, and any record: what is read lies in the record.
        #[test]
        fn any_format_is_followed_without_a_panic(
            offsets in proptest::collection::vec((0usize..70_000, 0usize..70_000), 3), bytes in proptest::collection::vec(any::<u8>(), 0..80), indirect in any::<bool>(),
        ) {
            let text = if indirect { "__data_loc char[] filename" } else { "char filename[9]" };
            let fields = [("pid_t pid", offsets[0].0, 4), (text, offsets[1].0, offsets[1].1), ("int x", offsets[2].0, 4)];
            let mut decoder = Decoder::default();
            decoder.add(Kind::Exec, &format(0, &fields));
            let _ = decoder.decode(&[&[0, 0], &bytes[..]].concat());
        }
    }
}
