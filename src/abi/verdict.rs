//! The packets between the shim and the daemon (RULES.md, "The shim"): a question names what the kernel wants to run, an
//! answer says whether it may and with which powers. The shim is a program without std and includes this file, so it uses
//! `core` alone and allocates nothing.
//!
//! Both are one packet of a SOCK_SEQPACKET socket. Numbers are little-endian.
//!
//! | question | bytes |
//! |---|---|
//! | version | 1 |
//! | flags: [`CUT`] | 1 |
//! | number of arguments, of variables | 2, 2 |
//! | arguments, then variables, each ended by a NUL | the rest |
//!
//! | answer | bytes |
//! |---|---|
//! | version | 1 |
//! | flags: [`ALLOW`], [`NO_NEW_PRIVS`], [`IDS`], [`SETS`], [`LANDLOCK`], [`READ_ONLY_ROOT`], [`SECCOMP`] | 1 |
//! | zero | 2 |
//! | user id, group id (with [`IDS`]) | 4, 4 |
//! | bounding, inheritable, permitted, ambient set (with [`SETS`]) | 8, 8, 8, 8 |
//! | with [`SECCOMP`]: the filter, each instruction as `struct sock_filter` has it | the rest |
//!
//! With [`LANDLOCK`] a ruleset's descriptor comes with the answer (`SCM_RIGHTS`).

/// The version of both packets. Another version is no answer.
pub const VERSION: u8 = 1;

/// The longest question. Arguments and variables that do not fit are left out, and [`CUT`] is set.
pub const QUESTION: usize = 16 * 1024;

/// The length of an answer without a filter.
pub const ANSWER: usize = 44;

/// The length of an instruction of a filter.
pub const INSTRUCTION: usize = 8;

/// The longest answer: its filter may name each system call that there is.
pub const LONGEST: usize = ANSWER + 1024 * INSTRUCTION;

/// A question: something did not fit.
pub const CUT: u8 = 1;

/// An answer: the helper may run. Without it nothing runs.
pub const ALLOW: u8 = 1;
/// An answer: no_new_privs is set.
pub const NO_NEW_PRIVS: u8 = 2;
/// An answer: the user and group ids are set, without supplementary groups.
pub const IDS: u8 = 4;
/// An answer: the capability sets are narrowed.
pub const SETS: u8 = 8;
/// An answer: the Landlock ruleset that came with it is enforced.
pub const LANDLOCK: u8 = 16;

/// An answer: every mounted file system is read-only for the helper.
pub const READ_ONLY_ROOT: u8 = 32;
/// An answer: the filter of system calls behind it is installed.
pub const SECCOMP: u8 = 64;

/// Every flag of an answer. A flag that the shim does not know could be a restriction: it is no answer.
const KNOWN: u8 = ALLOW | NO_NEW_PRIVS | IDS | SETS | LANDLOCK | READ_ONLY_ROOT | SECCOMP;

/// What the shim writes into the kernel's log where it had no verdict, or no daemon and is to run nothing then. The daemon
/// does not learn of these decisions, and `khelper rules status` counts these lines.
pub const LOGGED: [&str; 3] = [
    "khelper: shim: no verdict, the compiled rules allow\n",
    "khelper: shim: no verdict, the compiled rules deny\n",
    "khelper: shim: no daemon, the helper does not run\n",
];

/// What the daemon answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// [`ALLOW`] and the others.
    pub flags: u8,
    /// The user id that the helper gets.
    pub uid: u32,
    /// The group id that the helper gets.
    pub gid: u32,
    /// What the bounding set keeps.
    pub bounding: u64,
    /// What the inheritable set keeps.
    pub inheritable: u64,
    /// What the permitted and effective sets keep.
    pub permitted: u64,
    /// The ambient set.
    pub ambient: u64,
}

impl Answer {
    /// Whether a flag is set.
    pub const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The packet, without the filter.
    pub fn packet(&self) -> [u8; ANSWER] {
        let mut packet = [0; ANSWER];
        packet[0] = VERSION;
        packet[1] = self.flags;
        packet[4..8].copy_from_slice(&self.uid.to_le_bytes());
        packet[8..12].copy_from_slice(&self.gid.to_le_bytes());
        let sets = [self.bounding, self.inheritable, self.permitted, self.ambient];
        for (place, set) in packet[12..].chunks_exact_mut(8).zip(sets) {
            place.copy_from_slice(&set.to_le_bytes());
        }
        packet
    }

