//! The messages of the proc connector (linux/cn_proc.h, linux/connector.h, netlink(7)).

use super::filter::{EVENT, EXIT};

/// `CN_IDX_PROC` and `CN_VAL_PROC`.
const CONNECTOR: [u32; 2] = [1, 1];
/// `PROC_CN_MCAST_LISTEN`.
const LISTEN: u32 = 1;
const NLMSG_DONE: u16 = 3;
const HEADER: usize = 16;
const NETLINK_ALIGN: usize = 4;

/// A process that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// When, in nanoseconds of CLOCK_MONOTONIC.
    pub time: u64,
    /// Its process id in the initial pid namespace.
    pub pid: i32,
    /// Its parent; 0 if it was already reaped, as every child of kthreadd is.
    pub parent: i32,
    /// Its raw wait status.
    pub status: i32,
}

/// A subscription to the ends of processes; `filtered` in the form that Linux 6.6 and later know, which is ignored
/// without an answer by earlier ones.
pub(super) fn subscription(filtered: bool) -> Vec<u8> {
    let input: &[u32] = if filtered { &[LISTEN, EXIT] } else { &[LISTEN] };
    let payload = 4 * input.len();
    let mut out = Vec::with_capacity(EVENT + payload);
    out.extend(u32::try_from(EVENT + payload).unwrap_or(0).to_ne_bytes());
    out.extend(NLMSG_DONE.to_ne_bytes());
    // Flags, sequence, and the port, which the kernel fills in.
    out.extend([0; 10]);
    for word in [CONNECTOR[0], CONNECTOR[1], 0, 0] {
        out.extend(word.to_ne_bytes());
    }
    out.extend(u16::try_from(payload).unwrap_or(0).to_ne_bytes());
    out.extend([0; 2]);
    input.iter().for_each(|word| out.extend(word.to_ne_bytes()));
    out
}

/// The exits in a datagram. Everything else in it is passed over.
pub(super) fn exits(datagram: &[u8]) -> impl Iterator<Item = Exit> + '_ {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        while let Some(length) = word(rest, 0).and_then(|n| usize::try_from(n).ok()) {
            let Some(message) = rest.get(..length).filter(|message| message.len() >= HEADER) else { break };
            rest = rest.get(length.next_multiple_of(NETLINK_ALIGN)..).unwrap_or_default();
            if let Some(exit) = exit(message) {
                return Some(exit);
            }
        }
        rest = &[];
        None
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn exit(message: &[u8]) -> Option<Exit> {
    let number = |at| word(message, at).map(u32::cast_signed);
    if [word(message, HEADER)?, word(message, HEADER + 4)?] != CONNECTOR || word(message, EVENT)? != EXIT {
        return None;
    }
    let time = u64::from_ne_bytes(message.get(EVENT + 8..EVENT + 16)?.try_into().ok()?);
    let (pid, thread_group) = (number(EVENT + 16)?, number(EVENT + 20)?);
    let exit = Exit { time, pid, parent: number(EVENT + 32)?, status: number(EVENT + 24)? };
    (pid == thread_group && pid > 0 && exit.parent >= 0).then_some(exit)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn bytes_of(exit: &Exit, thread_group: i32) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(76u32.to_ne_bytes());
        out.extend([0; 12]);
        for word in [1u32, 1, 9, 0, 40, EXIT, 1] {
            out.extend(word.to_ne_bytes());
        }
        out.extend(exit.time.to_ne_bytes());
        for word in [exit.pid, thread_group, exit.status, 17, exit.parent, exit.parent] {
            out.extend(word.to_ne_bytes());
        }
        out
    }

    #[test]
    fn an_exit_is_read_and_other_messages_are_passed_over() {
        let exit = Exit { time: 1 << 40, pid: 4125, parent: 2, status: 768 };
        let one = bytes_of(&exit, 4125);
        assert_eq!(one.len(), 76);
        let mut all = subscription(true);
        all.extend(&one);
        all.extend(bytes_of(&exit, 4126));
        all.extend(&one);
        assert_eq!(exits(&all).collect::<Vec<_>>(), [exit, exit]);
        assert_eq!((subscription(true).len(), subscription(false).len()), (44, 40));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic_and_without_an_endless_loop(
            bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..200, flip in 0usize..152, to in any::<u8>(),
        ) {
            prop_assert!(exits(&bytes).count() <= 300);
            let exit = Exit { time: 5, pid: 7, parent: 2, status: 9 };
            let mut two = [bytes_of(&exit, 7), bytes_of(&exit, 7)].concat();
            two[flip] = to;
            prop_assert!(exits(&two[..cut.min(152)]).count() <= 2);
        }
    }
}
