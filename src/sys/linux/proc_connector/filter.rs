//! A classic BPF program (socket(7), SO_ATTACH_FILTER) that lets a proc connector socket receive only the ends of
//! processes whose parent is a kernel worker. All others are dropped in the kernel and cost this process nothing.

/// The longest program that the kernel takes.
const LONGEST: usize = 4096;
/// Instructions besides those for the workers.
const FIXED: usize = 40;
/// The offsets of `struct proc_event` in a message: behind `struct nlmsghdr` (16 bytes) and `struct cn_msg` (20).
pub(super) const EVENT: usize = 36;
const WHAT: u32 = 36;
const PID: u32 = 52;
const TGID: u32 = 56;
const PARENT: u32 = 68;
const PARENT_TGID: u32 = 72;
/// `PROC_EVENT_EXIT` of linux/cn_proc.h.
pub(super) const EXIT: u32 = 0x8000_0000;

/// kthreadd, the parent of a helper that nobody waits for.
const KTHREADD: u32 = 2;

/// Which ends of processes pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parents {
    /// The kernel workers that live.
    pub workers: Vec<u32>,
    /// Every parent with this pid or a higher one passes too: a worker that was made after `workers` was listed.
    pub newest: u32,
    /// Children of this process pass too.
    pub own: Option<u32>,
}

/// An instruction (linux/filter.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) code: u16,
    pub(super) jt: u8,
    pub(super) jf: u8,
    pub(super) k: u32,
}

const LOAD_WORD: u16 = 0x20;
const LOAD_BYTE: u16 = 0x30;
const SHIFT: u16 = 0x64;
const OR_X: u16 = 0x4c;
const TO_X: u16 = 0x07;
const EQUAL: u16 = 0x15;
const EQUAL_X: u16 = 0x1d;
const AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;

const ACCEPT: Instruction = Instruction { code: RETURN, jt: 0, jf: 0, k: u32::MAX };
const DROP: Instruction = Instruction { code: RETURN, jt: 0, jf: 0, k: 0 };

const fn op(code: u16, k: u32) -> Instruction {
    Instruction { code, jt: 0, jf: 0, k }
}

/// Returns `end` at once if the comparison holds; `unless`: if it does not hold.
fn judge(out: &mut Vec<Instruction>, code: u16, k: u32, unless: bool, end: Instruction) {
    let (jt, jf) = if unless { (1, 0) } else { (0, 1) };
    out.extend([Instruction { code, jt, jf, k }, end]);
}

/// Loads a number in this machine's byte order; a word that is loaded at once comes in network order.
fn load(out: &mut Vec<Instruction>, at: u32) {
    let bytes: [u32; 4] = if cfg!(target_endian = "little") { [3, 2, 1, 0] } else { [0, 1, 2, 3] };
    out.push(op(LOAD_BYTE, at + bytes[0]));
    for byte in &bytes[1..] {
        out.extend([op(SHIFT, 8), op(TO_X, 0), op(LOAD_BYTE, at + byte), op(OR_X, 0)]);
    }
}

/// The program. If there are too many workers for it, every end of a process passes.
pub(super) fn program(parents: &Parents) -> Vec<Instruction> {
    let mut out = Vec::with_capacity(FIXED + 2 * parents.workers.len());
    out.push(op(LOAD_WORD, WHAT));
    judge(&mut out, EQUAL, EXIT.to_be(), true, DROP);
    // Only whole processes: the pid is that of the thread group.
    out.extend([op(LOAD_WORD, TGID), op(TO_X, 0), op(LOAD_WORD, PID)]);
    judge(&mut out, EQUAL_X, 0, true, DROP);
    if let Some(own) = parents.own {
        out.push(op(LOAD_WORD, PARENT_TGID));
        judge(&mut out, EQUAL, own.to_be(), false, ACCEPT);
    }
    load(&mut out, PARENT);
    // 0: the process was reaped before the kernel wrote the message, as every child of kthreadd is.
    judge(&mut out, EQUAL, 0, false, ACCEPT);
    judge(&mut out, EQUAL, KTHREADD, false, ACCEPT);
    if out.len() + 2 * parents.workers.len() + 3 > LONGEST {
        out.push(ACCEPT);
        return out;
    }
    judge(&mut out, AT_LEAST, parents.newest, false, ACCEPT);
    for worker in &parents.workers {
        judge(&mut out, EQUAL, *worker, false, ACCEPT);
    }
    out.push(DROP);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A plain interpreter of the instructions that are used.
    fn accepts(program: &[Instruction], message: &[u8]) -> bool {
        let (mut a, mut x, mut at) = (0u32, 0u32, 0usize);
        loop {
            let i = program[at];
            at += 1;
            let k = i.k as usize;
            let mut jump = |yes: bool| at += usize::from(if yes { i.jt } else { i.jf });
            match i.code {
                LOAD_WORD => a = u32::from_be_bytes(message[k..k + 4].try_into().unwrap()),
                LOAD_BYTE => a = u32::from(message[k]),
                SHIFT => a <<= i.k,
                OR_X => a |= x,
                TO_X => x = a,
                EQUAL => jump(a == i.k),
                EQUAL_X => jump(a == x),
                AT_LEAST => jump(a >= i.k),
                RETURN => return i.k != 0,
                other => panic!("{other:#x}"),
            }
        }
    }

    fn message(what: u32, pid: u32, tgid: u32, parent: u32, parent_tgid: u32) -> Vec<u8> {
        let mut bytes = vec![0; EVENT];
        for word in [what, 3, 7, 7, pid, tgid, 256, 17, parent, parent_tgid] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes
    }

    proptest! {
        #[test]
        fn only_ends_of_children_of_workers_pass(
            workers in proptest::collection::vec(3u32..70_000, 0..2100),
            newest in 100u32..80_000, own in proptest::option::of(1u32..70_000),
            parent in 0u32..80_000, pid in 1u32..80_000, thread in any::<bool>(), exit in any::<bool>(), listed in any::<bool>(),
        ) {
            let parent = if listed { workers.first().copied().unwrap_or(parent) } else { parent };
            let parents = Parents { workers: workers.clone(), newest, own };
            let program = super::program(&parents);
            prop_assert!(program.len() <= LONGEST);
            let without = super::program(&Parents { workers: Vec::new(), newest, own });
            let full = without.len() + 2 * workers.len() > LONGEST;
            let wanted = parent == 0 || parent == 2 || parent >= newest || workers.contains(&parent) || own == Some(parent) || full;
            let what = if exit { EXIT } else { 1 };
            let passes = accepts(&program, &message(what, pid, pid + u32::from(thread), parent, parent));
            prop_assert_eq!(passes, exit && !thread && wanted);
        }
    }
}