    /// Reads a packet, and the filter behind it. `None`: of another length or version, or with something in it that this
    /// version does not know.
    pub fn read(packet: &[u8]) -> Option<(Self, &[u8])> {
        let (&[version, flags, 0, 0], rest) = packet.split_first_chunk()? else { return None };
        let filter = packet.get(ANSWER..)?;
        let is_whole = filter.len().is_multiple_of(INSTRUCTION) && packet.len() <= LONGEST;
        if version != VERSION || flags & !KNOWN != 0 || !is_whole || filter.is_empty() == (flags & SECCOMP != 0) {
            return None;
        }
        let (uid, rest) = rest.split_first_chunk()?;
        let (gid, rest) = rest.split_first_chunk()?;
        let (bounding, rest) = rest.split_first_chunk()?;
        let (inheritable, rest) = rest.split_first_chunk()?;
        let (permitted, rest) = rest.split_first_chunk()?;
        let (ambient, _) = rest.split_first_chunk()?;
        let answer = Self {
            flags,
            uid: u32::from_le_bytes(*uid),
            gid: u32::from_le_bytes(*gid),
            bounding: u64::from_le_bytes(*bounding),
            inheritable: u64::from_le_bytes(*inheritable),
            permitted: u64::from_le_bytes(*permitted),
            ambient: u64::from_le_bytes(*ambient),
        };
        Some((answer, filter))
    }
}

/// What the kernel wants to run, as a question has it. The bytes are hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// Whether arguments or variables did not fit.
    pub is_cut: bool,
    /// The number of arguments, which come first.
    arguments: usize,
    words: &'a [u8],
}

impl<'a> Question<'a> {
    /// Reads a packet. `None`: of another version, with an unknown flag, without a program, or with other numbers of
    /// arguments and variables than it says.
    pub fn read(packet: &'a [u8]) -> Option<Self> {
        let (&[version, flags, a, b, c, d], words) = packet.split_first_chunk()?;
        let (arguments, variables) = (usize::from(u16::from_le_bytes([a, b])), usize::from(u16::from_le_bytes([c, d])));
        let ends = words.iter().filter(|byte| **byte == 0).count();
        let is_whole = words.last() == Some(&0) && ends == arguments + variables;
        if version != VERSION || flags & !CUT != 0 || arguments == 0 || !is_whole || packet.len() > QUESTION {
            return None;
        }
        Some(Self { is_cut: flags & CUT != 0, arguments, words })
    }

    /// The arguments without their NULs; the first is the program.
    pub fn arguments(&self) -> impl Iterator<Item = &'a [u8]> {
        self.words.split(|byte| *byte == 0).take(self.arguments)
    }

    /// The program.
    pub fn program(&self) -> &'a [u8] {
        self.arguments().next().unwrap_or_default()
    }

    /// The module that is asked for. `None`: these are not the arguments of a module request (kernel/module/kmod.c).
    pub fn module(&self) -> Option<&'a [u8]> {
        let mut all = self.arguments().skip(1);
        let is_request = (all.next(), all.next()) == (Some(b"-q"), Some(b"--"));
        let name = all.next()?;
        (is_request && all.next().is_none() && !self.is_cut).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(head: [u8; 6], words: &[u8]) -> std::vec::Vec<u8> {
        [&head[..], words].concat()
    }

    #[test]
    fn a_question_is_read_whole_or_not_at_all() {
        let whole = packet([VERSION, 0, 4, 0, 1, 0], b"/sbin/modprobe\0-q\0--\0sctp\0HOME=/\0");
        let question = Question::read(&whole).unwrap();
        assert_eq!((question.program(), question.module()), (&b"/sbin/modprobe"[..], Some(&b"sctp"[..])));
        assert_eq!(question.arguments().count(), 4);
        for length in 0..whole.len() {
            assert_eq!(Question::read(&whole[..length]), None, "{length}");
        }
        let words = b"/bin/x\0";
        for head in [
            [VERSION + 1, 0, 1, 0, 0, 0],
            [VERSION, 2, 1, 0, 0, 0],
            [VERSION, 0, 0, 0, 1, 0],
            [VERSION, 0, 2, 0, 0, 0],
            [VERSION, 0, 1, 1, 0, 0],
        ] {
            assert_eq!(Question::read(&packet(head, words)), None, "{head:?}");
        }
        assert_eq!(Question::read(&packet([VERSION, 0, 1, 0, 0, 0], b"/bin/xy")), None, "no NUL at the end");
        let long = packet([VERSION, CUT, 1, 0, 0, 0], &[&[b'x'; QUESTION][..], b"\0"].concat());
        assert_eq!(Question::read(&long), None, "too long");
    }

    #[test]
    fn only_the_kernel_s_own_arguments_ask_for_a_module() {
        let module = |flags, count, words: &[u8]| {
            let packet = packet([VERSION, flags, count, 0, 0, 0], words);
            Question::read(&packet).unwrap().module().map(<[u8]>::to_vec)
        };
        assert_eq!(module(0, 4, b"m\0-q\0--\0\0"), Some(Vec::new()));
        assert_eq!(module(0, 5, b"m\0-q\0--\0a\0b\0"), None);
        assert_eq!(module(0, 3, b"m\0-q\0--\0"), None);
        assert_eq!(module(0, 4, b"m\0-v\0--\0a\0"), None);
        assert_eq!(module(CUT, 4, b"m\0-q\0--\0a\0"), None);
    }
}
