//! What /proc tells about this process, for the report of the probe.

use nix::errno::Errno;

use super::linux::proc::line;
use crate::abi::cap::CapMask;
use crate::abi::error::SysError;

/// The text of a /proc/PID/status (proc_pid_status(5)).
pub(super) struct Status(pub(super) Vec<u8>);

impl Status {
    fn line(&self, name: &str) -> Option<&str> {
        line(&self.0, name.as_bytes())
    }

    pub(super) fn bits(&self, name: &str, radix: u32) -> Option<u64> {
        u64::from_str_radix(self.line(name)?, radix).ok()
    }

    pub(super) fn numbers(&self, name: &str) -> Vec<u32> {
        self.line(name).unwrap_or_default().split_ascii_whitespace().filter_map(|n| n.parse().ok()).collect()
    }

    /// The real, effective, saved and file system id of a line.
    pub(super) fn ids(&self, name: &str) -> Result<[u32; 4], SysError> {
        self.numbers(name).try_into().map_err(|_| unknown("/proc/self/status"))
    }

    /// `ENODATA` for a status without this set: a set that cannot be read is not an empty one (UMH-10).
    pub(super) fn set(&self, name: &str) -> Result<CapMask, SysError> {
        let missing = || SysError::new(format!("{} in /proc/self/status", name.trim_end_matches(':')), Errno::ENODATA);
        self.bits(name, 16).map(CapMask::from_bits).ok_or_else(missing)
    }

    /// The CPUs of a list such as `0-3,8`.
    pub(super) fn affinity(&self) -> Vec<u32> {
        let list = self.line("Cpus_allowed_list:").unwrap_or_default();
        let range = |part: &str| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            Some(from.parse::<u32>().ok()?..=to.parse().ok()?)
        };
        list.split(',').filter_map(range).flatten().collect()
    }
}

/// The part of a /proc/PID/stat that is reported (proc_pid_stat(5)).
pub(super) struct Stat {
    pub(super) ppid: i32,
    pub(super) pgid: i32,
    pub(super) session: i32,
    pub(super) terminal: i32,
    pub(super) nice: i64,
    pub(super) policy: u32,
}

impl Stat {
    /// The fields have the numbers of the manual page. The name may contain anything, so the fields after it are counted.
    pub(super) fn parse(stat: &[u8]) -> Option<Self> {
        let end = stat.iter().rposition(|b| *b == b')')?;
        let words: Vec<&str> = std::str::from_utf8(&stat[end + 1..]).ok()?.split_ascii_whitespace().collect();
        let field = |number: usize| words.get(number - 3)?.parse::<i64>().ok();
        let id = |number: usize| field(number).and_then(|id| i32::try_from(id).ok());
        Some(Self {
            ppid: id(4)?,
            pgid: id(5)?,
            session: id(6)?,
            terminal: id(7)?,
            nice: field(19)?,
            policy: u32::try_from(field(41)?).ok()?,
        })
    }
}

/// The only number of a file.
pub(super) fn number(text: &[u8]) -> Option<i16> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// The file is not what the kernel writes.
pub(super) fn unknown(what: &'static str) -> SysError {
    SysError::new(what, Errno::EIO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_forms_of_proc_are_read() {
        let status =
            Status(b"Name:\tx\nUid:\t1\t2\t3\t4\nGroups:\t \nCpus_allowed_list:\t0-2,7,9-10\nCapAmb:\tx\n".into());
        assert_eq!(status.affinity(), [0, 1, 2, 7, 9, 10]);
        assert_eq!(status.ids("Uid:").unwrap(), [1, 2, 3, 4]);
        assert!(status.numbers("Groups:").is_empty() && status.ids("Gid:").is_err());
        assert_eq!(status.set("CapAmb:").unwrap_err().errno, Errno::ENODATA);
        let name = ") R 9 9 9 (";
        let numbers: Vec<String> = (4..=52).map(|n| n.to_string()).collect();
        let stat = Stat::parse(format!("7 ({name}) S {}", numbers.join(" ")).as_bytes()).unwrap();
        assert_eq!((stat.ppid, stat.pgid, stat.session, stat.terminal, stat.nice, stat.policy), (4, 5, 6, 7, 19, 41));
        assert!(Stat::parse(b"7 (x) S 1 2").is_none());
    }
}
