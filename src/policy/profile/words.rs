//! The words of the grammar, and the forms of a limit.

/// The keys, without those of limits.
pub(super) const KEYS: &[&str] = &[
    "user",
    "group",
    "capabilities",
    "bounding",
    "inheritable",
    "permitted",
    "ambient",
    "no_new_privs",
    "read",
    "write",
    "execute",
    "allow_calls",
    "deny_calls",
    "cgroup",
    "read_only_root",
];

/// Limits by name (getrlimit(2)).
#[expect(clippy::unnecessary_cast, reason = "the C libraries have different types for them")]
pub(super) const LIMITS: [(&str, u32); 16] = [
    ("as", libc::RLIMIT_AS as u32),
    ("core", libc::RLIMIT_CORE as u32),
    ("cpu", libc::RLIMIT_CPU as u32),
    ("data", libc::RLIMIT_DATA as u32),
    ("fsize", libc::RLIMIT_FSIZE as u32),
    ("locks", libc::RLIMIT_LOCKS as u32),
    ("memlock", libc::RLIMIT_MEMLOCK as u32),
    ("msgqueue", libc::RLIMIT_MSGQUEUE as u32),
    ("nice", libc::RLIMIT_NICE as u32),
    ("nofile", libc::RLIMIT_NOFILE as u32),
    ("nproc", libc::RLIMIT_NPROC as u32),
    ("rss", libc::RLIMIT_RSS as u32),
    ("rtprio", libc::RLIMIT_RTPRIO as u32),
    ("rttime", libc::RLIMIT_RTTIME as u32),
    ("sigpending", libc::RLIMIT_SIGPENDING as u32),
    ("stack", libc::RLIMIT_STACK as u32),
];

/// Calls without which nothing starts, or the launch cannot report a failure.
pub(super) const NEEDED: [&str; 5] = ["execve", "exit", "exit_group", "rt_sigreturn", "write"];

/// `SOFT:HARD`, or one number for both; with K, M or G, or `unlimited`.
pub(super) fn limits(value: &str) -> Option<(u64, u64)> {
    let one = |text: &str| {
        if text == "unlimited" {
            return Some(u64::MAX);
        }
        let shift = match text.as_bytes().last()? {
            b'K' => 10,
            b'M' => 20,
            b'G' => 30,
            _ => 0,
        };
        let digits = if shift > 0 { &text[..text.len() - 1] } else { text };
        let number = digits.parse::<u64>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))?;
        number.checked_mul(1 << shift)
    };
    let (soft, hard) = value.split_once(':').unwrap_or((value, value));
    let (soft, hard) = (one(soft)?, one(hard)?);
    (soft <= hard).then_some((soft, hard))
}

/// The name of a limit, as `rlimit.NAME` has it.
pub fn limit_name(resource: u32) -> &'static str {
    LIMITS.iter().find(|(_, number)| *number == resource).map_or("unknown", |(name, _)| name)
}
